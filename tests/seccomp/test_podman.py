"""The Podman profile, under runc and under crun, means what the policy means.

The one thing that may differ is said by the note: numbers that are no calls, or under crun those
newer than the profile.
"""

import contextlib
import json
import random
from dataclasses import replace

import pytest
from differential import ADMIN, BARE, answer, data, resolved, trials
from random_policies import policy as random_policy
from systemd_units import unknown_calls

from stockade.policies import load, load_text
from stockade.policies.errors import TargetError
from stockade.policies.model import Policy
from stockade.policies.source import Source
from stockade.seccomp import actions, runc
from stockade.seccomp.build import Build
from stockade.seccomp.check import check
from stockade.seccomp.diagram import Diagrams
from stockade.seccomp.filter import Filter
from stockade.seccomp.interpret import interpret
from stockade.seccomp.numbers import NO_CALL, abi_of, last_number
from stockade.seccomp.profile import Profile
from stockade.seccomp.read_profile import read_profile
from stockade.seccomp.simulate import simulate
from stockade.seccomp.syscalls import abi, family_of, table
from stockade.seccomp.targets import Request, compile_targets, selected

X86 = Build(family_of(abi("x86_64")))
ALL = ["x86_64", "x86", "x32"]
POLICIES = 10
GAPS, CRUN = "numbers that are no calls", "crun answers"


def compiled(policy: Policy, architectures: tuple[str, ...] = ()) -> tuple[str, str]:
    """The profile and the note."""
    request = Request(X86, BARE, architectures)
    [(target, content)] = compile_targets(policy, ["podman"], request)
    return content.decode(), target.note(policy, request, content)


def read(text: str) -> Profile:
    found = read_profile(Source("profile.json", text))
    assert (found.errors, found.ignored) == ((), ())
    assert found.profile is not None
    return found.profile


def differences(ours: Filter, theirs: Filter, note: str, *, crun: bool) -> list[str]:
    diagrams, wrong = Diagrams(), []
    for mine in ours.abis:
        other = theirs.of(mine.abi)
        assert other is not None
        newer = other.default if crun else other.newer
        if newer != mine.newer and not (crun and note.startswith(CRUN)):
            wrong.append(f"{mine.abi.name} newer: {newer:#x}")
        if actions.lets_run(newer) and not actions.lets_run(mine.newer):
            wrong.append(f"{mine.abi.name} newer calls run")
        if other.default != mine.default:
            gap_is_newer = other.default == mine.newer and note.startswith(GAPS)
            if not gap_is_newer or actions.lets_run(other.default):
                wrong.append(f"{mine.abi.name} gaps: {other.default:#x}")
        for nr, name in table(mine.abi).by_number.items():
            left = diagrams.clauses(mine.calls.get(nr, ()), mine.default)
            if diagrams.clauses(other.calls.get(nr, ()), other.default) != left:
                wrong.append(f"{mine.abi.name} {name}")
    return wrong


def compare(policy: Policy) -> str:
    """Nothing differs but what the note says; the note."""
    text, note = compiled(policy)
    profile = read(text)
    for environment in (BARE, replace(ADMIN, kernel=(4, 7))):
        # Podman settles the kernel when it is compiled, capabilities when a container starts.
        ours = resolved(policy, X86, replace(environment, kernel=BARE.kernel))
        theirs = interpret(profile, X86.family, environment)
        for crun in (False, True):
            assert differences(ours, theirs, note, crun=crun) == []
    return note


@pytest.mark.parametrize(
    ("name", "note"), [("docker-default", GAPS), ("podman-default", ""), ("web", CRUN)]
)
def test_library_policies(name: str, note: str) -> None:
    policy = load(name).require()
    policy = selected(policy, [a for a in ALL if name != "web" or a != "x32"])
    assert compare(policy).startswith(note)
    assert bool(note) is bool(compiled(policy)[1])


def test_docker_default_is_written_as_podmans_own_profile() -> None:
    text, _ = compiled(load("docker-default").require())
    document = json.loads(text)
    assert (document["defaultAction"], document["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    eperm = [entry for entry in document["syscalls"] if entry.get("errnoRet") == 1]
    named = {name for entry in eperm for name in entry["names"]}
    assert {"bpf", "kexec_load", "mount"} <= named
    assert "minKernel" not in text
    assert "listenerPath" not in text


def test_random_policies() -> None:
    dice = random.Random(5)
    notes: list[str] = []
    while len(notes) < POLICIES:
        loaded = load_text(random_policy(dice.choice, dice.choice([ALL[:2], ALL[:1], ALL])))
        if loaded.policy is None or loaded.problems or check(loaded.policy, X86):
            continue
        with contextlib.suppress(TargetError):
            notes.append(compare(loaded.policy))
    assert {note[:20] for note in notes} >= {"", GAPS[:20]}


def program_differences(policy: Policy) -> list[str]:
    """Where the program that runc makes of the profile differs from the policy, gaps apart."""
    text, note = compiled(policy)
    profile, native = read(text), abi("x86_64")
    # What containers/common hands to the runtime of a container without capabilities.
    [(_, sub)] = [pair for pair in profile.arch_map if pair[0] == native.scmp]
    entries = tuple(
        entry
        for entry in profile.entries
        if not entry.includes.capabilities
        and native.docker not in entry.excludes.architectures
        and (not entry.includes.architectures or native.docker in entry.includes.architectures)
    )
    section = replace(profile, entries=entries, arch_map=(), architectures=(native.scmp, *sub))
    program = runc.compile_profile(section, native)
    wrong, unknown = [], unknown_calls(tuple(ALL))
    filter_ = resolved(policy, X86, BARE)
    abis = [each.abi for each in filter_.abis]
    for trial in dict.fromkeys(trials(filter_)):
        expected, got = answer(policy, X86, BARE, trial), simulate(program, data(trial)).value
        mine = abi_of(trial[0], trial[1], abis)
        gap = trial[1] == NO_CALL or (
            mine and trial[1] not in table(mine).by_number and trial[1] < last_number(mine)
        )
        if trial[:2] in unknown or (gap and note.startswith(GAPS)):
            assert got == profile.default or got == expected or not actions.lets_run(got)
        elif got != expected:
            wrong.append(f"{trial}: oracle {expected:#x}, libseccomp {got:#x}")
    return wrong


@pytest.mark.libseccomp
@pytest.mark.parametrize("name", ["docker-default", "podman-default", "web"])
def test_library_policies_through_libseccomp(name: str) -> None:
    pytest.importorskip("pyseccomp")
    policy = load(name).require()
    policy = selected(policy, [a for a in ALL if name != "web" or a != "x32"])
    assert program_differences(policy) == []


@pytest.mark.libseccomp
def test_random_policies_through_libseccomp() -> None:
    pytest.importorskip("pyseccomp")
    dice = random.Random(11)
    compared = 0
    while compared < POLICIES:
        text = random_policy(dice.choice, dice.choice([ALL, ALL[:2], ALL[:1]]))
        loaded = load_text(text)
        if loaded.policy is None or loaded.problems or check(loaded.policy, X86):
            continue
        with contextlib.suppress(TargetError):
            assert program_differences(loaded.policy) == [], text
            compared += 1


HEAD = "stockade: 1\nname: p\nseccomp:\n  default: deny\n  architectures: [x86_64]\n  rules:\n"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("    - notify: brk\n", "Podman does not read listenerPath"),
        ("    - allow: kcmp\n      when: pid1 == 1 and pid2 == 2 and type == 3\n", "more than 2"),
    ],
)
def test_what_cannot_be_said_is_refused(rules: str, message: str) -> None:
    with pytest.raises(TargetError) as raised:
        compiled(load_text(HEAD + rules).require())
    assert message in raised.value.problems[0].message
    assert raised.value.problems[0].message.startswith("podman: ")


def test_newer_calls_must_be_enosys() -> None:
    text = HEAD.replace("  rules:", "  newer: EPERM\n  rules:") + "    - allow: brk\n"
    with pytest.raises(TargetError, match="runc answers ENOSYS to every number newer"):
        compiled(load_text(text).require())
