"""What no program for a filter can do without, to see how much there is left to win.

Executed: a program that serves an ABI loads the architecture, compares it, loads the number and
returns; a comparison has two outcomes, so that telling answers apart takes, in the mean, no less
than a Huffman code for them (Huffman 1952); a call whose answer depends on arguments loads and
compares at least once more. Instructions: a comparison with a constant (JEQ, JGE, JGT) answers
differently at no more than two neighbouring numbers, so that every change of the answer along the
numbers needs one, shared by at most one neighbour and by other architectures; then there are the
loads, the comparisons of the architecture, and each answer. Programs that take numbers by their
bits (JSET) are not covered by the second. Neither bound has to be reachable.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stockade.seccomp import actions, numbers
from stockade.seccomp.filter import ALWAYS, AbiFilter, Clause, Filter
from stockade.seccomp.optimize import optimized

Answer = int | tuple[Clause, ...]
"""A SECCOMP_RET_*, or what decides by arguments."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is told apart, once everything that means the same is one."""

    instructions: int
    answers: Mapping[int, Answer]
    """By number of the first ABI."""

    def executed(self, weights: Mapping[int, float]) -> float:
        """The mean number of instructions, over numbers of the first ABI."""
        by_answer: dict[Answer, float] = defaultdict(float)
        for nr, weight in weights.items():
            by_answer[self.answers[nr]] += weight
        total = sum(by_answer.values())
        asking = sum(w for answer, w in by_answer.items() if not isinstance(answer, int))
        return 4 + (_huffman(by_answer.values()) + 2 * asking) / total


def bounds(filter_: Filter, known: Iterable[int]) -> Bounds:
    """The bounds for a resolved filter; `known` are the first ABI's numbers that occur."""
    abis = optimized(filter_).abis
    named = [each.abi for each in abis]
    by_abi = {each.abi: each for each in abis}
    arches = list(dict.fromkeys(each.abi.audit_arch for each in abis))

    def answer(arch: int, nr: int) -> Answer:
        abi_ = numbers.abi_of(arch, nr, named)
        if abi_ is None:
            return numbers.FOREIGN
        return _answer(by_abi[abi_], nr, x32_named=any(each.name == "x32" for each in named))

    changes: set[int] = set()
    answers: set[Answer] = {numbers.FOREIGN}
    for arch in arches:
        here = [each for each in abis if each.abi.audit_arch == arch]
        edges = set().union(*(numbers.breakpoints(each) for each in here))
        for each in here:
            edges |= each.calls.keys() | {nr + 1 for nr in each.calls}
        before: Answer | None = None
        for edge in sorted(edges):
            now = answer(arch, edge)
            if before is not None and now != before:
                changes.add(edge)
            before = now
            answers.add(now)
    asking = [each for each in answers if not isinstance(each, int)]
    returns = len(answers) - len(asking)
    loads = 3 if asking else 2  # the architecture, the number, an argument
    least = loads + len(arches) + _comparisons(changes) + len(asking) + returns
    return Bounds(least, {nr: answer(arches[0], nr) for nr in known})


def _answer(filter_: AbiFilter, nr: int, *, x32_named: bool) -> Answer:
    clauses = filter_.calls.get(nr)
    if clauses is None:
        return numbers.nameless(filter_, nr, x32_named=x32_named)
    if not clauses:
        return filter_.default
    return clauses[0].value if clauses[0].test == ALWAYS else clauses


def _comparisons(changes: Iterable[int]) -> int:
    """The fewest constants k so that each change is at k or k + 1."""
    count, reach = 0, -1
    for each in sorted(changes):
        if each > reach:
            count, reach = count + 1, each + 1
    return count


def _huffman(weights: Iterable[float]) -> float:
    """The weighed length of an optimal prefix code."""
    heap = sorted(each for each in weights if each)
    total = 0.0
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        total += both
        heapq.heappush(heap, both)
    return total


def may_allow(answer: Answer) -> bool:
    """Whether some arguments get the call allowed."""
    if isinstance(answer, int):
        return answer == actions.ALLOW
    return any(each.value == actions.ALLOW for each in answer)
