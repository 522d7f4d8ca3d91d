"""What only the tables can tell about a policy: unknown names, impossible conditions.

The loader knows the language, not the kernel. Everything here is found on the loaded
policy, all at once, and points at the author's own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ..policies.errors import InputError, TooComplexError
from ..policies.model import (
    Action,
    And,
    Call,
    Comparison,
    Condition,
    Membership,
    Name,
    Not,
    Or,
    Policy,
    Range,
    Rule,
)
from ..policies.problems import did_you_mean
from ..policies.source import Location, Problem
from .build import Build, abi_called, action_value, named_abis
from .calls import resolve_call
from .diagram import Diagrams
from .lower import lower_test
from .operands import by_abi, number, register
from .syscalls import ABIS, Abi, abi, known_names, table


def check(policy: Policy, build: Build) -> list[Problem]:
    """Everything wrong with the policy that the loader could not know; empty: it compiles."""
    seccomp = policy.seccomp
    if seccomp is None:
        return []
    problems = list(_unknown_architectures(seccomp.architectures))
    if problems:
        return problems
    named = named_abis(seccomp, build)
    for action in (seccomp.default, seccomp.newer):
        if action is not None:
            problems += _undefined_errno(action, named, seccomp.at)
    for rule in seccomp.rules:
        problems += _rule(rule, named)
    for case in policy.tests:
        wrong = list(_unknown_architectures(case.architectures))
        problems += wrong or _call(case.call, _those_named(case.architectures, named))
    return problems


def _unknown_architectures(names: Iterable[Name] | None) -> Iterator[Problem]:
    for name in names or ():
        try:
            abi_called(name.text, name.at)
        except InputError as error:
            yield from error.problems


def _undefined_errno(action: Action, abis: Iterable[Abi], at: Location) -> list[Problem]:
    found: list[tuple[Abi, list[Problem]]] = []
    for each in abis:
        try:
            action_value(action, each)
        except InputError as error:
            found.append((each, [replace(problem, at=at) for problem in error.problems]))
        else:
            found.append((each, []))
    return by_abi(found)


def _those_named(names: Sequence[Name] | None, otherwise: tuple[Abi, ...]) -> tuple[Abi, ...]:
    return otherwise if names is None else tuple(abi(name.text) for name in names)


def _rule(rule: Rule, named: tuple[Abi, ...]) -> list[Problem]:
    problems = list(_unknown_architectures(rule.architectures))
    if problems:
        return problems
    abis = _those_named(rule.architectures, named)
    problems += _undefined_errno(rule.action, abis, rule.at)
    for call in rule.calls:
        if call.text not in known_names():
            where = f", from the group {call.group}" if call.group else ""
            guess = did_you_mean(call.text, known_names())
            problems.append(Problem(f"unknown system call `{call.text}`{where}{guess}", call.at))
        elif rule.architectures is not None and call.group is None and not _exists(call.text, abis):
            homes = [each.name for each in ABIS.values() if _exists(call.text, [each])]
            problems.append(
                Problem(
                    f"{call.text} exists on none of the rule's architectures",
                    call.at,
                    f"it exists on {', '.join(homes)}",
                )
            )
    if rule.when is not None and not problems:
        problems += _condition(rule, rule.when, abis)
    return problems


def _exists(name: str, abis: Iterable[Abi]) -> bool:
    return any(name in table(each).by_name for each in abis)


def _condition(rule: Rule, condition: Condition, abis: Sequence[Abi]) -> list[Problem]:
    """Operands and constants that do not fit; comparisons and conditions that are constant."""
    pairs = [(c.text, a) for c in rule.calls for a in abis if c.text in table(a).by_name]
    problems: list[Problem] = []
    for call in rule.calls:
        homes = [a for c, a in pairs if c == call.text]
        for part in comparisons(condition):
            problems += by_abi([(a, _operand(part, call.text, a)) for a in homes])
    if problems or not pairs:
        return list(dict.fromkeys(problems))
    try:
        return _impossible(condition, pairs)
    except TooComplexError as error:
        return [replace(problem, at=condition.at) for problem in error.problems]


def _impossible(condition: Condition, pairs: Sequence[tuple[str, Abi]]) -> list[Problem]:
    """That a condition, or a comparison in it, is the same for every call."""
    for call in dict.fromkeys(call for call, _ in pairs):
        own = [pair for pair in pairs if pair[0] == call]
        for part in comparisons(condition):
            dead = _dead_member(part, own)
            if dead is not None:
                return [dead]
            constant = _constant_answer(part, own)
            if constant is not None:
                return [_never_or_always(part, constant, own)]
    constant = _constant_answer(condition, pairs)
    if constant is None:
        return []
    says = "holds for every call" if constant else "can never hold"
    hint = "leave `when` out" if constant else "its parts exclude one another; `or` instead?"
    return [Problem(f"impossible condition: it {says}", condition.at, hint)]


def comparisons(condition: Condition) -> Iterator[Comparison | Membership]:
    """The comparisons in a condition, from left to right."""
    match condition:
        case Comparison() | Membership():
            yield condition
        case Not(inner):
            yield from comparisons(inner)
        case And(parts) | Or(parts):
            for part in parts:
                yield from comparisons(part)


def _operand(part: Comparison | Membership, call: str, abi_: Abi) -> list[Problem]:
    try:
        register(part.operand, call, abi_)
        for low, high in _bounds(part, abi_):
            if low > high:
                return [
                    Problem(f"the range {low}..{high} is empty: its ends are reversed", part.at)
                ]
    except InputError as error:
        return list(error.problems)
    return []


def _bounds(part: Comparison | Membership, abi_: Abi) -> Iterator[tuple[int, int]]:
    members = part.members if isinstance(part, Membership) else (part.value,)
    for member in members:
        if isinstance(member, Range):
            yield number(member.low, abi_), number(member.high, abi_)
        else:
            yield (number(member, abi_),) * 2


def _constant_answer(condition: Condition, pairs: Iterable[tuple[str, Abi]]) -> bool | None:
    """True or False when the condition is that for every call and ABI; None: it depends."""
    diagrams = Diagrams()
    tests = {lower_test(condition, call, abi_) for call, abi_ in pairs}
    found = {diagrams.test(test) for test in tests}
    if found == {diagrams.true}:
        return True
    return False if found == {diagrams.false} else None


def _dead_member(part: Comparison | Membership, pairs: Sequence[tuple[str, Abi]]) -> Problem | None:
    """A member of a set that no value can equal: it would be silently of no effect."""
    members = part.members if isinstance(part, Membership) else ()
    for member in members:
        alone = Membership(part.operand, (member,), negated=False, at=member.at)
        if _constant_answer(alone, pairs) is False:
            call, abi_ = pairs[0]
            where = register(part.operand, call, abi_)
            return Problem(
                "impossible condition: no value can be in this member of the set",
                member.at,
                f"`{part.operand.argument}` of {call} is {where.describe()}: it holds "
                f"{where.values()}",
            )
    return None


def _never_or_always(
    part: Comparison | Membership, answer: bool, pairs: Sequence[tuple[str, Abi]]
) -> Problem:
    call, abi_ = pairs[0]
    where = register(part.operand, call, abi_)
    says = "is always true" if answer else "can never be true"
    return Problem(
        f"impossible condition: this {says}",
        part.at,
        f"`{part.operand.argument}` of {call} is {where.describe()}: it holds {where.values()}",
    )


def _call(call: Call, abis: Sequence[Abi]) -> list[Problem]:
    """Why a written call means nothing on any of the ABIs it is for."""
    found: list[tuple[Abi, tuple[Problem, ...]]] = []
    for each in abis:
        try:
            resolve_call(call, each)
        except InputError as error:
            found.append((each, error.problems))
        else:
            return []
    return by_abi(found)
