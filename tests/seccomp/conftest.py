"""Random policies that several tests share: making them takes longer than using them."""

import random
from collections.abc import Iterator

import pytest
from random_policies import policy as random_policy

from stockade.policies import load_text
from stockade.policies.model import Policy
from stockade.seccomp.build import Build
from stockade.seccomp.check import check
from stockade.seccomp.syscalls import abi, family_of

X86 = Build(family_of(abi("x86_64")))
ABIS = [["x86_64", "x86", "x32"], ["x86_64", "x86"], ["x86_64"]]


class SoundPolicies:
    """Endless sound policies for x86 machines with their texts, the same on every run."""

    def __init__(self) -> None:
        self._dice = random.Random(1)
        self._made: list[tuple[str, Policy]] = []

    def __iter__(self) -> Iterator[tuple[str, Policy]]:
        position = 0
        while True:
            while position == len(self._made):
                self._try()
            yield self._made[position]
            position += 1

    def _try(self) -> None:
        text = random_policy(self._dice.choice, self._dice.choice(ABIS))
        loaded = load_text(text)
        if loaded.policy is not None and not loaded.problems and not check(loaded.policy, X86):
            self._made.append((text, loaded.policy))


@pytest.fixture(scope="session")
def sound_policies() -> SoundPolicies:
    """(text, policy) for ever."""
    return SoundPolicies()
