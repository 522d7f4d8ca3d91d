"""Running the entries of `tests` that are about Docker requests."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..policies.authz_tests import AuthzTest
from ..policies.errors import InputError
from ..policies.source import Location
from .decide import Rules
from .dockercli.model import ApiRequest
from .model import Identity
from .world import Judged, World

Read = Callable[[Sequence[str], str | None], Sequence[ApiRequest]]
"""(words of a command line or request, body) -> requests; raises InputError."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test."""

    case: AuthzTest
    passed: bool
    said: str
    """What was answered instead, or what is missing from the reason."""


def run_tests(
    cases: Sequence[AuthzTest], rules: Rules, read: Read, identify: Callable[[AuthzTest], Identity]
) -> Iterator[Outcome]:
    """Every case, each in a world of its own.

    Raises InputError, with the case's place, for a command line that cannot be read.
    """
    for case in cases:
        before = [_read(name.text, None, name.at, read) for name in case.given]
        requests = _read(case.text, case.body, case.at, read, docker=case.kind == "docker")
        identity = identify(case)
        with World(rules) as world:
            for each in before:
                world.judge_all(each, identity)
            yield _outcome(case, world.judge_all(requests, identity))


def _read(
    text: str, body: str | None, at: Location, read: Read, *, docker: bool = True
) -> Sequence[ApiRequest]:
    try:
        words = shlex.split(text)
        if docker and words[:1] != ["docker"]:
            words = ["docker", *words]
        return read(words, body)
    except ValueError as error:
        raise InputError.of(f"cannot be read: {error}", at) from None
    except InputError as error:
        problem = error.problems[0]
        raise InputError.of(problem.message, at, problem.hint) from None


def _outcome(case: AuthzTest, found: list[Judged]) -> Outcome:
    denied = [each for each in found if not each.allow]
    if case.expect:
        if denied:
            return Outcome(case, False, f"expected allow, got {_said(denied[0])}")
        rules = [each.verdict.rule or "" for each in found if each.verdict is not None]
        return _because(case, rules, "is allowed")
    if not denied:
        return Outcome(case, False, f"expected deny, got allow by {_rule(found[-1])}")
    return _because(case, [text for each in denied for text in _texts(each)], _said(denied[0]))


def _because(case: AuthzTest, texts: list[str], said: str) -> Outcome:
    if case.because is None or any(case.because in text for text in texts):
        return Outcome(case, True, "")
    return Outcome(case, False, f"`{case.because}` is not in the reason: {said}")


def _texts(each: Judged) -> list[str]:
    rule = each.verdict.rule if each.verdict is not None else None
    return [*each.reasons, each.code, rule or ""]


def _rule(each: Judged) -> str:
    return str(each.verdict.rule if each.verdict is not None else each.code)


def _said(each: Judged) -> str:
    what = each.canonical.operation if each.canonical is not None else each.request.target
    return f"deny of {what}: {'; '.join(each.reasons)}"
