"""Whether two filters mean the same: proven with decision diagrams, over all arguments at once."""

from __future__ import annotations

from collections.abc import Iterator

from .diagram import Diagrams
from .filter import AbiFilter, Filter


def differences(ours: Filter, theirs: Filter) -> Iterator[str]:
    """Where two resolved filters differ: an ABI, or an ABI and a number, in the order of ours.

    None at all means that they give every call with every arguments the same answer.
    Raises TooComplexError where that would take too long to decide.
    """
    diagrams = Diagrams()
    for mine in ours.abis:
        other = theirs.of(mine.abi)
        if other is None:
            yield f"{mine.abi.name}: only one of the two has it"
        else:
            yield from _differences(mine, other, diagrams)
    for other in theirs.abis:
        if ours.of(other.abi) is None:
            yield f"{other.abi.name}: only one of the two has it"


def _differences(mine: AbiFilter, other: AbiFilter, diagrams: Diagrams) -> Iterator[str]:
    name = mine.abi.name
    if (mine.default, mine.newer) != (other.default, other.newer):
        yield f"{name}: default or newer"
    if mine.newer != mine.default and mine.last != other.last:
        yield f"{name}: newer begins after {mine.last} and {other.last}"
    for nr in sorted(mine.calls.keys() | other.calls.keys()):
        clauses = mine.calls.get(nr, ()), other.calls.get(nr, ())
        if clauses[0] == clauses[1] and mine.default == other.default:
            continue
        left = diagrams.clauses(clauses[0], mine.default)
        right = diagrams.clauses(clauses[1], other.default)
        if left != right:
            yield f"{name} {nr}: {diagrams.values(left)}"
