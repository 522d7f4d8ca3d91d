"""The files of a host that say who uses which ids, as the checks look at them.

A subuid or subgid file is columns where its lines mean the same to every reader (`Table`), and
a small number of odd lines, each shown to every reader. A million lines cost no million objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..policies.source import Location, Source
from ..policies.userns_model import Userns
from ..userns.accounts import Accounts
from ..userns.dialects import DIALECTS
from ..userns.ids import LAST_ID, IdRange
from ..userns.model import Kind, LiveMap, Registry
from ..userns.overlaps import Holders, Order, by_start
from ..userns.table import Table
from .subjects import Place

MOST_ODD = 2000
"""Odd lines of a file that are looked at; a file with more is no subuid file at all."""
READERS = ("shadow-4.13", "shadow-4.20", "dockerd-20.10", "dockerd-28", "podman")
"""Those that read lines of every owner; kubelet and Incus have rules of their own."""


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file with the bytes that readers get and the text that people see."""

    source: Source
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, data: bytes) -> TextFile:
        """Bytes that are no UTF-8 show as U+FFFD."""
        return cls(Source(name, data.decode("utf-8", "replace")), data)

    def at(self, line: int, part: int | None = None) -> Location:
        """A line, or the field of it with this number; fields are parted by colons."""
        text = self.source.line(line)
        if part is not None:
            fields = text.split(":", part + 1)
            if part < len(fields):
                column = sum(map(len, fields[:part])) + part + 1
                return Location(self.source, line, column, max(1, len(fields[part])))
        return Location(self.source, line, 1, max(1, len(text)))


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

    def __str__(self) -> str:
        if self.refuses:
            return "refuses the whole file"
        if self.spoils:
            return "gives the owner nothing"
        if not self.ranges:
            return "passes the line over"
        return ", ".join(_range(first, count) for first, count in self.ranges)


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
        return len(set(map(str, self.reactions))) > 1

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
        found.append(Reaction(_short(dialect.title), reading.refused, spoils, ranges))
    return tuple(found)


def said(found: Sequence[Reaction]) -> str:
    """`shadow 4.13, shadow 4.20: 100000-165535; dockerd 28: host root (0-65535)`."""
    by_text: dict[str, list[str]] = {}
    for each in found:
        by_text.setdefault(str(each), []).append(each.reader)
    if len(by_text) == 1:
        return f"every reader: {next(iter(by_text))}"
    return "; ".join(f"{', '.join(readers)}: {text}" for text, readers in by_text.items())


@dataclass(frozen=True, slots=True)
class Columns:
    """Every range that some reader takes from a file; an odd line may have several."""

    owners: Sequence[bytes]
    starts: Sequence[int]
    counts: Sequence[int]
    lines: Sequence[int]

    def __len__(self) -> int:
        return len(self.starts)

    def owner(self, index: int) -> str:
        """For people."""
        return self.owners[index].decode("utf-8", "replace")

    def shown(self, index: int) -> str:
        """The range, for people."""
        return _range(self.starts[index], self.counts[index])


@dataclass(frozen=True)
class IdFile:
    """A subuid or subgid file."""

    kind: Kind
    file: TextFile

    @cached_property
    def table(self) -> Table:
        """What means the same to every reader, and the rest."""
        return Table.read(self.file.data)

    @cached_property
    def odd(self) -> tuple[OddLine, ...]:
        """The first `MOST_ODD` odd lines."""
        last = self.table.odd[-1][0] if self.table.odd else 0
        return tuple(
            OddLine(number, raw, ended=self.table.ended or number != last or not self._ends(number))
            for number, raw in self.table.odd[:MOST_ODD]
        )

    def _ends(self, number: int) -> bool:
        """Whether the line with this number is the file's last."""
        lines = self.table.lines
        return not len(lines) or number > lines[-1]

    @cached_property
    def columns(self) -> Columns:
        """The strict lines, then what readers make of the odd ones."""
        table = self.table
        more = [
            (each.owner.encode(), first, count, each.number)
            for each in self.odd
            for first, count in dict.fromkeys(r for some in each.reactions for r in some.ranges)
            if count > 0
        ]
        if not more:
            return Columns(table.owners, table.starts, table.counts, table.lines)
        owners, starts, counts, lines = zip(*more, strict=True)
        return Columns(
            [*table.owners, *owners],
            [*table.starts, *starts],
            [*table.counts, *counts],
            [*table.lines, *lines],
        )

    @cached_property
    def order(self) -> Order:
        """Indexes of the columns by first id."""
        return by_start(self.columns.starts)

    @cached_property
    def holders(self) -> Holders:
        """Finds the line that holds an id."""
        return Holders(self.columns.starts, self.columns.counts, self.order)

    @cached_property
    def by_owner(self) -> Mapping[bytes, int | list[int]]:
        """Index of an owner's range, or indexes in file order where there are several."""
        owners = self.columns.owners
        found: dict[bytes, int | list[int]] = dict(zip(owners, range(len(owners)), strict=True))
        if len(found) == len(owners):
            return found
        several: dict[bytes, int | list[int]] = {}
        for index, owner in enumerate(owners):
            before = several.get(owner)
            if before is None:
                several[owner] = index
            elif isinstance(before, int):
                several[owner] = [before, index]
            else:
                before.append(index)
        return several

    def indexes(self, owner: bytes) -> Sequence[int]:
        """Of an owner's ranges, in file order."""
        found = self.by_owner.get(owner, [])
        return (found,) if isinstance(found, int) else found

    @cached_property
    def with_several(self) -> tuple[bytes, ...]:
        """Owners of more than one range."""
        return tuple(owner for owner, found in self.by_owner.items() if isinstance(found, list))

    def place(self, line: int, part: int | None = None) -> Place:
        """A line of the file, or one of its fields: 0 the owner, 1 the first id, 2 the number."""
        return Place(f"{self.kind.value}:{line}", self.file.at(line, part))

    def index_place(self, index: int, part: int | None = None) -> Place:
        """The line of a range of the columns."""
        return self.place(self.columns.lines[index], part)


@dataclass(frozen=True)
class HostSubject:
    """Files of one host or image that are looked at together; None: not there, not known."""

    subuid: IdFile | None = None
    subgid: IdFile | None = None
    passwd: TextFile | None = None
    group: TextFile | None = None
    daemon: TextFile | None = None
    """daemon.json of dockerd."""
    registry: Registry | None = None
    """What Stockade has given out here."""
    registry_file: TextFile | None = None
    live: tuple[LiveMap, ...] = ()
    focus: int | None = None
    """The PID whose map was asked about; None: all of them."""
    interrupted: str = ""
    """A commit that was cut off, as it calls itself; empty: none."""
    policy: Userns | None = None
    """What the host is meant to give out."""

    @property
    def files(self) -> tuple[IdFile, ...]:
        """Those of subuid and subgid that are there."""
        return tuple(each for each in (self.subuid, self.subgid) if each is not None)

    @property
    def blocks(self) -> Mapping[str, IdRange]:
        """What tenants have by the registry."""
        return {} if self.registry is None else self.registry.blocks

    def tenant_at(self, tenant: str) -> Location | None:
        """Where the registry says what a tenant has."""
        if self.registry_file is None:
            return None
        source = self.registry_file.source
        key = json.dumps(tenant) + ":"
        found = source.text.find(key)
        if found < 0:
            return None
        line = source.text.count("\n", 0, found) + 1
        column = found - (source.text.rfind("\n", 0, found) + 1) + 1
        return Location(source, line, column, len(key) - 1)

    @cached_property
    def accounts(self) -> Accounts:
        """The logins and groups; none where the files are not known."""
        return Accounts.read(
            None if self.passwd is None else self.passwd.data,
            None if self.group is None else self.group.data,
        )


@dataclass(frozen=True)
class MapSubject:
    """The text of /proc/PID/uid_map or gid_map, or what is to be written there."""

    kind: Kind
    file: TextFile

    def place(self, line: int, part: int | None = None) -> Place:
        """A line of the map, or one of its numbers, from 0."""
        text = self.file.source.line(line)
        if part is not None:
            words = list(re.finditer(r"\S+", text))
            if part < len(words):
                found = words[part]
                width = found.end() - found.start()
                at = Location(self.file.source, line, found.start() + 1, width)
                return Place(f"{self.name}:{line}", at)
        return Place(f"{self.name}:{line}", self.file.at(line))

    @property
    def name(self) -> str:
        """As in /proc."""
        return "uid_map" if self.kind is Kind.UID else "gid_map"

    @property
    def lines(self) -> Iterator[tuple[int, str]]:
        """Number from 1 and text of every line."""
        yield from enumerate(self.file.source.text.removesuffix("\n").split("\n"), 1)


def _short(title: str) -> str:
    """A reader's title without what it adds for people who do not know it."""
    return title.partition(" (")[0].removesuffix(" and later")


def stretch(first: int, last: int) -> str:
    """`65536-131071`, or one id, for people."""
    return str(first) if first == last else f"{first}-{last}"


def _range(first: int, count: int) -> str:
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
