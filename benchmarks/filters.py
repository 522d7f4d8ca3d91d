"""The filters' figures: `make bench-seccomp`.

The same profile, Docker's default with Docker's capabilities, as Stockade compiles it and as others
do, all in one run on this machine: instructions; how many are executed on x86_64, over the shipped
frequencies, over every call that is allowed alike, and over those that the kernel cannot answer
from its cache; how long the kernel takes to attach it, and what calls cost under it. With root, the
filter that runc and crun really load is taken out of a running container. Nothing is asserted.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from filter_dump import loaded_by

from stockade.meanings import policy_side, program_side
from stockade.policies import load
from stockade.policies.model import Policy
from stockade.seccomp import actions, bpf, runc
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build
from stockade.seccomp.docker import oci_profile
from stockade.seccomp.filter import Environment
from stockade.seccomp.hosts import ENGINES
from stockade.seccomp.lower import lower
from stockade.seccomp.optimize_presets import PRESETS, frequencies
from stockade.seccomp.profile import Profile, render
from stockade.seccomp.prove import store
from stockade.seccomp.simulate import SeccompData, simulate
from stockade.seccomp.syscalls import abi, family_of, table
from stockade.seccomp.targets import Request, compile_program, selected

FORKS, CALLS = 440, 100_000
X86_64 = abi("x86_64")
BUILD = Build(family_of(X86_64))
ENVIRONMENT = Environment(DOCKER_CAPABILITIES, (6, 18))


def libseccomp(profile: Profile, optimize: int) -> bpf.Program:
    """The profile by libseccomp, without runc's stub."""
    return runc.compile_profile(profile, X86_64, stub=False, optimize=optimize)


def executed(program: bpf.Program) -> tuple[float, float, float, int]:
    """Instructions on x86_64: trace, evenly over what is allowed, not cacheable, worst."""
    often = frequencies()
    counts: dict[str, int] = {}
    allowed, constant = set(), set()
    for nr, name in table(X86_64).by_number.items():
        trail: list[int] = []
        result = simulate(program, SeccompData(nr, X86_64.audit_arch), trail=trail)
        counts[name] = result.instructions
        looked = any(program[at].code == bpf.LOAD and program[at].k >= 16 for at in trail)
        if result.value == actions.ALLOW:
            allowed.add(name)
            if not looked:
                constant.add(name)

    def mean(names: set[str]) -> float:
        total = sum(often.get(name, 0) for name in names)
        return sum(often.get(name, 0) * counts[name] for name in names) / total

    return (
        mean(set(counts)),
        statistics.mean(counts[name] for name in allowed),
        mean(set(counts) - constant),
        max(counts[name] for name in allowed),
    )


def cost(tool: Path, program: bpf.Program) -> list[float]:
    """Nanoseconds: attach, a cached call, one whose argument is looked at, one that is denied."""
    raw = bpf.encode(program, big_endian=False) if program else b""
    done = subprocess.run(
        [tool, str(FORKS), str(CALLS)], input=raw, capture_output=True, check=True
    )
    return [float(word) for word in done.stdout.split()]


def programs(policy: Policy, profile: Profile) -> dict[str, bpf.Program]:
    """Every party's program."""
    made: dict[str, bpf.Program] = {}
    for preset in PRESETS:
        request = Request(BUILD, ENVIRONMENT, optimize=preset)
        made[f"stockade --optimize {preset}"] = compile_program(policy, request)
    makers: dict[str, Callable[[], bpf.Program]] = {
        "libseccomp": lambda: libseccomp(profile, 1),
        "libseccomp OPTIMIZE=2": lambda: libseccomp(profile, 2),
        "runc 1.1's, made here": lambda: runc.compile_profile(profile, X86_64),
    }
    oci = json.loads(render(profile))
    for runtime in ("runc", "crun"):
        if shutil.which(runtime):
            makers[f"{runtime}, from a container"] = lambda runtime=runtime: loaded_by(runtime, oci)
    for name, make in makers.items():
        try:
            made[name] = make()
        except Exception as error:  # a peer that is not there is no figure
            print(f"{name}: {error}", file=sys.stderr)
    return made


def compare(names: list[str], tool: Path | None) -> None:
    """One table, for the policy on these ABIs."""
    policy = selected(load("docker-default").require(), names)
    profile = oci_profile(policy, lower(policy, BUILD), ENVIRONMENT, ENGINES["29"])
    print(f"docker-default on {' + '.join(names)}")
    print(
        f"{'':26}{'insns':>6}{'trace':>7}{'even':>7}{'uncached':>9}{'worst':>6}"
        f"{'attach us':>10}{'cached':>8}{'checked':>8}{'denied':>7} ns"
    )
    if tool:
        _, *calls = cost(tool, ())
        print(f"{'no filter':61}{'':10}{calls[0]:8.0f}{calls[1]:8.0f}{calls[2]:7.0f}")
    for name, program in programs(policy, profile).items():
        trace, even, uncached, worst = executed(program)
        print(f"{name:26}{len(program):6}{trace:7.2f}{even:7.2f}{uncached:9.2f}{worst:6}", end="")
        if tool:
            attach, *calls = cost(tool, program)
            print(f"{attach / 1000:10.1f}{calls[0]:8.0f}{calls[1]:8.0f}{calls[2]:7.0f}", end="")
        print()
    print()


def times(names: list[str]) -> None:
    """How long compiling and proving take in this process."""
    policy = selected(load("docker-default").require(), names)
    request = Request(BUILD, ENVIRONMENT)
    for what in ("first", "again"):
        start = time.perf_counter()
        program = compile_program(policy, request)
        compiled = time.perf_counter()
        diagrams = store()
        one = program_side("program", program, diagrams, big_endian=False)
        other = policy_side("policy", policy, BUILD, ENVIRONMENT, diagrams)
        proven = time.perf_counter()
        assert one.meaning == other.meaning
        print(
            f"{what}: compiled in {(compiled - start) * 1000:.0f} ms, "
            f"proven in {(proven - compiled) * 1000:.0f} ms"
        )


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as directory:
        tool: Path | None = None
        if shutil.which("cc"):
            tool = Path(directory) / "filter_cost"
            source = Path(__file__).with_name("filter_cost.c")
            subprocess.run(["cc", "-O2", "-o", tool, source], check=True)
        compare(["x86_64", "x86", "x32"], tool)
        compare(["x86_64"], tool)
    times(["x86_64", "x86", "x32"])


if __name__ == "__main__":
    main()
