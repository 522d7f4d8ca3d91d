"""A filter as one decision diagram: what it means for every call there is.

Written from the meaning (ARCHITECTURE.md: The meaning), not from the generator, so that what the
generator gets wrong is not wrong here too.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import numbers
from .diagram import ARCHITECTURE, NUMBER, Diagrams, variable
from .filter import AbiFilter, Filter

SIZE = 32

Piece = tuple[int, int]
"""The first 32-bit value from which on a function holds, and that function."""


def meaning_of_filter(filter_: Filter, diagrams: Diagrams) -> int:
    """The diagram of a resolved filter's answers over architecture, number and arguments.

    Raises TooComplexError when it would take too long.
    """
    foreign = diagrams.leaf(numbers.FOREIGN)
    served: dict[int, list[AbiFilter]] = {}
    for each in filter_.abis:
        served.setdefault(each.abi.audit_arch, []).append(each)
    pieces: list[Piece] = [(0, foreign)]
    for arch in sorted(served):
        inside = by_value(diagrams, NUMBER, _by_number(served[arch], diagrams))
        if pieces[-1][0] == arch:
            pieces.pop()
        pieces += [(arch, inside), (arch + 1, foreign)]
    return by_value(diagrams, ARCHITECTURE, pieces)


def _by_number(filters: Sequence[AbiFilter], diagrams: Diagrams) -> list[Piece]:
    """What each number of one AUDIT_ARCH_* is answered."""
    named = [each.abi for each in filters]
    by_name = {each.abi.name: each for each in filters}
    x32_named = "x32" in by_name
    edges = {0}
    for each in filters:
        edges.update(numbers.breakpoints(each))
        for nr in each.calls:
            edges |= {nr, nr + 1}
    known: dict[tuple[int, object], int] = {}
    pieces = []
    for nr in sorted(edges):
        abi = numbers.abi_of(named[0].audit_arch, nr, named)
        if abi is None:
            function = diagrams.leaf(numbers.FOREIGN)
        else:
            mine = by_name[abi.name]
            clauses = mine.calls.get(nr)
            if clauses is None:
                value = numbers.nameless(mine, nr, x32_named=x32_named)
                function = diagrams.leaf(value)
            else:
                key = mine.default, clauses
                if key not in known:
                    known[key] = diagrams.clauses(clauses, mine.default)
                function = known[key]
        pieces.append((nr, function))
    return pieces


def by_value(diagrams: Diagrams, argument: int, pieces: Sequence[Piece]) -> int:
    """The function that is each piece's from its first value on; the first begins at 0."""

    def build(low: int, bits: int, first: int, last: int) -> int:
        """Over the 2^bits values from `low` on, where pieces first..last - 1 count."""
        if last - first == 1 or len({function for _, function in pieces[first:last]}) == 1:
            return pieces[first][1]
        half = low + (1 << (bits - 1))
        middle = next((at for at in range(first, last) if pieces[at][0] >= half), last)
        from_half = middle if middle < last and pieces[middle][0] == half else middle - 1
        lower = build(low, bits - 1, first, middle)
        upper = build(half, bits - 1, from_half, last)
        return diagrams.node(variable(argument, bits - 1), lower, upper)

    return build(0, SIZE, 0, len(pieces))
