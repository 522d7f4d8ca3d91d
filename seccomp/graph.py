"""Programs before they have addresses: a graph of steps, equal steps shared.

Every step knows its successors, so a program is built from its answers backwards and no
jump distance is known, or needed, until it is assembled.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import bpf


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction and the steps it can go on to; a return has none."""

    code: int
    k: int
    then: int = -1
    """The step after it, or where a conditional jump goes when it holds."""
    otherwise: int = -1
    """Where a conditional jump goes when it does not hold."""


class Graph:
    """Steps by number; asking for a step that exists already gives that one."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._known: dict[Step, int] = {}

    def _step(self, step: Step) -> int:
        found = self._known.get(step)
        if found is None:
            found = self._known[step] = len(self.steps)
            self.steps.append(step)
        return found

    def answer(self, value: int) -> int:
        """Return this SECCOMP_RET_* value."""
        return self._step(Step(bpf.RET, value))

    def load(self, offset: int, then: int) -> int:
        """A = the word of seccomp_data at the offset, then go on."""
        return then if self._ignores_accumulator(then) else self._step(Step(bpf.LOAD, offset, then))

    def mask(self, mask: int, then: int) -> int:
        """A &= mask, then go on."""
        if mask == 0xFFFFFFFF or self._ignores_accumulator(then):
            return then
        return self._step(Step(bpf.AND, mask, then))

    def branch(self, code: int, k: int, then: int, otherwise: int) -> int:
        """Go on to one of two steps, as the comparison of A with k comes out."""
        return then if then == otherwise else self._step(Step(code, k, then, otherwise))

    def _ignores_accumulator(self, step: int) -> bool:
        return self.steps[step].code in (bpf.RET, bpf.LOAD)
