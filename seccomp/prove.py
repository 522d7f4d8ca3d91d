"""Whether two filters mean the same, or one allows no more: a proof or a counterexample.

Policies, profiles and programs all become decision diagrams in one store, where equal functions
are the same node: so equality is proven for every architecture, number, argument and instruction
pointer at once. A counterexample is a call; whoever shows it asks both sides again, each by its
own evaluator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import actions
from .diagram import ARCHITECTURE, INSTRUCTION_POINTER, NUMBER, Diagrams

MAXIMAL_STEPS = 400_000
"""Nodes asked for before a proof is given up: some seconds. Docker's profile takes 15,000 as
Stockade compiles it and 60,000 as libseccomp does."""
_ARGUMENTS = 6


@dataclass(frozen=True, slots=True)
class Call:
    """One call as a filter sees it."""

    arch: int
    """AUDIT_ARCH_*."""
    nr: int
    arguments: tuple[int, ...]
    """Six 64-bit registers."""
    looked_at: tuple[int, ...]
    """The arguments that make a difference, ascending."""
    instruction_pointer: int = 0


def store() -> Diagrams:
    """An empty store with the steps that a proof may take."""
    return Diagrams(MAXIMAL_STEPS)


def difference(diagrams: Diagrams, left: int, right: int) -> Call | None:
    """A call that two functions answer differently; None proves that there is none."""
    if left == right:
        return None
    return _example(diagrams, left, right, lambda one, other: one != other)


def wider_call(diagrams: Diagrams, left: int, right: int) -> Call | None:
    """A call that the left allows more than the right does; None proves that there is none."""
    return _example(diagrams, left, right, wider)


def freedom(value: int) -> int:
    """How far an answer lets a call run: 0 not, 1 at a tracer's or listener's word, 2 at once."""
    if not actions.lets_run(value):
        return 0
    return 1 if value & actions.ACTION_MASK in (actions.TRACE, actions.NOTIFY) else 2


def wider(one: int, other: int) -> bool:
    """Whether the one answer lets a call run further than the other."""
    return freedom(one) > freedom(other)


def _example(
    diagrams: Diagrams, left: int, right: int, holds: Callable[[int, int], bool]
) -> Call | None:
    where = diagrams.compare(left, right, holds)
    found = diagrams.example(where, diagrams.value(diagrams.true))
    if found is None:
        return None
    return Call(
        found.get(ARCHITECTURE, 0),
        found.get(NUMBER, 0),
        tuple(found.get(index, 0) for index in range(_ARGUMENTS)),
        tuple(sorted(index for index in found if 0 <= index < _ARGUMENTS)),
        found.get(INSTRUCTION_POINTER, 0),
    )
