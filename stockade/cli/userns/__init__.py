"""`stockade userns`: who may use which host ids, each command loaded when it is called."""

from __future__ import annotations

import click

from ..lazy import LazyGroup

# name -> what the help says of it; the module has the same name
_COMMANDS = {
    "show": "Show subuid files and maps as each program reads them.",
}


@click.group("userns", cls=LazyGroup, package=__package__, offers=_COMMANDS)
def command() -> None:
    """Give host ids to tenants, and see who has which."""
