"""A full disk below the log or the facts, and a facts database that is damaged or gone: denials
where something cannot be known or noted, and never an allow more.
"""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from authz_load import Load, check_answers, check_engine, check_logged, eventually, verify
from plugin_host import PluginHost

pytestmark = pytest.mark.docker

FULL = "the decision could not be logged"


class Disk:
    """A small file system of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._filler = directory / "filler"

    def fill(self) -> None:
        """Take all that is left."""
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)

    def free(self) -> None:
        """Give it back."""
        self._filler.unlink()


@pytest.fixture
def disk(require: Callable[[object, str], None]) -> Iterator[Disk]:
    directory = Path(tempfile.mkdtemp(prefix="stockade-disk-"))
    options = "size=2m,mode=0700"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory])
    require(done.returncode == 0, "needs to mount a tmpfs")
    yield Disk(directory)
    subprocess.run(["umount", "-l", directory], check=True)
    directory.rmdir()


def create(host: PluginHost, who: str, name: str, **host_config: object) -> tuple[int, str]:
    """Create a container; the status and what was said."""
    body = {"Image": host.image, "Cmd": ["true"], "HostConfig": host_config}
    answer = host.wire(who).ask("POST", f"/containers/create?name={name}", body)
    return answer.status, answer.message


def look(host: PluginHost, who: str, name: str) -> int:
    return host.wire(who).ask("GET", f"/containers/{name}/json").status


def exists(host: PluginHost, name: str) -> bool:
    """As the engine's own files say."""
    configs = (host.docker.directory / "data/containers").glob("*/config.v2.json")
    return any(f'"Name":"/{name}"' in path.read_text() for path in configs)


class TestLog:
    def test_full_means_denied_until_there_is_space(self, make, engine, disk):
        service = make(log=disk.directory / "decisions.jsonl")
        assert create(engine, "bob", "ci-before")[0] == 201
        disk.fill()
        for who in ("bob", "alice", "mallory"):
            status, said = create(engine, who, f"ci-{who}")
            # The end of the file may have room for one more short line, never for all of them.
            if status == 403 and FULL in said:
                assert "No space left" in said
        status, said = create(engine, "bob", "ci-full")
        assert (status, FULL in said) == (403, True)
        assert not exists(engine, "ci-full")
        disk.free()
        assert create(engine, "bob", "ci-after")[0] == 201
        verify(service.log)

    def test_full_under_load(self, make, engine, disk):
        service = make(log=disk.directory / "decisions.jsonl")
        with Load(engine) as load:
            load.wait_for(10)
            disk.fill()
            before = len(load.sent)
            eventually(lambda: len(load.sent) > before + 60, service)
            disk.free()
            load.wait_for(10)
        assert not load.faults
        unlogged = [each for each in load.sent if FULL in each.answer.message]
        assert len(unlogged) > 20
        assert all(each.answer.status == 403 for each in unlogged)
        logged = [each for each in load.sent if FULL not in each.answer.message]
        check_answers(load.sent)
        records = service.records()
        check_logged(logged, records)
        check_engine(engine, load.sent, records)
        verify(service.log)

    def test_a_decision_stands_where_that_was_asked_for(self, make, engine, disk):
        service = make("--log-failure", "allow", log=disk.directory / "decisions.jsonl")
        disk.fill()
        for number in range(3):
            assert create(engine, "bob", f"ci-unlogged-{number}")[0] == 201
            status, said = create(engine, "bob", "ci-bad", Privileged=True)
            assert (status, FULL in said) == (403, False)
        disk.free()
        assert create(engine, "bob", "ci-logged")[0] == 201
        records = service.records()
        uris = [record.get("uri") or "" for record in records]
        assert any("ci-logged" in uri for uri in uris)
        assert not any("ci-unlogged-2" in uri for uri in uris)
        assert "not logged" in service.output.read_text()
        verify(service.log)


class TestFacts:
    def test_a_full_disk_makes_nobody_an_owner(self, make, engine, disk):
        service = make(state=disk.directory / "state")
        assert create(engine, "bob", "ci-known")[0] == 201
        disk.fill()
        create(engine, "bob", "ci-unknown")
        for who in ("local", "carol", "mallory"):
            assert look(engine, who, "ci-known") == 403
            assert look(engine, who, "ci-unknown") == 403
        disk.free()
        assert look(engine, "bob", "ci-known") == 200
        assert look(engine, "local", "ci-known") == 403
        assert create(engine, "bob", "ci-again")[0] == 201
        assert look(engine, "bob", "ci-again") == 200
        verify(service.log)

    def test_removed_while_it_runs(self, make, engine):
        service = make()
        assert create(engine, "bob", "ci-removed")[0] == 201
        for path in service.state.glob("facts.db*"):
            path.unlink()
        for _ in range(5):
            assert look(engine, "local", "ci-removed") == 403
            assert look(engine, "bob", "ci-removed") in (200, 403)
        for pid in service.workers():  # one after the other begins anew
            os.kill(pid, 9)
        eventually(lambda: look(engine, "alice", "ci-removed") == 200, service)
        assert look(engine, "local", "ci-removed") == 403
        service.stop()
        service.start()
        # Whose it is, nobody knows any more.
        assert look(engine, "bob", "ci-removed") == 403
        assert look(engine, "alice", "ci-removed") == 200
        assert create(engine, "bob", "ci-new")[0] == 201
        assert look(engine, "bob", "ci-new") == 200

    def test_overwritten_while_it_runs(self, make, engine):
        service = make()
        assert create(engine, "bob", "ci-damaged")[0] == 201
        for path in service.state.glob("facts.db*"):
            path.write_bytes(b"no database " * 2000)
        for _ in range(5):
            assert look(engine, "local", "ci-damaged") == 403
            assert look(engine, "mallory", "ci-damaged") == 403
        assert engine.wire("bob").ask("GET", "/version").status == 200
        service.stop()
        with pytest.raises(RuntimeError, match=r"facts.*cannot be used"):
            service.start()
        assert service.process.returncode == 2
        for path in service.state.glob("facts.db*"):
            path.rename(path.with_suffix(".damaged"))
        service.start()
        assert look(engine, "bob", "ci-damaged") == 403
        assert look(engine, "alice", "ci-damaged") == 200

    def test_a_read_only_disk_is_refused_at_the_start(self, make, engine, disk):
        service = make(state=disk.directory / "state")
        service.stop()
        subprocess.run(["mount", "-o", "remount,ro", disk.directory], check=True)
        try:
            with pytest.raises(RuntimeError, match="Read-only file system"):
                service.start()
            assert service.process.returncode == 2
        finally:
            subprocess.run(["mount", "-o", "remount,rw", disk.directory], check=True)
        service.start()
        assert engine.wire("bob").ask("GET", "/version").status == 200
