"""Ranges of subuid and subgid, each for itself: host root, system ids, the end, the size."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import compress, takewhile
from operator import add

from ...policies.findings import Severity
from ...userns.ids import BLOCK, FIRST_SUBORDINATE, ID_SPACE, LAST_ID
from ..check import Check, Found
from ..examples import subuid
from ..idfiles import HostSubject, IdFile
from .userns_common import KERNEL, MOBY, NEWUIDMAP, SHADOW, SUBUID, UIDS_GIDS, bounded, each_file

_OWN_WORDS = frozenset({b"kubelet"})
"""Owners that are no login, with rules of their own."""


def _low(file: IdFile) -> Iterator[int]:
    """Indexes of ranges that begin below 65536 once the kernel has cut them to 32 bits."""
    starts = file.columns.starts
    yield from takewhile(lambda index: starts[index] < FIRST_SUBORDINATE, file.order)
    large = bisect_left(file.order, ID_SPACE, key=starts.__getitem__)
    yield from (i for i in file.order[large:] if starts[i] % ID_SPACE < FIRST_SUBORDINATE)


def _once_a_line(file: IdFile, indexes: Iterator[int]) -> Iterator[int]:
    """One range of each line: readers may take several from it."""
    seen: set[int] = set()
    for index in indexes:
        line = file.columns.lines[index]
        if line not in seen:
            seen.add(line)
            yield index


def _readers(file: IdFile, line: int) -> str:
    """What readers make of the line, where they do not agree."""
    odd = next((each for each in file.odd if each.number == line), None)
    return f"; {odd.said}" if odd is not None else ""


def _host_root(file: IdFile) -> Iterator[Found]:
    columns = file.columns
    root = (i for i in _low(file) if columns.starts[i] % ID_SPACE == 0)

    def found(index: int) -> Found:
        line = columns.lines[index]
        return Found(
            f"{columns.owner(index)} is given root of the host, id 0{_readers(file, line)}",
            file.place(line, 1),
            "begin at 65536 or later, at ids that nobody else has",
        )

    yield from bounded(_once_a_line(file, root), found)


def _system_ids(file: IdFile) -> Iterator[Found]:
    columns = file.columns
    low = (i for i in _low(file) if columns.starts[i] % ID_SPACE != 0)

    def found(index: int) -> Found:
        line = columns.lines[index]
        single = columns.counts[index] == 1 and columns.owners[index] == b"root"
        what = "one of the host's own ids" if single else "ids of the host's own users"
        return Found(
            f"{columns.owner(index)} is given {what}, {columns.shown(index)}{_readers(file, line)}",
            file.place(line, 1),
            "delete it unless containers must be this user (LXC's raw.idmap)"
            if single
            else "begin at 65536 or later, at ids that nobody else has",
            severity=Severity.WARNING if single else None,
        )

    yield from bounded(_once_a_line(file, low), found)


def _beyond(file: IdFile) -> Iterator[Found]:
    columns = file.columns
    if file.holders.end <= LAST_ID + 1:
        return
    ends = map(add, columns.starts, columns.counts)
    over = (
        index
        for index, end in enumerate(ends)
        if end > LAST_ID + 1 and columns.starts[index] < ID_SPACE
    )

    def found(index: int) -> Found:
        return Found(
            f"{columns.owner(index)}'s range ends at "
            f"{columns.starts[index] + columns.counts[index] - 1}, beyond the last id, {LAST_ID}",
            file.index_place(index, 2),
            "end it at 4294967294 or earlier",
        )

    yield from bounded(_once_a_line(file, over), found)


def _too_few(subject: HostSubject) -> Iterator[Found]:
    for file in subject.different:
        yield from _too_few_in(file)


def _too_few_in(file: IdFile) -> Iterator[Found]:
    columns = file.columns

    totals: dict[int, int] = {}
    apart: set[int] = set()
    for owner in dict.fromkeys((*file.several, b"root", *_OWN_WORDS)):
        own = file.indexes(owner)
        apart.update(own)
        total = sum(columns.counts[each] for each in own)
        # One id of root's is what LXC's raw.idmap needs, and no range for containers.
        if own and total < BLOCK and owner not in _OWN_WORDS and (owner, total) != (b"root", 1):
            totals[own[0]] = total
    small = [*compress(range(len(columns)), map(BLOCK.__gt__, columns.counts))]
    if apart:
        small = [index for index in small if index not in apart]

    def found(index: int) -> Found:
        total = totals.get(index, columns.counts[index])
        return Found(
            f"{columns.owner(index)} has {total:,} of the 65,536 ids that images may use",
            file.index_place(index, 2),
            "give it 65536 ids",
        )

    yield from bounded([*totals, *small], found, "owners")


def _unaligned(subject: HostSubject) -> Iterator[Found]:
    for file in subject.different:
        yield from _unaligned_in(file)


def _unaligned_in(file: IdFile) -> Iterator[Found]:
    columns = file.columns
    within = bytes(map(bool, map((BLOCK - 1).__and__, columns.starts)))
    odd = within.count(1)
    if odd:
        number = f"{odd:,} of {len(columns):,} ranges do" if len(columns) > 1 else "it does"
        first = within.index(1)
        yield Found(
            f"{number} not begin at a multiple of 65536, "
            f"as {columns.shown(first)} of {columns.owner(first)} shows",
            file.index_place(first, 1),
            "nothing is wrong; `stockade userns plan` gives out whole blocks",
        )


_GOOD = subuid("alice:2000224256:65536")

CHECKS = (
    Check(
        "subid-host-root",
        "Root of the host is given out",
        Severity.ERROR,
        "Whoever may map id 0 is root of the host: newuidmap grants it, dockerd maps a "
        "container's root to it. A number is looked at as each reader takes it and as the kernel "
        "cuts it to 32 bits, so 4294967296 is 0 too.",
        (SUBUID, NEWUIDMAP, MOBY, KERNEL),
        subuid("alice:0:65536"),
        _GOOD,
        host=each_file(_host_root),
    ),
    Check(
        "subid-system-ids",
        "Ids below 65536 are given out",
        Severity.ERROR,
        "Below 65536 are the host's users, its services and nobody (65534). A container that has "
        "them reads and writes these users' files wherever it can reach them, and may send "
        "signals to their processes.",
        ("login.defs(5): UID_MIN, UID_MAX, SYS_UID_MAX", UIDS_GIDS),
        subuid("alice:1000:65536"),
        _GOOD,
        host=each_file(_system_ids),
    ),
    Check(
        "subid-beyond-last-id",
        "A range that ends beyond the last id",
        Severity.ERROR,
        "4294967295 is (uid_t)-1, which means `no id` to the kernel, so the last id is "
        "4294967294. The kernel refuses a map that reaches further or wraps around; dockerd "
        "starts with it, and every `docker run` fails.",
        (KERNEL, UIDS_GIDS),
        subuid("alice:4294901760:65536"),
        _GOOD,
        host=each_file(_beyond),
    ),
    Check(
        "subid-too-few-ids",
        "An owner with fewer than 65536 ids",
        Severity.WARNING,
        "Images are made with 16-bit ids in mind: files of nobody (65534) cannot be unpacked "
        "with fewer, and `docker run --user 65534` fails with `cannot be mapped to a host ID`.",
        (SUBUID, MOBY, "systemd-nspawn(1): --private-users"),
        subuid("alice:2000224256:1000"),
        _GOOD,
        host=_too_few,
    ),
    Check(
        "subid-unaligned",
        "Ranges that do not begin at a multiple of 65536",
        Severity.NOTE,
        "useradd begins at 100000, which works. But in a whole block the upper 16 bits of a host "
        "id say whose it is and the lower 16 are the id in the container, kubelet and "
        "systemd-nspawn give out whole blocks only, and ranges of both kinds side by side leave "
        "gaps that nothing fits into.",
        (SHADOW, UIDS_GIDS, "Kubernetes, kubelet: user namespaces"),
        subuid("alice:2000200002:65536"),
        _GOOD,
        host=_unaligned,
    ),
)
