"""Who has which ids of a host, from every place where that is written.

subuid, subgid (as every reader of them understands each line), passwd, group, login.defs, maps
that are live, blocks that containers have leased, ids that other programs give out, and what the
policy keeps back. The question for the planner is whether a block of 65536 ids is wholly free, so
that is what is counted; a file may have a million lines, so they stay columns, and who holds a
block is looked up when somebody wants to know.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, repeat
from operator import add
from sys import byteorder
from typing import NamedTuple

from ..policies.errors import InputError
from ..policies.userns_model import Userns
from .accounts import Accounts
from .dialects import DIALECTS
from .host import REGISTRY
from .ids import BLOCK, FIRST_SUBORDINATE, ID_SPACE, RESERVATIONS, IdRange
from .leases import leased
from .logindefs import reservations
from .model import Claim, HostFiles, Kind, LiveMap, Registry
from .registry import read as read_registry
from .table import Table

BLOCKS = ID_SPACE // BLOCK
"""Blocks in the whole space of ids."""
MOST_ODD = 10_000
"""Lines out of the common form that are put before every reader; a file with more is refused."""

_COMMON = re.compile(rb"[^:]+:(0|[1-9][0-9]{0,9}):([1-9][0-9]{0,9})")
_SHIFT = BLOCK.bit_length() - 1


class OwnLine(NamedTuple):
    """A line of subuid or subgid whose owner is a tenant; a tuple, as tens of thousands are made
    quickly."""

    kind: Kind
    line: int
    """From 1."""
    text: bytes
    """Without its line feed."""

    def block(self) -> IdRange | None:
        """The ids that it gives, where it is of the common form."""
        match = _COMMON.fullmatch(self.text)
        return IdRange(int(match[1]), int(match[2])) if match else None

    def gives(self, tenant: str, block: IdRange) -> bool:
        """Whether it is the very line that Stockade would write."""
        return self.text == b"%b:%d:%d" % (tenant.encode(), block.first, block.count)


@dataclass(frozen=True, slots=True)
class Claims:
    """The ids that are spoken for, by others than the tenants."""

    held: bytes
    """For each block of 65536 ids, 1 where somebody else has one of them by what is written:
    lines, accounts, what the policy keeps back."""
    reserved: bytes
    """Likewise by what other programs give out without asking, outside of the policy's spans."""
    in_use: bytes
    """Likewise by the maps of live user namespaces and by the leases of containers, the tenants'
    own among them."""
    own: Mapping[str, tuple[OwnLine, ...]]
    """tenant -> its lines, not in `held`; of tenants of the policy or the registry, and of
    released ones only the very line that was theirs."""
    single: tuple[Claim, ...]
    """All but the lines of the common form."""
    tables: tuple[tuple[Kind, Table], ...] = field(repr=False)
    skipped: Mapping[Kind, frozenset[int]] = field(repr=False)
    """Indices into the columns of `tables` of the tenants' own lines."""

    def free(self, block: IdRange) -> bool:
        """Whether nobody has or uses one of these ids, which are whole blocks."""
        span = slice(block.first >> _SHIFT, (block.last >> _SHIFT) + 1)
        return not any(any(each[span]) for each in (self.held, self.reserved, self.in_use))

    def disputed(self, block: IdRange) -> bool:
        """Whether somebody else has one of these ids by what is written."""
        return any(self.held[block.first >> _SHIFT : (block.last >> _SHIFT) + 1])

    def holders(self, blocks: Sequence[IdRange], most: int = 3) -> list[list[Claim]]:
        """For each of these disjoint ranges of whole blocks, at most `most` that have ids in it."""
        found: list[list[Claim]] = [[] for _ in blocks]
        which: dict[int, int] = {}
        for index, block in enumerate(blocks):
            which.update(zip(_numbers(block), repeat(index)))
        for claim in chain(self.single, self._lines(which)):
            first, last = claim.range.first >> _SHIFT, claim.range.last >> _SHIFT
            wide = last - first >= len(which)
            numbers = which if wide else range(first, last + 1)
            for index in {which[at] for at in numbers if at in which and first <= at <= last}:
                if len(found[index]) < most:
                    found[index].append(claim)
        return found

    def _lines(self, wanted: Mapping[int, int]) -> Iterator[Claim]:
        """The lines of the common form that have ids in one of these blocks."""
        marks = bytearray(BLOCKS + 1)
        for number in wanted:
            marks[number] = 1
        # sums[b] - sums[a]: how many of the blocks a..b-1 are wanted.
        sums = [0, *accumulate(marks)]
        for kind, table in self.tables:
            skipped = self.skipped[kind]
            for index, (start, count) in enumerate(zip(table.starts, table.counts, strict=True)):
                if (
                    sums[((start + count - 1) >> _SHIFT) + 1] != sums[start >> _SHIFT]
                    and index not in skipped
                ):
                    owner = table.owners[index].decode(errors="backslashreplace")
                    place = f"{kind.value} line {table.lines[index]}"
                    yield Claim(IdRange(start, count), f"{owner} ({place})")

    def largest(self, spans: Sequence[IdRange], most: int = 4) -> list[str]:
        """Who has ids in these spans, those with most first, for people."""
        found: list[tuple[int, str]] = []
        sizes: Counter[str] = Counter()
        for claim in self.single:
            sizes[claim.holder] += sum(_common(claim.range, span) for span in spans)
        found += [(size, f"{size:,} ids: {holder}") for holder, size in sizes.items()]
        for kind, table in self.tables:
            owners: Counter[bytes] = Counter()
            skipped = self.skipped[kind]
            for index, (start, count) in enumerate(zip(table.starts, table.counts, strict=True)):
                shared = sum(_common(IdRange(start, count), span) for span in spans)
                if shared and index not in skipped:
                    owners[table.owners[index]] += shared
            named = (
                f"{owner.decode(errors='backslashreplace')[:32]} ({size:,})"
                for owner, size in owners.most_common(most)
            )
            text = f"{owners.total():,} ids: {len(owners):,} owners in {kind.value}, most of all "
            found.append((owners.total(), text + ", ".join(named)))
        found.sort(key=lambda each: -each[0])
        return [text for size, text in found[: most + 1] if size]


def claims(
    files: HostFiles,
    live: Sequence[LiveMap] = (),
    section: Userns | None = None,
    listed: Iterable[tuple[str, int]] = (),
    registry: Registry | None = None,
) -> Claims:
    """The union of all that is written and all that is in use.

    `section`: its spans lift the reservations inside them, its `reserved` are claims, and lines
    of its tenants count as their own. `listed`: further accounts, (name for people, id), such as
    a directory service's. `registry`: that of the files, where it has been read already. Raises
    InputError for one that cannot be read, or a file of which too many lines are out of form.
    """
    accounts = Accounts.read(files.passwd, files.group)
    if registry is None:
        registry = read_registry(files.registry, REGISTRY)
    tenants = {*registry.blocks, *registry.tombstones}
    named = {each.name for each in (section.tenants if section else ())}
    keys = _owner_keys(tenants | named, accounts)
    buried = {name: each for name, each in registry.tombstones.items() if name not in named}
    spans = [IdRange.between(each.first, each.last) for each in (section.spans if section else ())]

    single = [*_accounts(accounts), *_listed(listed), *_kept_back(section)]
    reserved = [*_reservations(files.login_defs, spans)]
    own: dict[str, list[OwnLine]] = {}
    tables: list[tuple[Kind, Table]] = []
    skipped: dict[Kind, frozenset[int]] = {}
    for kind, data in ((Kind.UID, files.subuid), (Kind.GID, files.subgid)):
        if kind is Kind.GID and data == files.subuid:
            # The usual case; one file's work serves for both.
            table, skipped[kind] = tables[0][1], skipped[Kind.UID]
            strict = {table.lines[index] for index in skipped[kind]}
            for lines in own.values():
                lines += [each._replace(kind=kind) for each in lines if each.line in strict]
        else:
            table = Table.read(data or b"")
            tables.append((kind, table))
            skipped[kind] = frozenset(_own_lines(kind, table, keys, buried, own))
        single += _odd_lines(kind, table, keys, buried, accounts, own)
    running = [*_live(live)]
    running += (Claim(each.range, each.holder) for each in leased(files.leases))
    return Claims(
        _covered(single, tables, skipped),
        _covered(reserved, [], {}),
        _covered(running, [], {}),
        {name: tuple(lines) for name, lines in own.items()},
        tuple(dict.fromkeys((*single, *running, *reserved))),
        tuple(tables),
        skipped,
    )


def _covered(
    single: Iterable[Claim],
    tables: Iterable[tuple[Kind, Table]],
    skipped: Mapping[Kind, frozenset[int]],
) -> bytes:
    """For each block whether a claim reaches into it: counted where claims begin and end."""
    change: Counter[int] = Counter()
    for claim in single:
        change[claim.range.first >> _SHIFT] += 1
        change[(claim.range.last >> _SHIFT) + 1] -= 1
    for kind, table in tables:
        lasts = array("Q", map(add, table.starts, map(add, table.counts, repeat(-1))))
        change.update(_blocks_of(array("Q", table.starts)))
        for block, times in Counter(_blocks_of(lasts)).items():
            change[block + 1] -= times
        for index in skipped[kind]:
            start, count = table.starts[index], table.counts[index]
            change[start >> _SHIFT] -= 1
            change[((start + count - 1) >> _SHIFT) + 1] += 1
    covered = bytearray(BLOCKS)
    reaching, since = 0, 0
    for at in sorted(change):
        if reaching:
            covered[since:at] = b"\1" * (at - since)
        reaching += change[at]
        since = at
    return bytes(covered)


def _blocks_of(ids: array[int]) -> Iterable[int]:
    """The number of the block of each id: the upper half of the lower half of its 64 bits, which
    a view of the memory gives quicker than a million shifts."""
    return memoryview(ids).cast("B").cast("H")[1 if byteorder == "little" else 2 :: 4]


def _owner_keys(tenants: Iterable[str], accounts: Accounts) -> dict[bytes, str]:
    """How lines can name a tenant: by its name, or by the number of its login."""
    keys = {}
    for name in tenants:
        if name in accounts.logins:
            keys[b"%d" % accounts.logins[name]] = name
    keys.update((name.encode(errors="surrogateescape"), name) for name in tenants)
    return keys


def _own_lines(
    kind: Kind,
    table: Table,
    keys: Mapping[bytes, str],
    buried: Mapping[str, IdRange],
    own: dict[str, list[OwnLine]],
) -> list[int]:
    """Notes the tenants' lines of the common form; their indices."""
    if keys.keys().isdisjoint(table.owners):
        return []
    mine = []
    for index in [index for index, owner in enumerate(table.owners) if owner in keys]:
        owner, start, count = table.owners[index], table.starts[index], table.counts[index]
        tenant = keys[owner]
        line = OwnLine(kind, table.lines[index], b"%b:%d:%d" % (owner, start, count))
        if tenant not in buried or line.gives(tenant, buried[tenant]):
            own.setdefault(tenant, []).append(line)
            mine.append(index)
    return mine


def _odd_lines(
    kind: Kind,
    table: Table,
    keys: Mapping[bytes, str],
    buried: Mapping[str, IdRange],
    accounts: Accounts,
    own: dict[str, list[OwnLine]],
) -> Iterator[Claim]:
    """What any reader takes a line out of the common form for, each line by itself: a reader that
    refuses the whole file for another line may get to see it mended."""
    if len(table.odd) > MOST_ODD:
        raise InputError.of(
            f"{len(table.odd):,} lines of {kind.value} are not `owner:start:count`",
            hint="mend them first: stockade userns check shows each",
        )
    for number, text in table.odd:
        ranges: set[IdRange] = set()
        for dialect in DIALECTS.values():
            for grant in dialect.read(text + b"\n", accounts).grants:
                ranges.update(_within(grant.range))
        owner = text.partition(b":")[0].strip()
        tenant = keys.get(owner)
        line = OwnLine(kind, number, text)
        if tenant is not None and (tenant not in buried or line.gives(tenant, buried[tenant])):
            own.setdefault(tenant, []).append(line)
            continue
        name = owner.decode(errors="backslashreplace") or "nobody"
        for each in sorted(ranges):
            yield Claim(each, f"{name} ({kind.value} line {number})")


def _accounts(accounts: Accounts) -> Iterator[Claim]:
    for what, entries in (("uid", accounts.passwd), ("gid", accounts.group)):
        for entry in entries:
            if entry.id >= FIRST_SUBORDINATE:
                yield Claim(IdRange(entry.id, 1), f"{what} {entry.id} ({entry.name})")


def _listed(listed: Iterable[tuple[str, int]]) -> Iterator[Claim]:
    for name, number in listed:
        if number >= FIRST_SUBORDINATE:
            yield Claim(IdRange(number, 1), name)


def _kept_back(section: Userns | None) -> Iterator[Claim]:
    for each in section.reserved if section else ():
        yield Claim(IdRange.between(each.first, each.last), "`reserved` in the policy")


def _reservations(login_defs: bytes | None, spans: Sequence[IdRange]) -> Iterator[Claim]:
    for each in chain(RESERVATIONS, reservations(login_defs)):
        for part in _without(each.range, spans):
            yield Claim(part, f"{each.name} ({each.source})")


def _live(live: Iterable[LiveMap]) -> Iterator[Claim]:
    """The ids of live maps; an identity extent claims none, as its processes are nobody else."""
    for each in live:
        holder = f"process {each.pid} ({each.command})"
        for extent in dict.fromkeys((*each.uid_map, *each.gid_map)):
            if extent.inside != extent.outside:
                for part in _within(IdRange(extent.outside, extent.count)):
                    yield Claim(part, holder)


def _without(whole: IdRange, spans: Sequence[IdRange]) -> Iterator[IdRange]:
    """The parts of a range outside of ascending, disjoint spans."""
    first = whole.first
    for span in spans:
        if span.overlaps(whole):
            if first < span.first:
                yield IdRange.between(first, span.first - 1)
            first = max(first, span.last + 1)
    if first <= whole.last:
        yield IdRange.between(first, whole.last)


def _within(each: IdRange) -> Iterator[IdRange]:
    """The ids that a range names modulo 2^32, which is how programs and the kernel cut them."""
    if each.count >= ID_SPACE:
        yield IdRange(0, ID_SPACE)
        return
    first = each.first % ID_SPACE
    if first + each.count <= ID_SPACE:
        yield IdRange(first, each.count)
    else:
        yield IdRange.between(first, ID_SPACE - 1)
        yield IdRange(0, first + each.count - ID_SPACE)


def _numbers(block: IdRange) -> range:
    return range(block.first >> _SHIFT, (block.last >> _SHIFT) + 1)


def _common(one: IdRange, other: IdRange) -> int:
    """How many ids are in both."""
    return max(0, min(one.last, other.last) - max(one.first, other.first) + 1)
