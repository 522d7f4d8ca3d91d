"""The example for the authorization plugin: sound, its tests pass, and nothing in it makes root."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stockade.policies import load


@pytest.mark.parametrize(
    "words", [("lint",), ("test",), ("authz", "test"), ("authz", "check", "--no-engine")]
)
def test_it_is_sound(words: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stockade", *words, "team"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_says_what_it_is() -> None:
    policy = load("team").require()
    assert policy.name == "team"
    assert policy.description
    assert len(policy.authz_tests) >= 12
