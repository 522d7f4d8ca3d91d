"""How often programs make which system call: recorded with strace, for `--frequencies FILE`.

    python benchmarks/frequencies.py record -o web.tsv -- ./server --self-test
    python benchmarks/frequencies.py mean web.tsv worker.tsv -o mine.tsv
    stockade compile web.yaml --frequencies mine.tsv
    python benchmarks/frequencies.py shipped       # makes seccomp/frequencies.tsv again

`record` counts what CMD and all its children do, from their execve on. `mean` weighs every file
alike, however many calls it has. `shipped` records the workloads of workloads.py and takes their
weighed mean. Nothing but Python's library and strace is needed. A file has a line for each call,
its name and how many of a million calls it is; `mean` also reads JSON, {"read": 0.09, ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from workloads import WORKLOADS, Workload

MILLION = 1_000_000
SHIPPED = Path(__file__).parents[1] / "seccomp" / "frequencies.tsv"
HEADER = """\
# How many of a million system calls each is, counted by strace on
# {machine}.
# The mean of these, which count twice:
#   {twice}
# and of these:
#   {once}
# The order of magnitude is what counts: filters are made quick for calls that are made often.
# Made by `python benchmarks/frequencies.py shipped`; benchmarks/workloads.py has the programs.
"""

Counts = dict[str, float]
"""By name of the call; only the proportions matter."""


def record(command: Sequence[str], directory: Path | None = None) -> Counts:
    """The calls of a command and its children.

    Raises RuntimeError when there is no strace, or the command fails.
    """
    if not shutil.which("strace"):
        raise RuntimeError("strace is needed (Debian: apt-get install strace)")
    with tempfile.NamedTemporaryFile("r") as table:
        traced = ["strace", "-f", "-c", "-U", "calls,name", "-o", table.name, "--", *command]
        done = subprocess.run(traced, cwd=directory, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError(f"{command[0]} ended with {done.returncode}")
        rows = re.findall(r"^ *(\d+) +([a-z_]\w*)$", table.read(), re.MULTILINE)
    return {name: float(count) for count, name in rows if name != "total"}


def record_workload(workload: Workload) -> Counts:
    """The calls of one workload, in an empty directory.

    Raises RuntimeError when something that it needs is missing.
    """
    missing = [name for name in workload.needs if not shutil.which(name)]
    if missing or (workload.root and os.geteuid()):
        raise RuntimeError(f"needs {', '.join(missing) or 'root'}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        subprocess.run(["sh", "-ec", workload.prepare], cwd=directory, check=True)
        return record(["sh", "-ec", workload.run], directory)


def read(path: Path) -> Counts:
    """A file of this program's, or a JSON object, by name."""
    text = path.read_text("utf-8")
    if text.lstrip().startswith("{"):
        return {name: float(share) for name, share in json.loads(text).items()}
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(count) for name, count in lines}


def mean(traces: Sequence[Counts]) -> dict[str, int]:
    """Calls in a million, every trace weighing the same; at least one for what occurs."""
    shares: Counts = defaultdict(float)
    for trace in traces:
        total = sum(trace.values())
        for name, count in trace.items():
            shares[name] += count / total / len(traces)
    return {name: max(1, round(share * MILLION)) for name, share in shares.items()}


def written(frequencies: dict[str, int], header: str = "") -> str:
    """The text of a file: what is most frequent comes first."""
    order = sorted(frequencies, key=lambda name: (-frequencies[name], name))
    return header + "".join(f"{name}\t{frequencies[name]}\n" for name in order)


def shipped() -> str:
    """The text of seccomp/frequencies.tsv."""
    found = {}
    for workload in WORKLOADS:
        print(f"{workload.name}: {workload.about}", file=sys.stderr)
        found[workload] = record_workload(workload)
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    machine = f"{system}, Linux {'.'.join(platform.release().split('.')[:2])}"
    traces = [found[each] for each in found for _ in range(each.weight)]
    twice, once = (
        "\n#   ".join(
            textwrap.wrap(", ".join(each.about for each in found if each.weight == n), 90)
        )
        for n in (2, 1)
    )
    return written(mean(traces), HEADER.format(machine=machine, twice=twice, once=once))


def main() -> None:
    """Record, take the mean, or make the shipped file again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="the calls of a command")
    recording.add_argument("argv", nargs="+", metavar="CMD")
    averaging = commands.add_parser("mean", help="the mean of several files")
    averaging.add_argument("files", nargs="+", type=Path, metavar="FILE")
    for each in (recording, averaging):
        each.add_argument("-o", dest="output", type=Path, metavar="FILE", help="default: stdout")
    commands.add_parser("shipped", help="make seccomp/frequencies.tsv again")
    asked = parser.parse_args()
    try:
        if asked.command == "shipped":
            SHIPPED.write_text(shipped(), "utf-8")
            return
        traces = (
            [record(asked.argv)] if asked.command == "record" else [read(p) for p in asked.files]
        )
    except (RuntimeError, OSError, ValueError) as error:
        sys.exit(f"frequencies: {error}")
    if asked.output:
        asked.output.write_text(written(mean(traces)), "utf-8")
    else:
        print(written(mean(traces)), end="")


if __name__ == "__main__":
    main()
