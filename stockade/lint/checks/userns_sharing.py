"""Ids that two have: owners of one file, logins and groups, programs that ask no file."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence

from ...policies.findings import Severity
from ...policies.userns_model import Span
from ...userns.accounts import Entry
from ...userns.ids import FIRST_SUBORDINATE, LAST_ID, RESERVATIONS, IdRange, Reservation
from ...userns.overlaps import Overlap, between_owners, within
from ..check import Check, Found
from ..examples import shown, subuid
from ..idfiles import HostSubject, IdFile, TextFile
from ..oddlines import stretch
from .userns_common import KERNEL, MOBY, NEWUIDMAP, SHADOW, UIDS_GIDS, bounded

_USUAL = frozenset({"the host's own users", "useradd's first fit"})
"""Reservations that other checks are about, or that this file is the usual use of."""


def _people(subject: HostSubject, file: IdFile) -> Sequence[Hashable]:
    """Whose each range is: a login and its UID as owners are one."""
    owners = file.columns.owners
    digits = file.numbers
    if not digits:
        return owners
    same: dict[bytes, bytes] = {}
    for owner in digits:
        login = subject.accounts.login_of(int(owner))
        if login is not None:
            same[owner] = login.encode("utf-8", "surrogateescape")
    return [same.get(owner, owner) for owner in owners]


def _pairs(file: IdFile, pairs: Iterable[Overlap]) -> Iterator[Overlap]:
    """Those of two lines, for what two readers take from one line is no overlap, and above the
    host's own ids, which each of the two is told about anyway."""
    lines = file.columns.lines
    return (
        pair
        for pair in pairs
        if lines[pair.earlier] != lines[pair.later] and _stretch(file, pair)[1] >= FIRST_SUBORDINATE
    )


def _shared(subject: HostSubject) -> Iterator[Found]:
    for file in subject.files:
        columns = file.columns
        people = _people(subject, file)
        if file.holders.disjoint:
            continue
        pairs = between_owners(columns.starts, columns.counts, people, file.order)

        def found(pair: Overlap, file: IdFile = file) -> Found:
            columns = file.columns
            one, other = sorted(pair, key=columns.lines.__getitem__)
            return Found(
                f"{columns.owner(other)} and {columns.owner(one)} have ids in common: "
                f"{_common(file, pair)}",
                file.index_place(other, 1),
                "move one of them to ids of its own, and the files of its containers with it",
                ((f"{columns.owner(one)}'s range", file.file.at(columns.lines[one], 1)),),
            )

        yield from bounded(_pairs(file, pairs), found)


def _own(subject: HostSubject) -> Iterator[Found]:
    for file in subject.files:
        columns = file.columns
        people = _people(subject, file)
        if people is columns.owners:
            groups: Iterable[Sequence[int]] = file.several.values()
        else:
            found_: dict[Hashable, list[int]] = {}
            for index, person in enumerate(people):
                found_.setdefault(person, []).append(index)
            groups = (each for each in found_.values() if len(each) > 1)

        def pairs(groups: Iterable[Sequence[int]], file: IdFile = file) -> Iterator[Overlap]:
            columns = file.columns
            for group in groups:
                order = sorted(group, key=columns.starts.__getitem__)
                for pair in within(columns.starts, columns.counts, order):
                    if not _equal(file, pair):
                        yield pair

        def found(pair: Overlap, file: IdFile = file) -> Found:
            columns = file.columns
            one, other = sorted(pair, key=columns.lines.__getitem__)
            return Found(
                f"two ranges of {columns.owner(other)} have ids in common: {_common(file, pair)}",
                file.index_place(other, 1),
                "delete one, or shorten it; the ids of files on disk say which is in use",
                (("the other range", file.file.at(columns.lines[one], 1)),),
            )

        yield from bounded(_pairs(file, pairs(groups)), found)


def _equal(file: IdFile, pair: Overlap) -> bool:
    columns = file.columns
    one, other = pair
    return (columns.owners[one], columns.starts[one], columns.counts[one]) == (
        columns.owners[other],
        columns.starts[other],
        columns.counts[other],
    )


def _duplicates(subject: HostSubject) -> Iterator[Found]:
    for file in subject.files:
        columns = file.columns

        def repeated(file: IdFile = file) -> Iterator[tuple[int, int]]:
            columns = file.columns
            for indexes in file.several.values():
                seen: dict[tuple[int, int], int] = {}
                for index in indexes:
                    key = (columns.starts[index], columns.counts[index])
                    first = seen.setdefault(key, index)
                    if columns.lines[first] != columns.lines[index]:
                        yield first, index

        def found(pair: tuple[int, int], file: IdFile = file) -> Found:
            columns = file.columns
            first, again = pair
            return Found(
                f"{columns.owner(again)}'s range {columns.shown(again)} is here a second time",
                file.index_place(again),
                "delete this line (--fix does)",
                (("the first", file.file.at(columns.lines[first])),),
            )

        if len(columns):
            yield from bounded(repeated(), found)


def _common(file: IdFile, pair: Overlap) -> str:
    return stretch(*_stretch(file, pair))


def _stretch(file: IdFile, pair: Overlap) -> tuple[int, int]:
    """The first and the last id that both have."""
    columns = file.columns
    first = max(columns.starts[each] for each in pair)
    return first, min(columns.starts[each] + columns.counts[each] for each in pair) - 1


def _accounts_inside(
    file: IdFile | None, text: TextFile | None, entries: Iterable[Entry], what: str
) -> Iterator[Found]:
    if file is None or text is None:
        return
    inside = (
        (entry, index)
        for entry in entries
        if FIRST_SUBORDINATE <= entry.id <= LAST_ID
        for index in (file.holders.of(entry.id),)
        if index is not None
    )

    def found(each: tuple[Entry, int]) -> Found:
        entry, index = each
        columns = file.columns
        return Found(
            f"{columns.owner(index)} is given {entry.id}, the id of the {what} {entry.name}",
            file.index_place(index, 1),
            f"move the range, or give the {what} another id",
            ((f"the {what}", text.at(entry.line, 2)),),
        )

    yield from bounded(inside, found, f"{what}s")


def _logins(subject: HostSubject) -> Iterator[Found]:
    yield from _accounts_inside(subject.subuid, subject.passwd, subject.accounts.passwd, "login")


def _groups(subject: HostSubject) -> Iterator[Found]:
    yield from _accounts_inside(subject.subgid, subject.group, subject.accounts.group, "group")


def _reserved(subject: HostSubject) -> Iterator[Found]:
    for file in subject.different:
        for each in RESERVATIONS:
            if each.name not in _USUAL:
                parts = _without(each.range, subject.policy.spans if subject.policy else ())
                touched = (file.holders.touching(first, last) for first, last in parts)
                index = next((index for index in touched if index is not None), None)
                if index is not None:
                    yield _in_reservation(file, index, each)


def _without(ids: IdRange, spans: Sequence[Span]) -> list[tuple[int, int]]:
    """What of a reservation the spans, which are disjoint and ascending, do not lift."""
    parts, first = [], ids.first
    for span in spans:
        if first < span.first <= ids.last:
            parts.append((first, span.first - 1))
        first = max(first, span.last + 1)
    return [*parts, (first, ids.last)] if first <= ids.last else parts


def _in_reservation(file: IdFile, index: int, each: Reservation) -> Found:
    columns = file.columns
    return Found(
        f"{columns.shown(index)} of {columns.owner(index)} is in {each.range}, which is for "
        f"{each.name}, given out without a look at this file",
        file.index_place(index, 1),
        f"make sure that this host uses none of it ({each.source}), or use ids outside",
    )


_TWO = subuid("alice:2000224256:65536", "bob:2000289792:65536")

CHECKS = (
    Check(
        "subid-shared-ids",
        "Two owners have ids in common",
        Severity.ERROR,
        "Containers of the two are the same users to the host: each reads the other's 0600 "
        "files, and may kill its processes. newuidmap never compares owners, useradd gives a "
        "deleted user's range to the next at once, and dockerd's `default` has been seen to get "
        "the very range of another user.",
        (NEWUIDMAP, SHADOW, MOBY),
        subuid("alice:2000224256:65536", "bob:2000224257:65536"),
        _TWO,
        host=_shared,
    ),
    Check(
        "subid-own-overlap",
        "Two ranges of one owner have ids in common",
        Severity.ERROR,
        "dockerd puts all ranges of an owner into one map, and the kernel refuses a map in which "
        "an id is twice (EINVAL). dockerd starts and every `docker run` fails. podman refuses "
        "such an owner too.",
        (KERNEL, MOBY, "containers/storage, pkg/idtools"),
        subuid("alice:2000224256:65536", "alice:2000224256:1000"),
        subuid("alice:2000224256:65536", "alice:2000289792:1000"),
        host=_own,
    ),
    Check(
        "subid-duplicate-line",
        "The same range of the same owner twice",
        Severity.ERROR,
        "dockerd maps it twice, and the kernel refuses a map in which an id is twice (EINVAL). "
        "Deleting one of the two changes nobody's ids.",
        (KERNEL, MOBY),
        subuid("alice:2000224256:65536", "alice:2000224256:65536"),
        subuid("alice:2000224256:65536"),
        host=_duplicates,
    ),
    Check(
        "subid-login-inside",
        "A login's UID is inside a range",
        Severity.ERROR,
        "The owner's containers can be that login: read its files, kill its processes. useradd "
        "does not look into passwd when it gives out subordinate ids, nor the other way round.",
        (SHADOW, "passwd(5)"),
        shown(
            {
                "subuid": "alice:2000224256:65536\n",
                "passwd": "alice:x:1000:1000::/home:/bin/sh\nbob:x:2000230000:100::/home:/bin/sh\n",
            }
        ),
        shown(
            {
                "subuid": "alice:2000224256:65536\n",
                "passwd": "alice:x:1000:1000::/home:/bin/sh\nbob:x:1001:100::/home:/bin/sh\n",
            }
        ),
        host=_logins,
    ),
    Check(
        "subid-group-inside",
        "A group's GID is inside a range",
        Severity.ERROR,
        "The owner's containers can have that group, and with it whatever its members may read "
        "and write.",
        (SHADOW, "group(5)"),
        shown({"subgid": "alice:2000224256:65536\n", "group": "staff:x:2000230000:bob\n"}),
        shown({"subgid": "alice:2000224256:65536\n", "group": "staff:x:50:bob\n"}),
        host=_groups,
    ),
    Check(
        "subid-reserved-span",
        "Ids that another program may use without asking",
        Severity.NOTE,
        "systemd-nspawn, SSSD and FreeIPA give out ids by a rule of their own and do not read "
        "this file. Where a host uses one of them in the same span, two get the same ids. A span "
        "that a policy's `userns` section names (--policy) is the host's own and not reported.",
        (UIDS_GIDS, "sssd-ad(5)", "FreeIPA, subids.md"),
        subuid("alice:524288:65536"),
        subuid("alice:2000224256:65536"),
        host=_reserved,
    ),
)
