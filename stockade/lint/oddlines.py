"""Lines of subuid and subgid that do not mean the same to everybody, through each reader's eyes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..policies.source import printable
from ..userns.accounts import Accounts
from ..userns.dialects import DIALECTS
from ..userns.ids import LAST_ID

READERS = ("shadow-4.13", "shadow-4.20", "dockerd-20.10", "dockerd-28", "podman")
"""Those that read lines of every owner; kubelet and Incus have rules of their own."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What one reader makes of one line."""

    reader: str
    """Its title: "dockerd 28"."""
    refuses: bool
    """Whether it then takes nothing from the whole file."""
    spoils: bool
    """Whether the owner then gets nothing, from other lines neither."""
    ranges: tuple[tuple[int, int], ...]
    """First id and number, as it takes them; empty: it passes the line over."""
    owner: str = ""
    """To whom it gives them: some readers take white space away that others leave."""

    def __str__(self) -> str:
        if self.refuses:
            return "refuses the whole file"
        if self.spoils:
            return "gives the owner nothing"
        if not self.ranges:
            return "passes the line over"
        return ", ".join(show_range(first, count) for first, count in self.ranges)


@dataclass(frozen=True)
class OddLine:
    """A line that is not of the one form that means the same to everybody."""

    number: int
    """From 1."""
    raw: bytes = field(repr=False)
    """Without its line feed."""
    ended: bool
    """Whether it has one."""

    @cached_property
    def owner(self) -> str:
        """What stands before the first colon, without white space around it."""
        return self.raw.partition(b":")[0].decode("utf-8", "replace").strip()

    @cached_property
    def reactions(self) -> tuple[Reaction, ...]:
        """Of every reader of `READERS`, to this line alone."""
        data = self.raw + (b"\n" if self.ended else b"")
        return reactions(data, _somebody(self.raw.partition(b":")[0]))

    @property
    def divides(self) -> bool:
        """Whether readers do not agree on it."""
        return len(set(_texts(self.reactions))) > 1

    @property
    def said(self) -> str:
        """The readers' reactions, equal ones together."""
        return said(self.reactions)


def reactions(data: bytes, accounts: Accounts) -> tuple[Reaction, ...]:
    """What every reader of `READERS` makes of these bytes."""
    found = []
    for name in READERS:
        dialect = DIALECTS[name]
        reading = dialect.read(data, accounts)
        ranges = tuple(dict.fromkeys((g.range.first, g.range.count) for g in reading.grants))
        spoils = any(fault.owner is not None for fault in reading.faults)
        owner = reading.grants[0].owner if ranges else ""
        found.append(Reaction(_short(dialect.title), reading.refused, spoils, ranges, owner))
    return tuple(found)


def said(found: Sequence[Reaction]) -> str:
    """`shadow 4.13, shadow 4.20: 100000-165535; dockerd 28: host root (0-65535)`."""
    by_text: dict[str, list[str]] = {}
    for each, text in zip(found, _texts(found), strict=True):
        by_text.setdefault(text, []).append(each.reader)
    if len(by_text) == 1:
        return f"every reader: {next(iter(by_text))}"
    return "; ".join(f"{', '.join(readers)}: {text}" for text, readers in by_text.items())


def _texts(found: Sequence[Reaction]) -> list[str]:
    """Each reaction; with the owner where readers do not take the same for it."""
    if len({each.owner for each in found if each.ranges}) < 2:
        return [*map(str, found)]
    return [f"{each} to `{printable(each.owner)}`" if each.ranges else str(each) for each in found]


def stretch(first: int, last: int) -> str:
    """`65536-131071`, or one id, for people."""
    return str(first) if first == last else f"{first}-{last}"


def show_range(first: int, count: int) -> str:
    last = first + count - 1
    text = stretch(first, last)
    if first == 0:
        return f"host root ({text})"
    return text if last <= LAST_ID else f"{text} (beyond the last id)"


def _somebody(name: bytes) -> Accounts:
    """Accounts in which the owner of a line is a login, so that only its form counts."""
    owner = name.strip()
    uid = owner if owner.isdigit() and len(owner) < 10 else b"1000"
    return Accounts.read(owner + b":x:" + uid + b":1000::/:/bin/sh\n", None)


def _short(title: str) -> str:
    """A reader's title without what it adds for people who do not know it."""
    return title.partition(" (")[0].removesuffix(" and later")
