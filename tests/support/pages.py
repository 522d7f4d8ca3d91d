"""Pages that are executable: their console blocks print what they show."""

import os
import re
import subprocess
import sys
from pathlib import Path


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[tuple[str, str]]:
    """Every `$ command` of the console blocks, with its `> ` lines, and the output shown below."""
    found: list[tuple[str, str]] = []
    for block in blocks(page, "console"):
        parts = re.split(r"^\$ (.*\n(?:> .*\n)*)", block, flags=re.MULTILINE)
        shown = [command.replace("\n> ", "\n") for command in parts[1::2]]
        found += zip(shown, parts[2::2], strict=True)
    return found


def output(command: str, directory: Path) -> str:
    """What a command prints, on both streams, with this environment's programs in PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=directory,
        env={**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    return done.stdout
