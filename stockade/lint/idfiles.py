"""The files of a host that say who uses which ids, as the checks look at them.

A subuid or subgid file is columns where its lines mean the same to every reader (`Table`), and
a small number of odd lines, each shown to every reader. A million lines cost no million objects.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from ..policies.source import Location, Source
from ..policies.userns_model import Userns
from ..userns.accounts import Accounts
from ..userns.ids import IdRange
from ..userns.leases import Leased
from ..userns.model import Kind, LiveMap, Registry
from ..userns.overlaps import Holders, Order, by_start
from ..userns.table import Table
from .oddlines import OddLine, show_range
from .subjects import Place

_LARGE = 1 << 16
"""Characters."""
_FEW = 50_000
"""Ranges of which an index by owner costs nothing."""
MOST_ODD = 2000
"""Odd lines of a file that are looked at; a file with more is no subuid file at all."""


@dataclass(frozen=True)
class LargeSource(Source):
    """A text of which a few lines are shown: it is not taken apart as a whole."""

    @cached_property
    def _before(self) -> list[int]:
        """How many lines end before each stretch of `_LARGE` characters."""
        text = self.text
        ends = (text.count("\n", at, at + _LARGE) for at in range(0, len(text), _LARGE))
        return list(accumulate(ends, initial=0))

    def line(self, number: int) -> str:
        """The line with this number, counted from 1, without its end; empty when outside."""
        if number < 1 or number > self._before[-1] + 1:
            return ""
        stretch = bisect_left(self._before, number - 1) - 1 if number > 1 else 0
        start = stretch * _LARGE
        for _ in range(number - 1 - self._before[stretch]):
            start = self.text.index("\n", start) + 1
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file with the bytes that readers get and the text that people see."""

    source: Source
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, data: bytes) -> TextFile:
        """Bytes that are no UTF-8 show as U+FFFD."""
        text = data.decode("utf-8", "replace")
        return cls(Source(name, text) if len(text) < _LARGE else LargeSource(name, text), data)

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
        return show_range(self.starts[index], self.counts[index])


@dataclass(frozen=True)
class IdLines:
    """The lines of a subuid or subgid file; as a rule the two files have the same ones, and what
    is worked out for one of them serves for both."""

    data: bytes = field(repr=False)

    @cached_property
    def table(self) -> Table:
        """What means the same to every reader, and the rest."""
        return Table.read(self.data)

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
    def owners(self) -> Collection[bytes]:
        """Every owner once, in file order."""
        return dict.fromkeys(self.columns.owners).keys()

    @cached_property
    def by_owner(self) -> Mapping[bytes, int]:
        """Index of the last range of every owner; for those who ask for many."""
        owners = self.columns.owners
        return dict(zip(owners, range(len(owners)), strict=True))

    @cached_property
    def several(self) -> Mapping[bytes, list[int]]:
        """Owners of more than one range -> their indexes, in file order."""
        owners = self.columns.owners
        if len(self.owners) == len(owners):
            return {}
        counted = Counter(owners)
        found: dict[bytes, list[int]] = {}
        for index, owner in enumerate(owners):
            if counted[owner] > 1:
                found.setdefault(owner, []).append(index)
        return found

    @cached_property
    def numbers(self) -> tuple[bytes, ...]:
        """Owners that are written as a UID."""
        digits = filter(bytes.isdigit, self.columns.owners)
        return tuple(dict.fromkeys(owner for owner in digits if len(owner) <= 10))


@dataclass(frozen=True)
class IdFile:
    """A subuid or subgid file."""

    kind: Kind
    file: TextFile
    lines: IdLines

    @property
    def table(self) -> Table:
        """What means the same to every reader, and the rest."""
        return self.lines.table

    @property
    def odd(self) -> tuple[OddLine, ...]:
        """The first `MOST_ODD` odd lines."""
        return self.lines.odd

    @property
    def columns(self) -> Columns:
        """The strict lines, then what readers make of the odd ones."""
        return self.lines.columns

    @property
    def order(self) -> Order:
        """Indexes of the columns by first id."""
        return self.lines.order

    @property
    def holders(self) -> Holders:
        """Finds the line that holds an id."""
        return self.lines.holders

    @property
    def several(self) -> Mapping[bytes, list[int]]:
        """Owners of more than one range -> their indexes, in file order."""
        return self.lines.several

    @property
    def numbers(self) -> tuple[bytes, ...]:
        """Owners that are written as a UID."""
        return self.lines.numbers

    @property
    def owners(self) -> Collection[bytes]:
        """Every owner once, in file order."""
        return self.lines.owners

    @property
    def by_owner(self) -> Mapping[bytes, int]:
        """Index of the last range of every owner; for those who ask for many."""
        return self.lines.by_owner

    def indexes(self, owner: bytes) -> Sequence[int]:
        """Of an owner's ranges, in file order. Who asks for many owners uses `by_owner` first."""
        if owner not in self.owners:
            return ()
        found = self.several.get(owner)
        if found is not None:
            return found
        if "by_owner" in self.lines.__dict__ or len(self.columns) <= _FEW:
            return (self.by_owner[owner],)
        # Looking through the column costs less than an index of it, unless it is done often.
        return (self.columns.owners.index(owner),)

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
    leases: tuple[Leased, ...] = ()
    """The blocks of containers."""
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
    def different(self) -> tuple[IdFile, ...]:
        """The files, one of two that are equal: for what need not be said twice."""
        return self.files[:1] if self.equal else self.files

    @property
    def equal(self) -> bool:
        """Whether both files are there and are the same."""
        return len(self.files) == 2 and self.files[0].lines is self.files[1].lines

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
