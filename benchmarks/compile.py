"""The figures of the README: `make bench`.

Times are medians of runs of the whole command, cold processes, on this machine; peers run in
the same session. Nothing here is asserted.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from stockade.policies import load
from stockade.seccomp import bpf, runc
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build
from stockade.seccomp.docker import oci_profile
from stockade.seccomp.filter import Environment
from stockade.seccomp.hosts import ENGINES
from stockade.seccomp.lower import lower
from stockade.seccomp.numbers import FOREIGN
from stockade.seccomp.simulate import SeccompData, simulate
from stockade.seccomp.syscalls import abi, family_of, table
from stockade.seccomp.targets import Request, compile_program, selected

RUNS = 11
ABIS = ["x86_64", "x86", "x32"]
STOCKADE = str(Path(sys.executable).with_name("stockade"))


def median_ms(command: list[str]) -> float:
    """The median wall time of a command in milliseconds, after one run to warm the caches."""
    times = []
    for run in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        if run:
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def executed(program: bpf.Program) -> tuple[float, int]:
    """Instructions run for the calls of x86_64 that the program allows: mean and worst."""
    arch = abi("x86_64").audit_arch
    counts = []
    for nr in table(abi("x86_64")).by_number:
        result = simulate(program, SeccompData(nr, arch))
        if result.value not in (FOREIGN, 0x00050001, 0x00050026):
            counts.append(result.instructions)
    return statistics.mean(counts), max(counts)


def main() -> None:
    """Print both tables."""
    build = Build(family_of(abi("x86_64")))
    environment = Environment(DOCKER_CAPABILITIES, (6, 1))
    policy = selected(load("docker-default").require(), ABIS)
    profile = oci_profile(policy, lower(policy, build), environment, ENGINES["29"])
    programs: dict[str, Callable[[], bpf.Program]] = {
        "stockade": lambda: compile_program(policy, Request(build, environment)),
        "libseccomp, as runc uses it": lambda: runc.compile_profile(profile, abi("x86_64")),
    }
    print("docker-default on x86_64 + x86 + x32, Docker's default capabilities")
    print(f"{'compiler':30} {'instructions':>12} {'mean run':>9} {'worst':>6}")
    for name, make in programs.items():
        program = make()
        mean, worst = executed(program)
        print(f"{name:30} {len(program):12} {mean:9.1f} {worst:6}")
    print()
    print(f"whole commands, median of {RUNS} cold runs")
    command = ["compile", "docker-default", "--target", "bpf", "-o", "-"]
    command += [word for name in ABIS for word in ("--arch", name)]
    python = median_ms([sys.executable, "-c", "pass"])
    for name, words in (("--version", ["--version"]), ("compile docker-default", command)):
        taken = median_ms([STOCKADE, *words])
        print(f"stockade {name:25} {taken:6.0f} ms  {taken / python:5.1f} x an empty Python")


if __name__ == "__main__":
    main()
