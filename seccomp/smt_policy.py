"""A policy as a term of z3, rule by rule from its model; and a filter, clause by clause.

The policy is encoded as `evaluate` decides it, without the lowering and without diagrams: values
are integers of so many bits that no argument, of either sign, is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..policies.model import And, Comparison, Condition, Membership, Not, Operand, Or, Policy, Range
from . import numbers
from .build import Build, action_value, named_abis
from .evaluate import named_by, reaches
from .filter import AbiFilter, Environment, Filter
from .operands import number, register
from .smt import Meaning, Symbols, Term, by_number
from .syscalls import Abi, table

Answer = Callable[[AbiFilter, int], Any]
"""What a filter's number is answered, a term; None where no call has the number."""

_BITS = 66
"""A sign, and one bit more than 64 for a mask's complement."""


def policy_term(policy: Policy, build: Build, environment: Environment) -> Meaning:
    """What a sound policy answers."""
    seccomp = policy.seccomp
    assert seccomp is not None
    filters = []
    for abi in named_abis(seccomp, build):
        default = action_value(seccomp.default, abi)
        newer = default if seccomp.newer is None else action_value(seccomp.newer, abi)
        filters.append(AbiFilter(abi, default, newer, numbers.last_number(abi), {}))

    def of_call(known: Symbols, mine: AbiFilter, nr: int) -> Term:
        cases: list[tuple[Term, Term]] = []
        for rule in seccomp.rules:
            name = named_by(rule, nr, mine.abi)
            if name is None or not reaches(rule, mine.abi, environment):
                continue
            value = known.number(action_value(rule.action, mine.abi))
            if rule.when is None:
                return known.chosen(cases, value)
            cases.append((_holds(known, rule.when, name, mine.abi), value))
        return known.chosen(cases, known.number(mine.default))

    def meaning(known: Symbols) -> Term:
        def answer(mine: AbiFilter, nr: int) -> Term | None:
            return of_call(known, mine, nr) if nr in table(mine.abi).by_number else None

        return _everywhere(known, filters, answer)

    return meaning


def filter_term(filter_: Filter) -> Meaning:
    """What a resolved filter answers."""

    def meaning(known: Symbols) -> Term:
        def answer(mine: AbiFilter, nr: int) -> Term | None:
            if nr not in mine.calls:
                return None
            cases = [(known.holds(c.test), known.number(c.value)) for c in mine.calls[nr]]
            return known.chosen(cases, known.number(mine.default))

        return _everywhere(known, filter_.abis, answer)

    return meaning


def _everywhere(known: Symbols, filters: Sequence[AbiFilter], answer: Answer) -> Term:
    """The answers of all architectures and numbers, where those of calls are given."""
    named = [each.abi for each in filters]
    by_name = {each.abi.name: each for each in filters}
    x32_named = "x32" in by_name
    cases = []
    for arch in sorted({each.audit_arch for each in named}):
        edges = {0}
        for each in filters:
            if each.abi.audit_arch == arch:
                edges.update(numbers.breakpoints(each))
                for nr in [*table(each.abi).by_number, *each.calls]:
                    edges |= {nr, nr + 1}
        pieces: list[tuple[int, Term]] = []
        for nr in sorted(edge for edge in edges if edge <= numbers.NO_CALL):
            abi = numbers.abi_of(arch, nr, named)
            if abi is None:
                term = known.number(numbers.FOREIGN)
            else:
                mine = by_name[abi.name]
                term = answer(mine, nr)
                if term is None:
                    term = known.number(numbers.nameless(mine, nr, x32_named=x32_named))
            if not pieces or not pieces[-1][1].eq(term):
                pieces.append((nr, term))
        cases.append((known.arch == known.number(arch), by_number(known, pieces)))
    return known.chosen(cases, known.number(numbers.FOREIGN))


def _holds(known: Symbols, condition: Condition, name: str, abi: Abi) -> Term:
    z3 = known.z3
    match condition:
        case Not(inner):
            return z3.Not(_holds(known, inner, name, abi))
        case And(parts):
            return z3.And(*(_holds(known, part, name, abi) for part in parts))
        case Or(parts):
            return z3.Or(*(_holds(known, part, name, abi) for part in parts))
        case Comparison(operand, comparator, constant):
            left = _value(known, operand, name, abi)
            right = known.number(number(constant, abi), _BITS)
            match comparator:
                case "==":
                    return left == right
                case "!=":
                    return left != right
                case "<":
                    return left < right
                case "<=":
                    return left <= right
                case ">":
                    return left > right
                case ">=":
                    return left >= right
        case Membership(operand, members, negated):
            left = _value(known, operand, name, abi)
            inside = []
            for member in members:
                ends = (member.low, member.high) if isinstance(member, Range) else (member, member)
                low, high = (known.number(number(end, abi), _BITS) for end in ends)
                inside.append(z3.And(low <= left, left <= high))
            return z3.Not(z3.Or(*inside)) if negated else z3.Or(*inside)


def _value(known: Symbols, operand: Operand, name: str, abi: Abi) -> Term:
    """The operand as a signed integer (comparisons of z3's vectors are signed)."""
    z3, where = known.z3, register(operand, name, abi)
    word = z3.Extract(where.bits - 1, 0, known.arguments[where.argument])
    if where.mask is not None:
        word = word & known.number(where.mask, where.bits)
    elif where.signed:
        return z3.SignExt(_BITS - where.bits, word)
    return z3.ZeroExt(_BITS - where.bits, word)
