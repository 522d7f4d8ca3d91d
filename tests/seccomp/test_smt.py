"""The second engine: right about policies and programs, and of one mind with the first."""

import itertools
import random
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

import pytest
from bpf_programs import INSTRUCTIONS, WORDS, mutants
from differential import ADMIN, BARE, answer, data, foreign_trials, resolved, trials
from hypothesis import given, settings
from hypothesis import strategies as st

from stockade.policies import load, load_text
from stockade.policies.errors import InputError, TooComplexError
from stockade.policies.model import Policy
from stockade.proofs import Z3, prove, prove_programs
from stockade.readback import readings
from stockade.seccomp import bpf, smt
from stockade.seccomp.bpf import Instruction, Program
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build
from stockade.seccomp.filter import Environment
from stockade.seccomp.optimize import compile_filter
from stockade.seccomp.optimize_presets import PRESETS
from stockade.seccomp.prove import Call, difference, freedom, store, wider_call
from stockade.seccomp.prove_filter import meaning_of_filter
from stockade.seccomp.prove_program import meaning_of_program
from stockade.seccomp.simulate import SeccompData, simulate
from stockade.seccomp.smt_policy import filter_term, policy_term
from stockade.seccomp.smt_program import program_term
from stockade.seccomp.syscalls import abi, family_of
from stockade.seccomp.targets import Request, compile_targets, selected

pytest.importorskip("z3")

X86 = Build(family_of(abi("x86_64")))
DOCKER = Environment(DOCKER_CAPABILITIES, (6, 18))
ABIS = ["x86_64", "x86", "x32"]


@pytest.mark.parametrize("name", ["docker-default", "podman-default", "web"])
def test_library_policies_are_proven(name: str) -> None:
    policy = load(name).require()
    for environment in (BARE, DOCKER)[name != "docker-default" :]:
        start = time.process_time()
        proofs = prove_programs(policy, Request(X86, environment), engine=Z3)
        assert [(each.holds, each.by) for each in proofs] == [(True, Z3)] * len(PRESETS)
        print(f"{name}: three programs by z3 in {time.process_time() - start:.2f} s")


@pytest.mark.parametrize("names", [["aarch64", "arm"], ["s390x", "s390"], ["mips64", "mips"]])
def test_other_machines_are_proven(names: list[str]) -> None:
    native = abi(names[0])
    build = Build(family_of(native))
    policy = selected(load("docker-default").require(), names)
    program = compile_filter(resolved(policy, build, DOCKER))
    known = smt.symbols()
    meant = policy_term(policy, build, DOCKER)(known)
    right, wrong = (
        program_term(program, big_endian=order)(known)
        for order in (native.big_endian, not native.big_endian)
    )
    assert smt.solve(known, right, meant) is None
    assert smt.solve(known, wrong, meant) is not None


def test_both_engines_agree(sound_policies: Iterable[tuple[str, Policy]]) -> None:
    """On random policies and on mutants of their programs; counterexamples really are ones."""
    dice = random.Random(8)
    refuted = 0
    for text, policy in itertools.islice(sound_policies, 36):
        filter_ = resolved(policy, X86, BARE)
        right = compile_filter(filter_, PRESETS[dice.choice(sorted(PRESETS))])
        known, diagrams = smt.symbols(), store()
        meant, node = policy_term(policy, X86, BARE)(known), meaning_of_filter(filter_, diagrams)
        for program in (right, *mutants(right, dice, 4)):
            term = program_term(program)(known)
            made = meaning_of_program(program, diagrams)
            call = smt.solve(known, term, meant)
            assert (call is None) is (difference(diagrams, made, node) is None), text
            assert call is None or program is not right, text
            wider = smt.solve(known, term, meant, no_wider=True)
            assert (wider is None) is (wider_call(diagrams, made, node) is None), text
            for found in (call, wider):
                if found is not None:
                    refuted += 1
                    trial = found.arch, found.nr, found.arguments
                    # A mutant may look at the instruction pointer, which no policy does.
                    shown = replace(data(trial), instruction_pointer=found.instruction_pointer)
                    said, wanted = (
                        simulate(program, shown).value,
                        answer(policy, X86, BARE, trial),
                    )
                    assert said != wanted, text
                    assert found is call or freedom(said) > freedom(wanted), text
    assert refuted > 100


def test_policies_mean_what_the_oracle_says(
    sound_policies: Iterable[tuple[str, Policy]],
) -> None:
    dice = random.Random(6)
    known = smt.symbols()
    for text, policy in itertools.islice(sound_policies, 25):
        filter_ = resolved(policy, X86, ADMIN)
        terms = policy_term(policy, X86, ADMIN)(known), filter_term(filter_)(known)
        chosen = list(trials(filter_, every_number=False))
        for trial in [*dice.sample(chosen, min(12, len(chosen))), *foreign_trials()[:2]]:
            expected = answer(policy, X86, ADMIN, trial)
            for term in terms:
                assert smt.value_of(known, term, Call(*trial, ())) == expected, text


@settings(max_examples=60)
@given(
    st.lists(INSTRUCTIONS, min_size=1, max_size=14),
    st.lists(WORDS, min_size=16, max_size=16),
    st.booleans(),
)
def test_any_program_means_what_it_does(
    body: list[Instruction], words: list[int], big_endian: bool
) -> None:
    try:
        program = bpf.decode(bpf.encode([*body, Instruction(bpf.RET, k=5)], big_endian=False))
    except InputError:
        return
    known = smt.symbols()
    wide = [low | high << 32 for low, high in zip(words[2::2], words[3::2], strict=True)]
    seen = SeccompData(words[0], words[1], tuple(wide[1:]), wide[0])
    call = Call(words[1], words[0], tuple(wide[1:]), (), wide[0])
    term = program_term(program, big_endian=big_endian)(known)
    expected = simulate(program, seen, big_endian=big_endian).value
    assert smt.value_of(known, term, call) == expected


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
    - allow: ["@base", "@basic-io", socket, connect, execve]
"""


@pytest.mark.parametrize("target", ["podman", "kubernetes", "systemd"])
def test_what_consumers_fall_short_of(target: str) -> None:
    request = Request(X86, BARE, ("x86_64", "x86"))
    policy = load("docker-default") if target != "systemd" else load_text(UNIT)
    policy = policy.require()
    [(_, content)] = compile_targets(policy, [target], request)
    for reading in readings(target, content, policy, request):
        assert reading.shortfalls or "runc" in reading.name
        equal = prove(reading.name, partial(reading.sides, request, False), engine=Z3)
        assert equal.holds
        less = prove(reading.name, partial(reading.sides, request, True), no_wider=True, engine=Z3)
        assert less.holds
        whole = prove(reading.name, partial(reading.sides, request, True), engine=Z3)
        assert whole.holds is not bool(reading.shortfalls)


def mixed(offset: int) -> list[tuple[int, int]]:
    """A hash of one word, kept in A: no two words have the same."""
    step = [(0x24, 0x85EBCA77), (0x07, 0), (0x74, 13), (0xAC, 0)]
    return [(0x20, offset), *step * 4]


def test_what_takes_too_long_is_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """That two words with the same hash are the same word."""
    body = [*mixed(16), (0x02, 0), *mixed(24), (0x61, 0)]
    jump = Instruction(0x1D, 0, 4)
    same = [Instruction(0x20, k=16), Instruction(0x07), Instruction(0x20, k=24)]
    program: Program = (
        *(Instruction(code, k=k) for code, k in body),
        jump,
        *same,
        Instruction(0x1D, 0, 1),
        Instruction(bpf.RET, k=0),
        Instruction(bpf.RET, k=0x7FFF0000),
    )
    program = bpf.decode(bpf.encode(program, big_endian=False))
    monkeypatch.setattr(smt, "SECONDS", 0.001)
    known = smt.symbols()
    with pytest.raises(TooComplexError):
        smt.solve(known, program_term(program)(known), known.number(0x7FFF0000))
