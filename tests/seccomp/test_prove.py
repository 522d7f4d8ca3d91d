"""The prover: right about every program, and it finds what is wrong with the optimiser."""

import itertools
import random
import time
from collections.abc import Callable, Iterable

import pytest
from bpf_programs import INSTRUCTIONS, WORDS, mutants
from differential import ADMIN, BARE, Trial, answer, data, foreign_trials, resolved, trials
from hypothesis import given
from hypothesis import strategies as st
from random_policies import policies as drawn_policies

from stockade.meanings import abi_through, in_words, value_at
from stockade.policies import load, load_text
from stockade.policies.errors import InputError, TooComplexError
from stockade.policies.model import Policy
from stockade.seccomp import actions, bpf, optimize_tree, optimize_words
from stockade.seccomp.bpf import Instruction, Program
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build
from stockade.seccomp.check import check
from stockade.seccomp.diagram import Diagrams
from stockade.seccomp.filter import Environment, Filter
from stockade.seccomp.optimize import compile_filter
from stockade.seccomp.optimize_presets import PRESETS
from stockade.seccomp.prove import Call, difference, freedom, store, wider_call
from stockade.seccomp.prove_filter import meaning_of_filter
from stockade.seccomp.prove_program import meaning_of_program
from stockade.seccomp.simulate import SeccompData, simulate
from stockade.seccomp.syscalls import abi, family_of
from stockade.seccomp.targets import selected

X86 = Build(family_of(abi("x86_64")))
DOCKER = Environment(DOCKER_CAPABILITIES, (6, 18))
ABIS = ["x86_64", "x86", "x32"]
POLICIES = 2000


def docker_default(names: list[str]) -> Filter:
    return resolved(selected(load("docker-default").require(), names), X86, DOCKER)


def counterexample(program: Program, filter_: Filter) -> Call | None:
    """A call that a program answers differently from a filter; it really does."""
    diagrams = store()
    made = meaning_of_program(program, diagrams)
    meant = meaning_of_filter(filter_, diagrams)
    call = difference(diagrams, made, meant)
    if call is not None:
        seen = SeccompData(call.nr, call.arch, call.arguments, call.instruction_pointer)
        assert simulate(program, seen).value == value_at(diagrams, made, call)
        assert simulate(program, seen).value != value_at(diagrams, meant, call)
    return call


# --- what it says of policies -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["docker-default", "podman-default", "web"])
@pytest.mark.parametrize("preset", PRESETS)
def test_library_policies_are_proven(name: str, preset: str) -> None:
    filter_ = resolved(selected(load(name).require(), ABIS), X86, DOCKER)
    program = compile_filter(filter_, PRESETS[preset])
    start = time.process_time()
    assert counterexample(program, filter_) is None
    assert time.process_time() - start < 2  # some 0.1 s; more than that twenty times is a fault


@pytest.mark.parametrize(
    "names",
    [["aarch64", "arm"], ["s390x", "s390"], ["mips64", "mips", "mips64n32"], ["ppc64le"]],
    ids="+".join,
)
def test_other_machines_are_proven(names: list[str]) -> None:
    filter_ = docker_default(names)
    big_endian = filter_.abis[0].abi.big_endian
    diagrams = store()
    made = meaning_of_program(compile_filter(filter_), diagrams, big_endian=big_endian)
    assert made == meaning_of_filter(filter_, diagrams)
    other = meaning_of_program(compile_filter(filter_), diagrams, big_endian=not big_endian)
    assert made != other


def test_random_policies_are_proven(sound_policies: Iterable[tuple[str, Policy]]) -> None:
    presets = itertools.cycle(PRESETS.values())
    for text, policy in itertools.islice(sound_policies, POLICIES):
        filter_ = resolved(policy, X86, BARE)
        assert counterexample(compile_filter(filter_, next(presets)), filter_) is None, text


@given(drawn_policies(ABIS), st.sampled_from(sorted(PRESETS)), st.sampled_from([BARE, ADMIN]))
def test_drawn_policies_are_proven(text: str, preset: str, environment: Environment) -> None:
    """`make fuzz` runs this one for long."""
    loaded = load_text(text)
    if loaded.policy is None or loaded.problems or check(loaded.policy, X86):
        return
    filter_ = resolved(loaded.policy, X86, environment)
    assert counterexample(compile_filter(filter_, PRESETS[preset]), filter_) is None


def test_meanings_are_the_oracles(sound_policies: Iterable[tuple[str, Policy]]) -> None:
    """The filter's diagram against the evaluator that reads the policy itself."""
    dice = random.Random(3)
    asked = 0
    for text, policy in itertools.islice(sound_policies, 60):
        filter_ = resolved(policy, X86, BARE)
        diagrams = store()
        meaning = meaning_of_filter(filter_, diagrams)
        chosen: list[Trial] = list(dict.fromkeys(trials(filter_, every_number=False)))
        for trial in [*dice.sample(chosen, min(60, len(chosen))), *foreign_trials()]:
            call = Call(trial[0], trial[1], trial[2], ())
            assert value_at(diagrams, meaning, call) == answer(policy, X86, BARE, trial), text
            asked += 1
    assert asked > 2_500


# --- what it says of programs --------------------------------------------------------------------


@given(
    st.lists(INSTRUCTIONS, min_size=1, max_size=14),
    st.lists(st.lists(WORDS, min_size=16, max_size=16), min_size=3, max_size=3),
    st.booleans(),
)
def test_any_program_means_what_it_does(
    body: list[Instruction], calls: list[list[int]], big_endian: bool
) -> None:
    raw = bpf.encode([*body, Instruction(bpf.RET, k=5)], big_endian=False)
    try:
        program = bpf.decode(raw)
    except InputError:
        return
    diagrams = Diagrams(60_000)
    try:
        meaning = meaning_of_program(program, diagrams, big_endian=big_endian)
    except TooComplexError:
        return
    for words in calls:
        wide = [low | high << 32 for low, high in zip(words[2::2], words[3::2], strict=True)]
        seen = SeccompData(words[0], words[1], tuple(wide[1:]), wide[0])
        call = Call(words[1], words[0], tuple(wide[1:]), (), wide[0])
        expected = simulate(program, seen, big_endian=big_endian).value
        assert value_at(diagrams, meaning, call) == expected


def program(*instructions: tuple[int, ...]) -> Program:
    """(code, k), or (code, k, jt, jf)."""
    made = tuple(
        Instruction(code, *(rest[1:] if len(rest) == 3 else (0, 0)), rest[0])
        for code, *rest in instructions
    )
    return bpf.decode(bpf.encode(made, big_endian=False))


ALLOW = actions.ALLOW
EQUAL = [
    # nr == 5, said in several ways
    ((0x20, 0), (0x15, 5, 0, 1), (0x06, ALLOW), (0x06, 0)),
    ((0x20, 0), (0x14, 5), (0x15, 0, 0, 1), (0x06, ALLOW), (0x06, 0)),
    ((0x20, 0), (0xA4, 5), (0x45, 0xFFFFFFFF, 1, 0), (0x06, ALLOW), (0x06, 0)),
    ((0x01, 5), (0x20, 0), (0x1D, 0, 0, 1), (0x06, ALLOW), (0x06, 0)),
    ((0x20, 0), (0x02, 3), (0x00, 9), (0x60, 3), (0x24, 3), (0x15, 15, 0, 1), (0x06, ALLOW),
     (0x06, 0)),
    ((0x20, 0), (0x35, 5, 0, 2), (0x25, 5, 1, 0), (0x06, ALLOW), (0x06, 0)),
]  # fmt: skip


def test_the_same_said_otherwise() -> None:
    diagrams = store()
    meanings = [meaning_of_program(program(*each), diagrams) for each in EQUAL]
    assert len(set(meanings)) == 1


def test_what_the_kernel_ends_with_when_it_divides_by_zero() -> None:
    diagrams = store()
    divided = program((0x20, 16), (0x07, 0), (0x00, 8), (0x5C, 0), (0x06, ALLOW))
    assert diagrams.is_leaf(meaning_of_program(divided, diagrams))
    divided = program((0x20, 16), (0x07, 0), (0x00, 0), (0x3C, 0), (0x06, ALLOW))
    with pytest.raises(TooComplexError):
        meaning_of_program(divided, diagrams)


def test_wider_and_not() -> None:
    diagrams = store()
    values = [0, 0x00050001, actions.NOTIFY, actions.TRACE, actions.LOG, ALLOW]
    assert [freedom(value) for value in values] == [0, 0, 1, 1, 2, 2]
    least, some, more = (
        meaning_of_program(
            program((0x20, 0), (0x35, limit, 0, 1), (0x06, 0), (0x06, ALLOW)), diagrams
        )
        for limit in (0, 5, 9)
    )
    assert wider_call(diagrams, some, more) is None
    assert wider_call(diagrams, least, some) is None
    call = wider_call(diagrams, more, some)
    assert call is not None
    assert 5 <= call.nr < 9


def test_a_counterexample_in_words() -> None:
    filter_ = docker_default(ABIS)
    diagrams = store()
    wanted = diagrams.leaf(ALLOW)
    call = difference(diagrams, meaning_of_filter(filter_, diagrams), wanted)
    assert call is not None
    assert in_words(call)
    assert abi_through(Call(abi("x86_64").audit_arch, 1 << 30, (0,) * 6, ())) == abi("x32")


# --- mutants -------------------------------------------------------------------------------------


def test_mutants_of_programs_are_found(sound_policies: Iterable[tuple[str, Policy]]) -> None:
    """What differs on any call that is worth trying, the prover finds; what it proves, does not."""
    dice = random.Random(11)
    found = equal = 0
    for text, policy in itertools.islice(sound_policies, 40):
        filter_ = resolved(policy, X86, BARE)
        right = compile_filter(filter_, PRESETS[dice.choice(sorted(PRESETS))])
        chosen = list(dict.fromkeys([*trials(filter_, every_number=False), *foreign_trials()]))
        chosen = dice.sample(chosen, min(300, len(chosen)))
        for mutant in mutants(right, dice, 6):
            call = counterexample(mutant, filter_)
            if call is not None:
                found += 1
                continue
            equal += 1
            for trial in chosen:
                assert simulate(mutant, data(trial)).value == simulate(right, data(trial)).value, (
                    text
                )
    assert found > 200
    assert equal < 40  # such as `>= 5` for `> 4`


def test_no_mutant_of_docker_default_passes() -> None:
    filter_ = docker_default(["x86_64"])
    right = compile_filter(filter_)
    dice = random.Random(2)
    results = [counterexample(mutant, filter_) for mutant in mutants(right, dice, 80)]
    assert sum(result is None for result in results) <= 8


def wrong_taken_out(intervals, key, weight, top):
    _, rest = taken_out(intervals, key, weight, top)
    return rest[0].step, rest


def wrong_emit(graph, tree):
    if isinstance(tree, optimize_tree.Threshold):
        upper, lower = wrong_emit(graph, tree.upper), wrong_emit(graph, tree.lower)
        return graph.branch(bpf.JGT, tree.start, upper, lower)
    return emit(graph, tree)


def wrong_chain(self, i, j):
    self._single = [True] * len(self._single)
    return chain(self, i, j)


def wrong_free_bits(mask, pieces):
    return free_bits(mask, pieces) << 1 & mask


def wrong_same_register(one, other):
    return same_register(one, other) or type(one) is type(other) is type(ONE)


def wrong_upper_half(pieces):
    return [(start, last, below[:1]) for start, last, below in upper_half(pieces)]


def wrong_merged(intervals):
    whole = merged(intervals)
    return whole[:-1] if len(whole) > 2 else whole


def wrong_tree(self, mask, pieces):
    return tree_of(self, 0xFFFFFFFF, pieces)


taken_out, emit = optimize_tree._taken_out, optimize_tree._emit
chain, merged = optimize_tree._Programme._chain, optimize_tree.merged
free_bits, same_register = optimize_words._free_bits, optimize_words._same_register
upper_half, tree_of = optimize_words._by_upper_half, optimize_words.ArgumentSteps._tree
ONE = optimize_words.Member(0, 32, 1, ((0, 0),))

TWO_REGISTERS = """
stockade: 1
name: two-registers
seccomp:
  default: deny
  architectures: [x86_64]
  rules:
    - allow: socket
      when: family == AF_UNIX
    - log: socket
      when: type == SOCK_RAW
    - allow: lseek
      when: offset in 0x100000005..0x300000007
"""

FAULTS: list[tuple[object, str, Callable[..., object]]] = [
    (optimize_tree, "_taken_out", wrong_taken_out),
    (optimize_tree, "_emit", wrong_emit),
    (optimize_tree._Programme, "_chain", wrong_chain),
    (optimize_tree, "merged", wrong_merged),
    (optimize_words, "_free_bits", wrong_free_bits),
    (optimize_words, "_same_register", wrong_same_register),
    (optimize_words, "_by_upper_half", wrong_upper_half),
    (optimize_words.ArgumentSteps, "_tree", wrong_tree),
]


@pytest.mark.parametrize(("place", "name", "fault"), FAULTS, ids=[name for _, name, _ in FAULTS])
def test_a_faulty_optimiser_is_found(place, name, fault, monkeypatch, sound_policies) -> None:
    filters = [resolved(policy, X86, BARE) for _, policy in itertools.islice(sound_policies, 60)]
    filters += [docker_default(ABIS), resolved(load_text(TWO_REGISTERS).require(), X86, BARE)]
    monkeypatch.setattr(place, name, fault)

    def wrong(filter_: Filter) -> bool:
        for preset in PRESETS.values():
            try:
                if counterexample(compile_filter(filter_, preset), filter_) is not None:
                    return True
            except (IndexError, ValueError, StopIteration):
                return True  # it does not even come to an end
        return False

    assert any(map(wrong, filters))
