"""The maps of user namespaces that are live, against what a host's files give out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ...policies.findings import Severity
from ...userns.idmap import render_map
from ...userns.ids import FIRST_SUBORDINATE, ID_SPACE, LAST_ID
from ...userns.model import Extent, LiveMap
from ...userns.overlaps import between_owners, by_start
from ..check import Check, Found
from ..examples import shown
from ..idfiles import HostSubject, TextFile
from ..oddlines import stretch
from ..subjects import Place
from .userns_common import bounded


def _live_place(live: LiveMap, extent: Extent) -> Place:
    text = render_map(live.uid_map)
    index = live.uid_map.index(extent)
    name = f"/proc/{live.pid}/uid_map"
    return Place(name, TextFile.of(name, text).at(index + 1))


def _who(live: LiveMap) -> str:
    return f"process {live.pid} ({live.command})"


def _looked_at(subject: HostSubject) -> Iterable[LiveMap]:
    return (each for each in subject.live if subject.focus in (None, each.pid))


def _live_root(subject: HostSubject) -> Iterator[Found]:
    def roots() -> Iterator[tuple[LiveMap, Extent]]:
        for live in _looked_at(subject):
            for extent in live.uid_map:
                # All ids as they are: as a rule this is the host's own namespace, which cannot be
                # told from another where the process may not be looked at.
                whole = extent == Extent(0, 0, LAST_ID + 1) and subject.focus is None
                if extent.outside == 0 and not whole:
                    yield live, extent
                    break

    def found(each: tuple[LiveMap, Extent]) -> Found:
        live, extent = each
        return Found(
            f"id {extent.inside} in the namespace of {_who(live)} is root of the host",
            _live_place(live, extent),
            "map it to ids of its own, unless its program is trusted as the host's root is",
        )

    yield from bounded(roots(), found, "namespaces")


def _live_outside(subject: HostSubject) -> Iterator[Found]:
    if subject.subuid is None:
        return

    def outside() -> Iterator[tuple[LiveMap, Extent]]:
        for live in _looked_at(subject):
            for extent in live.uid_map:
                first, last = extent.outside, extent.outside + extent.count - 1
                known = extent.count == 1 and first in subject.accounts.names
                if (
                    FIRST_SUBORDINATE <= first <= LAST_ID
                    and not known
                    and not _granted(subject, first, last)
                ):
                    yield live, extent
                    break

    def found(each: tuple[LiveMap, Extent]) -> Found:
        live, extent = each
        ids = stretch(extent.outside, extent.outside + max(1, extent.count) - 1)
        return Found(
            f"{_who(live)} uses {ids}, which nobody was given",
            _live_place(live, extent),
            "find out which program gives out these ids (systemd, podman as root), and reserve "
            "them in the policy",
            severity=Severity.NOTE if _is_self(extent) else None,
        )

    yield from bounded(outside(), found, "namespaces")


def _granted(subject: HostSubject, first: int, last: int) -> bool:
    """Whether files and registry give all these ids to somebody."""
    assert subject.subuid is not None
    columns = subject.subuid.columns
    while first <= last:
        index = subject.subuid.holders.of(first)
        if index is not None:
            first = columns.starts[index] + columns.counts[index]
            continue
        block = next((each for each in subject.blocks.values() if first in each), None)
        if block is None:
            return False
        first = block.last + 1
    return True


def _live_shared(subject: HostSubject) -> Iterator[Found]:
    by_map: dict[tuple[Extent, ...], list[LiveMap]] = {}
    for live in subject.live:
        ids = tuple(sorted((e for e in live.uid_map if _own_ids(e)), key=lambda e: e.outside))
        if ids and not any(extent.outside == 0 for extent in live.uid_map):
            by_map.setdefault(ids, []).append(live)
    yield from bounded(
        (each for each in by_map.items() if len(each[1]) > 1 and _in_focus(subject, each[1])),
        lambda each: _same_map(subject, *each),
        "maps",
    )
    yield from _overlapping(subject, by_map)


def _own_ids(extent: Extent) -> bool:
    """Whether these are ids that belong to containers, and that two should not have."""
    return FIRST_SUBORDINATE <= extent.outside < ID_SPACE - 1 and extent.count > 0


def _is_self(extent: Extent) -> bool:
    """Whether it may be a user's own id, which everybody may map; directory services have such
    users with ids of any size."""
    return extent.count == 1


def _in_focus(subject: HostSubject, several: Iterable[LiveMap]) -> bool:
    return subject.focus is None or any(each.pid == subject.focus for each in several)


def _same_map(subject: HostSubject, ids: tuple[Extent, ...], several: list[LiveMap]) -> Found:
    owner = _owner_of(subject, ids)
    here = next((each for each in several if each.pid == subject.focus), several[0])
    others = [each for each in several if each is not here]
    names = ", ".join(_who(each) for each in others[:3])
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    whose = f", the ids of {owner}" if owner else ""
    return Found(
        f"{_who(here)} has the same map as {names}{more}{whose}",
        _live_place(here, ids[0]),
        "give each its own block where they should not read each other's files",
        severity=Severity.NOTE if owner or all(map(_is_self, ids)) else None,
    )


def _overlapping(
    subject: HostSubject, by_map: Mapping[tuple[Extent, ...], list[LiveMap]]
) -> Iterator[Found]:
    maps = list(by_map)
    extents = [(extent, number) for number, ids in enumerate(maps) for extent in ids]
    starts = [extent.outside for extent, _ in extents]
    counts = [extent.count for extent, _ in extents]
    owners = [number for _, number in extents]
    seen: set[tuple[int, int]] = set()
    for earlier, later in between_owners(starts, counts, owners, by_start(starts)):
        one, other = sorted((owners[earlier], owners[later]))
        here, there = by_map[maps[one]][0], by_map[maps[other]][0]
        both = [*by_map[maps[one]], *by_map[maps[other]]]
        if (one, other) in seen or not _in_focus(subject, both):
            continue
        seen.add((one, other))
        first = max(starts[earlier], starts[later])
        last = min(starts[each] + counts[each] for each in (earlier, later)) - 1
        owner = _owner_of(subject, maps[one])
        same = owner is not None and owner == _owner_of(subject, maps[other])
        same = same or all(_is_self(extents[each][0]) for each in (earlier, later))
        yield Found(
            f"{_who(here)} and {_who(there)} have ids in common: {stretch(first, last)}",
            _live_place(here, maps[one][0]),
            "end one of them, and give it a map of its own",
            severity=Severity.NOTE if same else None,
        )
        if len(seen) == 100:
            break


def _owner_of(subject: HostSubject, ids: Iterable[Extent]) -> str | None:
    """Whose all these ids are by subuid; None: nobody's, or of several."""
    if subject.subuid is None:
        return None
    columns = subject.subuid.columns
    owners = set()
    for extent in ids:
        index = subject.subuid.holders.of(extent.outside)
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
        host=_live_root,
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
        host=_live_outside,
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
        host=_live_shared,
    ),
)
