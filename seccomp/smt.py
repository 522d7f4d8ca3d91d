"""A second way to prove the same: bit-vector terms and the solver z3, which need no diagrams.

It shares nothing with the decision diagrams but what the words mean (`operands`, `numbers`): a
program is executed symbolically, a policy is read rule by rule from its model as the oracle reads
it. So each way checks the other, and this one decides some of what is too complex for diagrams,
such as products. z3 comes with the extra `prove`; it is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..policies.errors import InputError, InternalError, TooComplexError
from . import actions
from .filter import All, Member, Test
from .filter import Any as AnyOf
from .prove import Call

SECONDS = 20.0
"""How long the solver may think about one claim."""

Term = Any
"""A bit-vector or a truth value of z3's, which has no types of its own."""

_ARGUMENTS = 6


@dataclass(frozen=True, slots=True)
class Symbols:
    """struct seccomp_data, all of it unknown."""

    z3: Any
    """The module."""
    arch: Term
    nr: Term
    arguments: tuple[Term, ...]
    """Six 64-bit registers."""
    instruction_pointer: Term

    def number(self, value: int, bits: int = 32) -> Term:
        """A known number."""
        return self.z3.BitVecVal(value, bits)

    def inside(self, word: Term, low: int, high: int) -> Term:
        """Whether an unsigned word lies between two numbers, both included."""
        z3, bits = self.z3, word.size()
        if low == high:
            return word == self.number(low, bits)
        parts = []
        if low > 0:
            parts.append(z3.UGE(word, self.number(low, bits)))
        if high < (1 << bits) - 1:
            parts.append(z3.ULE(word, self.number(high, bits)))
        return z3.And(*parts)

    def chosen(self, cases: Iterable[tuple[Term, Term]], otherwise: Term) -> Term:
        """The value of the first case that holds."""
        result = otherwise
        for condition, value in reversed(list(cases)):
            result = self.z3.If(condition, value, result)
        return result

    def holds(self, test: Test) -> Term:
        """Whether a filter's test holds of the registers."""
        z3 = self.z3
        match test:
            case All(parts):
                return z3.And(*(self.holds(part) for part in parts))
            case AnyOf(parts):
                return z3.Or(*(self.holds(part) for part in parts))
            case Member(argument, bits, mask, ranges):
                word = z3.Extract(bits - 1, 0, self.arguments[argument])
                masked = word & self.number(mask, bits)
                return z3.Or(*(self.inside(masked, low, high) for low, high in ranges))


def symbols() -> Symbols:
    """A call of which nothing is known; raises InputError without z3."""
    try:
        import z3
    except ImportError as error:
        raise InputError.of(
            "the second engine needs z3, which is not installed",
            hint="pip install 'stockade[prove]'",
        ) from error
    return Symbols(
        z3,
        z3.BitVec("arch", 32),
        z3.BitVec("nr", 32),
        tuple(z3.BitVec(f"argument{index}", 64) for index in range(_ARGUMENTS)),
        z3.BitVec("instruction_pointer", 64),
    )


def is_there() -> bool:
    """Whether z3 can be had."""
    from importlib.util import find_spec

    return find_spec("z3") is not None


def solve(known: Symbols, left: Term, right: Term, *, no_wider: bool = False) -> Call | None:
    """A call that two functions answer differently, or that the left lets run further.

    None proves that there is none. Raises TooComplexError when the time is up.
    """
    z3 = known.z3
    claim = z3.UGT(_freedom(known, left), _freedom(known, right)) if no_wider else left != right
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", int(SECONDS * 1000))
    solver.add(claim)
    result = solver.check()
    if result == z3.unsat:
        return None
    if result != z3.sat:
        raise TooComplexError
    model = solver.model()

    def value(term: Term) -> int:
        found: int = model.eval(term, model_completion=True).as_long()
        return found

    looked_at = tuple(i for i, term in enumerate(known.arguments) if model[term] is not None)
    return Call(
        value(known.arch),
        value(known.nr),
        tuple(map(value, known.arguments)),
        looked_at,
        value(known.instruction_pointer),
    )


def value_of(known: Symbols, term: Term, call: Call) -> int:
    """What a function says to a call."""
    z3 = known.z3
    pairs = [
        (known.arch, known.number(call.arch)),
        (known.nr, known.number(call.nr)),
        (known.instruction_pointer, known.number(call.instruction_pointer, 64)),
        *(
            (name, known.number(value, 64))
            for name, value in zip(known.arguments, call.arguments, strict=True)
        ),
    ]
    result = z3.simplify(z3.substitute(term, *pairs))
    if not z3.is_bv_value(result):
        raise InternalError(f"no number for {call}")
    found: int = result.as_long()
    return found


def _freedom(known: Symbols, value: Term) -> Term:
    """How far an answer lets a call run, as in `prove.freedom`."""
    z3 = known.z3
    action = value & known.number(actions.ACTION_MASK)

    def among(*kinds: int) -> Term:
        return z3.Or(*(action == known.number(kind) for kind in kinds))

    cases = [
        (among(actions.ALLOW, actions.LOG), known.number(2)),
        (among(actions.TRACE, actions.NOTIFY), known.number(1)),
    ]
    return known.chosen(cases, known.number(0))


Meaning = Callable[[Symbols], Term]
"""The answer to the call, a 32-bit SECCOMP_RET_* value."""


def by_number(known: Symbols, pieces: Sequence[tuple[int, Term]]) -> Term:
    """The function that is each piece's from its number on; the first begins at 0."""
    if len(pieces) == 1:
        return pieces[0][1]
    middle = len(pieces) // 2
    lower, upper = by_number(known, pieces[:middle]), by_number(known, pieces[middle:])
    if lower.eq(upper):
        return lower
    from_there = known.z3.UGE(known.nr, known.number(pieces[middle][0]))
    return known.z3.If(from_there, upper, lower)
