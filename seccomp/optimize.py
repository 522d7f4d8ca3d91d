"""Filter -> Filter that means the same and makes a better program; and that program.

Passes over the filter, each with the reason for its place; what they leave is laid out by
`generate`. None is trusted: `prove` compares what comes out with what went in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..policies.errors import TooComplexError
from . import bpf
from .assemble import assemble
from .diagram import Diagrams
from .filter import ALWAYS, NEVER, AbiFilter, All, Clause, Filter, Member, Ranges, Test
from .generate import generate
from .lower import conjunction, disjunction
from .optimize_presets import DEFAULT, PRESETS, Frequencies, Preset
from .ranges import complement, normalize


def compile_filter(
    filter_: Filter, preset: Preset = PRESETS[DEFAULT], calls: Frequencies | None = None
) -> bpf.Program:
    """The program for a resolved filter.

    Raises InputError when it would have more instructions than the kernel takes.
    """
    return assemble(*generate(optimized(filter_), preset, calls))


@dataclass(frozen=True, slots=True)
class Pass:
    """One improvement of a resolved filter."""

    name: str
    why_here: str
    run: Callable[[Filter], Filter]


def optimized(filter_: Filter) -> Filter:
    """The filter after every pass."""
    for each in PASSES:
        filter_ = each.run(filter_)
    return filter_


def _each_call(filter_: Filter, change: Callable[[tuple[Clause, ...]], Iterable[Clause]]) -> Filter:
    return Filter(
        tuple(
            replace(each, calls={nr: tuple(change(found)) for nr, found in each.calls.items()})
            for each in filter_.abis
        )
    )


# --- one register, one comparison ----------------------------------------------------------


def merge_members(filter_: Filter) -> Filter:
    """Comparisons of one register under one mask, joined by `and` or `or`, become one."""
    return _each_call(
        filter_, lambda clauses: (replace(each, test=_joined(each.test)) for each in clauses)
    )


def _joined(test: Test) -> Test:
    if isinstance(test, Member):
        return test
    is_all = isinstance(test, All)
    parts: list[Test] = []
    where: dict[tuple[int, int], int] = {}
    for part in map(_joined, test.parts):
        if isinstance(part, Member):
            key = (part.argument, part.mask)
            if key in where:
                found = parts[where[key]]
                assert isinstance(found, Member)
                parts[where[key]] = replace(found, ranges=_joint(found, part, is_all))
                continue
            where[key] = len(parts)
        parts.append(part)
    settled = [_settled(part) for part in parts]
    return conjunction(settled) if is_all else disjunction(settled)


def _joint(left: Member, right: Member, is_all: bool) -> Ranges:
    if not is_all:
        return normalize([*left.ranges, *right.ranges])
    outside = [complement(each.ranges, each.mask) for each in (left, right)]
    return complement(normalize([*outside[0], *outside[1]]), left.mask)


def _settled(test: Test) -> Test:
    """A comparison that nothing or everything passes as what it is."""
    if isinstance(test, Member):
        if not test.ranges:
            return NEVER
        if test.ranges == ((0, test.mask),):
            return ALWAYS
    return test


# --- what the arguments cannot change --------------------------------------------------------


def drop_idle_clauses(filter_: Filter) -> Filter:
    """Clauses that never decide go, because an earlier one does or what follows answers alike."""

    def kept(each: AbiFilter, clauses: tuple[Clause, ...]) -> tuple[Clause, ...]:
        if all(clause.test == ALWAYS for clause in clauses):
            return clauses[:1]
        try:
            return _deciding(clauses, each.default)
        except TooComplexError:
            return clauses  # then it is only longer

    return Filter(
        tuple(
            replace(each, calls={nr: kept(each, clauses) for nr, clauses in each.calls.items()})
            for each in filter_.abis
        )
    )


def _deciding(clauses: tuple[Clause, ...], default: int) -> tuple[Clause, ...]:
    """The clauses that make a difference, seen from the first and then from the last."""
    diagrams = Diagrams()
    reached: list[tuple[Clause, int]] = []
    before = diagrams.false
    for clause in clauses:
        here = diagrams.test(clause.test)
        together = diagrams.choose(here, diagrams.true, before)
        if together != before:
            reached.append((clause, here))
            before = together
    kept: list[Clause] = []
    answers = diagrams.leaf(default)
    for clause, here in reversed(reached):
        changed = diagrams.choose(here, diagrams.leaf(clause.value), answers)
        if changed != answers:
            kept.append(clause)
            answers = changed
    return tuple(reversed(kept))


# --- equal meanings, equal steps ---------------------------------------------------------------


def share_meanings(filter_: Filter) -> Filter:
    """Calls that mean the same get the same clauses, the shortest that any of them has."""
    diagrams = Diagrams()
    meanings: dict[tuple[tuple[Clause, ...], int], tuple[int, int]] = {}
    shortest: dict[tuple[int, int], tuple[Clause, ...]] = {}
    try:
        for each in filter_.abis:
            for clauses in each.calls.values():
                key = (clauses, each.default)
                if key in meanings or _is_plain(clauses):
                    continue
                # With the default: what it leaves open is not the same under another one.
                meaning = (diagrams.clauses(clauses, each.default), each.default)
                meanings[key] = meaning
                known = shortest.setdefault(meaning, clauses)
                if _size(clauses) < _size(known):
                    shortest[meaning] = clauses
    except TooComplexError:
        pass  # what was not reached stays as it is

    def shared(clauses: tuple[Clause, ...], default: int) -> tuple[Clause, ...]:
        meaning = meanings.get((clauses, default))
        return clauses if meaning is None else shortest[meaning]

    return Filter(
        tuple(
            replace(each, calls={nr: shared(c, each.default) for nr, c in each.calls.items()})
            for each in filter_.abis
        )
    )


def _is_plain(clauses: tuple[Clause, ...]) -> bool:
    return not clauses or clauses[0].test == ALWAYS


def _size(clauses: Iterable[Clause]) -> int:
    return sum(1 + _comparisons(clause.test) for clause in clauses)


def _comparisons(test: Test) -> int:
    if isinstance(test, Member):
        return len(test.ranges)
    return sum(_comparisons(part) for part in test.parts)


PASSES = (
    Pass("merge-members", "first: what follows has fewer comparisons to look at", merge_members),
    Pass("drop-idle-clauses", "before sharing: what remains is shorter", drop_idle_clauses),
    Pass("share-meanings", "last: only now equal calls look alike", share_meanings),
)
