"""Programs by compilers from other registries: gVisor's and Elastic's Go modules, a Rust crate.

Each is a small program in peers_src that reads the profile's rules as lines, `ANSWER NUMBER NAME
[INDEX:MASK:VALUE...]`, and writes the raw filter. They are built once, in ~/.cache/stockade. The
rules are those of Stockade's OCI JSON, in masked equalities only: by hand, with the operators that
each peer knows, its program gets shorter. None of them can say all: numbers newer than the profile
get EPERM from all three, and seccompiler has one refusal for a whole filter.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from stockade.seccomp import bpf
from stockade.seccomp.syscalls import abi, table

SOURCES = Path(__file__).with_name("peers_src")
CACHE = Path.home() / ".cache" / "stockade" / "peers"
PEERS = ("gVisor", "go-seccomp-bpf", "seccompiler")
_PATIENCE = 300
"""Seconds for fetching and building."""


def program(peer: str, profile: dict[str, Any]) -> bpf.Program:
    """What a peer makes of an OCI profile for x86_64.

    Raises RuntimeError when it cannot be built here, or does not take the profile.
    """
    tool = _rust() if peer == "seccompiler" else _go()
    done = subprocess.run([tool, peer], input=_lines(profile).encode(), capture_output=True)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return bpf.decode(done.stdout, big_endian=False)


def _lines(profile: dict[str, Any]) -> str:
    numbers = table(abi("x86_64")).by_name
    lines = []
    for rule in profile["syscalls"]:
        answer = 0x7FFF0000 if rule["action"].endswith("ALLOW") else 0x50000 | rule["errnoRet"]
        tests = "".join(
            f" {each['index']}:{each['value']}:{each['valueTwo']}" for each in rule.get("args", ())
        )
        lines += [f"{answer} {numbers[n]} {n}{tests}" for n in rule["names"] if n in numbers]
    return "\n".join(lines)


def _go() -> Path:
    return _built("go", ["go", "build", "-o", str(CACHE / "go-peers"), "."], CACHE / "go-peers")


def _rust() -> Path:
    target = CACHE / "rust"
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--target-dir", str(target)]
    return _built("rust", command, target / "release" / "peers")


def _built(language: str, command: list[str], tool: Path) -> Path:
    newest = max(path.stat().st_mtime for path in (SOURCES / language).rglob("*"))
    if tool.exists() and tool.stat().st_mtime > newest:
        return tool
    if not shutil.which(command[0]):
        raise RuntimeError(f"needs {command[0]}")
    CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        command, cwd=SOURCES / language, capture_output=True, timeout=_PATIENCE, text=True
    )
    if done.returncode:
        raise RuntimeError(f"does not build: {done.stderr}")
    return tool
