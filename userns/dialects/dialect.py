"""What a reader of /etc/subuid is, and what readers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from ..accounts import Accounts
from ..ids import ID_SPACE, IdRange
from ..model import Extent, Fault, Grant, IdMap, Kind, Reading
from ..table import Table


class OfOwner(Protocol):
    """(reading, login, accounts, which file) -> the map."""

    def __call__(
        self, result: Reading, owner: str, accounts: Accounts, kind: Kind = Kind.UID
    ) -> IdMap: ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """One program's way of reading /etc/subuid and /etc/subgid."""

    name: str
    """As it is chosen on the command line: dockerd-28."""
    title: str
    """For people: "dockerd 28 and later"."""
    read: Callable[[bytes, Accounts], Reading]
    """The whole file, every owner's lines. Never raises."""
    of_owner: OfOwner
    """The map that this program gives a container, or a user, for the login whose lines are to
    be used, in 32-bit numbers as they reach the kernel; () when it gives none. Whether the kernel
    takes the map is what idmap.problems says."""
    grants_root_on_fault: bool = False
    """Whether a number that it cannot read becomes 0, the host's root."""


Found = Grant | Fault
ParseLine = Callable[[int, bytes], Iterable[Found]]
"""(line number from 1, the line without its line feed) -> what a reader finds there."""


def read_table(
    data: bytes, parse: ParseLine, stop: Callable[[bytes], bool] | None = None
) -> Reading:
    """The reading of a file: strict lines mean the same to everybody, `parse` reads the others.

    `stop` says of a line without its line feed whether the reader goes no further; that line is
    still parsed.
    """
    table = Table.read(data)
    grants: list[Grant] = []
    faults: list[Fault] = []
    end: int | None = None
    for number, text in table.odd:
        for found in parse(number, text):
            (grants if isinstance(found, Grant) else faults).append(found)  # type: ignore[arg-type]
        if stop is not None and stop(text):
            end = number
            break
    columns = zip(table.owners, table.starts, table.counts, table.lines, strict=True)
    for owner, start, count, line in columns:
        if end is None or line < end:
            grants.append(Grant(owner.decode("ascii"), IdRange(start, count), line))
    if table.odd:
        grants.sort(key=lambda grant: grant.line)
    return reading(grants, faults)


def reading(grants: Iterable[Grant], faults: Iterable[Fault]) -> Reading:
    """A Reading; without grants when a fault is fatal."""
    found = tuple(faults)
    if any(fault.fatal for fault in found):
        return Reading((), found)
    return Reading(tuple(grants), found)


def text_of(data: bytes) -> str:
    """An owner's bytes as text from which they can be had again."""
    return data.decode("utf-8", "surrogateescape")


def whole_line(number: int, text: bytes, message: str, *, fatal: bool = False) -> Fault:
    """A fault that is about all of a line."""
    return Fault(number, 1, max(1, len(text)), message, fatal)


def spoiled(result: Reading, owners: Iterable[str]) -> bool:
    """Whether there is a fault by which one of these owners gets nothing."""
    wanted = set(owners)
    return result.refused or any(fault.owner in wanted for fault in result.faults)


def concatenated(grants: Iterable[Grant], inside: int = 0) -> IdMap:
    """The grants one after another from an inside id on, as 32-bit numbers."""
    extents = []
    for grant in grants:
        first, count = grant.range.first, grant.range.count
        extents.append(Extent(inside % ID_SPACE, first % ID_SPACE, count % ID_SPACE))
        inside += count
    return tuple(extents)
