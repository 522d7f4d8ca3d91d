"""Policy -> Filter: names become numbers, conditions become sets of register values.

Negation disappears here: a comparison is the set of unsigned values that satisfy it, and
its negation is the complement of that set.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..policies.model import (
    And,
    Comparison,
    Condition,
    Constant,
    Membership,
    Not,
    Or,
    Policy,
    Range,
    Rule,
)
from .build import Build, action_value, named_abis
from .filter import (
    ALWAYS,
    NEVER,
    NOTHING,
    AbiFilter,
    All,
    Any,
    Clause,
    Filter,
    Member,
    Ranges,
    Requirement,
    Test,
)
from .numbers import last_number
from .operands import Register, number, register
from .ranges import complement, normalize, wrap
from .syscalls import Abi, table


def lower(policy: Policy, build: Build) -> Filter:
    """The filter that the policy means.

    Raises InputError for a policy that check() would find fault with.
    """
    seccomp = policy.seccomp
    assert seccomp is not None
    filters = []
    for abi in named_abis(seccomp, build):
        default = action_value(seccomp.default, abi)
        newer = default if seccomp.newer is None else action_value(seccomp.newer, abi)
        filters.append(AbiFilter(abi, default, newer, last_number(abi), _calls(seccomp.rules, abi)))
    return Filter(tuple(filters))


def _calls(rules: Iterable[Rule], abi: Abi) -> dict[int, tuple[Clause, ...]]:
    """The clauses of every number of the ABI that some rule names."""
    numbers = table(abi).by_name
    clauses: dict[int, list[Clause]] = {}
    for index, rule in enumerate(rules):
        if rule.architectures is not None and all(
            name.text != abi.name for name in rule.architectures
        ):
            continue
        requires, value = _requirement(rule), action_value(rule.action, abi)
        unconditional = Clause(ALWAYS, value, requires, index) if rule.when is None else None
        for call in rule.calls:
            nr = numbers.get(call.text)
            if nr is None:
                continue
            clause = unconditional
            if clause is None:
                assert rule.when is not None
                clause = Clause(lower_test(rule.when, call.text, abi), value, requires, index)
            clauses.setdefault(nr, []).append(clause)
    return {nr: tuple(clauses[nr]) for nr in sorted(clauses)}


def _requirement(rule: Rule) -> Requirement:
    if not rule.needs and rule.kernel is None:
        return NOTHING
    bound = rule.kernel
    return Requirement(
        frozenset(name.text for name in rule.needs),
        kernel_from=bound.version if bound is not None and bound.at_least else None,
        kernel_below=bound.version if bound is not None and not bound.at_least else None,
    )


def lower_test(condition: Condition, call: str, abi: Abi, *, negated: bool = False) -> Test:
    """The test that a condition, or its negation, is on one ABI's registers."""
    match condition:
        case Not(inner):
            return lower_test(inner, call, abi, negated=not negated)
        case And(parts) | Or(parts):
            tests = [lower_test(part, call, abi, negated=negated) for part in parts]
            return (
                conjunction(tests)
                if isinstance(condition, And) is not negated
                else (disjunction(tests))
            )
        case Comparison(operand, comparator, constant):
            where = register(operand, call, abi)
            return _member(where, _compared(where, comparator, number(constant, abi)), negated)
        case Membership(operand, members, outside):
            where = register(operand, call, abi)
            spans = [_span(member, abi) for member in members]
            return _member(where, _unsigned(where, spans), negated is not outside)


def conjunction(tests: Iterable[Test]) -> Test:
    """All of the tests, flat, without those that always hold."""
    parts: list[Test] = []
    for test in tests:
        if test == NEVER:
            return NEVER
        parts += test.parts if isinstance(test, All) else [test]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def disjunction(tests: Iterable[Test]) -> Test:
    """Any of the tests, flat, without those that never hold."""
    parts: list[Test] = []
    for test in tests:
        if test == ALWAYS:
            return ALWAYS
        parts += test.parts if isinstance(test, Any) else [test]
    return parts[0] if len(parts) == 1 else Any(tuple(parts))


def _span(member: Constant | Range, abi: Abi) -> tuple[int, int]:
    if isinstance(member, Range):
        return number(member.low, abi), number(member.high, abi)
    return (number(member, abi),) * 2


def _compared(where: Register, comparator: str, value: int) -> Ranges:
    """The unsigned register values for which the comparison holds."""
    below, above = (where.lowest, value - 1), (value + 1, where.highest)
    spans = {
        "==": [(value, value)],
        "!=": [below, above],
        "<": [below],
        "<=": [below, (value, value)],
        ">": [above],
        ">=": [above, (value, value)],
    }
    return _unsigned(where, spans[comparator])


def _unsigned(where: Register, spans: Iterable[tuple[int, int]]) -> Ranges:
    """Spans of values, cut to what the register can hold, as unsigned ranges."""
    pieces: list[tuple[int, int]] = []
    for low, high in spans:
        low, high = max(low, where.lowest), min(high, where.highest)
        if low <= high:
            pieces += wrap(low, high, where.bits) if where.signed else ((low, high),)
    return normalize(pieces)


def _member(where: Register, ranges: Ranges, negated: bool) -> Test:
    """The test `register in ranges`, or not in them, over 32 or 64 bits."""
    mask = (1 << where.bits) - 1 if where.mask is None else where.mask
    if negated:
        ranges = complement(ranges, mask)
    if not ranges:
        return NEVER
    if ranges == ((0, mask),):
        return ALWAYS
    return Member(where.argument, max(where.bits, 32), mask, ranges)
