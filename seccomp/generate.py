"""Filter -> Graph: the plain way, one decision after the other.

The program asks for the architecture, then finds the number in a balanced tree over the
intervals of numbers that share an answer, then, for the few calls that look at arguments,
runs the tests in the order of the rules. Numbers and answers of neighbouring calls that are
the same step of the graph form one interval by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import bpf, numbers
from .filter import AbiFilter, All, Any, Clause, Filter, Member, Ranges, Test
from .graph import Graph
from .ranges import complement

WORD = 0xFFFFFFFF

Interval = tuple[int, int]
"""The first number of an interval and the step that answers it."""


def generate(filter_: Filter) -> tuple[Graph, int]:
    """The graph of a resolved filter (no clause requires anything) and its entry step."""
    graph = Graph()
    entry = graph.answer(numbers.FOREIGN)
    served: dict[int, list[AbiFilter]] = {}
    for each in filter_.abis:
        served.setdefault(each.abi.audit_arch, []).append(each)
    for arch, filters in reversed(served.items()):
        intervals = _merge(_intervals(graph, filters))
        tree = graph.load(bpf.OFFSET_NUMBER, _search(graph, intervals))
        entry = graph.branch(bpf.JEQ, arch, tree, entry)
    return graph, graph.load(bpf.OFFSET_ARCH, entry)


def _intervals(graph: Graph, filters: Sequence[AbiFilter]) -> list[Interval]:
    """Where the answer may change over all 32-bit numbers of one AUDIT_ARCH_*, ascending."""
    abis = [each.abi for each in filters]
    x32_named = any(each.name == "x32" for each in abis)
    edges = set().union(*(numbers.breakpoints(each) for each in filters))
    for each in filters:
        edges |= each.calls.keys() | {nr + 1 for nr in each.calls}
    by_name = {each.abi.name: each for each in filters}
    tests = _TestGenerator(graph, abis[0].big_endian)
    intervals = []
    for edge in sorted(edges):
        abi = numbers.abi_of(abis[0].audit_arch, edge, abis)
        if abi is None:
            step = graph.answer(numbers.FOREIGN)
        elif edge in by_name[abi.name].calls:
            mine = by_name[abi.name]
            step = tests.clauses(mine.calls[edge], graph.answer(mine.default))
        else:
            step = graph.answer(numbers.nameless(by_name[abi.name], edge, x32_named=x32_named))
        intervals.append((edge, step))
    return intervals


def _merge(intervals: Iterable[Interval]) -> list[Interval]:
    """The intervals without those that answer as the one before them does."""
    merged: list[Interval] = []
    for start, step in intervals:
        if not merged or merged[-1][1] != step:
            merged.append((start, step))
    return merged


def _search(graph: Graph, intervals: Sequence[Interval]) -> int:
    """A balanced tree of comparisons that leads from the number in A to its step."""
    if len(intervals) == 1:
        return intervals[0][1]
    if len(intervals) == 3 and _is_single(intervals):
        (_, outside), (number, inside), _ = intervals
        return graph.branch(bpf.JEQ, number, inside, outside)
    middle = len(intervals) // 2
    upper = _search(graph, intervals[middle:])
    lower = _search(graph, intervals[:middle])
    return graph.branch(bpf.JGE, intervals[middle][0], upper, lower)


def _is_single(intervals: Sequence[Interval]) -> bool:
    """Whether one number stands out among three intervals."""
    (_, left), (start, _), (end, right) = intervals
    return left == right and end == start + 1


class _TestGenerator:
    """Turns tests on arguments into steps, in the byte order of one architecture."""

    def __init__(self, graph: Graph, big_endian: bool) -> None:
        self._graph = graph
        self._big_endian = big_endian

    def clauses(self, clauses: Sequence[Clause], default: int) -> int:
        """The step that tries the clauses in order and ends at the default step."""
        step = default
        for clause in reversed(clauses):
            step = self.test(clause.test, self._graph.answer(clause.value), step)
        return step

    def test(self, test: Test, then: int, otherwise: int) -> int:
        """The step that goes on to `then` when the test holds."""
        match test:
            case All(parts):
                step = then
                for part in reversed(parts):
                    step = self.test(part, step, otherwise)
                return step
            case Any(parts):
                step = otherwise
                for part in reversed(parts):
                    step = self.test(part, then, step)
                return step
            case Member():
                return self._member(test, then, otherwise)

    def _member(self, member: Member, then: int, otherwise: int) -> int:
        outside = complement(member.ranges, member.mask)
        ranges = member.ranges
        if len(outside) < len(ranges) or outside == ((0, 0),):
            ranges, then, otherwise = outside, otherwise, then
        if member.mask <= WORD:
            return self._low_word(member.argument, member.mask, ranges, then, otherwise)
        step = otherwise
        for low, high in reversed(ranges):
            step = self._wide(member, low, high, then, step)
        return step

    def _low_word(self, argument: int, mask: int, ranges: Ranges, then: int, otherwise: int) -> int:
        """Test the lower half of a register, masked, against ranges."""
        graph = self._graph
        offset = bpf.word_offset(argument, high=False, big_endian=self._big_endian)
        if ranges == ((0, 0),):
            return graph.load(offset, graph.branch(bpf.JSET, mask, otherwise, then))
        step = otherwise
        for low, high in reversed(ranges):
            step = self._between(low, high, mask, then, step)
        return graph.load(offset, graph.mask(mask, step))

    def _between(self, low: int, high: int, top: int, then: int, otherwise: int) -> int:
        """Test low <= A <= high for an A of at most `top`."""
        graph = self._graph
        if low == high:
            return graph.branch(bpf.JEQ, low, then, otherwise)
        if high < top:
            then = graph.branch(bpf.JGT, high, otherwise, then)
        return then if low == 0 else graph.branch(bpf.JGE, low, then, otherwise)

    def _wide(self, member: Member, low: int, high: int, then: int, otherwise: int) -> int:
        """Test low <= register & mask <= high over both halves."""
        if low == high:
            below = self._word_is(member, False, bpf.JEQ, low & WORD, then, otherwise)
            return self._word_is(member, True, bpf.JEQ, low >> 32, below, otherwise)
        if high < member.mask:
            then = self._above(member, high, otherwise, then)
        return then if low == 0 else self._above(member, low - 1, then, otherwise)

    def _above(self, member: Member, limit: int, then: int, otherwise: int) -> int:
        """Test register & mask > limit: the upper halves decide unless they are equal."""
        graph = self._graph
        lower = self._word_is(member, False, bpf.JGT, limit & WORD, then, otherwise)
        equal = graph.branch(bpf.JEQ, limit >> 32, lower, otherwise)
        offset = bpf.word_offset(member.argument, high=True, big_endian=self._big_endian)
        above = graph.branch(bpf.JGT, limit >> 32, then, equal)
        return graph.load(offset, graph.mask(member.mask >> 32, above))

    def _word_is(
        self, member: Member, high: bool, code: int, k: int, then: int, otherwise: int
    ) -> int:
        graph = self._graph
        mask = member.mask >> 32 if high else member.mask & WORD
        offset = bpf.word_offset(member.argument, high=high, big_endian=self._big_endian)
        return graph.load(offset, graph.mask(mask, graph.branch(code, k, then, otherwise)))
