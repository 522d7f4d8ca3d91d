"""Where a consumer answers otherwise than the policy: which numbers, and in which words.

What a target's note says and what the prover leaves out of the comparison both come from here, so
that nothing is left out that is not said. Everywhere else a target is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from . import actions, numbers
from .diagram import ARCHITECTURE, NUMBER, Diagrams
from .filter import AbiFilter, Filter
from .prove_filter import by_value
from .smt import Symbols, Term, by_number
from .syscalls import abi, table


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Numbers that get another answer than the policy's."""

    words: str
    covers: Callable[[AbiFilter, int, int], bool]
    """Whether it is about a number without a name: of which filter, and what that answers."""
    only_crun: bool = True
    """Whether it is the profile's meaning to crun only, not to runc."""


def in_words(shortfalls: Sequence[Shortfall]) -> str:
    """All of them in one line; empty: there are none."""
    return "; ".join(each.words for each in shortfalls)


def gaps(answer: str) -> Shortfall:
    """Numbers without a name that get the default get `answer` instead."""
    return Shortfall(
        f"numbers that are no calls, in the gaps of the tables and -1, get {answer} too",
        lambda filter_, _, value: value == filter_.default,
        only_crun=False,
    )


def newer_as_default(default: str, newer: str) -> Shortfall:
    """Numbers newer than the profile get crun's only answer, the default."""
    return Shortfall(
        f"crun answers {default}, not {newer}, to numbers newer than the profile",
        lambda filter_, _, value: value == filter_.newer,
    )


def beyond(filter_: Filter, where: str) -> list[Shortfall]:
    """Where x32 is closed and no stub of runc's goes first, libseccomp kills for numbers beyond.

    Only where the policy does not: one that lets newer calls run closes them itself.
    """
    first = filter_.abis[0]
    if not closes_x32(filter_) or actions.lets_run(first.newer):
        return []
    words = f"{where}numbers from 2^31 up, which are no calls, kill the thread"
    return [Shortfall(words, lambda each, nr, _: each.abi.name == "x86_64" and is_beyond(nr))]


def closes_x32(filter_: Filter) -> bool:
    """Whether calls of x86_64 are served and those of x32 are not."""
    named = {each.abi.name for each in filter_.abis}
    return "x86_64" in named and "x32" not in named


def is_beyond(nr: int) -> bool:
    """Whether it is one of the numbers from 2^31 up that are not -1."""
    return 1 << 31 <= nr < numbers.NO_CALL


def killed_beyond(diagrams: Diagrams, meaning: int) -> int:
    """The meaning where libseccomp, without runc's stub, closes x32."""
    foreign = diagrams.leaf(numbers.FOREIGN)
    edges = [(0, diagrams.false), (1 << 31, diagrams.true), (numbers.NO_CALL, diagrams.false)]
    where = _on_arch(diagrams, abi("x86_64").audit_arch, by_value(diagrams, NUMBER, edges))
    return diagrams.choose(where, foreign, meaning)


def covered(diagrams: Diagrams, filter_: Filter, shortfalls: Sequence[Shortfall]) -> int:
    """Where, of all calls, one of the shortfalls of this filter is."""
    result = diagrams.false
    for arch, covers in _pieces(filter_, shortfalls):
        pieces = [(nr, diagrams.true if is_so else diagrams.false) for nr, is_so in covers]
        inside = by_value(diagrams, NUMBER, pieces)
        result = diagrams.choose(_on_arch(diagrams, arch, inside), diagrams.true, result)
    return result


def covered_term(known: Symbols, filter_: Filter, shortfalls: Sequence[Shortfall]) -> Term:
    """The same for the second engine."""
    z3 = known.z3
    return z3.Or(
        *(
            z3.And(
                known.arch == known.number(arch),
                by_number(known, [(nr, z3.BoolVal(is_so)) for nr, is_so in covers]),
            )
            for arch, covers in _pieces(filter_, shortfalls)
        )
    )


def _pieces(
    filter_: Filter, shortfalls: Sequence[Shortfall]
) -> Iterator[tuple[int, list[tuple[int, bool]]]]:
    """By AUDIT_ARCH_*: from which number on a shortfall is there, or none."""
    named = [each.abi for each in filter_.abis]
    x32_named = any(each.name == "x32" for each in named)
    by_name = {each.abi.name: each for each in filter_.abis}
    for arch in sorted({each.audit_arch for each in named}):
        edges = {0}
        for each in filter_.abis:
            if each.abi.audit_arch == arch:
                edges.update(numbers.breakpoints(each))
                for nr in table(each.abi).by_number:
                    edges |= {nr, nr + 1}
        pieces = []
        for nr in sorted(edges):
            mine = numbers.abi_of(arch, nr, named)
            is_so = False
            if mine is not None and nr not in table(mine).by_number:
                own = by_name[mine.name]
                value = numbers.nameless(own, nr, x32_named=x32_named)
                is_so = any(each.covers(own, nr, value) for each in shortfalls)
            pieces.append((nr, is_so))
        yield arch, pieces


def _on_arch(diagrams: Diagrams, arch: int, inside: int) -> int:
    pieces = [(arch, inside), (arch + 1, diagrams.false)]
    return by_value(diagrams, ARCHITECTURE, [(0, diagrams.false), *pieces])
