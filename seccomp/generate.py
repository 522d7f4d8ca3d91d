"""Filter -> Graph: what the program asks, in which order.

The program asks for the architecture, then finds the number in a tree over the intervals of
numbers that share an answer, then, for the few calls that look at arguments, decides on those.
Neighbouring numbers whose answers are the same step of the graph form one interval by themselves.
All opcodes are of those that the kernel understands when it looks for calls that are always
allowed (kernel/seccomp.c: seccomp_is_const_allow()).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache

from . import actions, bpf, numbers
from .filter import AbiFilter, Filter
from .graph import Graph
from .optimize_presets import DEFAULT, PRESETS, Frequencies, Preset, frequencies
from .optimize_tree import Interval, emit, plan_for
from .optimize_words import ArgumentSteps
from .syscalls import Abi, table

_RARE = 10
"""How many times less than others the numbers of x32 count: hardly any program uses it."""


def generate(
    filter_: Filter, preset: Preset = PRESETS[DEFAULT], calls: Frequencies | None = None
) -> tuple[Graph, int]:
    """The graph of a resolved filter (no clause requires anything) and its entry step.

    `calls` says how often each call is made; without it, what Stockade knows of programs.
    """
    often = frequencies() if calls is None else calls
    graph = Graph()
    entry = graph.answer(numbers.FOREIGN)
    served: dict[int, list[AbiFilter]] = {}
    for each in filter_.abis:
        served.setdefault(each.abi.audit_arch, []).append(each)
    arguments = {order: ArgumentSteps(graph, order, preset) for order in (False, True)}
    for arch, filters in reversed(served.items()):
        edges = list(_edges(graph, filters, arguments[filters[0].abi.big_endian]))
        heavy = _heavy(graph, filters, edges, preset, often)
        intervals = _intervals(filters, edges, heavy, preset)
        plan = plan_for(intervals, heavy, preset.instruction)
        tree = graph.load(bpf.OFFSET_NUMBER, emit(graph, plan))
        entry = graph.branch(bpf.JEQ, arch, tree, entry)
    return graph, graph.load(bpf.OFFSET_ARCH, entry)


Edge = tuple[int, int]
"""A number, and the step that answers it and those after it up to the next edge."""


def _edges(graph: Graph, filters: Sequence[AbiFilter], arguments: ArgumentSteps) -> Iterator[Edge]:
    """Where the answer may change over all 32-bit numbers of one AUDIT_ARCH_*, ascending."""
    abis = [each.abi for each in filters]
    x32_named = any(each.name == "x32" for each in abis)
    found = set().union(*(numbers.breakpoints(each) for each in filters))
    for each in filters:
        found |= each.calls.keys() | {nr + 1 for nr in each.calls}
    by_name = {each.abi.name: each for each in filters}
    for edge in sorted(found):
        abi = numbers.abi_of(abis[0].audit_arch, edge, abis)
        if abi is None:
            step = graph.answer(numbers.FOREIGN)
        elif edge in by_name[abi.name].calls:
            mine = by_name[abi.name]
            step = arguments.clauses(mine.calls[edge], graph.answer(mine.default))
        else:
            step = graph.answer(numbers.nameless(by_name[abi.name], edge, x32_named=x32_named))
        yield edge, step


def _heavy(
    graph: Graph,
    filters: Sequence[AbiFilter],
    edges: Sequence[Edge],
    preset: Preset,
    often: Frequencies,
) -> dict[int, int]:
    """What one more question costs on the way to each number that is known to be called."""
    allow = graph.answer(actions.ALLOW)
    starts = [start for start, _ in edges]
    weights: dict[int, int] = {}
    for each in filters:
        if each.abi.name == "x32":
            continue  # hardly any program uses it
        by_name = table(each.abi).by_name
        for name, per_million in often.items():
            nr = by_name.get(name)
            if nr is not None:
                _, step = edges[bisect_right(starts, nr) - 1]
                rate = preset.cached if step == allow else preset.filtered
                weights[nr] = preset.known + rate * per_million
    return weights


def _intervals(
    filters: Sequence[AbiFilter], edges: Sequence[Edge], heavy: dict[int, int], preset: Preset
) -> list[Interval]:
    """The edges as intervals, each with the weight of the numbers in it."""
    starts = [start for start, _ in edges]
    weights = [0] * len(edges)
    for nr, weight in heavy.items():
        weights[bisect_right(starts, nr) - 1] += weight - preset.known
    for each in filters:
        known = preset.known // _RARE if each.abi.name == "x32" else preset.known
        numbers_ = _known_numbers(each.abi)
        places = [bisect_left(numbers_, start) for start in starts]
        for at, (first, last) in enumerate(zip(places, [*places[1:], len(numbers_)], strict=True)):
            weights[at] += known * (last - first)
    return [
        Interval(start, step, weight) for (start, step), weight in zip(edges, weights, strict=True)
    ]


@cache
def _known_numbers(abi: Abi) -> tuple[int, ...]:
    """The numbers of the ABI's table, ascending."""
    return tuple(sorted(table(abi).by_number))
