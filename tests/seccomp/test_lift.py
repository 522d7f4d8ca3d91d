"""Policies made of programs and profiles: proven to mean what they were made from."""

import itertools
from collections.abc import Iterable

import pytest
from differential import BARE, resolved

from stockade.policies import load, load_text
from stockade.policies.errors import InputError
from stockade.policies.model import Policy
from stockade.seccomp import actions
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build
from stockade.seccomp.check import check
from stockade.seccomp.diagram import Diagrams
from stockade.seccomp.filter import Environment
from stockade.seccomp.lift import lift
from stockade.seccomp.optimize import compile_filter
from stockade.seccomp.prove import store
from stockade.seccomp.prove_filter import meaning_of_filter
from stockade.seccomp.prove_program import meaning_of_program
from stockade.seccomp.prove_regions import changes
from stockade.seccomp.syscalls import abi, family_of
from stockade.seccomp.targets import selected

X86 = Build(family_of(abi("x86_64")))
DOCKER = Environment(DOCKER_CAPABILITIES, (6, 18))
POLICIES = 60


def read_back(diagrams: Diagrams, text: str) -> int:
    policy = load_text(text).require()
    assert not check(policy, X86), text
    return meaning_of_filter(resolved(policy, X86, BARE), diagrams)


@pytest.mark.parametrize("name", ["docker-default", "podman-default", "web"])
@pytest.mark.parametrize(
    "abis",
    [["x86_64", "x86", "x32"], ["x86_64"], ["aarch64", "arm"], ["mips64", "mips", "mips64n32"]],
    ids="+".join,
)
def test_library_policies_come_back(name: str, abis: list[str]) -> None:
    policy = load(name).require()
    assert policy.seccomp is not None
    named = [each.text for each in policy.seccomp.architectures or ()]
    if named and not set(abis) <= set(named):
        return
    diagrams = store()
    program = compile_filter(resolved(selected(policy, abis), X86, DOCKER))
    big_endian = abi(abis[0]).big_endian
    meaning = meaning_of_program(program, diagrams, big_endian=big_endian)
    text = lift(diagrams, meaning, "again")
    assert "@" in text
    assert read_back(diagrams, text) == meaning


def test_random_policies_come_back(sound_policies: Iterable[tuple[str, Policy]]) -> None:
    for text, policy in itertools.islice(sound_policies, POLICIES):
        diagrams = store()
        meaning = meaning_of_filter(resolved(policy, X86, BARE), diagrams)
        lifted = lift(diagrams, meaning, "again")
        assert read_back(diagrams, lifted) == meaning, f"{text}\n{lifted}"


def test_differences_of_random_policies_are_complete(
    sound_policies: Iterable[tuple[str, Policy]],
) -> None:
    """Where no change is said to be, both answer alike; what is said names both answers."""
    chosen = [policy for _, policy in itertools.islice(sound_policies, 12)]
    for old, new in itertools.pairwise(chosen):
        diagrams = store()
        before, after = (
            meaning_of_filter(resolved(each, X86, BARE), diagrams) for each in (old, new)
        )
        found = list(changes(diagrams, before, after))
        assert bool(found) is (before != after)
        assert all(each.before != each.after for each in found)
        for each in found:
            assert each.names
            assert each.kind in ("widened", "narrowed", "changed")
        back = {
            (each.arch, each.first, each.before, each.after)
            for each in changes(diagrams, after, before)
        }
        assert back == {(each.arch, each.first, each.after, each.before) for each in found}


def test_what_no_policy_can_say() -> None:
    diagrams = store()
    with pytest.raises(InputError, match="every call is killed"):
        lift(diagrams, diagrams.leaf(actions.KILL_THREAD), "nothing")
    with pytest.raises(InputError, match="no policy can give the answer"):
        lift(diagrams, diagrams.leaf(0x12340000), "odd")
