"""Groups of commands, each loaded when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is used.

    A command `name` is `command` of the module `name` in `package`.
    """

    def __init__(
        self,
        *arguments: Any,
        package: str = "",
        offers: Mapping[str, str] | None = None,
        **named: Any,
    ) -> None:
        """`offers`: command -> what the group's help says of it."""
        super().__init__(*arguments, **named)
        self._package = package
        self._offers = dict(offers or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        return list(self._offers)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, its module imported."""
        if name not in self._offers:
            return None
        command: click.Command = import_module(f".{_module(name)}", self._package).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The help's list, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._offers.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown name gets a suggestion."""
        if args and args[0] not in self._offers and not args[0].startswith("-"):
            from ..policies.problems import did_you_mean

            ctx.fail(f"no command `{args[0]}`{did_you_mean(args[0], self._offers)}")
        return super().resolve_command(ctx, args)


def _module(name: str) -> str:
    """The module of a command: its name, with `_` behind it where that is a word of Python."""
    return f"{name}_" if iskeyword(name) else name
