"""The filters' figures: `make bench-seccomp`.

The same profile, Docker's default with Docker's capabilities, as Stockade compiles it and as
others do, all in one run on this machine: instructions; how many are executed on x86_64, over a
trace of other programs than the shipped one (judge.tsv; the mix was chosen with an eye on it),
over the shipped one, over every call that is allowed alike, and over those of the first trace
that the kernel cannot answer from its cache; how long the kernel takes to attach it, and what
calls cost under it. With root, the filter that runc and crun really load is taken out of a
running container. A peer that cannot be had here says so in its row. Nothing is asserted.
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
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import peers
from filter_bounds import bounds, may_allow
from filter_dump import loaded_by

from stockade.cli.frequencies import read_frequencies
from stockade.meanings import policy_side, program_side
from stockade.policies import load
from stockade.policies.model import Policy
from stockade.seccomp import actions, bpf, runc
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build
from stockade.seccomp.docker import oci_profile
from stockade.seccomp.filter import Environment, Filter, resolve
from stockade.seccomp.hosts import ENGINES
from stockade.seccomp.lower import lower
from stockade.seccomp.optimize_presets import PRESETS, Frequencies, frequencies
from stockade.seccomp.profile import Profile, render
from stockade.seccomp.prove import store
from stockade.seccomp.simulate import SeccompData, simulate
from stockade.seccomp.syscalls import abi, family_of, table
from stockade.seccomp.targets import Request, compile_program, selected

FORKS, CALLS = 440, 30_000
ABIS = ["x86_64", "x86", "x32"]
JUDGE = Path(__file__).with_name("judge.tsv")
STOCKADE = str(Path(sys.executable).with_name("stockade"))
X86_64 = abi("x86_64")
BUILD = Build(family_of(X86_64))
ENVIRONMENT = Environment(DOCKER_CAPABILITIES, (6, 18))


@dataclass(frozen=True, slots=True)
class Row:
    """What targets look at, of one program."""

    instructions: int
    judge: float
    allowed: float
    uncached: float
    attach: float
    """Nanoseconds; 0 where it was not measured."""


def libseccomp(profile: Profile, optimize: int) -> bpf.Program:
    """The profile by libseccomp, without runc's stub."""
    return runc.compile_profile(profile, X86_64, stub=False, optimize=optimize)


def weights(often: Frequencies) -> dict[int, float]:
    """How often numbers of x86_64 are called."""
    by_name = table(X86_64).by_name
    return {by_name[name]: share for name, share in often.items() if name in by_name}


def executed(program: bpf.Program) -> tuple[float, float, float, float, int]:
    """Instructions on x86_64: judge, shipped, evenly over what is allowed, uncached, worst."""
    counts: dict[int, float] = {}
    allowed, constant = set(), set()
    for nr in table(X86_64).by_number:
        trail: list[int] = []
        result = simulate(program, SeccompData(nr, X86_64.audit_arch), trail=trail)
        counts[nr] = result.instructions
        looked = any(program[at].code == bpf.LOAD and program[at].k >= 16 for at in trail)
        if result.value == actions.ALLOW:
            allowed.add(nr)
            if not looked:
                constant.add(nr)

    def mean(often: dict[int, float]) -> float:
        return sum(often[nr] * counts[nr] for nr in often) / sum(often.values())

    judge = weights(read_frequencies(JUDGE))
    return (
        mean(judge),
        mean(weights(frequencies())),
        mean(dict.fromkeys(allowed, 1.0)),
        mean({nr: weight for nr, weight in judge.items() if nr not in constant}),
        int(max(counts[nr] for nr in allowed)),
    )


def least(filter_: Filter) -> tuple[int, float, float, float, float]:
    """What no program can do without: instructions, then as executed()."""
    bound = bounds(filter_, table(X86_64).by_number)
    judge = weights(read_frequencies(JUDGE))
    allowed = {nr: 1.0 for nr, each in bound.answers.items() if may_allow(each)}
    return (
        bound.instructions,
        bound.executed(judge),
        bound.executed(weights(frequencies())),
        bound.executed(allowed),
        bound.executed({nr: w for nr, w in judge.items() if bound.answers[nr] != actions.ALLOW}),
    )


def cost(tool: Path, program: bpf.Program) -> list[float]:
    """Nanoseconds: attach, a cached call, one whose argument is looked at, one that is denied."""
    raw = bpf.encode(program, big_endian=False) if program else b""
    done = subprocess.run(
        [tool, str(FORKS), str(CALLS)], input=raw, capture_output=True, check=True
    )
    return [float(word) for word in done.stdout.split()]


def programs(policy: Policy, profile: Profile, names: list[str]) -> dict[str, bpf.Program | str]:
    """Every party's program, or why there is none."""
    made: dict[str, bpf.Program | str] = {}
    for preset in PRESETS:
        request = Request(BUILD, ENVIRONMENT, optimize=preset)
        made[f"stockade {preset}"] = compile_program(policy, request)
    request = Request(BUILD, ENVIRONMENT, optimize="legacy", frequencies=read_frequencies(JUDGE))
    made["stockade legacy, judge"] = compile_program(policy, request)
    oci = json.loads(render(profile))
    makers: dict[str, Callable[[], bpf.Program]] = {
        "libseccomp": lambda: libseccomp(profile, 1),
        "libseccomp OPTIMIZE=2": lambda: libseccomp(profile, 2),
        "runc, from a container": lambda: loaded_by("runc", oci),
        "crun, from a container": lambda: loaded_by("crun", oci),
    }
    if len(names) == 1:  # they make programs for one ABI
        makers |= {peer: partial(peers.program, peer, oci) for peer in peers.PEERS}
    for name, make in makers.items():
        try:
            made[name] = make()
        except Exception as error:  # a peer that is not there is no figure
            made[name] = " ".join(str(error).split())[:50] or type(error).__name__
    return made


def compare(names: list[str], tool: Path | None) -> dict[str, Row]:
    """One table, for the policy on these ABIs; what it says, by row."""
    policy = selected(load("docker-default").require(), names)
    filter_ = lower(policy, BUILD)
    profile = oci_profile(policy, filter_, ENVIRONMENT, ENGINES["29"])
    print(f"docker-default on {' + '.join(names)}")
    print(
        f"{'':22}insns  judge    own  alike uncach.   w attach cache  arg deny\n"
        f"{'insns, then executed:':64}us   ns a call"
    )
    if tool:
        _, *calls = cost(tool, ())
        print(f"{'no filter':22}{'':43}{''.join(f'{each:5.0f}' for each in calls)}")
    size, *means = least(resolve(filter_, ENVIRONMENT))
    print(f"{'at least':22}{size:5}{''.join(f'{each:7.2f}' for each in means)}")
    rows: dict[str, Row] = {}
    for name, program in programs(policy, profile, names).items():
        if isinstance(program, str):
            print(f"{name:22} none: {program}")
            continue
        *means, worst = executed(program)
        print(f"{name:22}{len(program):5}{''.join(f'{e:7.2f}' for e in means)}{worst:4}", end="")
        attach = 0.0
        if tool:
            attach, *calls = cost(tool, program)
            print(f"{attach / 1000:6.0f}{''.join(f'{each:5.0f}' for each in calls)}", end="")
        print(flush=True)
        rows[name] = Row(len(program), means[0], means[2], means[3], attach)
    print()
    return rows


def median_s(run: Callable[[], object], runs: int) -> float:
    """The median seconds of a function, after once to warm up."""
    run()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def times(names: list[str]) -> tuple[float, float, float, float]:
    """Median seconds: compiling, proving, the cold command, an empty Python."""
    policy = selected(load("docker-default").require(), names)
    program = compile_program(policy, Request(BUILD, ENVIRONMENT))

    def prove() -> None:
        diagrams = store()
        one = program_side("program", program, diagrams, big_endian=False)
        other = policy_side("policy", policy, BUILD, ENVIRONMENT, diagrams)
        if one.meaning != other.meaning:
            raise RuntimeError("the program is not the policy")

    command = [STOCKADE, "compile", "docker-default", "--target", "bpf", "-o", "-"]
    command += [word for name in names for word in ("--arch", name)]
    return (
        median_s(lambda: compile_program(policy, Request(BUILD, ENVIRONMENT)), 7),
        median_s(prove, 7),
        median_s(lambda: subprocess.run(command, check=True, capture_output=True), 7),
        median_s(lambda: subprocess.run([sys.executable, "-c", ""], check=True), 7),
    )


def targets(three: dict[str, Row], one: dict[str, Row]) -> None:
    """What was to be reached, and whether it was."""
    compiled, proven, cold, empty = times(ABIS)
    print(f"medians of 7: an empty Python takes {empty * 1000:.0f} ms; for three ABIs")
    for what, taken in (("cold command", cold), ("compiling", compiled), ("proof", proven)):
        print(f"{what:22}{taken / empty:6.1f} times that")
    print()
    cached, legacy = three["stockade cached"], three["stockade legacy"]
    mine = three["stockade legacy, judge"]
    found = [
        ("instructions, three ABIs: default", cached.instructions, 320),
        ("instructions, x86_64 only: default", one["stockade cached"].instructions, 81),
        ("executed, judge, legacy", legacy.judge, 7.4),
        ("the same with --frequencies judge.tsv", mine.judge, 7.4),
        ("executed, all allowed alike, legacy", legacy.allowed, 9.4),
        ("executed, uncached, default", cached.uncached, 9.3),
        ("proof, s", proven, 1),
        ("compile in process, s", compiled, 0.4),
        ("cold command, s", cold, 0.7),
    ]
    if "runc, from a container" in three and cached.attach:
        share = cached.attach / three["runc, from a container"].attach
        found.append(("attach, of runc's", share, 0.3))
    print("judge: over judge.tsv; own: over frequencies.tsv; alike: calls that are allowed")
    print("uncach.: those of judge that the kernel asks the filter about; w: worst allowed\n")
    print("target (times on this machine, as it is loaded now)")
    for name, value, most in found:
        said = "reached" if value <= most else "NOT REACHED"
        print(f"{name:49}{value:7.2f} of {most:5} {said}")


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as directory:
        tool: Path | None = None
        if shutil.which("cc"):
            tool = Path(directory) / "filter_cost"
            source = Path(__file__).with_name("filter_cost.c")
            subprocess.run(["cc", "-O2", "-o", tool, source], check=True)
        targets(compare(ABIS, tool), compare(ABIS[:1], tool))


if __name__ == "__main__":
    main()
