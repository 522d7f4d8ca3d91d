"""The cheapest program that finds a number's interval: a decision tree by dynamic programming.

A tree mixes two comparisons. A threshold (JGE) splits a range of intervals in two. An equality
(JEQ) takes one number out, after which its neighbours, where they answer alike, are one
interval: so a chain of equalities over few intervals is a leaf, and equalities for the heaviest
numbers of all may stand above the tree. Cost is the weight that passes through each comparison,
plus a price for every instruction.

Optimal binary search trees: Knuth 1971, whose monotonic split points keep the work quadratic.
Chains break the condition under which they are exact, so the window is a little wider than his,
and the result is very good rather than provably the best. Whether it is *right* does not depend
on any of this: every tree over the same intervals gives the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import bpf
from .graph import Graph

LONGEST_CHAIN = 4
"""Equalities in one leaf."""
MOST_ABOVE = 6
"""Equalities above the tree."""
HEAVY = (0.2, 0.3, 0.45)
"""Shares of the weight still undecided from which a number is taken out above the tree; each
is tried."""
MOST_INTERVALS = 260
"""Longer ranges are halved by weight first: the dynamic programme takes some 0.1 s for these."""
_WINDOW = 1


@dataclass(frozen=True, slots=True)
class Interval:
    """Numbers that share a step."""

    start: int
    """The first of them; they end before the next interval's."""
    step: int
    weight: int
    """What each instruction costs on the way here."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A way to decide, and its cost."""

    above: tuple[tuple[int, int], ...]
    """(number, step) of the equalities that come first."""
    tree: Tree
    cost: int


@dataclass(frozen=True, slots=True)
class Threshold:
    """`A >= start` leads to one tree, anything less to the other."""

    start: int
    upper: Tree
    lower: Tree


@dataclass(frozen=True, slots=True)
class Chain:
    """Equalities one after the other, and the step of everything else."""

    keys: tuple[tuple[int, int], ...]
    rest: int


Tree = Threshold | Chain


def emit(graph: Graph, plan: Plan) -> int:
    """The step that leads from the value in A to its interval's step."""
    result = _emit(graph, plan.tree)
    for number, step in reversed(plan.above):
        result = graph.branch(bpf.JEQ, number, step, result)
    return result


def _emit(graph: Graph, tree: Tree) -> int:
    if isinstance(tree, Threshold):
        upper, lower = _emit(graph, tree.upper), _emit(graph, tree.lower)
        return graph.branch(bpf.JGE, tree.start, upper, lower)
    result = tree.rest
    for number, step in reversed(tree.keys):
        result = graph.branch(bpf.JEQ, number, step, result)
    return result


def plan_for(
    intervals: Sequence[Interval], heavy: Mapping[int, int], price: int, end: int = 1 << 32
) -> Plan:
    """The cheapest of the plans that take out none, or the heaviest few, above the tree.

    `intervals` begin at 0, ascend and end before `end`; `heavy` are single numbers and their
    weights; `price` is what one more instruction costs.
    """
    whole = merged(intervals)
    order = sorted(heavy, key=lambda number: (-heavy[number], number))[:MOST_ABOVE]
    counts = {0} | {_count(whole, order, heavy, share) for share in HEAVY}
    plans = [_with_above(whole, order[:count], heavy, price, end) for count in sorted(counts)]
    return min(plans, key=lambda plan: plan.cost)  # of equals the first


def merged(intervals: Sequence[Interval]) -> list[Interval]:
    """The intervals with neighbours of the same step as one."""
    result: list[Interval] = []
    for each in intervals:
        if result and result[-1].step == each.step:
            last = result[-1]
            result[-1] = Interval(last.start, last.step, last.weight + each.weight)
        else:
            result.append(each)
    return result


def _count(
    whole: Sequence[Interval], order: Sequence[int], heavy: Mapping[int, int], share: float
) -> int:
    """How many of the heaviest numbers have this share of what is left when it is their turn."""
    left = sum(each.weight for each in whole)
    for count, number in enumerate(order):
        if left <= 0 or heavy[number] < share * left:
            return count
        left -= heavy[number]
    return len(order)


def _with_above(
    whole: Sequence[Interval],
    keys: Sequence[int],
    heavy: Mapping[int, int],
    price: int,
    end: int,
) -> Plan:
    left = sum(each.weight for each in whole)
    above: list[tuple[int, int]] = []
    cost, rest = 0, list(whole)
    for key in keys:
        cost += left + price
        left -= heavy[key]
        step, rest = _taken_out(rest, key, heavy[key], end)
        above.append((key, step))
    tree, below = _best(rest, price, end)
    return Plan(tuple(above), tree, cost + below)


def _taken_out(
    intervals: Sequence[Interval], key: int, weight: int, top: int
) -> tuple[int, list[Interval]]:
    """The step of one number, and the intervals when nobody asks for it any more."""
    at = max(i for i, each in enumerate(intervals) if each.start <= key)
    mine = intervals[at]
    end = intervals[at + 1].start if at + 1 < len(intervals) else top
    rest = list(intervals)
    if end - mine.start > 1 or len(intervals) == 1:
        rest[at] = Interval(mine.start, mine.step, mine.weight - weight)
    elif at > 0:
        del rest[at]
    else:
        rest[1] = Interval(mine.start, rest[1].step, rest[1].weight)
        del rest[0]
    return mine.step, merged(rest)


def _best(intervals: Sequence[Interval], price: int, end: int) -> tuple[Tree, int]:
    """The cheapest tree, and its cost."""
    if len(intervals) <= MOST_INTERVALS:
        return _Programme(intervals, price, end).result()
    half, seen = sum(each.weight for each in intervals) / 2, 0
    middle = len(intervals) // 2
    for index, each in enumerate(intervals):
        seen += each.weight
        if seen >= half and half > 0:
            middle = index
            break
    quarter = len(intervals) // 4  # so that both halves shrink
    middle = min(max(middle, quarter), len(intervals) - quarter)
    upper, above = _best(intervals[middle:], price, end)
    lower, below = _best(intervals[:middle], price, intervals[middle].start)
    total = sum(each.weight for each in intervals)
    return Threshold(intervals[middle].start, upper, lower), above + below + total + price


class _Programme:
    """The dynamic programme over all ranges i..j of the intervals."""

    def __init__(self, intervals: Sequence[Interval], price: int, end: int) -> None:
        self._intervals = intervals
        self._price = price
        count = len(intervals)
        starts = [each.start for each in intervals]
        ends = [*starts[1:], end]
        self._single = [end - start == 1 for start, end in zip(starts, ends, strict=True)]
        self._chains: dict[tuple[int, int], Chain] = {}
        sums = [0]
        for each in intervals:
            sums.append(sums[-1] + each.weight)
        cost = [[0] * count for _ in range(count)]
        split = [[0] * count for _ in range(count)]
        for i in range(count):
            split[i][i] = i
        for length in range(1, count):
            for i in range(count - length):
                j = i + length
                row, mine = cost[i], split[i]
                first = max(i + 1, mine[j - 1] - _WINDOW)
                last = min(j, split[i + 1][j] + _WINDOW)
                best, at = row[first - 1] + cost[first][j], first
                for m in range(first + 1, last + 1):
                    both = row[m - 1] + cost[m][j]
                    if both < best:
                        best, at = both, m
                best += sums[j + 1] - sums[i] + price
                if length <= 2 * LONGEST_CHAIN:
                    chain = self._chain(i, j)
                    if chain is not None and chain[1] <= best:
                        self._chains[i, j], best = chain
                row[j], mine[j] = best, at
        self._cost, self._split = cost, split

    def result(self) -> tuple[Tree, int]:
        """The tree over all intervals, and its cost."""
        last = len(self._intervals) - 1
        return self._tree(0, last), self._cost[0][last]

    def _tree(self, i: int, j: int) -> Tree:
        if i == j:
            return Chain((), self._intervals[i].step)
        if (i, j) in self._chains:
            return self._chains[i, j]
        middle = self._split[i][j]
        upper, lower = self._tree(middle, j), self._tree(i, middle - 1)
        return Threshold(self._intervals[middle].start, upper, lower)

    def _chain(self, i: int, j: int) -> tuple[Chain, int] | None:
        """The range as equalities, where all but single numbers answer alike; and its cost."""
        here = range(i, j + 1)
        rest = -1
        for index in here:
            if not self._single[index]:
                step = self._intervals[index].step
                if rest not in (-1, step):
                    return None
                rest = step
        if rest == -1:
            rest = max(
                (self._intervals[index] for index in here), key=lambda each: each.weight
            ).step
        keys = [self._intervals[index] for index in here if self._intervals[index].step != rest]
        if len(keys) > LONGEST_CHAIN:
            return None
        keys.sort(key=lambda each: (-each.weight, each.start))
        left, cost = sum(self._intervals[index].weight for index in here), 0
        for key in keys:
            cost += left + self._price
            left -= key.weight
        return Chain(tuple((key.start, key.step) for key in keys), rest), cost
