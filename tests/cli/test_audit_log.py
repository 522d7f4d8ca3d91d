"""`stockade audit log --verify`: exit codes, places, older files, anchors."""

import gzip
import json

import pytest

from stockade.authz.log import DecisionLog


@pytest.fixture
def log(tmp_path):
    """A log of some files, the oldest compressed, and the hash of its last record."""
    path = tmp_path / "authz.log"
    writer = DecisionLog(path, max_size=5000, keep=9)
    for number in range(40):
        last = writer.append({"decision_id": f"id-{number}", "text": "x" * 100})
    writer.close()
    older = sorted(tmp_path.glob("authz.log.*"))
    assert len(older) > 1
    older[-1].with_name(older[-1].name + ".gz").write_bytes(gzip.compress(older[-1].read_bytes()))
    older[-1].unlink()
    return path, last.hash


def test_sound(stockade, log):
    done = stockade("audit", "log", "--verify", "authz.log")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"last hash {log[1]}: as it was written" in done.stderr


def test_a_changed_line_is_named(stockade, log, tmp_path):
    path = tmp_path / "authz.log.1"
    text = path.read_bytes()
    path.write_bytes(text.replace(b'"text":"x', b'"text":"y', 1))
    done = stockade("audit", "log", "--verify", "authz.log")
    assert done.returncode == 1
    assert done.stdout.startswith("authz.log.1:2: error: record ")
    assert "was changed after it was written [changed]" in done.stdout
    assert "1 found" in done.stderr


def test_a_removed_line_and_json(stockade, log, tmp_path):
    lines = log[0].read_bytes().splitlines(keepends=True)
    log[0].write_bytes(b"".join(lines[:2] + lines[3:]))
    done = stockade("audit", "log", "--verify", "authz.log", "--format", "json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["sound"] is False
    assert [(each["id"], each["line"]) for each in report["findings"]] == [("removed", 3)]
    assert report["last"]["hash"] == log[1]


def test_an_end_cut_off(stockade, log):
    lines = log[0].read_bytes().splitlines(keepends=True)
    assert (
        stockade("audit", "log", "--verify", "authz.log", "--expect-last", log[1]).returncode == 0
    )
    log[0].write_bytes(b"".join(lines[:-1]))
    assert stockade("audit", "log", "--verify", "authz.log").returncode == 0
    done = stockade("audit", "log", "--verify", "authz.log", "--expect-last", log[1])
    assert done.returncode == 1
    assert "[tail-cut]" in done.stdout


def test_a_state_is_kept(stockade, log, tmp_path):
    words = ("audit", "log", "--verify", "authz.log", "--state", "seen.json")
    assert stockade(*words).returncode == 0
    assert json.loads((tmp_path / "seen.json").read_text())["hash"] == log[1]
    assert (tmp_path / "seen.json").stat().st_mode & 0o777 == 0o600
    DecisionLog(log[0]).append({"decision_id": "more"})
    done = stockade(*words)
    assert done.returncode == 0
    assert "1 after the expected one" in done.stderr
    seen = (tmp_path / "seen.json").read_text()
    log[0].write_bytes(b"".join(log[0].read_bytes().splitlines(keepends=True)[:-1]))
    assert stockade(*words).returncode == 1
    assert (tmp_path / "seen.json").read_text() == seen


def test_several_files_as_given(stockade, log, tmp_path):
    names = [each.name for each in sorted(tmp_path.glob("authz.log*"), reverse=True)]
    assert names[-1] == "authz.log"
    assert stockade("audit", "log", "--verify", *names).returncode == 0
    assert stockade("audit", "log", "--verify", *reversed(names)).returncode == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["audit", "log", "authz.log"], "--verify"),
        (["audit", "log", "--verify"], "Missing argument"),
        (["audit", "log", "--verify", "missing.log"], "missing.log"),
        (["audit", "log", "--verify", "."], "error"),
        (["audit", "log", "--verify", "authz.log", "--expect-last", "abc"], "64 hexadecimal"),
        (["audit", "log", "--verify", "authz.log", "--state", "bad.json"], "no state file"),
        (["audit", "lgo"], "no command"),
    ],
)
def test_bad_usage(stockade, log, tmp_path, words, message):
    (tmp_path / "bad.json").write_text("[]")
    done = stockade(*words)
    assert done.returncode == 2
    assert message in done.stderr


def test_help_says_what_a_chain_cannot_show(stockade):
    done = stockade("audit", "log", "--help")
    assert done.returncode == 0
    assert "cut off" in done.stdout
