"""`stockade authz`: the authorization plugin and its tools, each loaded when it is called."""

from __future__ import annotations

from importlib import import_module

import click

# name -> what `stockade authz --help` says of it; the module has the same name
_COMMANDS = {
    "check": "Find faults in a policy, and in how the engine is set up.",
    "explain": "Say what a docker command or API request would be answered, and why.",
    "test": "Check the requests in a policy's `tests:` section.",
    "serve": "Answer dockerd.",
    "install": "Set up dockerd and systemd; shows what it would do.",
    "replay": "Say what another policy would have decided on logged requests.",
}


class _Lazy(click.Group):
    """A group that imports a command's module only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = import_module(f".{name}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            from ...policies.problems import did_you_mean

            ctx.fail(f"no command `{args[0]}`{did_you_mean(args[0], _COMMANDS)}")
        return super().resolve_command(ctx, args)


_EPILOG = """\b
First steps:
  stockade authz check authz.yaml             find faults
  stockade authz explain authz.yaml docker run --privileged alpine
  stockade authz install --policy authz.yaml  see what would be set up
"""


@click.group("authz", cls=_Lazy, epilog=_EPILOG)
def command() -> None:
    """Decide every Docker API request by the rules of a policy."""
