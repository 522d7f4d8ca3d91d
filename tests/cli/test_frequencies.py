"""`--frequencies FILE`, and the program that records such files."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stockade.cli.frequencies import read_frequencies
from stockade.policies.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
RECORDER = [sys.executable, str(ROOT / "benchmarks" / "frequencies.py")]


def test_lines_and_json_say_the_same(tmp_path: Path) -> None:
    lines, parsed = tmp_path / "a.tsv", tmp_path / "a.json"
    lines.write_text("# of a day\nread\t3\n\nwrite 1\n")
    parsed.write_text(json.dumps({"read": 0.6, "write": 0.2}))
    assert (
        read_frequencies(lines) == read_frequencies(parsed) == {"read": 750_000, "write": 250_000}
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("read 1\nwritt 2\n", "did you mean `write`"),
        ("read 1\nread 2\n", ":2: a call's name and how often"),
        ("read\n", ":1: a call's name and how often"),
        ("read 1 2\n", ":1: "),
        ("read nan\n", ":1: "),
        ("read inf\n", ":1: "),
        ("read -1\n", ":1: "),
        ("read 0\n", "all of it is 0"),
        ("", "names no call"),
        ("# nothing\n", "names no call"),
        ("[1]", "a JSON object is wanted"),
        ("{}", "a JSON object is wanted"),
        ('{"read": ', "no JSON"),
        ('{"read": true}', "no share"),
    ],
)
def test_what_is_no_file_of_frequencies(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_frequencies(path)
    assert said in str(caught.value)


def test_what_is_shipped_can_be_given() -> None:
    assert read_frequencies(ROOT / "seccomp" / "frequencies.tsv")["read"] > 10_000


def test_a_command_is_recorded(tmp_path: Path, require: Callable[[object, str], None]) -> None:
    require(shutil.which("strace"), "needs strace")
    made, mean = tmp_path / "made.tsv", tmp_path / "mean.tsv"
    command = ["sh", "-c", "mkdir a b c; rmdir a b c"]
    subprocess.run([*RECORDER, "record", "-o", made, "--", *command], cwd=tmp_path, check=True)
    found = read_frequencies(made)
    assert found["mkdir"] == found["rmdir"] > 0
    assert found["execve"] == pytest.approx(found["mkdir"], abs=1)  # three of each
    other = tmp_path / "other.json"
    other.write_text('{"mkdir": 1}')
    subprocess.run([*RECORDER, "mean", made, other, "-o", mean], check=True)
    assert read_frequencies(mean)["mkdir"] == pytest.approx(500_000 + found["mkdir"] / 2, abs=20)


def test_a_command_that_fails(tmp_path: Path, require: Callable[[object, str], None]) -> None:
    require(shutil.which("strace"), "needs strace")
    done = subprocess.run(
        [*RECORDER, "record", "-o", tmp_path / "no", "--", "false"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "frequencies: false ended with 1\n"
    assert not (tmp_path / "no").exists()
