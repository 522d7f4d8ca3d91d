"""The figures of the allocation: `make bench-userns`.

Each row runs in a process of its own, in a directory beside the temporary files of this machine,
with real locks and fsync(2). Times are the best of three; memory is the process's peak. Nothing
here is asserted, but a row that misses its target says so.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from stockade.policies.errors import InputError
from stockade.policies.source import Location, Source
from stockade.policies.userns_model import Span, Tenant, Userns
from stockade.userns.claims import claims
from stockade.userns.commit import session
from stockade.userns.host import read_host
from stockade.userns.outlook import allocation

RUNS = 3
SELF, CHILDREN = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
BLOCKS = 28_664
LINES = 1_000_000
AT = Location(Source("hosts.yaml", ""), 1, 1)


def section(tenants: int) -> Userns:
    """That many tenants in systemd's container span."""
    names = tuple(Tenant(f"tenant-{at:05}", 1, AT) for at in range(tenants))
    return Userns((Span(524288, 1879048191, AT),), 65536, names, (), AT)


def make_root(parent: Path, subuid: bytes = b"", subgid: bytes = b"") -> Path:
    """A tree of a host."""
    root = Path(tempfile.mkdtemp(dir=parent))
    (root / "etc").mkdir()
    (root / "etc/subuid").write_bytes(subuid)
    (root / "etc/subgid").write_bytes(subgid)
    return root


def foreign(step: int) -> bytes:
    """A million lines of others, 100 ids each, in the half of the span that comes first."""
    return b"".join(b"user%d:%d:100\n" % (at, 524288 + step * at) for at in range(LINES))


def apply(root: Path, asked: Userns) -> str:
    """All of `userns apply` but reading the policy."""
    with session(root) as held:
        found = allocation(held.files, asked)
        changed = held.commit({each.name: each.content for each in found.changes})
    return f"{len(changed)} files, {sum(len(each.content) for each in found.changes):,} bytes"


def refused(root: Path, asked: Userns) -> str:
    """The same, where there is no room."""
    try:
        apply(root, asked)
    except InputError as error:
        return "refused: " + error.problems[0].message[:40] + "..."
    return "NOT REFUSED"


def claimed(root: Path, asked: Userns) -> str:
    """Files read and claims made."""
    made = claims(read_host(root), (), asked)
    return f"{sum(made.held):,} of 65,536 blocks held"


def planned(root: Path, asked: Userns) -> str:
    """Files read, claims made, tenants placed."""
    found = allocation(read_host(root), asked)
    return f"{len(found.plan.added):,} tenants placed"


def command(root: Path, asked: Userns) -> str:
    """The whole command, its policy read."""
    policy = root / "hosts.yaml"
    names = "".join(f"    {tenant.name}:\n" for tenant in asked.tenants)
    policy.write_text(
        f"stockade: 1\nname: hosts\nuserns:\n  span: 524288-1879048191\n  tenants:\n{names}"
    )
    words = [sys.executable, "-m", "stockade", "userns", "apply", str(policy), "--root", str(root)]
    done = subprocess.run(words, capture_output=True, text=True)
    lines = done.stderr.strip().splitlines() or [""]
    return f"exit {done.returncode}; {lines[0][:60]}"


def checked(root: Path) -> str:
    """The whole command `userns check` on the two files."""
    words = [sys.executable, "-m", "stockade", "userns", "check", str(root / "etc/subuid")]
    done = subprocess.run(words, capture_output=True, text=True)
    return f"exit {done.returncode}; {done.stderr.strip()[:60]}"


def plain(root: Path) -> str:
    """The least that a check is: every line split, sorted, and held against the one before."""
    ranges = []
    for line in (root / "etc/subuid").read_text().splitlines():
        owner, first, count = line.split(":")
        ranges.append((int(first), int(count), owner))
    ranges.sort()
    end = overlaps = 0
    for first, count, _ in ranges:
        overlaps += first < end
        end = max(end, first + count)
    return f"{overlaps} overlaps"


def measured(
    make: Callable[[], Path], act: Callable[[Path], str]
) -> tuple[float, float, float, str]:
    """Seconds and those of the CPU (the best), MiB (the highest) and what it said; each run in a
    process of its own."""
    best, least, highest, said = 1e9, 1e9, 0.0, ""
    for _ in range(RUNS):
        root = make()
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            start, spent = time.perf_counter(), sum(os.times()[:4])
            words = act(root)
            taken, spent = time.perf_counter() - start, sum(os.times()[:4]) - spent
            peaks = [resource.getrusage(who).ru_maxrss for who in (SELF, CHILDREN)]
            os.write(writer, f"{taken}\n{spent}\n{max(peaks) / 1024}\n{words}".encode())
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        taken, cpu, peak, said = os.read(reader, 65536).decode().split("\n", 3)
        os.close(reader)
        best, least = min(best, float(taken)), min(least, float(cpu))
        highest = max(highest, float(peak))
        shutil.rmtree(root)
    return best, least, highest, said


def main() -> None:
    """Print the table."""
    print(f"{'':47} {'seconds':>8} {'target':>6} {'CPU':>6} {'MiB':>5}")
    with tempfile.TemporaryDirectory() as directory:
        parent = Path(directory)
        full, over, few = section(BLOCKS), section(BLOCKS + 1), section(100)

        def row(
            name: str,
            make: Callable[[], Path],
            act: Callable[[Path], str],
            target: float | None = None,
            memory: float = 500,
        ) -> None:
            taken, cpu, peak, said = measured(make, act)
            goal = "" if target is None else f"{target:.0f}"
            missed = (target is not None and taken > target) or peak > memory
            verdict = "MISSED: " if missed else ""
            figures = f"{taken:8.2f} {goal:>6} {cpu:6.2f} {peak:5.0f}"
            print(f"{name:47} {figures}  {verdict}{said}", flush=True)

        def empty() -> Path:
            return make_root(parent)

        def done() -> Path:
            root = make_root(parent)
            apply(root, full)
            return root

        def whole(root: Path) -> str:
            return command(root, full)

        row("28,664 tenants planned, committed, on disk", empty, lambda r: apply(r, full), 1)
        row("the same again", done, lambda r: apply(r, full), 1)
        row("the 28,665th beside them", done, lambda r: refused(r, over), 1)
        row("28,665 at once", empty, lambda r: refused(r, over), 1)
        row("the whole command, policy read", empty, whole)
        text, other = foreign(900), foreign(700)
        row("1,000,000 lines, both files equal: claims",
            lambda: make_root(parent, text, text), lambda r: claimed(r, few), 2)  # fmt: skip
        row("the same, 100 tenants planned",
            lambda: make_root(parent, text, text), lambda r: planned(r, few), 2)  # fmt: skip
        row("the same, committed",
            lambda: make_root(parent, text, text), lambda r: apply(r, few))  # fmt: skip
        row("1,000,000 lines in each, files differ: claims",
            lambda: make_root(parent, text, other), lambda r: claimed(r, few))  # fmt: skip
        row("1,000,000 lines in each, files differ: planned",
            lambda: make_root(parent, text, other), lambda r: planned(r, few))  # fmt: skip
        row(
            "the yardstick: 1,000,000 lines by plain Python", lambda: make_root(parent, text), plain
        )
        row("1,000,000 lines in one file: check", lambda: make_root(parent, text), checked, 2)
        row("1,000,000 lines, both files equal: check",
            lambda: make_root(parent, text, text), checked, 2)  # fmt: skip
        row("1,000,000 lines in each, files differ: check",
            lambda: make_root(parent, text, other), checked)  # fmt: skip
        load, processors = os.getloadavg()[0], os.cpu_count()
        print(f"load average {load:.1f} on {processors} processors; at rest, seconds are near CPU")


if __name__ == "__main__":
    main()
