"""The oracle: what a policy answers to one call, read straight off the policy.

This is the meaning that every compiled artefact is held to. It is written to be evident,
not fast: plain integers, the rules in their order, no intermediate form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..policies.model import (
    And,
    Comparison,
    Condition,
    Membership,
    Not,
    Operand,
    Or,
    Policy,
    Range,
    Rule,
)
from . import numbers
from .build import Build, action_value, named_abis
from .filter import AbiFilter, Environment
from .operands import number, register
from .syscalls import Abi, table


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one call and what decided it."""

    value: int
    """The SECCOMP_RET_* value."""
    rule: int | None
    """The index of the deciding rule in the policy's rules; None: no rule matched."""
    abi: Abi | None
    """The ABI the call came through; None when the policy does not name it."""
    name: str | None
    """The system call's name on that ABI; None when its table has no such number."""


def decide(
    policy: Policy, build: Build, environment: Environment, arch: int, nr: int, args: Sequence[int]
) -> Decision:
    """What the policy answers to this call: AUDIT_ARCH_* value, number, six registers.

    Raises InputError when the policy itself cannot be used; check() finds that beforehand.
    """
    seccomp = policy.seccomp
    assert seccomp is not None
    named = named_abis(seccomp, build)
    abi = numbers.abi_of(arch, nr, named)
    if abi is None:
        return Decision(numbers.FOREIGN, None, None, None)
    name = table(abi).by_number.get(nr)
    default = action_value(seccomp.default, abi)
    if name is None:
        newer = default if seccomp.newer is None else action_value(seccomp.newer, abi)
        x32_named = any(each.name == "x32" for each in named)
        ends = AbiFilter(abi, default, newer, numbers.last_number(abi), {})
        return Decision(numbers.nameless(ends, nr, x32_named=x32_named), None, abi, None)
    for index, rule in enumerate(seccomp.rules):
        call = named_by(rule, nr, abi)
        if call is not None and _applies(rule, call, abi, environment, args):
            return Decision(action_value(rule.action, abi), index, abi, name)
    return Decision(default, None, abi, name)


def named_by(rule: Rule, nr: int, abi: Abi) -> str | None:
    """The name under which the rule names this number; arm has two names for one number."""
    numbers = table(abi).by_name
    return next((call.text for call in rule.calls if numbers.get(call.text) == nr), None)


def _applies(
    rule: Rule, name: str, abi: Abi, environment: Environment, args: Sequence[int]
) -> bool:
    return reaches(rule, abi, environment) and (
        rule.when is None or holds(rule.when, name, abi, args)
    )


def reaches(rule: Rule, abi: Abi, environment: Environment) -> bool:
    """Whether a rule counts on this ABI and in this environment."""
    if rule.architectures is not None and all(
        architecture.text != abi.name for architecture in rule.architectures
    ):
        return False
    if any(capability.text not in environment.capabilities for capability in rule.needs):
        return False
    if rule.kernel is not None:
        reached = environment.kernel >= rule.kernel.version
        if reached is not rule.kernel.at_least:
            return False
    return True


def holds(condition: Condition, name: str, abi: Abi, args: Sequence[int]) -> bool:
    """Whether the condition is true of these six registers of the call on this ABI."""
    match condition:
        case Not(inner):
            return not holds(inner, name, abi, args)
        case And(parts):
            return all(holds(part, name, abi, args) for part in parts)
        case Or(parts):
            return any(holds(part, name, abi, args) for part in parts)
        case Comparison(operand, comparator, constant):
            left, right = _value(operand, name, abi, args), number(constant, abi)
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
            left = _value(operand, name, abi, args)
            inside = any(
                number(member.low, abi) <= left <= number(member.high, abi)
                if isinstance(member, Range)
                else left == number(member, abi)
                for member in members
            )
            return inside is not negated


def _value(operand: Operand, name: str, abi: Abi, args: Sequence[int]) -> int:
    """The operand's value as an integer: truncated to its width, with its sign or mask."""
    where = register(operand, name, abi)
    value = args[where.argument] & ((1 << where.bits) - 1)
    if where.mask is not None:
        return value & where.mask
    if where.signed and value >> (where.bits - 1):
        return value - (1 << where.bits)
    return value
