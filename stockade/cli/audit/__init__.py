"""`stockade audit`: reports on what runs and on what was decided."""

from __future__ import annotations

from importlib import import_module

import click

# name -> (module, what `stockade audit --help` says of it)
_COMMANDS = {
    "log": ("log", "Verify that a decision log is as it was written."),
}


class _Lazy(click.Group):
    """A group that imports a command's module only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = import_module(f".{_COMMANDS[name][0]}", __package__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group("audit", cls=_Lazy)
def command() -> None:
    """Report on what runs and on what was decided."""
