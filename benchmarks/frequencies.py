"""Make seccomp/frequencies.tsv from traces: how often programs make which system call.

Each argument is a file: JSON that gives names a share (`{"read": 0.09, ...}`), or the table that
`strace -f -c -o FILE COMMAND` writes. Files count alike, however long they are:

    strace -f -c -o python.txt python3 -c 'import json, asyncio, http.server'
    strace -f -c -o ls.txt ls -R /usr
    strace -f -c -o gcc.txt gcc -O2 -c big.c
    python benchmarks/frequencies.py python.txt ls.txt gcc.txt > seccomp/frequencies.tsv
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

MILLION = 1_000_000
HEADER = """\
# How many of a million system calls each is: the mean of python imports, ls -R, gcc, a busybox
# shell and a node server, each with the same weight. The order of
# magnitude is what counts: programs are made quick for calls that are made often.
# Made by benchmarks/frequencies.py.
"""


def read(path: Path) -> dict[str, float]:
    """The calls of one trace, by name: shares, or counts."""
    text = path.read_text("utf-8")
    if text.lstrip().startswith("{"):
        return {name: float(share) for name, share in json.loads(text).items()}
    rows = (line.split() for line in text.splitlines())
    return {row[-1]: float(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()}


def combined(traces: list[dict[str, float]]) -> dict[str, int]:
    """Calls in a million, every trace weighing the same; at least one for what occurs."""
    shares: dict[str, float] = defaultdict(float)
    for trace in traces:
        trace.pop("total", None)
        total = sum(trace.values())
        for name, count in trace.items():
            shares[name] += count / total / len(traces)
    return {name: max(1, round(share * MILLION)) for name, share in shares.items()}


def main() -> None:
    """Print the table."""
    print(HEADER, end="")
    found = combined([read(Path(name)) for name in sys.argv[1:]])
    for name in sorted(found, key=lambda name: (-found[name], name)):
        print(f"{name}\t{found[name]}")


if __name__ == "__main__":
    main()
