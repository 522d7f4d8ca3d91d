"""`stockade userns show`."""

import json
import os
from pathlib import Path

import pytest

MIXED = "alice:100000:65536\nbob:0x186a0:65536\n\ncarol:5\n"


def test_equal_lines_are_counted(stockade, tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text("alice:100000:65536\nbob:165536:65536\n")
    done = stockade("userns", "show", "subuid")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "subuid\n  2 lines mean the same to every reader\n"


def test_differences_are_marked(stockade, tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text(MIXED)
    done = stockade("userns", "show", "subuid")
    assert done.returncode == 1
    assert "dockerd-20.10 refuses the file: line 4" in done.stdout
    assert "!    2 | bob:0x186a0:65536\n" in done.stdout
    assert "dockerd-28: 0-65535 HOST ROOT" in done.stdout
    assert "     3 | \n" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_one_reader(stockade, tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text(MIXED)
    done = stockade("userns", "show", "subuid", "--as", "shadow-4.13")
    assert done.returncode == 0
    assert "dockerd" not in done.stdout


def test_json(stockade, tmp_path: Path) -> None:
    (tmp_path / "subuid").write_text(MIXED)
    done = stockade("userns", "show", "subuid", "--format", "json", "--owner", "root")
    assert done.returncode == 1
    [file] = json.loads(done.stdout)["files"]
    assert set(file["refused_by"]) == {"dockerd-20.10", "incus"}
    assert file["same_to_all"] == [{"line": 1, "owner": "alice", "first": 100000, "count": 65536}]
    readers = file["lines"][0]["readers"]
    assert readers["dockerd-28"]["host_root"]
    assert readers["shadow-4.13"]["ranges"] == [{"first": 100000, "count": 65536}]
    assert file["maps"]["shadow-4.13"] == []


def test_a_tree(stockade, tmp_path: Path) -> None:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/subuid").write_text("dockremap:100000:65536\n")
    (tmp_path / "root/etc/passwd").write_text("dockremap:x:5000:5000::/:\n")
    done = stockade("userns", "show", "--root", "root", "--owner", "dockremap")
    assert done.returncode == 0
    assert "shadow-4.20, dockerd-20.10, dockerd-28\n      0-65535 -> 100000-165535" in done.stdout
    assert "root/etc/subgid\n  not there" in done.stdout


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("0 100000 65536\n", 0, "root inside is 100000 outside"),
        ("0 4294967296 10\n", 1, "HOST ROOT"),
        ("5 0 1\n", 1, "an id inside is the HOST ROOT"),
        ("0 100000 5\n3 200000 5\n", 1, "EINVAL: 2:1: overlaps line 1 inside"),
        ("# a comment\n", 1, "EINVAL: 1:1: an unexpected byte"),
    ],
)
def test_a_map(stockade, tmp_path: Path, text: str, code: int, said: str) -> None:
    (tmp_path / "draft").write_text(text)
    done = stockade("userns", "show", "draft", "--as", "kernel")
    assert done.returncode == code
    assert said in done.stdout


def test_a_process(stockade) -> None:
    done = stockade("userns", "show", "--pid", str(os.getpid()), "--format", "json")
    maps = json.loads(done.stdout)["files"]
    assert [Path(each["file"]).name for each in maps] == ["uid_map", "gid_map"]
    fields = Path("/proc/self/uid_map").read_text().split()
    assert maps[0]["map"][0]["count"] == int(fields[2])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a FILE, --host, --root DIR or --pid N"),
        (("--host", "--root", "x"), "not both"),
        (("missing",), "`missing` does not exist"),
        (("."), "`.` is a directory, not a file"),
        (("--pid", "4194304999"), "cannot be read"),
        (("--root", "missing"), "`missing` is no directory"),
        (("--as", "dockerd-19", "x"), "dockerd-19"),
    ],
)
def test_refusals(stockade, words: tuple[str, ...], said: str) -> None:
    done = stockade("userns", "show", *words)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    "data", [b"\0" * 5000, b"\xff\xfe:\x1b[31m:5\n", b"a" * 100_000, b"alice:5:5\r\n\x85:1:1\n"]
)
def test_hostile_bytes(stockade, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "subuid").write_bytes(data)
    for form in ("text", "json"):
        done = stockade("userns", "show", "subuid", "--format", form)
        assert done.returncode in (0, 1)
        assert "\x1b" not in done.stdout


@pytest.mark.parametrize("data", [b"\n" * 60_000, b"\n" * 2_000_001, b"\0\n" * 60_000])
def test_files_of_nothing_but_oddities(stockade, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "subuid").write_bytes(data)
    done = stockade("userns", "show", "subuid")
    assert done.returncode == 2
    assert "`subuid` has" in done.stderr
