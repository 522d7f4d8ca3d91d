"""What a command would do to a host: plan and changes, from the files as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..policies.userns_model import Userns
from .allocate import Plan, forget, plan, release
from .change import Change, changes
from .claims import claims
from .host import REGISTRY
from .ids import IdRange
from .leases import Leased
from .model import HostFiles, LiveMap, Registry
from .registry import read


@dataclass(frozen=True, slots=True)
class Allocation:
    """A policy on a host."""

    plan: Plan
    changes: tuple[Change, ...]
    """Nothing when the files say already what the plan does."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Tenants released, or tombstones forgotten."""

    registry: Registry
    """Afterwards."""
    changes: tuple[Change, ...]


def allocation(
    files: HostFiles,
    section: Userns,
    live: Sequence[LiveMap] = (),
    listed: Iterable[tuple[str, int]] = (),
) -> Allocation:
    """The policy's tenants with their blocks. Raises InputError, see `allocate.plan`."""
    registry = read(files.registry, REGISTRY)
    known = claims(files, live, section, listed, registry)
    made = plan(section, registry, known)
    return Allocation(made, changes(files, registry, made.registry, known))


def removal(files: HostFiles, released: Sequence[str], forgotten: Sequence[str]) -> Removal:
    """First released, then forgotten. Raises InputError for a tenant that is not there."""
    before = read(files.registry, REGISTRY)
    after = forget(release(before, released), forgotten)
    return Removal(after, changes(files, before, after, claims(files, registry=before)))


def users(live: Iterable[LiveMap], leases: Iterable[Leased], block: IdRange) -> list[str]:
    """Who uses ids of a block, for people: live maps, and containers, running or not."""
    holders = [each.holder for each in leases if block.overlaps(each.range)]
    return holders + [
        f"process {each.pid} ({each.command})"
        for each in live
        if any(
            block.overlaps(IdRange(extent.outside, extent.count))
            for extent in (*each.uid_map, *each.gid_map)
            if extent.inside != extent.outside
        )
    ]
