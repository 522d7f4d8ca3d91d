"""The maps of user namespaces that are live, against what a host's files give out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ...policies.findings import Severity
from ...userns.idmap import render_map
from ...userns.ids import FIRST_SUBORDINATE, ID_SPACE, LAST_ID
from ...userns.model import Extent, IdMap, Kind, LiveMap
from ...userns.overlaps import Overlap, between_owners, by_start
from ..check import Check, Found
from ..examples import shown
from ..idfiles import HostSubject, IdFile, TextFile
from ..oddlines import stretch
from ..subjects import Place
from .userns_common import bounded


@dataclass(frozen=True, slots=True)
class _Side:
    """The users of the namespaces, or their groups: a map and the file that gives out its ids."""

    kind: Kind
    file: IdFile | None
    subject: HostSubject

    def map_of(self, live: LiveMap) -> IdMap:
        """The namespace's map on this side."""
        return live.uid_map if self.kind is Kind.UID else live.gid_map

    def matters(self, several: Iterable[LiveMap]) -> bool:
        """Whether it is to be reported here: groups only where the users do not say the same."""
        lives = list(several)
        asked = self.subject.focus is None or any(e.pid == self.subject.focus for e in lives)
        return asked and (self.kind is Kind.UID or any(e.uid_map != e.gid_map for e in lives))

    def place(self, live: LiveMap, extent: Extent) -> Place:
        """Where the extent stands."""
        extents = self.map_of(live)
        name = f"/proc/{live.pid}/{'uid_map' if self.kind is Kind.UID else 'gid_map'}"
        return Place(name, TextFile.of(name, render_map(extents)).at(extents.index(extent) + 1))

    def has(self, number: int) -> bool:
        """Whether a login or group has the id."""
        accounts = self.subject.accounts
        if self.kind is Kind.UID:
            return number in accounts.names
        return number in accounts.groups.values()


def _each_side(
    check: Callable[[_Side], Iterable[Found]],
) -> Callable[[HostSubject], Iterator[Found]]:
    def both(subject: HostSubject) -> Iterator[Found]:
        yield from check(_Side(Kind.UID, subject.subuid, subject))
        if any(live.uid_map != live.gid_map for live in subject.live):
            yield from check(_Side(Kind.GID, subject.subgid, subject))

    return both


def _who(live: LiveMap) -> str:
    return f"process {live.pid} ({live.command})"


def _live_root(side: _Side) -> Iterator[Found]:
    def roots() -> Iterator[tuple[LiveMap, Extent]]:
        for live in filter(lambda each: side.matters([each]), side.subject.live):
            for extent in side.map_of(live):
                # All ids as they are: as a rule this is the host's own namespace, which cannot be
                # told from another where the process may not be looked at.
                whole = extent == Extent(0, 0, LAST_ID + 1) and side.subject.focus is None
                if extent.outside == 0 and not whole:
                    yield live, extent
                    break

    def found(each: tuple[LiveMap, Extent]) -> Found:
        live, extent = each
        return Found(
            f"id {extent.inside} in the namespace of {_who(live)} is root of the host",
            side.place(live, extent),
            "map it to ids of its own, unless its program is trusted as the host's root is",
        )

    yield from bounded(roots(), found, "namespaces")


def _live_outside(side: _Side) -> Iterator[Found]:
    if side.file is None:
        return

    def outside() -> Iterator[tuple[LiveMap, Extent]]:
        for live in filter(lambda each: side.matters([each]), side.subject.live):
            for extent in side.map_of(live):
                first, last = extent.outside, extent.outside + extent.count - 1
                known = extent.count == 1 and side.has(first)
                if (
                    FIRST_SUBORDINATE <= first <= LAST_ID
                    and not known
                    and not _granted(side, first, last)
                ):
                    yield live, extent
                    break

    def found(each: tuple[LiveMap, Extent]) -> Found:
        live, extent = each
        ids = stretch(extent.outside, extent.outside + max(1, extent.count) - 1)
        return Found(
            f"{_who(live)} uses {ids}, which nobody was given",
            side.place(live, extent),
            "find out which program gives out these ids (systemd, podman as root), and reserve "
            "them in the policy",
            severity=Severity.NOTE if _is_self(extent) else None,
        )

    yield from bounded(outside(), found, "namespaces")


def _granted(side: _Side, first: int, last: int) -> bool:
    """Whether files, registry and leases give all these ids to somebody."""
    assert side.file is not None
    columns = side.file.columns
    while first <= last:
        index = side.file.holders.of(first)
        if index is not None:
            first = columns.starts[index] + columns.counts[index]
            continue
        given = (*side.subject.blocks.values(), *(each.range for each in side.subject.leases))
        block = next((each for each in given if first in each), None)
        if block is None:
            return False
        first = block.last + 1
    return True


def _live_shared(side: _Side) -> Iterator[Found]:
    by_map: dict[IdMap, list[LiveMap]] = {}
    for live in side.subject.live:
        extents = side.map_of(live)
        ids = tuple(sorted(filter(_own_ids, extents), key=lambda each: each.outside))
        if ids and not any(extent.outside == 0 for extent in extents):
            by_map.setdefault(ids, []).append(live)
    yield from bounded(
        (each for each in by_map.items() if len(each[1]) > 1 and side.matters(each[1])),
        lambda each: _same_map(side, *each),
        "maps",
    )
    yield from bounded(
        _overlapping(side, by_map), lambda each: _shared_ids(side, *each), "pairs of maps"
    )


def _own_ids(extent: Extent) -> bool:
    """Whether these are ids that belong to containers, and that two should not have."""
    return FIRST_SUBORDINATE <= extent.outside < ID_SPACE - 1 and extent.count > 0


def _is_self(extent: Extent) -> bool:
    """Whether it may be a user's own id, which everybody may map; directory services have such
    users with ids of any size."""
    return extent.count == 1


def _asked(side: _Side, several: list[LiveMap]) -> LiveMap:
    """The one that was asked about, or the first."""
    return next((each for each in several if each.pid == side.subject.focus), several[0])


def _same_map(side: _Side, ids: IdMap, several: list[LiveMap]) -> Found:
    owner = _owner_of(side, ids)
    here = _asked(side, several)
    others = [each for each in several if each is not here]
    names = ", ".join(_who(each) for each in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    whose = f", the ids of {owner}" if owner else ""
    return Found(
        f"{_who(here)} has the same map as {names}{more}{whose}",
        side.place(here, ids[0]),
        "give each its own block where they should not read each other's files",
        severity=Severity.NOTE if owner or all(map(_is_self, ids)) else None,
    )


_Pair = tuple[LiveMap, Extent, LiveMap, Extent]
"""Two namespaces and the extents of theirs that have ids in common."""


def _overlapping(side: _Side, by_map: Mapping[IdMap, list[LiveMap]]) -> Iterator[_Pair]:
    """Different maps with ids in common, each pair once."""
    lives = list(by_map.values())
    extents = [(extent, number) for number, ids in enumerate(by_map) for extent in ids]
    starts = [extent.outside for extent, _ in extents]
    counts = [extent.count for extent, _ in extents]
    owners = [number for _, number in extents]
    asked = {
        number
        for number, several in enumerate(lives)
        if any(each.pid == side.subject.focus for each in several)
    }
    if asked:
        # All that meet the one, which the sweep would not name.
        own = [index for index, owner in enumerate(owners) if owner in asked]
        rest = [index for index, owner in enumerate(owners) if owner not in asked]
        pairs = [
            Overlap(one, other)
            for one in own
            for other in rest
            if starts[one] < starts[other] + counts[other]
            and starts[other] < starts[one] + counts[one]
        ]
    else:
        pairs = list(between_owners(starts, counts, owners, by_start(starts)))
    seen: set[tuple[int, ...]] = set()
    for pair in pairs:
        one, other = sorted(pair, key=owners.__getitem__)
        key = (owners[one], owners[other])
        if key not in seen and side.matters([*lives[key[0]], *lives[key[1]]]):
            seen.add(key)
            here, there = (_asked(side, lives[number]) for number in key)
            yield here, extents[one][0], there, extents[other][0]


def _shared_ids(side: _Side, here: LiveMap, one: Extent, there: LiveMap, other: Extent) -> Found:
    first = max(one.outside, other.outside)
    last = min(one.outside + one.count, other.outside + other.count) - 1
    owner = _owner_of(side, [one])
    same = owner is not None and owner == _owner_of(side, [other])
    return Found(
        f"{_who(here)} and {_who(there)} have ids in common: {stretch(first, last)}",
        side.place(here, one),
        "end one of them, and give it a map of its own",
        severity=Severity.NOTE if same or (_is_self(one) and _is_self(other)) else None,
    )


def _owner_of(side: _Side, ids: Iterable[Extent]) -> str | None:
    """Whose all these ids are by the file; None: nobody's, or of several."""
    if side.file is None:
        return None
    columns = side.file.columns
    owners = set()
    for extent in ids:
        index = side.file.holders.of(extent.outside)
        if index is None:
            return None
        if columns.starts[index] + columns.counts[index] < extent.outside + extent.count:
            return None
        owners.add(columns.owner(index))
    return owners.pop() if len(owners) == 1 else None


_WEB = "web:2000224256:65536\n"


def _tree(subuid: str, **maps: str) -> str:
    """A host; processes by number, each the first of its namespace."""
    files = {"etc/subuid": subuid, "etc/subgid": subuid}
    for pid, text in maps.items():
        parts = {"comm": "httpd\n", "uid_map": text, "gid_map": text}
        files |= {f"proc/{pid[1:]}/{name}": part for name, part in parts.items()}
    return shown(files)


CHECKS = (
    Check(
        "live-host-root",
        "Root of the host is in a namespace's map",
        Severity.WARNING,
        "A process that is this id in the namespace is root of the host to every file it can "
        "reach. Some programs of the host make such namespaces on purpose; a container should "
        "not have one.",
        ("user_namespaces(7)",),
        _tree(_WEB, p4711="0 0 65536\n"),
        _tree(_WEB, p4711="0 2000224256 65536\n"),
        host=_each_side(_live_root),
    ),
    Check(
        "live-foreign-ids",
        "A namespace uses ids that nobody was given",
        Severity.WARNING,
        "Root may write any map, and some programs choose ids by a rule of their own. Files that "
        "such a namespace leaves belong to whoever is given the ids next.",
        ("user_namespaces(7)", "systemd, docs/UIDS-GIDS.md"),
        _tree(_WEB, p4711="0 2000289792 65536\n"),
        _tree(_WEB, p4711="0 2000224256 65536\n"),
        host=_each_side(_live_outside),
    ),
    Check(
        "live-shared-ids",
        "Two namespaces have host ids in common",
        Severity.ERROR,
        "Measured: of two containers with the same map, or with one shifted by one, each reads "
        "the other's 0600 files; with disjoint maps it gets EACCES. All containers of one dockerd "
        "have one map; what is one owner's by subuid is a note.",
        ("user_namespaces(7)", "moby#28593"),
        _tree(
            _WEB + "bob:2000289792:65536\n",
            p4711="0 2000224256 65536\n",
            p4712="0 2000224256 65537\n",
        ),
        _tree(
            _WEB + "bob:2000289792:65536\n",
            p4711="0 2000224256 65536\n",
            p4712="0 2000289792 65536\n",
        ),
        host=_each_side(_live_shared),
    ),
)
