"""Tests on arguments -> steps: one decision for each half of a register that is looked at.

A test, or a run of clauses that test the same register under the same mask, says for every
value which step comes next: pieces. A 64-bit register is decided on its upper half first, whose
pieces lead to decisions on the lower half. Each half is a tree over its values, or, where that is
cheaper, one JSET that asks whether any bit is set outside of those that make no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import bpf
from .filter import All, Any, Clause, Member, Ranges, Test
from .graph import Graph
from .optimize_presets import Preset
from .optimize_tree import Interval, emit, plan_for
from .ranges import complement, normalize

WORD = 0xFFFFFFFF
_USUAL = 8
"""How much oftener than others a value occurs that is at most this."""
_MOST_FREE = 6
"""Bits that one JSET may leave out of account."""

Piece = tuple[int, int, int]
"""First and last value, and the step for them."""


class ArgumentSteps:
    """Turns tests on arguments into steps, in the byte order of one architecture."""

    def __init__(self, graph: Graph, big_endian: bool, preset: Preset) -> None:
        self._graph = graph
        self._big_endian = big_endian
        self._preset = preset
        self._known: dict[tuple[tuple[Clause, ...], int], int] = {}

    def clauses(self, clauses: tuple[Clause, ...], default: int) -> int:
        """The step that tries the clauses in order and ends at the default step."""
        key = clauses, default
        if key not in self._known:
            self._known[key] = self._tried(clauses, default)
        return self._known[key]

    def _tried(self, clauses: Sequence[Clause], default: int) -> int:
        step = default
        for group in reversed(_grouped(clauses)):
            if isinstance(group[0].test, Member):
                step = self._decide(group[0].test, self._first_of(group, step))
            else:
                step = self._test(group[0].test, self._graph.answer(group[0].value), step)
        return step

    def _first_of(self, clauses: Iterable[Clause], otherwise: int) -> list[Piece]:
        """The pieces of clauses on one register: the first that holds, else the step."""
        pieces: list[Piece] = []
        taken: Ranges = ()
        for clause in clauses:
            assert isinstance(clause.test, Member)
            answer, top = self._graph.answer(clause.value), clause.test.mask
            free = complement(normalize([*taken, *complement(clause.test.ranges, top)]), top)
            pieces += [(low, high, answer) for low, high in free]
            taken = normalize([*taken, *free])
        pieces += [(low, high, otherwise) for low, high in complement(taken, top)]
        return sorted(pieces)

    def _test(self, test: Test, then: int, otherwise: int) -> int:
        """The step that goes on to `then` when the test holds."""
        match test:
            case All(parts):
                step = then
                for part in reversed(parts):
                    step = self._test(part, step, otherwise)
                return step
            case Any(parts):
                step = otherwise
                for part in reversed(parts):
                    step = self._test(part, then, step)
                return step
            case Member(_, _, mask, ranges):
                inside = [(low, high, then) for low, high in ranges]
                outside = [(low, high, otherwise) for low, high in complement(ranges, mask)]
                return self._decide(test, sorted(inside + outside))

    def _decide(self, member: Member, pieces: Sequence[Piece]) -> int:
        """Decide on register & mask, both halves where both count."""
        low_mask, high_mask = member.mask & WORD, member.mask >> 32
        if not high_mask:
            return self._half(member.argument, False, low_mask, pieces)
        upper: list[Piece] = []
        for high, last, below in _by_upper_half(pieces):
            fitting = [(a, min(b, low_mask), step) for a, b, step in below if a <= low_mask]
            step = self._half(member.argument, False, low_mask, fitting)
            if high <= high_mask:
                upper.append((high, min(last, high_mask), step))
        return self._half(member.argument, True, high_mask, upper)

    def _half(self, argument: int, high: bool, mask: int, pieces: Sequence[Piece]) -> int:
        """Decide on one half of a register, masked; the pieces are every value up to the mask."""
        if len({step for _, _, step in pieces}) == 1:
            return pieces[0][2]
        graph = self._graph
        offset = bpf.word_offset(argument, high=high, big_endian=self._big_endian)
        if mask & (mask - 1) == 0:  # one bit: the value is 0 or the bit
            return graph.load(offset, graph.branch(bpf.JSET, mask, pieces[-1][2], pieces[0][2]))
        cost, step = self._tree(mask, pieces)
        for free in sorted({0, _free_bits(mask, pieces)}):
            cheaper, other = self._without(mask, free, pieces)
            if cheaper <= cost:
                cost, step = cheaper, other
        return graph.load(offset, step)

    def _without(self, mask: int, free: int, pieces: Sequence[Piece]) -> tuple[int, int]:
        """Ask first whether a bit outside of `free` is set; without one, 0's step comes next."""
        usual = pieces[0][2]
        rest: list[Piece] = []
        for low, high, step in pieces:
            if high - low < 1 << _MOST_FREE and all(not v & ~free for v in range(low, high + 1)):
                step = rest[-1][2] if rest else -1  # whatever its neighbour has: nobody asks
            rest.append((low, high, step))
        first = next((step for _, _, step in rest if step != -1), usual)
        rest = [(low, high, first if step == -1 else step) for low, high, step in rest]
        cost, others = self._tree(mask, rest)
        asked = sum(self._weight(low) for low, _, _ in pieces) + self._preset.instruction
        answered = self._graph.branch(bpf.JSET, mask & ~free, others, usual)
        return cost + asked, answered

    def _tree(self, mask: int, pieces: Sequence[Piece]) -> tuple[int, int]:
        """Cost and step of a tree over the values of A & mask."""
        intervals = [Interval(low, step, self._weight(low)) for low, _, step in pieces]
        plan = plan_for(intervals, {}, self._preset.instruction, mask + 1)
        step = emit(self._graph, plan)
        cost = plan.cost
        if mask != WORD and plan.cost:
            cost += sum(each.weight for each in intervals) + self._preset.instruction
        return cost, self._graph.mask(mask, step) if plan.cost else step

    def _weight(self, low: int) -> int:
        return self._preset.argument * (_USUAL if low <= _USUAL else 1)


def _grouped(clauses: Sequence[Clause]) -> list[list[Clause]]:
    """The clauses in their order, those in one list that test the same register, masked alike."""
    groups: list[list[Clause]] = []
    for clause in clauses:
        if groups and _same_register(groups[-1][0].test, clause.test):
            groups[-1].append(clause)
        else:
            groups.append([clause])
    return groups


def _same_register(one: Test, other: Test) -> bool:
    return (
        isinstance(one, Member)
        and isinstance(other, Member)
        and (one.argument, one.mask) == (other.argument, other.mask)
    )


def _by_upper_half(pieces: Sequence[Piece]) -> list[tuple[int, int, list[Piece]]]:
    """Pieces of 64-bit values as intervals of the upper half, each with pieces of the lower."""
    edges = {0}
    for low, high, _ in pieces:
        edges |= {low >> 32, high >> 32, (low >> 32) + 1, (high >> 32) + 1}
    starts = sorted(edges)
    result = []
    for start, after in zip(starts, [*starts[1:], starts[-1] + 1], strict=True):
        base = start << 32
        below = [
            (max(low, base) - base, min(high, base | WORD) - base, step)
            for low, high, step in pieces
            if high >= base and low <= base | WORD
        ]
        if below:
            result.append((start, after - 1, below))
    return result


def _free_bits(mask: int, pieces: Sequence[Piece]) -> int:
    """Bits that make no difference to a value that has no others: all their subsets go 0's way."""
    usual = pieces[0][2]
    small = [(low, high) for low, high, step in pieces if step == usual]

    def goes_along(value: int) -> bool:
        return any(low <= value <= high for low, high in small)

    free, subsets = 0, [0]
    for position in range(32):
        bit = 1 << position
        if mask & bit and all(goes_along(value | bit) for value in subsets):
            free |= bit
            subsets += [value | bit for value in subsets]
            if len(subsets) >= 1 << _MOST_FREE:
                break
    return free if free != mask else 0
