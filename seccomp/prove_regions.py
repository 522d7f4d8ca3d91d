"""Where two functions differ: by architecture, call and arguments, in the language's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import numbers
from .diagram import ARCHITECTURE, NUMBER, Diagrams
from .prove import freedom
from .prove_words import conditions, pieces
from .syscalls import ABIS, Abi, table
from .syscalls.abi import X32_BIT


@dataclass(frozen=True, slots=True)
class Change:
    """What became of some calls of one architecture."""

    arch: int
    """AUDIT_ARCH_*; every one that no ABI has counts as one, the lowest."""
    abi: Abi | None
    """None: an architecture that Stockade does not know, or any other."""
    first: int
    last: int
    """The numbers."""
    before: int
    after: int
    """The SECCOMP_RET_* values."""
    conditions: tuple[str, ...]
    """Where the arguments are any of these; empty: whatever they are."""

    @property
    def kind(self) -> str:
        """`widened`, `narrowed`, or `changed` when it lets the call run as far as before."""
        gain = freedom(self.after) - freedom(self.before)
        return "changed" if gain == 0 else "widened" if gain > 0 else "narrowed"

    @property
    def names(self) -> tuple[str, ...]:
        """The calls with these numbers; numbers that have no call as `#467..0x3fffffff`."""
        known = table(self.abi).by_number if self.abi is not None else {}
        here = sorted(nr for nr in known if self.first <= nr <= self.last)
        found: list[str] = []
        start = self.first
        for nr in here:
            found += _numbers(start, nr - 1)
            found.append(known[nr])
            start = nr + 1
        return (*found, *_numbers(start, self.last))


def _numbers(first: int, last: int) -> list[str]:
    if first > last:
        return []
    return [f"#{_number(first)}" if first == last else f"#{_number(first)}..{_number(last)}"]


def _number(value: int) -> str:
    return str(value) if value < 10_000 else f"{value:#x}"


def changes(diagrams: Diagrams, before: int, after: int) -> Iterator[Change]:
    """Every difference, by architecture in the order of the ABIs, then by number.

    Raises TooComplexError where there are too many to tell apart.
    """
    known = {each.audit_arch: None for each in ABIS.values()}
    others: tuple[int, int, int] | None = None
    found: dict[int, tuple[int, int]] = {}
    for first, last, old, new in _pairs(diagrams, ARCHITECTURE, before, after):
        if old == new:
            continue
        inside = [arch for arch in known if first <= arch <= last]
        found.update(dict.fromkeys(inside, (old, new)))
        if len(inside) <= last - first and others is None:
            others = first, old, new
    for arch in known:
        if arch in found:
            yield from _in_architecture(diagrams, arch, *found[arch])
    if others is not None:
        yield from _in_architecture(diagrams, *others)


def _in_architecture(diagrams: Diagrams, arch: int, before: int, after: int) -> Iterator[Change]:
    here = [each for each in ABIS.values() if each.audit_arch == arch]
    for first, last, old, new in _pairs(diagrams, NUMBER, before, after):
        if old == new:
            continue
        plain = diagrams.is_leaf(old) and diagrams.is_leaf(new)
        for low, high in _by_abi(first, last, here, one_by_one=not plain):
            abi = numbers.abi_of(arch, low, here)
            for one in diagrams.values(old):
                for other in diagrams.values(new):
                    if one == other:
                        continue
                    where = diagrams.both(diagrams.where(old, one), diagrams.where(new, other))
                    if where != diagrams.false:
                        words = conditions(diagrams, where, abi, low)
                        yield Change(arch, abi, low, high, one, other, words)


def _by_abi(
    first: int, last: int, here: Sequence[Abi], *, one_by_one: bool
) -> Iterator[tuple[int, int]]:
    """The interval, cut where x32 begins or ends, and at every call whose arguments count."""
    if one_by_one and here:
        calls = {nr for each in here for nr in table(each).by_number if first <= nr <= last}
        for nr in sorted(calls):
            if first < nr:
                yield first, nr - 1
            yield nr, nr
            first = nr + 1
    cuts = [X32_BIT, 1 << 31, 1 << 31 | X32_BIT] if len(here) > 1 else []
    for cut in cuts:
        if first < cut <= last:
            yield first, cut - 1
            first = cut
    if first <= last:
        yield first, last


def _pairs(
    diagrams: Diagrams, argument: int, left: int, right: int
) -> Iterator[tuple[int, int, int, int]]:
    """Intervals of a 32-bit argument on which both functions depend on it no further."""
    ones, others = pieces(diagrams, argument, left), pieces(diagrams, argument, right)
    at = other_at = start = 0
    while at < len(ones):
        last = min(ones[at][1], others[other_at][1])
        yield start, last, ones[at][2], others[other_at][2]
        start = last + 1
        at += ones[at][1] == last
        other_at += others[other_at][1] == last
