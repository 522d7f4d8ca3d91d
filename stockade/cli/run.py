"""`stockade run`."""

from __future__ import annotations

import os

import click

from ..policies.errors import InputError
from ..policies.source import printable
from ..seccomp import kernel as kernel_
from ..seccomp.build import named_abis
from ..seccomp.targets import compile_program, for_machine
from .options import environment_options, read_request, sound_policy

_EPILOG = """\b
Examples:
  stockade run --policy web.yaml -- python3 -m http.server
  stockade run --policy docker-default --cap docker -- unshare --user true
  stockade run --policy web.yaml -- sh -c 'id; ls'

\b
The exit status is the command's own. 126 and 127 mean, as in a shell, that
it cannot be started, for instance because the policy denies execve.
"""

_DENIED, _NOT_FOUND = 126, 127


@click.command("run", epilog=_EPILOG, context_settings={"ignore_unknown_options": True})
@click.option("--policy", required=True, help="A path or a library policy.")
@environment_options
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD [ARG]...")
def command(
    policy: str,
    architectures: tuple[str, ...],
    capabilities: tuple[str, ...],
    kernel: str | None,
    words: tuple[str, ...],
) -> int:
    """Run CMD confined by a policy, on this machine, without any container engine.

    Sets no_new_privs, attaches the policy's seccomp program and executes the command in this
    process. Rules with `needs:` count only for the capabilities that --cap names, whatever
    this process holds.
    """
    request = read_request(architectures, capabilities, kernel)
    sound = sound_policy(policy, request.build)
    if sound.seccomp is None:
        raise InputError.of(f"policy {sound.name} has no `seccomp` section", sound.at)
    native = request.build.family.native.name
    chosen = for_machine(sound, request).seccomp
    if chosen is None or native not in [abi.name for abi in named_abis(chosen, request.build)]:
        raise InputError.of(
            f"policy {sound.name} would kill every program of this machine ({native})",
            sound.seccomp.at,
            f"name {native} in `architectures`, and with --arch",
        )
    program = compile_program(sound, request)
    kernel_.load(program)
    try:
        os.execvp(words[0], words)
    except FileNotFoundError:
        os.write(2, f"stockade run: no such command: {printable(words[0])}\n".encode())
        os._exit(_NOT_FOUND)
    except OSError as error:
        os.write(
            2, f"stockade run: cannot execute {printable(words[0])}: {error.strerror}\n".encode()
        )
        os._exit(_DENIED)
