"""The blocks that `stockade-runtime` holds for containers: what the names of its files say.

    var/lib/stockade/leases/524288.65536.4f2c…      FIRST.COUNT.CONTAINER

The name alone says which ids are taken and by whom, so that a file that cannot be read still
keeps its block, and who plans needs no more than a listing. Names that begin with a dot are of
files that are not complete yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..policies.errors import InputError
from ..policies.source import printable
from .ids import FIRST_SUBORDINATE, LAST_ID, IdRange

LEASES = "var/lib/stockade/leases"
"""Below a host's root; the default of the runtime."""

_NAME = re.compile(r"(0|[1-9]\d{0,9})\.([1-9]\d{0,9})\.(.+)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Leased:
    """A container's block."""

    range: IdRange
    container: str

    @property
    def holder(self) -> str:
        """For people."""
        return f"container {printable(self.container)[:24]} (stockade-runtime)"


def read_name(name: str) -> Leased:
    """What the name of a lease's file says.

    Raises InputError for one that is no lease's: nobody knows then whether it holds a block.
    """
    found = _NAME.fullmatch(name)
    if found is not None:
        held = IdRange(int(found[1]), int(found[2]))
        if held.first >= FIRST_SUBORDINATE and held.last <= LAST_ID:
            return Leased(held, found[3])
    raise InputError.of(
        f"`/{LEASES}/{printable(name)}` is no lease of a container, FIRST.COUNT.CONTAINER, so "
        "nobody knows whether it holds ids",
        hint="move it out of that directory",
    )


def leased(names: Iterable[str]) -> tuple[Leased, ...]:
    """The blocks of a directory's listing, in ascending order; raises InputError."""
    found = [read_name(name) for name in names if not name.startswith(".")]
    return tuple(sorted(found, key=lambda each: (each.range, each.container)))
