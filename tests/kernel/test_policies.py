"""Oracle against the running kernel: every number of three ABIs, every boundary value."""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

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

POLICIES, BATCH = 2_000, 50
CALLS = 48
"""Tried of one random policy, of all at the edges of its tests."""

Verdicts = Callable[..., list[int]]
Rewrite = Callable[[bytes], tuple[bytes, dict[int, int]]]


class KernelVerdicts(Protocol):
    """What the fixture of this name is."""

    def of_many(
        self, asked: Sequence[tuple[bytes, Sequence[tuple[int, int, Sequence[int]]]]]
    ) -> list[list[int]]: ...


X86_ARCH = abi("x86").audit_arch


def filterable(tried: Iterable[Trial]) -> list[Trial]:
    """Without repetitions, and without those of which the kernel asks no filter."""
    return [t for t in dict.fromkeys(tried) if t[0] == X86_ARCH or t[1] not in UNFILTERABLE]


def as_calls(chosen: Iterable[Trial], int80: int) -> list[tuple[int, int, tuple[int, ...]]]:
    return [(int80 if arch == X86_ARCH else 0, nr, regs) for arch, nr, regs in chosen]


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
    chosen = filterable(trials(filter_, every_number=every_number))
    got = [values[code] for code in verdicts(program, as_calls(chosen, int80))]
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


def test_random_policies(
    kernel_verdicts: KernelVerdicts, rewrite_returns: Rewrite, int80: int
) -> None:
    """In batches, each loaded by the children of one process; of every policy some calls."""
    dice = random.Random(20)
    made = distinct = 0
    for _ in range(POLICIES // BATCH):
        asked: list[tuple[str, Policy, list[Trial], dict[int, int]]] = []
        loads: list[tuple[bytes, list[tuple[int, int, tuple[int, ...]]]]] = []
        while len(asked) < BATCH:
            text = random_policy(dice.choice, ABIS)
            loaded = load_text(text)
            if loaded.policy is None or loaded.problems or check(loaded.policy, X86):
                continue
            filter_ = resolved(loaded.policy, X86, BARE)
            preset = PRESETS[dice.choice(sorted(PRESETS))]
            program, values = rewrite_returns(
                bpf.encode(compile_filter(filter_, preset), big_endian=False)
            )
            chosen = filterable(trials(filter_, every_number=False))
            chosen = dice.sample(chosen, min(CALLS, len(chosen)))
            asked.append((text, loaded.policy, chosen, values))
            loads.append((program, as_calls(chosen, int80)))
        for (text, policy, chosen, values), codes in zip(
            asked, kernel_verdicts.of_many(loads), strict=True
        ):
            answers = set()
            for trial, code in zip(chosen, codes, strict=True):
                expected = answer(policy, X86, BARE, trial)
                assert values[code] == expected, f"{trial}\n{text}"
                answers.add(expected)
            made += len(chosen)
            distinct += len(answers) > 1
    assert made > 30 * POLICIES
    assert distinct > 0.9 * POLICIES
