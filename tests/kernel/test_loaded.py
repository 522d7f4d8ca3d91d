"""The filter of a running process, read back from the kernel and compared."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel

POLICY = """\
stockade: 1
name: sleeper
seccomp:
  default: allow
  newer: default
  rules:
    - deny: ptrace
    - deny: personality
      when: personality == 0x20008
"""


def stockade(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stockade", *words], capture_output=True, text=True, check=False
    )


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "sleeper.yaml"
    path.write_text(POLICY)
    return str(path)


def confined(policy: str, times: int = 1) -> Iterator[int]:
    """The pid of a process under the policy, once it has said that it runs."""
    run = [sys.executable, "-m", "stockade", "run", "--policy", policy, "--"]
    with subprocess.Popen(
        [*run * times, "sh", "-c", "echo here; exec sleep 60"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        yield process.pid
        process.kill()


@pytest.fixture
def sleeper(policy: str, require: Callable[[object, str], None]) -> Iterator[int]:
    require(os.geteuid() == 0, "reading a process's filter needs root")
    yield from confined(policy)


def test_what_runs_is_what_was_written(policy: str, sleeper: int, tmp_path: Path) -> None:
    done = stockade("prove", f"pid:{sleeper}", "--against", policy)
    assert (done.returncode, done.stdout) == (0, f"proven: pid:{sleeper} equals {policy}\n")
    other = tmp_path / "other.yaml"
    other.write_text(POLICY.replace("0x20008", "8"))
    done = stockade("diff", f"pid:{sleeper}", str(other))
    assert done.returncode == 1
    assert "when personality == 0x20008" in done.stdout
    done = stockade("import", f"pid:{sleeper}", "--name", "again")
    same = stockade("import", "--pid", str(sleeper), "--name", "again")
    assert same.stdout == done.stdout
    assert "- deny: personality\n" in done.stdout, done.stderr


def test_several_filters_are_refused(policy: str, require: Callable[[object, str], None]) -> None:
    require(os.geteuid() == 0, "reading a process's filter needs root")
    for pid in confined(policy, times=2):
        done = stockade("prove", f"pid:{pid}", "--against", policy)
        assert done.returncode == 2
        assert "has several filters" in done.stderr


def test_a_process_without_one(policy: str) -> None:
    done = stockade("prove", f"pid:{os.getpid()}", "--against", policy)
    assert done.returncode == 2
    assert "cannot be had" in done.stderr
