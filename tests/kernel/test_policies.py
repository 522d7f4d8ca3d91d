"""Oracle against the running kernel: every number of three ABIs, every boundary value."""

import random
from collections.abc import Callable

import pytest
from differential import ADMIN, BARE, Trial, answer, resolved, trials
from random_policies import policy as random_policy

from stockade.policies import load, load_text
from stockade.policies.model import Policy
from stockade.seccomp import bpf
from stockade.seccomp.build import Build
from stockade.seccomp.check import check
from stockade.seccomp.filter import Environment
from stockade.seccomp.optimize import compile_filter
from stockade.seccomp.optimize_presets import PRESETS
from stockade.seccomp.syscalls import abi, family_of
from stockade.seccomp.targets import selected

pytestmark = pytest.mark.kernel

X86 = Build(family_of(abi("x86_64")))
ABIS = ["x86_64", "x86", "x32"]
UNFILTERABLE = (335, 336)

Verdicts = Callable[..., list[int]]
Rewrite = Callable[[bytes], tuple[bytes, dict[int, int]]]


def compare(
    policy: Policy,
    environment: Environment,
    verdicts: Verdicts,
    rewrite: Rewrite,
    int80: int,
    *,
    every_number: bool,
    preset: str = "cached",
) -> int:
    """Asserts that the kernel answers as the oracle does; gives the number of calls made."""
    filter_ = resolved(policy, X86, environment)
    raw = bpf.encode(compile_filter(filter_, PRESETS[preset]), big_endian=False)
    program, values = rewrite(raw)
    x86 = abi("x86").audit_arch
    chosen: list[Trial] = [
        trial
        for trial in dict.fromkeys(trials(filter_, every_number=every_number))
        if trial[0] == x86 or trial[1] not in UNFILTERABLE
    ]
    calls = [(int80 if arch == x86 else 0, nr, registers) for arch, nr, registers in chosen]
    got = [values[code] for code in verdicts(program, calls)]
    wrong = []
    for trial, value in zip(chosen, got, strict=True):
        expected = answer(policy, X86, environment, trial)
        if value != expected:
            wrong.append(f"{trial}: oracle {expected:#x}, kernel {value:#x}")
    assert wrong == []
    return len(chosen)


@pytest.mark.parametrize("environment", [BARE, ADMIN], ids=["bare", "admin"])
@pytest.mark.parametrize(
    ("name", "preset"),
    [("docker-default", "cached"), ("podman-default", "legacy"), ("web", "size")],
)
def test_library_policy(
    name: str,
    preset: str,
    environment: Environment,
    kernel_verdicts: Verdicts,
    rewrite_returns: Rewrite,
    int80: int,
) -> None:
    policy = selected(load(name).require(), ABIS)
    made = compare(
        policy,
        environment,
        kernel_verdicts,
        rewrite_returns,
        int80,
        every_number=True,
        preset=preset,
    )
    assert made > 1_500


def test_random_policies(kernel_verdicts: Verdicts, rewrite_returns: Rewrite, int80: int) -> None:
    dice = random.Random(20)
    compared = made = 0
    while compared < 150:
        loaded = load_text(random_policy(dice.choice, ABIS))
        if loaded.policy is None or loaded.problems or check(loaded.policy, X86):
            continue
        made += compare(
            loaded.policy,
            BARE,
            kernel_verdicts,
            rewrite_returns,
            int80,
            every_number=False,
            preset=dice.choice(sorted(PRESETS)),
        )
        compared += 1
    assert made > 20_000
