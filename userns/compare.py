"""One subuid or subgid file through several readers' eyes: where do they differ?

Lines of the strict form mean the same to everybody (table.py, dialects), so only the others are
read by each dialect: a file of a million lines is compared as fast as it is taken apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from .accounts import Accounts
from .dialects import Dialect
from .dialects.kubelet import OWNER as KUBELET
from .ids import IdRange
from .model import Fault, Grant, IdMap, Reading
from .model import Kind as IdKind
from .table import Table


class Kind(Enum):
    """What a reader does at a line."""

    GRANTS = "grants"
    SILENT = "nothing"
    """A comment or a blank line: it says nothing, and none was expected."""
    PASSES = "passes over"
    SPOILS = "spoils"
    """The owner alone gets nothing, from no other line either."""
    REFUSES = "refuses"
    """It takes nothing from the whole file."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What one reader does at one line."""

    kind: Kind
    ranges: tuple[IdRange, ...] = ()
    message: str = ""
    """Why, where it is not simply granted."""

    @property
    def host_root(self) -> bool:
        """Whether the host's root is among the ids."""
        return any(0 in each for each in self.ranges)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not of the strict form, or at which some reader has something to say."""

    number: int
    """From 1."""
    text: bytes
    """Without the line feed."""
    reactions: Mapping[str, Reaction]
    """dialect -> what it does; without those that refuse the file for another line."""

    @property
    def differs(self) -> bool:
        """Whether readers do not all grant the same here."""
        kinds = {(each.kind, each.ranges) for each in self.reactions.values()}
        silent = {(Kind.SILENT, ()), (Kind.PASSES, ())}
        return len(kinds) > 1 and not kinds <= silent

    @property
    def host_root(self) -> bool:
        """Whether it gives somebody the host's root."""
        return any(each.host_root for each in self.reactions.values())


@dataclass(frozen=True, slots=True)
class Comparison:
    """A file, compared."""

    table: Table
    """All lines of the strict form; those in `lines` too are among them."""
    lines: tuple[Line, ...]
    """All others, in the order of the file."""
    refused: Mapping[str, Fault]
    """dialect -> why it refuses the file, the first reason."""

    @property
    def differs(self) -> bool:
        """Whether it matters who reads the file."""
        return bool(self.refused) or any(line.differs for line in self.lines)

    @property
    def host_root(self) -> bool:
        """Whether some line gives the host's root away."""
        return 0 in self.table.starts or any(line.host_root for line in self.lines)


def compare(
    data: bytes, dialects: Sequence[Dialect], accounts: Accounts, table: Table | None = None
) -> Comparison:
    """What each of the dialects takes from a file; `table` is that of the data, if it is there
    already. Never raises."""
    table = Table.read(data) if table is None else table
    kubelet = {KUBELET.encode(), str(accounts.logins.get(KUBELET, KUBELET)).encode()}
    part, numbers = _excerpt(data, table, lambda owner: owner in kubelet)
    text_of = dict(zip(numbers, part.split(b"\n"), strict=False))
    readings = {d.name: _renumbered(d.read(part, accounts), numbers) for d in dialects}
    refused = {
        name: next(fault for fault in reading.faults if fault.fatal)
        for name, reading in readings.items()
        if reading.refused
    }
    found: dict[int, dict[str, Reaction]] = defaultdict(dict)
    for name, reading in readings.items():
        for number, reaction in _reactions(reading).items():
            if name not in refused or reaction.kind is Kind.REFUSES:
                found[number][name] = reaction
    odd = {number for number, _ in table.odd}
    silent = Reaction(Kind.SILENT)
    lines = []
    for number in sorted({*odd, *found, *(numbers if b"\0" in data else ())}):
        reactions = {
            name: found[number].get(name, silent)
            for name in readings
            if name not in refused or name in found[number]
        }
        if number in odd or any(each.kind is not Kind.GRANTS for each in reactions.values()):
            lines.append(Line(number, text_of.get(number, b""), reactions))
    return Comparison(table, tuple(lines), refused)


def maps_of(
    data: bytes,
    owner: str,
    dialects: Iterable[Dialect],
    accounts: Accounts,
    kind: IdKind = IdKind.UID,
) -> Mapping[str, IdMap]:
    """dialect -> the map that it makes for a login."""
    uid = accounts.logins.get(owner)
    names = {owner.lower(), str(uid), KUBELET, str(accounts.logins.get(KUBELET))}
    names |= {str(accounts.groups.get(name)) for name in (owner, KUBELET)}
    names |= {name.lower() for name in accounts.names.get(uid, ())} if uid is not None else set()
    wanted = {name.encode("utf-8", "surrogateescape") for name in names}
    part, numbers = _excerpt(data, Table.read(data), lambda name: name.lower() in wanted)
    return {
        dialect.name: dialect.of_owner(
            _renumbered(dialect.read(part, accounts), numbers), owner, accounts, kind
        )
        for dialect in dialects
    }


def _excerpt(
    data: bytes, table: Table, wanted: Callable[[bytes], bool]
) -> tuple[bytes, Sequence[int]]:
    """The odd lines and the strict ones of some owners, as a file of their own, with the number
    that each of its lines has in the whole. A file with a NUL is left whole: a NUL joins lines."""
    if b"\0" in data:
        return data, range(1, data.count(b"\n") + 2)
    rows = [
        (line, b"%b:%d:%d" % (owner, start, count))
        for owner, start, count, line in zip(
            table.owners, table.starts, table.counts, table.lines, strict=True
        )
        if wanted(owner)
    ]
    rows = sorted([*rows, *table.odd])
    part = b"\n".join(text for _, text in rows)
    if rows and (table.ended or not table.odd or rows[-1][0] != table.odd[-1][0]):
        part += b"\n"
    return part, [number for number, _ in rows]


def _renumbered(reading: Reading, numbers: Sequence[int]) -> Reading:
    if isinstance(numbers, range):
        return reading
    return Reading(
        tuple(replace(grant, line=numbers[grant.line - 1]) for grant in reading.grants),
        tuple(replace(fault, line=numbers[fault.line - 1]) for fault in reading.faults),
    )


def _reactions(reading: Reading) -> dict[int, Reaction]:
    """line -> what happens there, of all that is found the gravest."""
    grants: dict[int, list[Grant]] = defaultdict(list)
    faults: dict[int, list[Fault]] = defaultdict(list)
    for grant in reading.grants:
        grants[grant.line].append(grant)
    for fault in reading.faults:
        faults[fault.line].append(fault)
    reactions = {}
    for number in {*grants, *faults}:
        said = faults[number]
        message = "; ".join(fault.message for fault in said)
        ranges = tuple(grant.range for grant in grants[number])
        if any(fault.fatal for fault in said):
            reactions[number] = Reaction(Kind.REFUSES, (), message)
        elif any(fault.owner is not None for fault in said):
            reactions[number] = Reaction(Kind.SPOILS, (), message)
        elif ranges:
            reactions[number] = Reaction(Kind.GRANTS, ranges, message)
        else:
            reactions[number] = Reaction(Kind.PASSES, (), message)
    return reactions
