"""The `stockade` command and its subcommands, each loaded when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from .. import __version__
from ..policies.errors import InputError, StockadeError
from ..policies.source import printable
from .lazy import LazyGroup

# name -> what the help says of it; the module has the same name (`import`: import_)
_COMMANDS = {
    "compile": "Write a policy as Docker JSON, OCI JSON, BPF, OPA bundle.",
    "prove": "Prove that two filters mean the same, or show a call.",
    "diff": "Say which calls two filters answer differently.",
    "import": "Write a Docker profile or BPF program as a policy, exactly.",
    "explain": "Say what a policy, profile or program answers to a call, and why.",
    "lint": "Find faults in policies, profiles and files of host ids.",
    "run": "Run a command confined by a policy on this machine.",
    "test": "Check the calls and requests in a policy's `tests:`.",
    "disasm": "Show a BPF program as text.",
    "authz": "Decide Docker API requests by rules: check, explain, serve.",
    "userns": "Give host ids to tenants; check, show, plan and apply them.",
    "audit": "Verify decision logs.",
    "init": "Write a first policy to start from.",
}


_EPILOG = """\b
First steps:
  stockade init                          write policy.yaml
  stockade lint policy.yaml              find faults
  stockade run --policy policy.yaml -- ls   try it on a command
  stockade compile policy.yaml -o .      write the Docker profile

\b
Exit status: 0 clean, 1 findings or denied, 2 bad input, 3 a fault of Stockade.
Shell completion: eval "$(_STOCKADE_COMPLETE=bash_source stockade)"
"""


@click.group(
    cls=LazyGroup,
    package=__package__,
    offers=_COMMANDS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="stockade", message="%(prog)s %(version)s")
def stockade() -> None:
    """Compile security policies for Linux containers, and show what they do."""


def run(arguments: Sequence[str]) -> int:
    """Run a command line and give its exit code; errors are printed to stderr."""
    try:
        result = stockade.main(list(arguments), "stockade", standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        _show(error)
        return 2
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 2
    except OSError as error:
        name = f"`{printable(str(error.filename))}`: " if error.filename else ""
        click.echo(f"error: {name}{error.strerror}", err=True)
        return 2
    except StockadeError as error:
        click.echo(f"stockade: internal error, nothing was written: {error}", err=True)
        return 3
    except Exception as error:  # a crash must never look like a clean result
        return _crashed(error)
    return result if isinstance(result, int) else 0


def _show(error: InputError) -> None:
    count = len(error.problems)
    for problem in error.problems:
        click.echo(problem.render(), err=True)
    if count > 1:
        click.echo(f"{count} problems", err=True)


def _crashed(error: Exception) -> int:
    import traceback

    click.echo(
        f"stockade: internal error ({type(error).__name__}: {error}); nothing was checked.\n"
        "This is a fault of Stockade, please report it.",
        err=True,
    )
    if os.environ.get("STOCKADE_DEBUG"):
        traceback.print_exception(error)
    else:
        click.echo("Set STOCKADE_DEBUG=1 to see where.", err=True)
    return 3
