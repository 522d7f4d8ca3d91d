"""`stockade audit`: reports on what runs and on what was decided."""

from __future__ import annotations

import click

from ..lazy import LazyGroup

# name -> what the help says of it; the module has the same name
_COMMANDS = {
    "log": "Verify that a decision log is as it was written.",
}


@click.group("audit", cls=LazyGroup, package=__package__, offers=_COMMANDS)
def command() -> None:
    """Report on what runs and on what was decided."""
