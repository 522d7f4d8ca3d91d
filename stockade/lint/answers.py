"""What a filter answers to a call, for checks that judge the meaning and not the words.

Everything is asked of decision diagrams, so conditions on arguments are understood exactly.
A hostile profile can make a diagram as large as it likes; beyond a bound
TooComplexError is raised, and the runner says that the check gave up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..policies.errors import TooComplexError
from ..seccomp import actions, libseccomp
from ..seccomp.diagram import BITS, Diagrams
from ..seccomp.filter import ALWAYS, AbiFilter, Clause, Test, holds
from ..seccomp.numbers import nameless
from ..seccomp.syscalls import table

MAXIMAL_STEPS = 100_000
"""Diagram nodes asked for in judging one call; measured need: under 10,000."""
MAXIMAL_STEPS_TOGETHER = 1_000_000
"""For one check on a whole subject: two or three seconds."""
LINUX_ENOSYS = 38
"""Nearly everywhere; JSON profiles write it for mips (89) too, as Docker's own does."""


@dataclass(slots=True)
class Budget:
    """What a check on one subject may still cost."""

    left: int = MAXIMAL_STEPS_TOGETHER

    def renew(self) -> None:
        """For the next check."""
        self.left = MAXIMAL_STEPS_TOGETHER


class _Bounded(Diagrams):
    """Diagrams that give up in good time."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._steps = 0
        super().__init__()

    def node(self, bit: int, low: int, high: int) -> int:
        self._steps += 1
        self._budget.left -= 1
        if self._steps > MAXIMAL_STEPS or self._budget.left < 0:
            raise TooComplexError
        return super().node(bit, low, high)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one ABI's filter answers to one call, whatever its arguments."""

    filter: AbiFilter
    name: str
    nr: int
    clauses: tuple[Clause, ...]
    budget: Budget

    @property
    def otherwise(self) -> int:
        """The answer when no clause holds."""
        if self.clauses:
            return self.filter.default
        # Whether x32 is named matters only to numbers without a name.
        return nameless(self.filter, self.nr, x32_named=True)

    @property
    def decided(self) -> bool:
        """Whether some clause is about the call."""
        return bool(self.clauses)

    def values(self) -> tuple[int, ...]:
        """Every answer that some arguments get, as SECCOMP_RET_* values.

        Raises TooComplexError.
        """
        if not self.clauses or self.clauses[0].test == ALWAYS:
            return (self.clauses[0].value if self.clauses else self.otherwise,)
        diagrams = _Bounded(self.budget)
        return tuple(diagrams.values(diagrams.clauses(self.clauses, self.otherwise)))

    def values_where(self, argument: int, value: int) -> tuple[int, ...]:
        """Every answer that calls with this 64-bit argument get.

        Raises TooComplexError.
        """
        diagrams = _Bounded(self.budget)
        meaning = diagrams.clauses(self.clauses, self.otherwise)
        return tuple(diagrams.values(diagrams.restrict(meaning, argument, value)))

    def running_example(self, test: Test) -> tuple[int, ...] | None:
        """The registers of some call for which the test holds and that runs freely.

        Raises TooComplexError.
        """
        diagrams = _Bounded(self.budget)
        meaning = diagrams.clauses(self.clauses, self.otherwise)
        inside = diagrams.test(test)
        for value in diagrams.values(meaning):
            if runs_freely(value):
                where = diagrams.choose(diagrams.where(meaning, value), inside, diagrams.false)
                example = diagrams.example(where, 1)
                if example is not None:
                    return tuple(example.get(index, 0) for index in range(6))
        return None

    @property
    def always_runs(self) -> bool:
        """Whether the call runs freely with any arguments."""
        return all(runs_freely(value) for value in self.values())

    @property
    def never_runs(self) -> bool:
        """Whether the call is let run with no arguments."""
        return not any(actions.lets_run(value) for value in self.values())

    @property
    def says_not_there(self) -> bool:
        """Whether every call is answered ENOSYS, so that programs fall back."""
        return all(is_enosys(value, self.filter) for value in self.values())

    def running(self) -> Clause | None:
        """The first clause that lets the call run freely; None: the default does, or nothing."""
        return next((c for c in self.clauses if runs_freely(c.value)), None)

    def deciding(self, registers: tuple[int, ...]) -> Clause | None:
        """The clause that decides a call with these six registers; None: the default."""
        return next((c for c in self.clauses if holds(c.test, registers)), None)


def answers(filters: Iterable[AbiFilter], name: str, budget: Budget) -> Iterator[Answer]:
    """What each filter whose ABI has a call of this name answers to it."""
    for filter_ in filters:
        nr = table(filter_.abi).by_name.get(name)
        if nr is not None:
            yield Answer(filter_, name, nr, filter_.calls.get(nr, ()), budget)


def runs_freely(value: int) -> bool:
    """Whether a call with this answer is carried out, and no agent is asked (notify) before."""
    return actions.kind_of(value) in actions.PERMISSIVE


def is_enosys(value: int, filter_: AbiFilter) -> bool:
    """Whether an answer is ENOSYS on the filter's ABI, or is meant to be."""
    return value in (
        actions.ERRNO | LINUX_ENOSYS,
        actions.ERRNO | libseccomp.enosys(filter_.abi),
    )


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """How an answer depends on bits of an argument that the kernel drops."""

    opens: tuple[tuple[int, ...], tuple[int, ...]] | None
    """Registers of a call that is let run only because such bits are set, and the registers
    of the same call without them."""
    closes: bool
    """Some call that may run is stopped only because such bits are set."""


def sensitivity(of: Answer, argument: int, bits: int) -> Sensitivity:
    """What the bits of an argument from `bits` up do to the answer.

    Raises TooComplexError.
    """
    diagrams = _Bounded(of.budget)
    runs = diagrams.false
    meaning = diagrams.clauses(of.clauses, of.otherwise)
    for value in diagrams.values(meaning):
        if runs_freely(value):
            runs = diagrams.choose(diagrams.where(meaning, value), diagrams.true, runs)
    low = _without(diagrams, runs, argument, bits)
    opened = diagrams.choose(low, diagrams.false, runs)
    closed = diagrams.choose(runs, diagrams.false, low)
    example = diagrams.example(opened, 1)
    opens = None
    if example is not None:
        registers = tuple(example.get(index, 0) for index in range(6))
        kept = tuple(
            each & ((1 << bits) - 1) if index == argument else each
            for index, each in enumerate(registers)
        )
        opens = (registers, kept)
    return Sensitivity(opens, closed != diagrams.false)


def _without(diagrams: Diagrams, function: int, argument: int, bits: int) -> int:
    """The function where the argument's bits from `bits` up are 0."""
    known: dict[int, int] = {}

    def visit(number: int) -> int:
        if number not in known:
            if diagrams.is_leaf(number):
                known[number] = number
            else:
                at, low, high = diagrams.parts(number)
                if at // BITS == argument and BITS - 1 - at % BITS >= bits:
                    known[number] = visit(low)
                else:
                    known[number] = diagrams.node(at, visit(low), visit(high))
        return known[number]

    return visit(function)


def overlap(left: Test, right: Test, budget: Budget) -> bool:
    """Whether some arguments satisfy both tests.

    Raises TooComplexError.
    """
    diagrams = _Bounded(budget)
    both = diagrams.choose(diagrams.test(left), diagrams.test(right), diagrams.false)
    return both != diagrams.false


def covered(test: Test, earlier: Iterable[Test], budget: Budget) -> bool:
    """Whether every call for which the test holds satisfies one of the earlier tests.

    Raises TooComplexError.
    """
    diagrams = _Bounded(budget)
    left = diagrams.test(test)
    for each in earlier:
        left = diagrams.choose(diagrams.test(each), diagrams.false, left)
    return left == diagrams.false
