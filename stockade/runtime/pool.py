"""Which blocks containers may have, and taking one.

With `--tenant` these are the ids that the registry gives to that tenant: nobody else gets
any of them, so nothing more has to be asked. With `--span` or a policy they are the ids of its
span that nobody claims: subuid, subgid, accounts, the registry, what other programs use. That
takes reading all of these files, so the outcome is kept until one of them changes.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

from ..userns.host import MAXIMAL_REGISTRY, REGISTRY, read_below
from ..userns.ids import BLOCK, IdRange
from ..userns.registry import read as read_registry
from .arguments import Invocation
from .leases import Lease, Leases
from .live import Creator, boot_id, live_ranges
from .stage import RefusedError


def take(asked: Invocation, leases: Leases) -> IdRange:
    """Lease a block for the container; raises RefusedError when there is none."""
    with leases.locked():
        # Under the lock: `userns apply` takes it too, so no tenant gets these ids meanwhile.
        ranges, size = _ranges(asked)
        live = live_ranges()
        kept = leases.reclaim(live)
        mine = [
            each for each in kept if (each.root, each.container) == (asked.root, asked.container)
        ]
        if mine:
            raise RefusedError(
                f"{asked.runtime} has a container {asked.container} already, with the ids "
                f"{mine[0].range}"
            )
        taken = [each.range for each in kept] + live
        block = _first_free(ranges, size, taken, asked.container)
        if block is None:
            raise RefusedError(
                f"no block of {size} ids is free in {', '.join(map(str, ranges))}: {len(kept)} "
                "are leased; remove containers, or give the tenant more blocks"
            )
        leases.add(Lease(block, asked.container, asked.root, boot_id(), Creator.this()))
    return block


def _ranges(asked: Invocation) -> tuple[list[IdRange], int]:
    """The ids for containers, and how many one of them gets."""
    tenant, span = asked.option("tenant"), asked.option("span")
    if tenant and (span or asked.option("policy")):
        raise RefusedError("pass one of --tenant, --span and --policy")
    if not tenant:
        from .ground import free_ground

        return free_ground(asked)
    root = Path(asked.option("host-root", "/"))
    registry = read_registry(read_below(root, REGISTRY, MAXIMAL_REGISTRY), str(root / REGISTRY))
    found = registry.blocks.get(tenant)
    if found is None:
        raise RefusedError(
            f"no tenant `{tenant}` in {root / REGISTRY}; add it to the policy, and: stockade "
            "userns apply POLICY"
        )
    return [found], BLOCK


def _first_free(
    ranges: list[IdRange], size: int, taken: list[IdRange], container: str
) -> IdRange | None:
    """The first free block from the container's own place on.

    That place is a hash of its id: a restart finds the same block, and one just given back is
    not at once another's.
    """
    total = sum(each.count // size for each in ranges)
    if not total:
        return None
    firsts, lasts = [-1], [-1]  # of what is taken, disjoint and ascending
    for each in sorted(taken):
        if each.first <= lasts[-1]:
            lasts[-1] = max(lasts[-1], each.last)
        else:
            firsts.append(each.first)
            lasts.append(each.last)
    start = int.from_bytes(hashlib.sha256(os.fsencode(container)).digest()[:8], "big") % total
    for block in _blocks(ranges, size, start, total):
        if lasts[bisect_right(firsts, block.last) - 1] < block.first:
            return block
    return None


def _blocks(ranges: list[IdRange], size: int, start: int, total: int) -> Iterator[IdRange]:
    """All blocks once around, from the one of this number on."""
    for step in range(total):
        number = (start + step) % total
        for each in ranges:
            count = each.count // size
            if number < count:
                yield IdRange(each.first + number * size, size)
                break
            number -= count
