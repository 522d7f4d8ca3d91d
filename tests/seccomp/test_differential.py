"""Oracle against simulator: every number, every architecture, every boundary value."""

import pytest
from differential import ADMIN, BARE, Trial, answer, data, foreign_trials, resolved, trials
from hypothesis import assume, given
from hypothesis import strategies as st
from random_policies import policies

from stockade.policies import load, load_text
from stockade.policies.model import Policy
from stockade.seccomp.build import Build, named_abis
from stockade.seccomp.check import check
from stockade.seccomp.filter import Environment
from stockade.seccomp.optimize import compile_filter
from stockade.seccomp.optimize_presets import PRESETS, Preset
from stockade.seccomp.simulate import simulate
from stockade.seccomp.syscalls import FAMILIES, abi, family_of
from stockade.seccomp.targets import selected

X86 = Build(family_of(abi("x86_64")))
NATIVE = [family.native.name for family in FAMILIES]


def differences(
    policy: Policy, build: Build, environment: Environment, preset: Preset
) -> list[str]:
    """Calls that program and oracle answer differently, said so that they can be repeated."""
    filter_ = resolved(policy, build, environment)
    program = compile_filter(filter_, preset)
    big_endian = filter_.abis[0].abi.big_endian
    found = []
    seen: dict[Trial, None] = dict.fromkeys([*trials(filter_), *foreign_trials()])
    for trial in seen:
        expected = answer(policy, build, environment, trial)
        got = simulate(program, data(trial), big_endian=big_endian).value
        if got != expected:
            found.append(f"{trial}: oracle {expected:#x}, program {got:#x}")
    return found


@pytest.mark.parametrize("native", NATIVE)
@pytest.mark.parametrize("environment", [BARE, ADMIN], ids=["bare", "admin"])
@pytest.mark.parametrize(
    ("name", "preset"),
    [("docker-default", "cached"), ("podman-default", "legacy"), ("web", "size")],
)
def test_library_policy(name: str, preset: str, native: str, environment: Environment) -> None:
    build = Build(family_of(abi(native)))
    policy = load(name).require()
    named = {each.name for each in named_abis(policy.seccomp, build)} if policy.seccomp else set()
    here = [each.name for each in build.family.abis if each.name in named]
    if not here:  # podman-default and web are not for every architecture
        assert name != "docker-default"
        return
    policy = selected(policy, here)
    assert differences(policy, build, environment, PRESETS[preset]) == []


@pytest.mark.parametrize(
    "architectures",
    [
        ["x86_64"], ["x86"], ["x32"], ["x86_64", "x32"], ["x86_64", "x86"],
        ["x86_64", "x86", "x32"], ["aarch64", "arm"], ["s390x", "s390"], ["mips64", "mips"],
        ["mipsel64n32", "mipsel"], ["ppc64le"], ["riscv64"],
    ],
    ids="+".join,
)  # fmt: skip
def test_random_policies(architectures: list[str]) -> None:
    @given(policies(architectures), st.sampled_from(sorted(PRESETS)))
    def compare(text: str, preset: str) -> None:
        loaded = load_text(text)
        policy = loaded.policy
        assume(policy is not None and not loaded.problems)
        assert policy is not None
        assume(not check(policy, X86))
        for environment in (BARE, ADMIN):
            assert differences(policy, X86, environment, PRESETS[preset]) == []

    compare()
