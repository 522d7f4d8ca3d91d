"""Who gets which block: a pure function of the policy, the registry and the claims.

What the registry says stays, whatever else changes; a new tenant starts at SHA-256(name) modulo
the free places and takes the first from there on that has room. Wide tenants are placed first,
then by name, so the order in a policy does not matter, and adding a tenant moves nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..policies.errors import InputError
from ..policies.problems import Report, listed
from ..policies.userns_model import Tenant, Userns
from .claims import Claims, OwnLine
from .ids import BLOCK, IdRange
from .model import Kind, Registry

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Drift:
    """Something that is not as the registry or the policy has it; nothing is moved for it."""

    tenant: str
    message: str
    """A clause about the tenant: "is no longer in the policy; ..."."""
    disputed: bool = False
    """Whether others have ids of the tenant's block."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the registry would say, and how that came about; every tenant is in one group."""

    registry: Registry
    """Afterwards."""
    kept: Mapping[str, IdRange]
    """Had its block already."""
    added: Mapping[str, IdRange]
    """Gets a new one."""
    adopted: Mapping[str, IdRange]
    """Stood in both files as Stockade would write it, and is taken into the registry."""
    revived: Mapping[str, IdRange]
    """Was released, and gets back what was its own."""
    drift: tuple[Drift, ...]


def plan(section: Userns, registry: Registry, claims: Claims) -> Plan:
    """The allocation.

    Raises InputError, with a problem for each tenant that cannot be served: there is no room, it
    would have to grow, or lines of the files stand against it.
    """
    report = Report()
    spans = [IdRange.between(each.first, each.last) for each in section.spans]
    wanted = {each.name: each for each in section.tenants}
    kept, drift = _kept(section, registry, claims, report)
    revived = _revived(section, registry, claims, report)
    rest = [each for each in section.tenants if each.name not in kept and each.name not in revived]
    taken = [*registry.blocks.values(), *registry.tombstones.values()]
    adopted = _adopted(section, rest, spans, taken, claims, report)
    if report.problems:
        raise InputError(report.arranged())
    slots = _Slots(spans, section.block, claims, [*taken, *adopted.values()])
    added: dict[str, IdRange] = {}
    for tenant in sorted(rest, key=lambda each: (-each.blocks, each.name)):
        if tenant.name not in adopted:
            place = slots.take(tenant)
            if place is None:
                raise _exhausted(tenant, section, spans, registry, claims, len(added))
            added[tenant.name] = place
    drift += _left(registry, wanted)
    after = Registry(
        {**registry.blocks, **adopted, **revived, **added},
        {name: each for name, each in registry.tombstones.items() if name not in revived},
    )
    return Plan(after, kept, added, adopted, revived, tuple(drift))


def release(registry: Registry, tenants: Sequence[str]) -> Registry:
    """The tenants' blocks as tombstones; raises InputError for one that has no block."""
    report = Report()
    blocks, tombstones = dict(registry.blocks), dict(registry.tombstones)
    for name in dict.fromkeys(tenants):
        if name in blocks:
            tombstones[name] = blocks.pop(name)
        else:
            report.add(*_unknown(name, tombstones, "has been released already", registry.blocks))
    if report.problems:
        raise InputError(report.problems)
    return Registry(blocks, tombstones)


def forget(registry: Registry, tenants: Sequence[str]) -> Registry:
    """Without the tenants' tombstones; raises InputError for one that has none."""
    report = Report()
    tombstones = dict(registry.tombstones)
    for name in dict.fromkeys(tenants):
        if name in tombstones:
            del tombstones[name]
        else:
            message = "still has its block; release it first"
            report.add(*_unknown(name, registry.blocks, message, tombstones))
    if report.problems:
        raise InputError(report.problems)
    return Registry(registry.blocks, tombstones)


def _unknown(
    name: str, others: Mapping[str, IdRange], message: str, known: Mapping[str, IdRange]
) -> tuple[str, None, str]:
    if name in others:
        return f"tenant `{name}` {message}", None, ""
    names = list(known)[:_MOST_NAMED]
    hint = f"there are {listed(names)}" + (" and more" if len(known) > len(names) else "")
    return f"the registry has no tenant `{name}`", None, hint if names else "it has none at all"


def _kept(
    section: Userns, registry: Registry, claims: Claims, report: Report
) -> tuple[dict[str, IdRange], list[Drift]]:
    """The tenants that have their block, and what stands against it by now."""
    kept: dict[str, IdRange] = {}
    drift: list[Drift] = []
    wanted = {each.name: each for each in section.tenants}
    spans = [IdRange.between(each.first, each.last) for each in section.spans]
    disputed: list[tuple[str, IdRange]] = []
    for name, block in registry.blocks.items():
        tenant = wanted.get(name)
        expected = b"%b:%d:%d" % (name.encode(), block.first, block.count)
        for line in claims.own.get(name, ()):
            if line.text != expected:
                _contradicts(report, tenant, name, line, block)
        if claims.disputed(block):
            disputed.append((name, block))
        if tenant is None:
            continue
        kept[name] = block
        if block.count != tenant.blocks * section.block:
            _resized(report, tenant, block, section.block)
        if not any(span.first <= block.first and block.last <= span.last for span in spans):
            drift.append(Drift(name, f"has {block}, which is outside of the policy's spans"))
    holders = claims.holders([block for _, block in disputed]) if disputed else []
    for (name, block), claimed in zip(disputed, holders, strict=True):
        by = ", ".join(claim.holder for claim in claimed)
        message = f"has {block}, where others have ids too: {by}"
        drift.append(Drift(name, message, disputed=True))
        if {line.kind for line in claims.own.get(name, ())} != {Kind.UID, Kind.GID}:
            tenant = wanted.get(name)
            report.add(
                f"tenant `{name}` {message}; its line is missing, and is not written again",
                tenant.at if tenant else None,
                f"take the ids from the other, or release `{name}` and apply again",
            )
    return kept, drift


def _resized(report: Report, tenant: Tenant, block: IdRange, size: int) -> None:
    has = block.count // size if block.count % size == 0 else block.count / size
    change = "grow" if block.count < tenant.blocks * size else "shrink"
    hint = f"keep `blocks: {has}`, and put what is new into a tenant of its own"
    if block.count % size:
        hint = f"its block was made with another `block`; give it a policy with that, or {hint}"
    report.add(
        f"tenant `{tenant.name}` has {block.count} ids ({block}), and a block cannot {change}",
        tenant.at,
        f"{hint}; or release it and apply again (its files then have to change owner)",
    )


def _contradicts(
    report: Report, tenant: Tenant | None, name: str, line: OwnLine, block: IdRange
) -> None:
    text = line.text.decode(errors="backslashreplace")[:60]
    report.add(
        f"{line.kind.value} line {line.line}, `{text}`, gives tenant `{name}` other ids than the "
        f"registry: {block}",
        tenant.at if tenant else None,
        f"delete the line, or make it `{name}:{block.first}:{block.count}`"
        + ("" if tenant else f"; or take the block back: stockade userns release {name}"),
    )


def _revived(
    section: Userns, registry: Registry, claims: Claims, report: Report
) -> dict[str, IdRange]:
    """The tenants that were released and are in the policy: they get their own ids back."""
    found = {}
    for tenant in section.tenants:
        block = registry.tombstones.get(tenant.name)
        if block is None:
            continue
        remedy = f"stockade userns release --forget {tenant.name}, once nothing is left of it"
        if block.count != tenant.blocks * section.block:
            message = f"was released with {block.count} ids ({block}), and is to have others now"
            report.add(f"tenant `{tenant.name}` {message}", tenant.at, remedy)
        elif claims.disputed(block):
            by = ", ".join(claim.holder for claim in claims.holders([block])[0])
            message = f"was released, and others have ids of its old block {block} by now: {by}"
            report.add(f"tenant `{tenant.name}` {message}", tenant.at, remedy)
        else:
            for line in claims.own.get(tenant.name, ()):
                if not line.gives(tenant.name, block):
                    _contradicts(report, tenant, tenant.name, line, block)
            found[tenant.name] = block
    return found


def _adopted(
    section: Userns,
    tenants: Iterable[Tenant],
    spans: Sequence[IdRange],
    taken: Sequence[IdRange],
    claims: Claims,
    report: Report,
) -> dict[str, IdRange]:
    """The tenants that have lines already which are as Stockade would write them."""
    found: dict[str, IdRange] = {}
    for tenant in tenants:
        lines = claims.own.get(tenant.name, ())
        if not lines:
            continue
        block = lines[0].block() or IdRange(0, BLOCK)
        reason = _no_block_of_ours(tenant, section, spans, claims, block)
        if any(each.overlaps(block) for each in (*taken, *found.values())):
            reason = reason or "another tenant has ids of it"
        odd = next((line for line in lines if not line.gives(tenant.name, block)), lines[0])
        if {line.kind for line in lines} != {Kind.UID, Kind.GID}:
            reason = "the other file has no such line"
        elif not odd.gives(tenant.name, block):
            reason = "it is not the one line that both files would have"
        if not reason:
            found[tenant.name] = block
            continue
        text = odd.text.decode(errors="backslashreplace")[:60]
        report.add(
            f"{odd.kind.value} line {odd.line}, `{text}`, stands in the way of tenant "
            f"`{tenant.name}`: {reason}",
            tenant.at,
            "delete its lines in subuid and subgid (files of those ids then have no owner), or "
            "name the tenant otherwise",
        )
    return found


def _no_block_of_ours(
    tenant: Tenant, section: Userns, spans: Sequence[IdRange], claims: Claims, block: IdRange
) -> str:
    """Why a range cannot be the tenant's block; empty when it can."""
    if block.first % BLOCK:
        return f"{block} does not begin at a multiple of {BLOCK}"
    if block.count != tenant.blocks * section.block:
        return f"it has {block.count} ids, not {tenant.blocks * section.block}"
    if not any(span.first <= block.first and block.last <= span.last for span in spans):
        return f"{block} is outside of the policy's spans"
    if claims.disputed(block):
        by = ", ".join(claim.holder for claim in claims.holders([block])[0])
        return f"others have ids of {block}: {by}"
    return ""


def _left(registry: Registry, wanted: Mapping[str, Tenant]) -> list[Drift]:
    """Tenants of the registry that the policy does not name."""
    message = "is not in the policy; it keeps its block until `stockade userns release`"
    return [Drift(name, message) for name in registry.blocks if name not in wanted]


class _Slots:
    """The places of the spans, each as wide as the policy's block, and which are free.

    `ahead[i]` is i when place i is free, else a place after it: following it, and shortening the
    way behind, finds the next free one in nearly constant time however full the spans are.
    """

    def __init__(
        self, spans: Sequence[IdRange], size: int, claims: Claims, taken: Sequence[IdRange]
    ) -> None:
        self.size = size
        marks = 0
        for each in (claims.held, claims.reserved, claims.in_use):
            marks |= int.from_bytes(each, "big")
        busy = bytearray(marks.to_bytes(len(claims.held), "big"))
        for block in taken:
            first, last = block.first // BLOCK, block.last // BLOCK
            busy[first : last + 1] = b"\1" * (last - first + 1)
        width = size // BLOCK
        self.places: list[int] = []
        self.ahead: list[int] = []
        for span in spans:
            # Multiples of the size, so that a span that grows has the same places as before.
            for first in range(-(-span.first // size), (span.last + 1) // size):
                at = first * width
                free = not any(busy[at : at + width])
                self.ahead.append(len(self.places) + (not free))
                self.places.append(first * size)
            # A place that is never free, so that no run reaches from one span into the next.
            self.ahead.append(len(self.places) + 1)
            self.places.append(-1)
        self.free = [at for at, ahead in enumerate(self.ahead) if at == ahead]

    def take(self, tenant: Tenant) -> IdRange | None:
        """A block for the tenant, from then on not free; None when there is no room."""
        if not self.free:
            return None
        digest = hashlib.sha256(tenant.name.encode()).digest()
        start = self.free[int.from_bytes(digest, "big") % len(self.free)]
        at = self._run(start, len(self.places), tenant.blocks)
        if at is None:
            at = self._run(0, start, tenant.blocks)
        if at is None:
            return None
        for place in range(at, at + tenant.blocks):
            self.ahead[place] = place + 1
        return IdRange(self.places[at], tenant.blocks * self.size)

    def _run(self, start: int, end: int, length: int) -> int | None:
        """The first place from `start` on, before `end`, with so many free ones in a row."""
        at = self._next(start)
        while at < end:
            if length == 1:
                return at
            stop = next((at + i for i in range(1, length) if self._next(at + i) != at + i), None)
            if stop is None:
                return at
            at = self._next(stop)
        return None

    def _next(self, at: int) -> int:
        """The first free place from `at` on; as many as there are places when none is."""
        ahead = self.ahead
        while at < len(ahead) and ahead[at] != at:
            following = ahead[at]
            if following < len(ahead):
                ahead[at] = following = ahead[following]
            at = following
        return at


def _exhausted(
    tenant: Tenant,
    section: Userns,
    spans: Sequence[IdRange],
    registry: Registry,
    claims: Claims,
    placed: int,
) -> InputError:
    """What to say when there is no room: who holds the space."""
    room = sum((each.last + 1) // section.block - -(-each.first // section.block) for each in spans)
    ours = sum(each.count for each in registry.blocks.values()) // section.block
    buried = sum(each.count for each in registry.tombstones.values()) // section.block
    holders = claims.largest(spans)
    if buried:
        holders.insert(0, f"{buried:,} blocks: released tenants (tombstones)")
    if ours:
        holders.insert(0, f"{ours:,} blocks: tenants of the registry")
    if placed:
        holders.insert(0, f"{placed:,} new tenants: placed before this one")
    needs = "a block" if tenant.blocks == 1 else f"{tenant.blocks} blocks in a row"
    lines = "; ".join(holders) or "nothing; the spans are too small"
    return InputError.of(
        f"no room for tenant `{tenant.name}`, which needs {needs}: the policy's spans have "
        f"{room:,} of {section.block} ids. Held by {lines}",
        tenant.at,
        "widen `span`, release tenants, or forget tombstones that are clean",
    )
