"""The decision log when its writer is killed, its file damaged or its disk full."""

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest
from decision_logs import codes, decision, events, ids, written

from stockade.authz.log import DecisionLog
from stockade.authz.log_verify import files_of


@pytest.fixture
def path(tmp_path):
    return tmp_path / "log" / "authz.log"


class TestTornLines:
    @pytest.mark.parametrize("cut", [1, 2, 60, 120])
    def test_is_removed_and_noted(self, path, cut):
        written(path, 3)
        whole = path.read_bytes()
        path.write_bytes(whole[:-cut])
        log = DecisionLog(path)
        log.append(decision("next"))
        assert events(path) == ["file-begins", "unfinished-line-removed"]
        assert ids(path) == [None, "id-0", "id-1", None, "id-next"]
        assert codes(path) == []

    def test_left_by_another_while_running(self, path):
        log = DecisionLog(path)
        log.append(decision(0))
        with path.open("ab") as stream:
            stream.write(b'{"decision_id":"torn')
        log.append(decision(1))
        assert ids(path) == [None, "id-0", None, "id-1"]
        assert codes(path) == []

    def test_in_the_first_line_of_all(self, path):
        path.parent.mkdir(mode=0o700)
        path.touch(0o600)
        path.write_bytes(b'{"event":"file-beg')
        DecisionLog(path).append(decision(0))
        assert events(path) == ["file-begins", "unfinished-line-removed"]
        assert codes(path) == []

    def test_is_shown_by_a_verification_before(self, path):
        written(path, 2)
        path.write_bytes(path.read_bytes()[:-9])
        assert codes(path) == ["unfinished"]

    @pytest.mark.parametrize("garbage", [b"\0" * 5000, b"\0" * 600_000, b"x\n", b"\n\n"])
    def test_damage_is_noted_and_found(self, path, garbage):
        """A power cut may leave anything; the service goes on, and the damage stays to be seen."""
        written(path, 2)
        with path.open("ab") as stream:
            stream.write(garbage)
        log = DecisionLog(path)
        log.append(decision("next"))
        assert path.read_bytes().splitlines()[-1].startswith(b'{"decision_id":"id-next"')
        if garbage == b"\0" * 5000:
            assert codes(path) == []  # no end of a line: like any other torn one
        else:
            found = codes(path)
            assert set(found) <= {"foreign", "repaired", "unfinished", "restarted"}
            assert "repaired" in found

    def test_killed_at_any_moment(self, path):
        """kill -9: everything answered is in the log, and it verifies."""
        DecisionLog(path).close()
        code = (
            "import sys; from pathlib import Path; from stockade.authz.log import DecisionLog\n"
            "log = DecisionLog(Path(sys.argv[1]), max_size=60_000, keep=9999)\n"
            "n = 0\n"
            "while True:\n"
            "    log.append({'decision_id': f'{sys.argv[2]}-{n}', 'text': 'x' * (n * 37 % 9000)})\n"
            "    print(f'{sys.argv[2]}-{n}', flush=True)\n"
            "    n += 1\n"
        )
        chance = random.Random(7)
        answered = []
        for round_ in range(8):
            children = [
                subprocess.Popen(
                    [sys.executable, "-c", code, path, f"{round_}{name}"],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for name in "ab"
            ]
            first = [child.stdout.readline() for child in children]
            time.sleep(chance.uniform(0, 0.15))
            for child in children:
                child.send_signal(signal.SIGKILL)
                time.sleep(chance.uniform(0, 0.01))
            for child, line in zip(children, first, strict=True):
                text = line + child.communicate()[0]
                answered += text.splitlines(keepends=True)
        # A line that was cut by the kill itself was not answered.
        complete = {each.strip() for each in answered if each.endswith("\n")}
        DecisionLog(path).append(decision("after"))
        found = ids(path)
        assert len(complete) > 50
        assert complete <= set(found)
        assert len([each for each in found if each]) == len({each for each in found if each})
        assert codes(path) == []


class TestDiskFull:
    def test_a_limit_on_the_file(self, path):
        """A short write leaves nothing behind and is an OSError."""
        code = (
            "import resource, sys; from pathlib import Path\n"
            "from stockade.authz.log import DecisionLog\n"
            "log = DecisionLog(Path(sys.argv[1]))\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n"
            "done = failed = 0\n"
            "for n in range(20):\n"
            "    try:\n"
            "        log.append({'decision_id': f'id-{n}', 'text': 'x' * 200})\n"
            "        done += 1\n"
            "    except OSError:\n"
            "        failed += 1\n"
            "print(done, failed)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
            "log.append({'decision_id': 'id-later'})\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
        )
        done, failed = map(int, ran.stdout.split())
        assert failed > 5
        assert [each for each in ids(path) if each] == [f"id-{n}" for n in range(done)] + [
            "id-later"
        ]
        assert codes(path) == []
        assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY

    def test_a_full_file_system(self, tmp_path, require):
        require(os.geteuid() == 0, "needs root to mount a small file system")
        mount = tmp_path / "small"
        mount.mkdir(mode=0o700)
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", mount],
            capture_output=True,
            text=True,
        )
        require(made.returncode == 0, f"cannot mount a tmpfs: {made.stderr}")
        try:
            path = mount / "authz.log"
            log = DecisionLog(path, max_size=20_000, keep=99)
            done, failures = [], set()
            for number in range(200):
                try:
                    log.append(decision(number, 900))
                    done.append(f"id-{number}")
                except OSError as error:
                    failures.add(error.errno)
            assert failures == {errno.ENOSPC}
            assert [each for each in ids(path) if each] == done
            files_of(path)[0].unlink()
            log.append(decision("later"))
            assert ids(path)[-1] == "id-later"
            assert codes(path) == []
            log.close()
        finally:
            subprocess.run(["umount", "-l", mount], check=True)

    def test_an_error_of_the_disk(self, path, monkeypatch):
        log = DecisionLog(path)
        before = path.read_bytes()

        def half(fd, text, real=os.write):
            return real(fd, text[:10])

        monkeypatch.setattr(os, "write", half)
        with pytest.raises(OSError, match="No space"):
            log.append(decision(1))
        monkeypatch.undo()
        assert path.read_bytes() == before
        log.append(decision(2))
        assert codes(path) == []
