"""Facts and nonces: kept, shared between processes, forgotten in time; nobody else's database."""

import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from stockade.authz import nonces, schema
from stockade.authz.denied import Denied
from stockade.authz.facts import Facts
from stockade.authz.model import LOCAL, Fact, Identity, Phase, PluginRequest
from stockade.policies.errors import InputError

ALICE = Identity("tls", "CN=alice", "alice", ("ops",), ("DNS:a.example.org",)).document()
WEB, OTHER = "a" * 64, "b" * 64
FACT = Fact(
    "container", WEB, "web", ALICE, {"env": "dev"}, {"text": "nginx"}, {"privileged": False}
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "facts.db"


@pytest.fixture
def facts(path):
    opened = Facts(path)
    yield opened
    opened.close()


class TestKnowing:
    def test_what_is_remembered(self, facts, path):
        assert facts.lookup("container", WEB) is None
        facts.remember(FACT)
        assert facts.lookup("container", WEB) == FACT
        assert facts.lookup("network", WEB) is None
        assert facts.find_by_name("container", "web") == FACT
        assert facts.find_by_prefix("container", "aaa") == FACT
        assert facts.find_by_prefix("container", "") is None
        facts.close()
        assert Facts(path).lookup("container", WEB) == FACT

    def test_a_prefix_or_a_name_is_no_id(self, facts):
        facts.remember(FACT)
        assert facts.lookup("container", WEB[:12]) is None
        assert facts.lookup("container", "web") is None

    def test_a_name_of_two_things_names_none(self, facts):
        facts.remember(Fact("network", WEB, "net", ALICE))
        facts.remember(Fact("network", OTHER, "net", ALICE))
        assert facts.find_by_name("network", "net") is None
        assert facts.find_by_prefix("network", "") is None

    def test_the_latest_counts(self, facts):
        facts.remember(FACT)
        facts.remember(Fact("container", WEB, "web", LOCAL.document()))
        assert facts.lookup("container", WEB).owner == LOCAL.document()
        assert facts.count() == 1

    def test_forgetting(self, facts):
        facts.remember(FACT)
        facts.remember(Fact("exec", OTHER, None, ALICE), container=WEB)
        assert facts.container_of(OTHER) == WEB
        facts.forget("container", WEB)
        assert facts.count() == 0
        assert facts.container_of(OTHER) is None

    def test_a_container_named_like_an_id_is_not_the_old_one(self, facts):
        """Its owner would else be that of the container which had this id and is gone."""
        facts.remember(FACT)
        facts.remember(Fact("container", OTHER, WEB, LOCAL.document()))
        assert facts.lookup("container", WEB) is None
        facts.remember(FACT)
        facts.rename("container", OTHER, WEB)
        assert facts.lookup("container", WEB) is None

    def test_old_execs_are_dropped_others_are_not(self, facts, monkeypatch):
        facts.remember(FACT)
        facts.remember(Fact("exec", OTHER, None, ALICE), container=WEB)
        monkeypatch.setattr("stockade.authz.facts._EXEC_LIFE", -1.0)
        monkeypatch.setattr("stockade.authz.facts._PRUNE_EVERY", 1)
        facts.remember(Fact("volume", "v", "v", ALICE))
        assert facts.container_of(OTHER) is None
        assert facts.lookup("container", WEB) is not None

    def test_what_is_too_long_is_inspected_each_time(self, facts):
        long = Fact(
            "container", WEB, "web", ALICE, {"a": "x" * 70_000}, None, {"privileged": False}
        )
        facts.remember(long)
        facts.complete("container", WEB, "web", None, {"privileged": True})
        found = facts.lookup("container", WEB)
        assert (found.spec, found.labels, found.owner) == (None, {}, ALICE)


class TestChanging:
    def test_name_and_spec_are_forgotten_for_good(self, facts):
        facts.remember(FACT)
        facts.changing("container", WEB)
        found = facts.lookup("container", WEB)
        assert (found.name, found.spec, found.owner) == (None, None, ALICE)
        # An inspect that began before the change must not bring back what was true then.
        facts.complete("container", WEB, "web", None, {"privileged": True})
        assert facts.lookup("container", WEB).spec is None

    def test_until_the_next_start(self, facts):
        facts.remember(FACT)
        facts.changing("container", WEB)
        facts.begin()
        facts.complete("container", WEB, "new", None, {"privileged": True})
        found = facts.lookup("container", WEB)
        assert (found.name, found.spec) == ("new", {"privileged": True})

    def test_a_start_trusts_no_state_of_before(self, facts):
        facts.remember(FACT)
        facts.begin()
        found = facts.lookup("container", WEB)
        assert (found.name, found.spec, found.owner) == (None, None, ALICE)

    def test_which_one_is_not_known(self, facts):
        facts.remember(FACT)
        facts.remember(Fact("container", OTHER, "other", ALICE, spec={"privileged": False}))
        facts.changing("container", None)
        assert facts.lookup("container", WEB).spec is None
        assert facts.lookup("container", OTHER).spec is None

    def test_a_spec_belongs_to_the_policy_it_was_read_under(self, facts):
        facts.use("one")
        facts.remember(FACT)
        assert facts.lookup("container", WEB).spec is not None
        facts.use("two")
        assert facts.lookup("container", WEB).spec is None
        facts.complete("container", WEB, "web", None, {"privileged": True})
        assert facts.lookup("container", WEB).spec == {"privileged": True}
        facts.use("one")
        assert facts.lookup("container", WEB).spec is None


class TestReconciling:
    def test_what_the_engine_no_longer_has(self, facts):
        facts.remember(FACT)
        facts.remember(Fact("container", OTHER, None, ALICE))
        facts.remember(Fact("volume", "v", "v", ALICE))
        assert facts.forget_absent("container", {WEB}, facts.mark()) == 1
        assert facts.lookup("container", WEB) is not None
        assert facts.lookup("container", OTHER) is None
        assert facts.lookup("volume", "v") is not None

    def test_what_was_made_while_it_listed_stays(self, facts):
        facts.remember(FACT)
        mark = facts.mark()
        facts.forget("container", WEB)
        facts.remember(Fact("container", OTHER, None, ALICE))  # must not get the old number
        assert facts.forget_absent("container", set(), mark) == 0
        assert facts.lookup("container", OTHER) is not None

    def test_an_empty_database_has_a_mark(self, facts):
        assert facts.mark() == 0


class TestSharing:
    def test_a_change_of_another_process_is_seen_at_once(self, facts, path):
        facts.remember(FACT)
        assert facts.lookup("container", WEB) == FACT
        code = (
            "import sys; from pathlib import Path; from stockade.authz.facts import Facts\n"
            "f = Facts(Path(sys.argv[1])); f.forget('container', 'a' * 64)\n"
        )
        subprocess.run([sys.executable, "-c", code, path], check=True)
        assert facts.lookup("container", WEB) is None

    def test_and_of_another_connection_after_a_miss(self, facts, path):
        assert facts.lookup("container", WEB) is None
        other = Facts(path)
        other.remember(FACT)
        assert facts.lookup("container", WEB) == FACT
        other.changing("container", WEB)
        assert facts.lookup("container", WEB).spec is None

    def test_several_processes_make_the_database_together(self, path):
        code = (
            "import sys; from pathlib import Path\n"
            "from stockade.authz.facts import Facts; from stockade.authz.model import Fact\n"
            "f = Facts(Path(sys.argv[1]), busy=60)\n"
            "for n in range(40): f.remember(Fact('volume', f'{sys.argv[2]}{n}', None, None))\n"
        )
        started = [subprocess.Popen([sys.executable, "-c", code, path, name]) for name in "abcd"]
        assert [each.wait() for each in started] == [0] * 4
        assert Facts(path).count() == 160

    def test_threads_and_a_fork(self, facts):
        facts.remember(FACT)

        def work(name):
            for number in range(30):
                facts.remember(Fact("volume", f"{name}{number}", None, None))
                assert facts.lookup("container", WEB) == FACT

        pid = os.fork()
        if not pid:
            code = 1
            try:
                work("child")
                code = 0
            finally:
                os._exit(code)
        threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert os.waitpid(pid, 0)[1] == 0
        assert facts.count() == 91

    def test_a_database_that_is_held_is_a_denial(self, path):
        facts = Facts(path, busy=0.05)
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(Denied) as denied:
            facts.remember(FACT)
        assert denied.value.code == "facts-unavailable"
        holder.execute("ROLLBACK")
        facts.remember(FACT)
        assert facts.lookup("container", WEB) == FACT


class TestOpening:
    def test_is_made_for_us_alone(self, facts, path):
        facts.remember(FACT)
        assert path.parent.stat().st_mode & 0o777 == 0o700
        modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
        assert set(modes.values()) == {0o600}, modes

    @pytest.mark.parametrize("what", ["symlink", "dangling", "hardlink", "others", "fifo", "open"])
    def test_what_is_not_ours_alone(self, path, what):
        path.parent.mkdir(mode=0o700)
        other = path.with_name("other")
        other.touch(0o600)
        if what == "symlink":
            path.symlink_to(other)
        elif what == "dangling":
            path.symlink_to(path.with_name("nowhere"))
        elif what == "hardlink":
            path.hardlink_to(other)
        elif what == "others":
            path.touch()
            path.chmod(0o666)
        elif what == "fifo":
            os.mkfifo(path)
        else:
            path.parent.chmod(0o777)
        with pytest.raises(InputError, match="facts: "):
            Facts(path)
        assert not path.with_name("nowhere").exists()

    def test_somebody_elses(self, path, require):
        require(os.geteuid() == 0, "needs root to give a file away")
        Facts(path).close()
        os.chown(path, 12345, 12345)
        with pytest.raises(InputError, match="belongs to user 12345"):
            Facts(path)
        os.chown(path, 0, 0)
        os.chown(path.parent, 12345, 12345)
        with pytest.raises(InputError, match="belongs to user 12345"):
            Facts(path)

    def test_damage(self, path):
        path.parent.mkdir(mode=0o700)
        path.touch(0o600)
        path.write_bytes(b"no database at all" * 100)
        with pytest.raises(InputError, match="cannot be used"):
            Facts(path)

    def test_another_programs(self, path):
        path.parent.mkdir(mode=0o700)
        path.touch(0o600)
        sqlite3.connect(path).execute("CREATE TABLE theirs(x)").connection.commit()
        with pytest.raises(InputError, match="another program"):
            Facts(path)

    def test_a_newer_schema(self, path, monkeypatch):
        Facts(path).close()
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version = {schema._SCHEMA_VERSION + 1}")
        connection.close()
        with pytest.raises(InputError, match="has schema 2"):
            Facts(path)


class TestNonces:
    URI = "/containers/web/json"

    def request(self, nonce, phase=Phase.REQUEST, **changes):
        values = {
            "phase": phase, "method": "GET", "uri": self.URI, "body": b"",
            "headers": {nonces.HEADER: nonce}, "user": "", "authentication": "",
            "certificates": (),
        }  # fmt: skip
        return PluginRequest(**{**values, **changes})

    def test_once_in_each_phase(self, facts):
        nonce = facts.issue("GET", self.URI)
        for phase in Phase:
            assert nonces.recognise(self.request(nonce, phase), facts)
            with pytest.raises(Denied, match=nonces.HEADER):
                nonces.recognise(self.request(nonce, phase), facts)

    def test_in_another_process(self, facts, path):
        nonce = facts.issue("GET", self.URI)
        assert Facts(path).redeem(nonce, "GET", self.URI)

    def test_a_request_without_one(self, facts):
        assert not nonces.recognise(self.request("", headers={"X-Other": "x"}), facts)

    @pytest.mark.parametrize(
        "changes",
        [
            {"uri": "/containers/web2/json"},
            {"uri": "/containers/web/json?"},
            {"uri": "/v1.41/containers/web/json"},
            {"method": "HEAD"},
            {"method": "DELETE"},
            {"body": b"{}"},
            {"authentication": "TLS"},
            {"certificates": ("x",)},
            {"headers": {"X-Stockade-Nonce": ""}},
            {"headers": {"x-stockade-nonce": "forged"}},
            {"headers": {"X-Stockade-Nonce": "x" * 10_000}},
            {"headers": {"X-Stockade-Nonce": "\ud800"}},
        ],
        ids=repr,
    )
    def test_anything_else_is_a_false_claim(self, facts, changes):
        nonce = facts.issue("GET", self.URI)
        with pytest.raises(Denied) as denied:
            nonces.recognise(self.request(nonce, **changes), facts)
        assert denied.value.code == "bad-nonce"

    def test_not_after_its_time(self, facts, monkeypatch):
        nonce = facts.issue("GET", self.URI)
        later = nonces._now() + nonces.LIFE + 0.1
        monkeypatch.setattr(nonces, "_now", lambda: later)
        assert not facts.redeem(nonce, "GET", self.URI)

    def test_not_after_the_clock_began_anew(self, facts, monkeypatch):
        nonce = facts.issue("GET", self.URI)
        monkeypatch.setattr(nonces, "_now", lambda: -100.0)
        assert not facts.redeem(nonce, "GET", self.URI)

    def test_old_ones_do_not_pile_up(self, facts, path, monkeypatch):
        now = nonces._now()
        for second in range(100):
            monkeypatch.setattr(nonces, "_now", lambda second=second: now + second)
            facts.issue("GET", self.URI)
        count = sqlite3.connect(path).execute("SELECT count(*) FROM nonces").fetchone()[0]
        assert count <= 2 * (nonces.LIFE + 1)

    def test_the_database_does_not_hold_it(self, facts, path):
        nonce = facts.issue("GET", self.URI)
        facts.close()
        held = b"".join(each.read_bytes() for each in path.parent.iterdir())
        assert nonce.encode() not in held
