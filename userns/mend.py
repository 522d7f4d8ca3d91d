"""The faults of a subuid or subgid file that can be mended without a decision.

Only the form of a line changes, never whose ids it gives: a line is written out as shadow 4.13
takes it, or, where shadow passes it over, as every other reader that takes it does. A line whose
ids are not its owner's alone, or not fit for a container, is left as it is: what it should say
is for people to decide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .accounts import Accounts
from .dialects import DIALECTS
from .ids import FIRST_SUBORDINATE, LAST_ID
from .overlaps import Holders, between_owners, by_start, within
from .table import Table

MOST = 2000
"""Lines out of form that are looked at."""

_OWNER = re.compile(rb"[!\"$-*,./0-9;-~][!-9;-~]{0,999}")
_NUMBER = re.compile(rb"[ \t]*(0[xX][0-9a-fA-F]{1,8}|0[0-7]{1,12}|0|[1-9][0-9]{0,9})[ \t]*")


@dataclass(frozen=True, slots=True)
class Mend:
    """One line that changes."""

    line: int
    """From 1."""
    old: bytes
    new: bytes | None
    """None: it goes, because it is there already."""
    why: str


@dataclass(frozen=True, slots=True)
class Mended:
    """A file with its form mended."""

    data: bytes
    mends: tuple[Mend, ...]
    """In the order of the lines; empty: the data is as it was."""


@dataclass(frozen=True, slots=True)
class _Entry:
    owner: bytes
    start: int
    count: int

    @property
    def line(self) -> bytes:
        return b"%b:%d:%d" % (self.owner, self.start, self.count)


def mend(data: bytes) -> Mended:
    """The file with whatever can be mended; foreign lines stay byte for byte. Never raises."""
    table = Table.read(data)
    written = {
        number: entry
        for number, raw in table.odd[:MOST]
        if (entry := _written_out(raw)) is not None
    }
    safe = _safe(table, written)
    lines = data.split(b"\n")
    if table.ended:
        lines.pop()
    mends: list[Mend] = []
    kept: list[bytes] = []
    seen: set[bytes] = set()
    odd = {number for number, _ in table.odd}
    for number, old in enumerate(lines, 1):
        new = safe[number].line if number in safe else old
        is_entry = number in safe or number not in odd or new == _plain(written.get(number))
        if is_entry and new in seen:
            mends.append(Mend(number, old, None, "the same line is there already"))
            continue
        if is_entry:
            seen.add(new)
        if new != old:
            mends.append(Mend(number, old, new, _why(old)))
        elif number == len(lines) and not table.ended:
            mends.append(Mend(number, old, new, "the last line feed"))
        kept.append(new)
    return Mended(b"".join(line + b"\n" for line in kept), tuple(mends))


def _plain(entry: _Entry | None) -> bytes | None:
    return None if entry is None else entry.line


def _written_out(raw: bytes) -> _Entry | None:
    """An odd line in plain form; None where that would be a guess."""
    fields = raw.removesuffix(b"\r").split(b":")
    if len(fields) != 3 or not _OWNER.fullmatch(fields[0]):
        return None
    first, amount = _NUMBER.fullmatch(fields[1]), _NUMBER.fullmatch(fields[2])
    if first is None or amount is None:
        return None
    entry = _Entry(fields[0], _number(first[1]), _number(amount[1]))
    last = entry.start + entry.count - 1
    if entry.count < 1 or entry.start < FIRST_SUBORDINATE or last > LAST_ID:
        return None
    taken = (entry.start, entry.count)
    found = _ranges("shadow-4.13", raw, fields[0])
    if found:
        return entry if found == {taken} else None
    others = _ranges("dockerd-20.10", raw, fields[0]) | _ranges("dockerd-28", raw, fields[0])
    return entry if others == {taken} else None


def _number(text: bytes) -> int:
    """As strtoul(3) reads it with base 0."""
    if text[:2].lower() == b"0x":
        return int(text, 16)
    return int(text, 8) if text.startswith(b"0") else int(text)


def _ranges(dialect: str, raw: bytes, owner: bytes) -> set[tuple[int, int]]:
    """What a reader takes from this line for its owner."""
    uid = owner if owner.isdigit() and len(owner) < 10 else b"1000"
    accounts = Accounts.read(owner + b":x:" + uid + b":1000::/:/bin/sh\n", None)
    grants = DIALECTS[dialect].read(raw + b"\n", accounts).grants
    name = owner.decode("ascii")
    return {(g.range.first, g.range.count) for g in grants if g.owner == name}


def _safe(table: Table, written: dict[int, _Entry]) -> dict[int, _Entry]:
    """The lines that have ids in common with no other line, but for lines that say the same."""
    if not written:
        return {}
    numbers = list(written)
    starts = [*table.starts, *(each.start for each in written.values())]
    counts = [*table.counts, *(each.count for each in written.values())]
    owners = [*table.owners, *(each.owner for each in written.values())]
    order = by_start(starts)
    if Holders(starts, counts, order).disjoint:
        return written
    lines = len(table)
    own: Sequence[int] = [index for index in order if owners[index] in set(owners[lines:])]
    pairs = [*between_owners(starts, counts, owners, order), *within(starts, counts, own)]
    bad = set()
    for pair in pairs:
        one, other = pair
        same = (owners[one], starts[one], counts[one]) == (
            owners[other],
            starts[other],
            counts[other],
        )
        if not same:
            bad |= {numbers[each - lines] for each in pair if each >= lines}
    # The sweep names a range once: what is said of it holds for those that are equal to it.
    unsafe = {written[number] for number in bad}
    return {number: entry for number, entry in written.items() if entry not in unsafe}


def _why(old: bytes) -> str:
    parts = []
    if old.endswith(b"\r"):
        parts.append("the carriage return")
    if re.search(rb"[ \t]", old):
        parts.append("white space")
    if re.search(rb":[ \t]*0[xX]", old):
        parts.append("hexadecimal written out")
    if re.search(rb":[ \t]*0[0-9]", old):
        parts.append("octal written out")
    return ", ".join(parts)
