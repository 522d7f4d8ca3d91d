"""`stockade explain`."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from functools import partial

import click

from ..policies import parse_call
from ..policies.errors import InputError
from ..policies.model import Call, Policy
from ..policies.source import Location, Problem, Source
from ..seccomp import actions
from ..seccomp.build import abi_called, named_abis
from ..seccomp.calls import resolve_call
from ..seccomp.explain import Explanation, explain_filter, explain_program
from ..seccomp.filter import resolve
from ..seccomp.interpret import interpret
from ..seccomp.lower import lower
from ..seccomp.operands import by_abi
from ..seccomp.profile import Profile
from ..seccomp.read_profile import read_profile
from ..seccomp.syscalls import Abi
from ..seccomp.targets import Request, selected
from .inputs import InputKind, kind_of, profile_source
from .options import environment_options, read_request, sound_policy
from .programs import read_program

_EPILOG = """\b
Examples:
  stockade explain web.yaml 'socket(family=AF_ALG)'
  stockade explain docker-default 'clone(CLONE_NEWUSER)' --cap docker
  stockade explain profile.json 'personality(8)' --arch x86
  stockade explain web.bpf 'ioctl(cmd=TIOCSTI)'
  stockade explain web.yaml '#999'

\b
Exit status: 0 the call may run, 1 it may not or it depends, 2 bad input.
"""


@dataclass(frozen=True, slots=True)
class _Subject:
    """Something that answers calls."""

    abis: tuple[Abi, ...]
    answer: partial[Explanation]
    policy: Policy | None = None
    profile: Profile | None = None


@click.command("explain", epilog=_EPILOG)
@click.argument("file")
@click.argument("call")
@environment_options
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    file: str,
    call: str,
    architectures: tuple[str, ...],
    capabilities: tuple[str, ...],
    kernel: str | None,
    form: str,
) -> int:
    """Say what FILE answers to CALL, and which rule and line decides.

    FILE is a policy (YAML, or a library name), a Docker or OCI seccomp profile (.json) or a
    BPF program (.bpf). CALL is written name(argument=value, ...) or name(value, ...).
    Arguments that are left out are not assumed: where they matter, every possible answer is
    listed.
    """
    request = read_request(architectures, capabilities, kernel)
    parsed = parse_call(call, Location(Source("CALL", call), 1, 1, max(1, len(call))))
    subject = _subject(file, request)
    explanations = _explain(subject, parsed)
    if form == "json":
        click.echo(json.dumps([_document(each, subject) for each in explanations], indent=2))
    else:
        _print(file, call, subject, explanations)
    certain = all(not each.alternatives for each in explanations)
    return 0 if certain and all(actions.lets_run(each.value) for each in explanations) else 1


def _subject(file: str, request: Request) -> _Subject:
    match kind_of(file):
        case InputKind.POLICY:
            policy = selected(sound_policy(file, request.build), request.architectures)
            if policy.seccomp is None:
                raise InputError.of(f"policy {policy.name} has no `seccomp` section", policy.at)
            filter_ = resolve(lower(policy, request.build), request.environment)
            abis = named_abis(policy.seccomp, request.build)
            return _Subject(abis, partial(explain_filter, filter_), policy=policy)
        case InputKind.PROFILE:
            read = read_profile(profile_source(file))
            if read.profile is None:
                raise InputError(read.errors)
            filter_ = interpret(read.profile, request.build.family, request.environment)
            abis = _named(request) or tuple(each.abi for each in filter_.abis)
            return _Subject(abis, partial(explain_filter, filter_), profile=read.profile)
        case InputKind.PROGRAM:
            abis = _named(request) or request.build.family.abis
            program = read_program(file, big_endian=abis[0].big_endian)
            return _Subject(abis, partial(explain_program, program))


def _named(request: Request) -> tuple[Abi, ...]:
    return tuple(abi_called(name) for name in request.architectures)


def _explain(subject: _Subject, call: Call) -> list[Explanation]:
    """One explanation for each ABI on which the call exists."""
    explanations: list[Explanation] = []
    errors: list[tuple[Abi, tuple[Problem, ...]]] = []
    for each in subject.abis:
        try:
            explanations.append(subject.answer(each, resolve_call(call, each)))
        except InputError as error:
            errors.append((each, error.problems))
    if not explanations:
        raise InputError(by_abi(errors))
    return explanations


def _print(file: str, call: str, subject: _Subject, explanations: list[Explanation]) -> None:
    """Equal answers of several architectures as one."""
    groups: dict[tuple[object, ...], list[Explanation]] = {}
    for each in explanations:
        outcomes = tuple(alternative.value for alternative in each.alternatives)
        groups.setdefault((each.value, each.rule, each.because, outcomes), []).append(each)
    click.echo(f"{file}: {call}")
    for members in groups.values():
        first = members[0]
        names = _names([each.abi.name for each in members], everywhere=len(groups) == 1)
        if first.alternatives:
            click.echo(f"  {names}: depends on arguments that you did not give")
            answers = [actions.describe(each.value) for each in first.alternatives]
            width = max(12, *map(len, answers))
            for answer, alternative in zip(answers, first.alternatives, strict=True):
                click.echo(f"    {answer:{width}}  such as {alternative.example}")
            continue
        click.echo(f"  {names}: {actions.describe(first.value)}")
        place = _place(first, subject)
        if place is not None:
            click.echo(f"    decided by {_rule_text(first, subject)}at {place[0]}")
            if place[1]:
                click.echo(f"      {place[1]}")
        elif first.because:
            click.echo(f"    {first.because}")


def _names(names: list[str], *, everywhere: bool) -> str:
    """The architectures of one answer, short where it is that of all."""
    if everywhere and len(names) > 3:
        return f"all {len(names)} architectures"
    return textwrap.fill(", ".join(names), 74, subsequent_indent="    ")


def _place(explanation: Explanation, subject: _Subject) -> tuple[str, str] | None:
    """file:line:column of the deciding rule, and its line."""
    at: Location | None = None
    if explanation.rule is None:
        return None
    if subject.policy is not None and subject.policy.seccomp is not None:
        rule = subject.policy.seccomp.rules[explanation.rule]
        at = next((c.at for c in rule.calls if c.text == explanation.call.name), rule.at)
    elif subject.profile is not None:
        at = subject.profile.entries[explanation.rule].at
    return None if at is None else (str(at), at.source.line(at.line).strip()[:72])


def _rule_text(explanation: Explanation, subject: _Subject) -> str:
    if explanation.rule is None or subject.policy is None or subject.policy.seccomp is None:
        return "the entry "
    rule = subject.policy.seccomp.rules[explanation.rule]
    group = next((c.group for c in rule.calls if c.text == explanation.call.name), None)
    return f"{rule.route}{f', through {group},' if group else ''} "


def _document(explanation: Explanation, subject: _Subject) -> dict[str, object]:
    place = _place(explanation, subject)
    return {
        "architecture": explanation.abi.name,
        "call": explanation.call.name,
        "number": explanation.call.nr,
        "certain": not explanation.alternatives,
        "action": actions.describe(explanation.value) if not explanation.alternatives else None,
        "decided_at": place[0] if place else None,
        "because": explanation.because or None,
        "alternatives": [
            {"action": actions.describe(each.value), "example": each.example}
            for each in explanation.alternatives
        ],
    }
