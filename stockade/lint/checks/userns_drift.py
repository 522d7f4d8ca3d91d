"""A host's files against Stockade's registry, and both against the maps that are live."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping

from ...policies.findings import Severity
from ...userns.ids import FIRST_SUBORDINATE, ID_SPACE, IdRange
from ...userns.leases import LEASES, Leased
from ...userns.model import Registry
from ...userns.overlaps import between_owners, by_start
from ..check import Check, Found
from ..examples import shown
from ..idfiles import HostSubject, IdFile
from ..subjects import Place
from .userns_common import NEWUIDMAP, SHADOW, bounded

_REGISTRY = "Stockade, docs/userns.md: the registry"
_LEASES = "Stockade, docs/userns-targets.md: a map for each Docker container"


# --- registry and files --------------------------------------------------------------------


def _missing(subject: HostSubject) -> Iterator[Found]:
    for file in subject.files:
        gone = (each for each in subject.blocks if each.encode("utf-8") not in file.owners)

        def found(tenant: str, file: IdFile = file) -> Found:
            block = subject.blocks[tenant]
            return Found(
                f"{tenant} has {block} by the registry, and no line in {file.file.source.name}",
                Place(f"blocks.{tenant}", subject.tenant_at(tenant)),
                f"add `{tenant}:{block.first}:{block.count}`: `stockade userns apply` does; or "
                "`stockade userns release` it",
            )

        yield from bounded(gone, found, "tenants")


def _changed(subject: HostSubject) -> Iterator[Found]:
    for file in subject.files:

        def other(file: IdFile = file) -> Iterator[tuple[str, int]]:
            for tenant, block in subject.blocks.items():
                if tenant.encode("utf-8") not in file.by_owner:
                    continue
                for index in file.indexes(tenant.encode("utf-8")):
                    columns = file.columns
                    if (columns.starts[index], columns.counts[index]) != (block.first, block.count):
                        yield tenant, index

        def found(each: tuple[str, int], file: IdFile = file) -> Found:
            tenant, index = each
            at = subject.tenant_at(tenant)
            return Found(
                f"{tenant} has {file.columns.shown(index)} here, and {subject.blocks[tenant]} by "
                "the registry",
                file.index_place(index, 1),
                "somebody else changed the line: put the registered range back, or release the "
                "tenant and plan again",
                () if at is None else (("the registry", at),),
            )

        yield from bounded(other(), found)


def _disputed(subject: HostSubject) -> Iterator[Found]:
    """Registered blocks of which another owner has ids."""
    blocks = {name.encode(): block for name, block in subject.blocks.items()}
    for file in subject.files:

        def found(each: tuple[bytes, int], file: IdFile = file) -> Found:
            name, index = each
            at = subject.tenant_at(name.decode())
            return Found(
                f"{file.columns.owner(index)} has {file.columns.shown(index)}, ids of "
                f"{blocks[name]}, which is {name.decode()}'s by the registry",
                file.index_place(index, 1),
                "move that owner; Stockade moves no tenant, because its files have these ids",
                () if at is None else (("the registry", at),),
            )

        yield from bounded(_meeting(file, blocks), found)


def _tombstones(subject: HostSubject) -> Iterator[Found]:
    if subject.registry is None:
        return
    # A name that no line can have: the tenant of old is somebody else too, should it come back.
    blocks = {f"\0{name}".encode(): block for name, block in subject.registry.tombstones.items()}
    for file in subject.files:

        def found(each: tuple[bytes, int], file: IdFile = file) -> Found:
            name, index = each
            tenant = name.decode()[1:]
            return Found(
                f"{file.columns.owner(index)} has {file.columns.shown(index)}, ids that were "
                f"{tenant}'s ({blocks[name]}) and may still own files",
                file.index_place(index, 1),
                f"find what {tenant} left (find / -xdev -uid N), then "
                f"`stockade userns release --forget {tenant}`",
            )

        yield from bounded(_meeting(file, blocks), found)


def _meeting(file: IdFile, blocks: Mapping[bytes, IdRange]) -> Iterator[tuple[bytes, int]]:
    """Blocks with ids in common with a line of another owner: the name and the line's index."""
    if not blocks:
        return
    columns = file.columns
    names = list(blocks)
    # Without the tenants' own lines, which would stand before their blocks.
    foreign = [index for index, owner in enumerate(columns.owners) if owner not in blocks]
    lines = len(foreign)
    starts = [*map(columns.starts.__getitem__, foreign), *(b.first for b in blocks.values())]
    counts = [*map(columns.counts.__getitem__, foreign), *(b.count for b in blocks.values())]
    owners = [*map(columns.owners.__getitem__, foreign), *names]
    for pair in between_owners(starts, counts, owners, by_start(starts)):
        one, other = sorted(pair)
        if one < lines <= other:
            yield names[other - lines], foreign[one]


def _leased(subject: HostSubject) -> Iterator[Found]:
    """Blocks of containers with ids that are not theirs alone."""

    def found(each: tuple[Leased, str]) -> Found:
        lease, other = each
        return Found(
            f"{lease.holder} has {lease.range}, and {other} has ids of it",
            Place(f"{LEASES}/{lease.range.first}", None),
            "remove the container and start it again: it gets a block that is free; if it is "
            "gone for good, the next container that starts gives its block back",
        )

    yield from bounded(_not_alone(subject), found, "pairs")


def _not_alone(subject: HostSubject) -> Iterator[tuple[Leased, str]]:
    """Leases, and who else has ids of them."""
    registry = subject.registry or Registry()
    given = sorted(
        (block.first, block.last, tenant)
        for tenant, block in (*registry.blocks.items(), *registry.tombstones.items())
    )
    others = [("login", entry) for entry in subject.accounts.passwd]
    others += (("group", entry) for entry in subject.accounts.group)
    accounts = sorted(
        (entry.id, f"{what} {entry.name}")
        for what, entry in others
        if entry.id >= FIRST_SUBORDINATE
    )
    loose: dict[bytes, Leased] = {}
    reach: Leased | None = None
    for lease in subject.leases:
        first, last = lease.range.first, lease.range.last
        if reach is not None and first <= reach.range.last:
            yield lease, reach.holder
        if reach is None or last > reach.range.last:
            reach = lease
        at = bisect_right(given, (last, ID_SPACE, "")) - 1
        if at >= 0 and given[at][0] <= first and last <= given[at][1]:
            # Its tenant's own ids; who else has some of these is said elsewhere.
            continue
        while at >= 0 and given[at][1] >= first:
            yield lease, f"{given[at][2]}, by the registry,"
            at -= 1
        place = bisect_left(accounts, (first, ""))
        if place < len(accounts) and accounts[place][0] <= last:
            yield lease, accounts[place][1]
        loose[f"\0{len(loose)}".encode()] = lease
    ranges = {name: lease.range for name, lease in loose.items()}
    for file in subject.different:
        for name, index in _meeting(file, ranges):
            columns = file.columns
            yield (
                loose[name],
                f"{columns.owner(index)} ({file.kind.value} line {columns.lines[index]})",
            )


def _interrupted(subject: HostSubject) -> Iterator[Found]:
    if subject.interrupted:
        yield Found(
            f"a change of subuid and subgid was interrupted: {subject.interrupted}",
            Place(subject.interrupted, None),
            "`stockade userns apply` finishes it before anything else",
        )


_REGISTERED = '{\n  "version": 1,\n  "blocks": {\n    "web": "2000224256:65536"\n  },\n'
_STORE = "var/lib/stockade/userns.json"
_NONE = '  "tombstones": {}\n}\n'
_DEAD = _REGISTERED.replace("blocks", "tombstones").removesuffix(",\n") + ',\n  "blocks": {}\n}\n'
_WEB = "web:2000224256:65536\n"
_LEASE = f"{LEASES}/2000289792.65536.4f2c"


def _tree(subuid: str, registry: str = _REGISTERED + _NONE, **more: str) -> str:
    files = {"etc/subuid": subuid, "etc/subgid": subuid, _STORE: registry}
    return shown({name: text for name, text in {**files, **more}.items() if text})


CHECKS = (
    Check(
        "drift-missing-line",
        "A registered tenant has no line in subuid or subgid",
        Severity.ERROR,
        "The registry says whose the ids are, the files are what programs read. Somebody deleted "
        "the line: the tenant's containers do not start, and useradd may give its ids, which "
        "files still have, to somebody else.",
        (_REGISTRY, SHADOW),
        _tree("alice:2000289792:65536\n"),
        _tree(_WEB),
        host=_missing,
    ),
    Check(
        "drift-changed-line",
        "A tenant's line is not what the registry says",
        Severity.ERROR,
        "With other ids the tenant's containers no longer own their files, and the ids they own "
        "may be given to others. dockerd hides all images when a range changes, for its data "
        "root is named after it.",
        (_REGISTRY, "Docker: Isolate containers with a user namespace"),
        _tree("web:2000289792:65536\n"),
        _tree(_WEB),
        host=_changed,
    ),
    Check(
        "drift-disputed-block",
        "Another owner has ids of a registered block",
        Severity.ERROR,
        "Somebody was given ids of a tenant after Stockade gave them out, by hand or by useradd. "
        "The two read each other's files.",
        (_REGISTRY, NEWUIDMAP),
        _tree(_WEB + "bob:2000224300:65536\n"),
        _tree(_WEB + "bob:2000289792:65536\n"),
        host=_disputed,
    ),
    Check(
        "drift-tombstone-in-use",
        "Ids of a released tenant are given out again",
        Severity.ERROR,
        "Files outlive their owner. Whoever gets the ids of a released tenant, as useradd gives "
        "those of a deleted user to the next, gets its files too: volumes, layers, backups.",
        (_REGISTRY, SHADOW),
        _tree("bob:2000224256:65536\n", _DEAD),
        _tree("bob:2000289792:65536\n", _DEAD),
        host=_tombstones,
    ),
    Check(
        "drift-leased-ids",
        "A container's block has ids of somebody else",
        Severity.ERROR,
        "stockade-runtime leases a block that nobody has at that moment, and the lease is a claim "
        "for `stockade userns plan`. useradd, and whoever edits subuid, knows nothing of it, and "
        "may give the ids away while the container lives.",
        (_LEASES, SHADOW),
        _tree(_WEB + "bob:2000289792:65536\n", **{_LEASE: "{}\n"}),
        _tree(_WEB + "bob:2000355328:65536\n", **{_LEASE: "{}\n"}),
        host=_leased,
    ),
    Check(
        "drift-interrupted-commit",
        "A change of subuid and subgid was cut off",
        Severity.ERROR,
        "The record of the change is on disk and some files may still be as they were, so that "
        "subuid and subgid do not agree. The next command that takes the locks finishes it.",
        (_REGISTRY,),
        _tree(_WEB, **{"var/lib/stockade/userns.intent.json": "{}\n"}),
        _tree(_WEB),
        host=_interrupted,
    ),
)
