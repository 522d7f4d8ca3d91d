"""Every target's file is read back and proven; what is changed in it is found or not read."""

import contextlib
import itertools
import json
import random
import re
from collections.abc import Iterable
from dataclasses import replace

import pytest
from differential import ADMIN, BARE, answer, foreign_trials, resolved, trials
from minijail_policies import answer as minijail_answer
from minijail_policies import read_policy
from systemd_units import read_unit

from stockade.meanings import value_at
from stockade.policies import load, load_text
from stockade.policies.errors import InputError, InternalError, TargetError
from stockade.policies.model import Policy
from stockade.policies.source import Source
from stockade.proofs import prove_target
from stockade.readback import readings
from stockade.seccomp.build import Build
from stockade.seccomp.prove import Call, store
from stockade.seccomp.read_minijail import read_minijail
from stockade.seccomp.read_operator import read_operator
from stockade.seccomp.read_systemd import read_dropin
from stockade.seccomp.shortfalls import covered
from stockade.seccomp.syscalls import FAMILIES, abi, family_of, table
from stockade.seccomp.targets import TARGETS, Request, compile_targets, selected

X86 = Request(Build(family_of(abi("x86_64"))), BARE)

UNIT = """\
stockade: 1
name: unit
seccomp:
  default: deny
  newer: default
  architectures: [x86_64, x86]
  rules:
    - deny: [clone3, socketcall, ipc]
      with: ENOSYS
    - kill: [ptrace, process_vm_readv]
    - allow: ["@base", "@basic-io", socket, connect, execve]
"""
JAIL = """\
stockade: 1
name: jail
seccomp:
  default: kill-thread
  newer: default
  architectures: [x86_64]
  rules:
    - allow: [read, write]
    - deny: kcmp
      with: EACCES
      when: type in 4..1007 and pid1 & 7 != 7
    - allow: kcmp
    - allow: socket
      when: family in {AF_UNIX, AF_INET} and type & 0xf == 1
    - deny: [ptrace, bpf]
"""


def policy_for(target: str) -> Policy:
    if target in ("systemd", "minijail"):
        return load_text(UNIT if target == "systemd" else JAIL).require()
    return selected(load("docker-default").require(), ["x86_64", "x86"])


def compiled(target: str, policy: Policy, request: Request = X86) -> bytes:
    [(_, content)] = compile_targets(policy, [target], request)
    return content


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_proven(target: str) -> None:
    policy = policy_for(target)
    for request in (X86, replace(X86, environment=ADMIN)):
        proofs = prove_target(target, compiled(target, policy, request), policy, request)
        assert proofs
        assert all(proof.holds for proof in proofs), [proof.claim for proof in proofs]


@pytest.mark.parametrize("target", ["crun", "bwrap", "c", "podman", "kubernetes"])
def test_other_machines(target: str) -> None:
    for name in ("s390x", "aarch64"):
        request = Request(Build(family_of(abi(name))), BARE)
        policy = load("docker-default").require()
        proofs = prove_target(target, compiled(target, policy, request), policy, request)
        assert all(proof.holds for proof in proofs), name


def test_random_policies(sound_policies: Iterable[tuple[str, Policy]]) -> None:
    proven = dict.fromkeys(("podman", "kubernetes", "kubernetes-spo", "c"), 0)
    for text, policy in itertools.islice(sound_policies, 24):
        for target in proven:
            with contextlib.suppress(TargetError):
                content = compiled(target, policy)
                proofs = prove_target(target, content, policy, X86)
                assert all(proof.holds for proof in proofs), (target, text)
                proven[target] += 1
    assert min(proven.values()) > 2, proven


@pytest.mark.parametrize("target", ["podman", "kubernetes", "systemd", "minijail"])
def test_sides_answer_as_their_diagrams_do(target: str) -> None:
    """At every number and edge: what is proven is what is evaluated, and what the oracle says."""
    policy = policy_for(target)
    filter_ = resolved(policy, X86.build, BARE)
    dice = random.Random(5)
    chosen = [*trials(filter_), *foreign_trials()]
    edges = [each for each in chosen if each[1] >> 30]
    for reading in readings(target, compiled(target, policy), policy, X86):
        diagrams = store()
        side = reading.side(diagrams)
        left_out = covered(diagrams, filter_, reading.shortfalls)
        differ = 0
        for trial in [*edges, *dice.sample(chosen, 150)]:
            call = Call(*trial, ())
            said = side.ask(diagrams, call).value
            if said != answer(policy, X86.build, BARE, trial):
                differ += 1
                assert value_at(diagrams, left_out, call) == 1, trial
        assert (differ > 0) is bool(reading.shortfalls), reading.name


# --- mutants -------------------------------------------------------------------------------------


def _character(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text))
    return text[:at] + dice.choice("abc0159&|=;:,{}~\n ") + text[at + 1 :]


def _line(text: str, dice: random.Random) -> str:
    lines = text.splitlines(True)
    lines.pop(dice.randrange(len(lines)))
    return "".join(lines)


def _digit(text: str, dice: random.Random) -> str:
    places = [match.start() for match in re.finditer(r"\d", text)]
    at = dice.choice(places)
    return text[:at] + dice.choice("0123456789") + text[at + 1 :]


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in ("bpf", "docker")])
def test_a_changed_file_is_not_proven(target: str) -> None:
    """Except where the change means nothing: a comment, a blank, what some other line says too."""
    policy = policy_for(target) if target in ("systemd", "minijail") else load_text(
        JAIL.replace("kill-thread\n  newer: default", "deny").replace("type in", "pid1 != 5\n#")
    ).require()  # fmt: skip
    right = compiled(target, policy).decode()
    dice = random.Random(4)
    found = same = 0
    for change in itertools.islice(itertools.cycle([_character, _line, _digit]), 24):
        wrong = change(right, dice)
        if wrong == right:
            continue
        try:
            proofs = prove_target(target, wrong.encode(), policy, X86)
        except InternalError:
            found += 1
            continue
        if all(proof.holds for proof in proofs):
            same += 1
            assert _answers(target, wrong) == _answers(target, right), wrong
        else:
            found += 1
    assert found > 8


def _answers(target: str, text: str) -> object:
    """What the tests' own readers make of a file, where there are some."""
    x86_64, trials_ = abi("x86_64"), trials(resolved(policy_for("minijail"), X86.build, BARE))
    if target == "minijail":
        read = read_policy(text, x86_64)
        return [minijail_answer(read, x86_64, *trial) for trial in trials_]
    if target == "systemd":
        present = {name for each in X86.build.family.abis for name in table(each).by_name}
        read = read_unit(text, present)
        return {name: value for name, value in read.rules().items() if name in present}
    return None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"SCMP_ACT_ALLOW"', '"SCMP_ACT_LOG"'),
        ('"read"', '"mount"'),
        ('"SCMP_ARCH_X86"', '"SCMP_ARCH_X32"'),
        ('"errnoRet": 38', '"errnoRet": 1'),
    ],
)
def test_a_changed_kubernetes_profile_is_refuted(old: str, new: str) -> None:
    policy = policy_for("kubernetes")
    right = compiled("kubernetes", policy).decode()
    assert old in right
    wrong = right.replace(old, new, 1)
    proofs = prove_target("kubernetes", wrong.encode(), policy, X86)
    assert any(proof.counterexample for proof in proofs)


def test_a_new_target_is_not_proven_until_it_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    target = replace(TARGETS["bpf"], name="later", suffix=".later")
    monkeypatch.setitem(TARGETS, "later", target)
    [proof] = prove_target("later", b"", policy_for("bpf"), X86)
    assert not proof.holds
    assert "nothing here reads this form back" in proof.undecided


# --- readers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["read", "read: 1\nread: 1", "nosuchcall: 1", "read: allow", "read: return 4096",
     "read: arg6 == 1", "read: arg0 == 010", "read: arg0 == O_RDONLY", "@include x",
     "read: arg0 == 0x10000000000000000", "read: 1; return 1", "read: return EPERM"],
)  # fmt: skip
def test_minijail_lines_that_are_not_read(line: str) -> None:
    with pytest.raises(InputError):
        read_minijail(Source("x.policy", line + "\n"), abi("x86_64"))


def unit(*lines: str) -> str:
    return "[Service]\n" + "".join(f"{line}\n" for line in lines)


X64 = "SystemCallArchitectures=x86-64"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([X64], "no SystemCallFilter="),
        (["SystemCallFilter=~ptrace"], "with SystemCallArchitectures="),
        ([X64, "SystemCallFilter=@system-service"], "cannot be read"),
        ([X64, "SystemCallFilter=read:EPERM"], "cannot be read"),
        ([X64, "SystemCallFilter=~read:EWHAT"], "neither an errno nor `kill`"),
        ([X64, "SystemCallFilter=~read:" + "9" * 5000], "neither an errno nor `kill`"),
        ([X64, "SystemCallFilter=~read", "NoNewPrivileges=yes"], "does not write"),
        ([X64, "SystemCallFilter=read"], "depends on what systemd's release has"),
        (["SystemCallArchitectures=vax", "SystemCallFilter=~read"], "an architecture"),
        ([X64, "SystemCallErrorNumber=EPERM", "SystemCallFilter=read", "SystemCallFilter=~x:EPERM"],
         "a rule for the default"),
    ],
)  # fmt: skip
def test_drop_ins_that_are_not_read(lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        read_dropin(Source("x.conf", unit(*lines)), abi("x86_64"))


def test_every_family_has_its_own_words() -> None:
    """What is written for one kind of machine is read for that one."""
    proven = 0
    policy = load_text(UNIT.replace("  architectures: [x86_64, x86]\n", "")).require()
    for family in FAMILIES:
        request = Request(Build(family), BARE)
        with contextlib.suppress(TargetError):
            proofs = prove_target("systemd", compiled("systemd", policy, request), policy, request)
            assert all(proof.holds for proof in proofs), family.native.name
            proven += 1
    assert proven > 2


def test_crun_reads_one_program() -> None:
    policy = policy_for("crun")
    document = json.loads(compiled("crun", policy))
    doubled = '{"annotations": {}, ' + json.dumps(document)[1:]
    with pytest.raises(InternalError, match="twice"):
        prove_target("crun", doubled.encode(), policy, X86)


@pytest.mark.parametrize(
    "text",
    [
        "kind: SeccompProfile\n",
        "kind: SeccompProfile\nspec: [1]\n",
        "kind: SeccompProfile\nspec: {}\nspec: {}\n",
        "kind: SeccompProfile\nspec: {defaultAction: &a b}\n",
        "kind: SeccompProfile\nspec: {defaultAction: 2026-13-45}\n",
        "kind: SeccompProfile\nspec: {defaultAction: " + "9" * 5000 + "}\n",
        "kind: Pod\nspec: {}\n",
    ],
)
def test_resources_that_are_not_read(text: str) -> None:
    with pytest.raises(InputError):
        read_operator(Source("x.yaml", text))
