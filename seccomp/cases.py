"""Running a policy's `tests:` section: every case on every ABI it is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..policies.model import Action, ActionKind, Policy, TestCase
from . import actions
from .build import Build, action_value, named_abis
from .calls import resolve_call
from .explain import Explanation, explain_filter
from .filter import Environment, Filter, resolve
from .lower import lower
from .syscalls import Abi, abi, table


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case on one ABI."""

    case: TestCase
    explanation: Explanation
    passed: bool
    expected: str
    """The expected action in words."""
    got: str
    """The answer in words, or what it depends on."""


def run_cases(policy: Policy, build: Build, environment: Environment) -> Iterator[Outcome]:
    """Every case of a sound policy, on every ABI of the case that has the call."""
    assert policy.seccomp is not None
    lowered = lower(policy, build)
    for case in policy.tests:
        held = frozenset(name.text for name in case.needs) | environment.capabilities
        filter_ = resolve(lowered, replace(environment, capabilities=held))
        abis = named_abis(policy.seccomp, build)
        if case.architectures is not None:
            abis = tuple(abi(name.text) for name in case.architectures)
        for each in abis:
            if isinstance(case.call.name, int) or case.call.name in table(each).by_name:
                yield _run(case, filter_, each)


def _run(case: TestCase, filter_: Filter, abi_: Abi) -> Outcome:
    explanation = explain_filter(filter_, abi_, resolve_call(case.call, abi_))
    if explanation.alternatives:
        answers = (f"{actions.describe(a.value)} for {a.example}" for a in explanation.alternatives)
        got, passed = "depends: " + "; ".join(answers), False
    else:
        got = actions.describe(explanation.value)
        passed = _matches(case.expect, explanation.value, abi_)
    return Outcome(case, explanation, passed, _words(case.expect), got)


def _matches(expected: Action, value: int, abi_: Abi) -> bool:
    """Whether the value is of the expected kind; its number counts when one is expected."""
    if expected.number is None:
        return actions.kind_of(value) is expected.kind
    return action_value(expected, abi_) == value


def _words(action: Action) -> str:
    if action.kind in (ActionKind.DENY, ActionKind.TRACE) and action.number is not None:
        return f"{action.kind.value} {action.number}"
    return action.kind.value
