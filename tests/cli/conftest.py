"""Running the command line in a process of its own, in an empty directory."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Stockade = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def stockade(tmp_path: Path) -> Stockade:
    """`stockade("compile", "x.yaml")` runs in tmp_path; output is text."""

    def run(
        *words: str, stdin: str | bytes = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "stockade", *words],
            cwd=tmp_path,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=120,
            env={**os.environ, **environment},
        )
        assert b"Traceback" not in done.stderr
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode()
        )

    return run
