"""The decision log: what was answered is in it, by several writers and over rotations."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from decision_logs import codes, decision, ids

from stockade.authz.chain import BEGINNING, Link, extend, parse
from stockade.authz.log import DecisionLog
from stockade.authz.log_verify import files_of, verify
from stockade.policies.errors import InputError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log" / "authz.log"


class TestChain:
    def test_a_line(self):
        """The form is fixed: this is how anybody can verify a log."""
        line, link = extend(b'{"a":1}', Link(-1, BEGINNING))
        document = json.loads(line)
        assert document["a"] == 1
        assert document["chain"] == {"seq": 0, "prev": BEGINNING, "hash": link.hash}
        body = line.partition(b',"hash":')[0]
        assert hashlib.sha256(body).hexdigest() == link.hash
        assert parse(line[:-1]).sound

    def test_an_empty_record(self):
        line, _ = extend(b"{}", Link(3, "a" * 64))
        assert json.loads(line)["chain"]["seq"] == 4

    def test_text_that_looks_like_a_chain(self):
        fake = json.dumps({"x": ',"chain":{"seq":9,"prev":"' + "0" * 64 + '"'}).encode()
        line, link = extend(fake, Link(0, BEGINNING))
        assert parse(line[:-1]).link == link
        assert parse(b'{"x":1}') is None


class TestWriting:
    def test_a_new_log(self, path):
        log = DecisionLog(path)
        link = log.append(decision(1))
        assert log.last() == link
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert ids(path) == [None, "id-1"]
        assert codes(path) == []
        log.close()
        assert DecisionLog(path).append(decision(2)).seq == link.seq + 1
        assert codes(path) == []

    def test_a_record_that_is_too_long_is_refused_whole(self, path):
        log = DecisionLog(path)
        before = path.read_bytes()
        with pytest.raises(OSError, match="too long"):
            log.append(b'{"a":"' + b"x" * 70_000 + b'"}')
        assert path.read_bytes() == before

    @pytest.mark.parametrize("what", ["symlink", "hardlink", "writable", "fifo", "directory"])
    def test_what_is_not_ours_alone(self, path, what):
        path.parent.mkdir(mode=0o700)
        other = path.with_name("other")
        other.write_text("")
        if what == "symlink":
            path.symlink_to(other)
        elif what == "hardlink":
            path.hardlink_to(other)
        elif what == "writable":
            path.touch()
            path.chmod(0o622)
        elif what == "fifo":
            os.mkfifo(path)
        else:
            path.parent.chmod(0o777)
        with pytest.raises(InputError):
            DecisionLog(path)
        assert other.read_text() == ""

    def test_several_processes(self, path):
        DecisionLog(path).close()
        append_from_three(path, max_size=0)
        found = [each for each in ids(path) if each]
        assert sorted(found) == sorted(f"id-{n}{i}" for n in "abc" for i in range(300))
        assert codes(path) == []

    def test_threads_and_a_fork(self, path):
        log = DecisionLog(path)
        threads = [
            threading.Thread(
                target=lambda t=t: [log.append(decision(f"{t}-{i}")) for i in range(50)]
            )
            for t in range(4)
        ]
        pid = os.fork()
        for each in threads if pid else []:
            each.start()
        if not pid:
            try:
                for number in range(200):
                    log.append(decision(f"child-{number}"))
            finally:
                os._exit(0)
        for each in threads:
            each.join()
        assert os.waitpid(pid, 0)[1] == 0
        assert len([each for each in ids(path) if each]) == 400
        assert codes(path) == []

    def test_a_stopped_writer_does_not_hang_the_others(self, path):
        """Who holds the lock for too long costs the others an OSError, not their deadline."""
        DecisionLog(path).close()
        code = (
            "import fcntl, sys; f = open(sys.argv[1], 'rb'); fcntl.flock(f, fcntl.LOCK_EX);"
            "print('held', flush=True); sys.stdin.read()"
        )
        holder = subprocess.Popen(
            [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            assert holder.stdout.readline() == b"held\n"
            log = DecisionLog.__new__(DecisionLog)
            with pytest.raises(InputError, match="lock"):
                log.__init__(path, patience=0.1)
        finally:
            holder.stdin.close()
            holder.wait()
        log.append(decision(1))
        assert codes(path) == []

    def test_waiting_for_the_disk(self, path, monkeypatch):
        synced = []
        real = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", lambda fd: (synced.append(fd), real(fd)))
        DecisionLog(path, sync=True).append(decision(1))
        assert len(synced) == 1


def append_from_three(path, max_size):
    """Three processes at once, 300 records each."""
    code = (
        "import sys; from pathlib import Path; from stockade.authz.log import DecisionLog\n"
        "log = DecisionLog(Path(sys.argv[1]), max_size=int(sys.argv[2]), keep=999, patience=30)\n"
        "print(flush=True); sys.stdin.readline()\n"
        "for n in range(300): log.append({'decision_id': f'id-{sys.argv[3]}{n}'})\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, path, str(max_size), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for name in "abc"
    ]
    for each in started:
        each.stdout.readline()
    for each in started:
        each.stdin.close()
    assert [each.wait() for each in started] == [0, 0, 0]
    for each in started:
        each.stdout.close()


class TestRotation:
    def test_by_size(self, path):
        log = DecisionLog(path, max_size=6000, keep=100)
        for number in range(100):
            log.append(decision(number, 100))
        assert len(files_of(path)) > 4
        assert [each for each in ids(path) if each] == [f"id-{n}" for n in range(100)]
        assert codes(path) == []
        assert all(each.stat().st_size <= 6000 for each in files_of(path))

    def test_keeps_so_many(self, path):
        log = DecisionLog(path, max_size=5000, keep=2)
        for number in range(100):
            log.append(decision(number, 100))
        assert [each.name for each in files_of(path)] == [
            "authz.log.2", "authz.log.1", "authz.log",
        ]  # fmt: skip
        report = verify(files_of(path))
        assert report.sound
        assert report.first > 0

    def test_under_several_writers(self, path):
        append_from_three(path, max_size=9000)
        found = [each for each in ids(path) if each]
        assert sorted(found) == sorted(f"id-{n}{i}" for n in "abc" for i in range(300))
        assert codes(path) == []
        assert len(files_of(path)) > 10

    @pytest.mark.parametrize("compressed", [False, True])
    @pytest.mark.parametrize("restarted", [False, True])
    def test_by_another_program(self, path, compressed, restarted):
        """logrotate renames; both a running and a new process continue the chain."""
        one, two = DecisionLog(path), DecisionLog(path)
        one.append(decision(0))
        two.append(decision(1))
        path.rename(path.with_name("authz.log.1"))
        if compressed:
            one.append(decision(2))
            two.append(decision(3))
            old = path.with_name("authz.log.1")
            path.with_name("authz.log.1.gz").write_bytes(gzip.compress(old.read_bytes()))
            old.unlink()
        if restarted:
            one, two = DecisionLog(path), DecisionLog(path)
        for number in range(4, 8):
            (one, two)[number % 2].append(decision(number))
        assert codes(path) == []
        assert ids(path)[-1] == "id-7"

    def test_a_process_that_slept_through_rotations(self, path):
        sleeper = DecisionLog(path, max_size=5000, keep=99)
        sleeper.append(decision("early"))
        busy = DecisionLog(path, max_size=5000, keep=99)
        for number in range(60):
            busy.append(decision(number, 100))
        sleeper.append(decision("late"))
        assert ids(path)[-1] == "id-late"
        assert codes(path) == []

    def test_killed_between_two_renames(self, path):
        log = DecisionLog(path, max_size=5000, keep=9)
        for number in range(60):
            log.append(decision(number, 100))
        # 1 -> 2 and so on was done, the log itself not yet renamed.
        for each in files_of(path)[:-1]:
            number = int(each.suffix[1:])
            each.rename(path.with_name(f"authz.log.{number + 1}"))
        for number in range(60, 100):
            log.append(decision(number, 100))
        found = [each for each in ids(path) if each]
        assert found == [f"id-{n}" for n in range(100)]
        assert codes(path) == []

    def test_a_log_that_cannot_be_renamed_grows(self, path, monkeypatch):
        log = DecisionLog(path, max_size=5000)
        monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError(30, "ro")))
        for number in range(60):
            log.append(decision(number, 100))
        assert path.stat().st_size > 5000
        assert codes(path) == []

    def test_copied_and_emptied(self, path):
        """copytruncate: nothing is lost that was copied, and the report says what happened."""
        log = DecisionLog(path)
        log.append(decision(0))
        shutil.copy(path, path.with_name("authz.log.1"))
        os.truncate(path, 0)
        log.append(decision(1))
        assert [each for each in ids(path) if each] == ["id-0", "id-1"]
        assert codes(path) == ["repaired"]
