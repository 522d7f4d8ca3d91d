"""What a fault of the plugin's may cost: a denial, never an allow, never a decision unlogged,
and nobody waits for much longer than the deadline.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from authz_load import (
    DECISION,
    Load,
    Sent,
    check_answers,
    check_engine,
    check_logged,
    eventually,
    revision,
    verify,
)
from plugin_host import PluginHost, Service

pytestmark = pytest.mark.docker

DEADLINE = 2.0
#: Generous: the machine may be busy with other tests.
MARGIN = 2.5
#: dockerd asks a plugin that is away again after 1, 2 and 4 seconds.
RETRIES = 7.0


def settle(service: Service, host: PluginHost, sent: list[Sent]) -> None:
    """The account, once the clients have gone."""
    check_answers(sent)
    records = service.records()
    check_logged(sent, records)
    check_engine(host, sent, records)
    verify(service.log)


class TestKilled:
    def test_workers_one_and_all(self, make, engine):
        service = make()
        chance = random.Random(1)
        with Load(engine) as load:
            load.wait_for(20)
            for round_ in range(20):
                children = service.workers()
                for pid in children if round_ % 4 == 3 else children[:1]:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(chance.uniform(0.05, 0.3))
            load.wait_for(20)
        assert not load.faults
        settle(service, engine, load.sent)
        assert load.slowest < DEADLINE + RETRIES

    def test_the_master_and_the_whole_group(self, make, engine):
        service = make()
        chance = random.Random(2)
        with Load(engine) as load:
            for round_ in range(4):
                load.wait_for(10)
                time.sleep(chance.uniform(0, 0.2))
                if round_ % 2:
                    service.kill()
                else:  # its workers end with it
                    os.kill(service.master, signal.SIGKILL)
                    service.process.wait()
                service.start()
            load.wait_for(20)
        assert not load.faults
        settle(service, engine, load.sent)
        assert load.slowest < DEADLINE + RETRIES

    def test_a_stop_and_a_start_under_load(self, make, engine):
        service = make()
        with Load(engine) as load:
            load.wait_for(20)
            assert service.stop() == 0
            service.start()
            load.wait_for(20)
        assert not load.faults
        settle(service, engine, load.sent)


class TestHanging:
    def test_a_stopped_worker(self, make, engine):
        """dockerd gets an answer at the deadline, not a closed connection."""
        service = make()
        with Load(engine, clients=8) as load:
            load.wait_for(20)
            for pid in service.workers():
                os.kill(pid, signal.SIGSTOP)
            time.sleep(DEADLINE)
            load.wait_for(10)
        assert not load.faults
        settle(service, engine, load.sent)
        assert load.slowest < DEADLINE + MARGIN
        late = [each for each in load.sent if "took too long" in each.answer.message]
        assert late
        assert "worker 0 has answered nobody" in service.output.read_text()

    def test_a_module_of_the_users_that_computes_for_ever(self, make, engine, policy):
        """It holds the interpreter's lock: nothing else in the worker runs."""
        own = policy.with_name("endless.yaml")
        own.write_text(
            policy.read_text().replace("authz:\n", "authz:\n  rego: [endless.rego]\n", 1)
        )
        numbers = "numbers.range(1, 3000)"
        own.with_suffix(".rego").write_text(
            "package stockade.extra\n\nimport rego.v1\n\n"
            'deny contains "never said" if {\n\tinput.volume.name == "ci-endless"\n'
            + "".join(f"\tsome {name} in {numbers}\n" for name in "abcd")
            + "\ta + b + c + d == 0\n}\n"
        )
        service = make(policy=own)
        wire = engine.wire("bob")
        assert wire.ask("POST", "/volumes/create", {"Name": "ci-quick"}).status == 201
        seconds, told = [], set()
        for _ in range(2):
            begin = time.monotonic()
            answer = wire.ask("POST", "/volumes/create", {"Name": "ci-endless"})
            seconds.append(time.monotonic() - begin)
            assert answer.status == 403
            assert "the decision took too long [decision" in answer.message
            told.add(DECISION.search(answer.message)[1])
        assert max(seconds) < DEADLINE + MARGIN
        assert wire.ask("POST", "/volumes/create", {"Name": "ci-quick"}).status == 201
        verify(service.log)
        logged = {r["decision_id"][:13] for r in service.records() if r.get("code") == "deadline"}
        assert told <= logged
        assert len(told) == 2


class TestEngine:
    def test_dockerd_restarts_below_it(self, make, engine):
        service = make()
        wire = engine.wire("bob")
        made = wire.ask(
            "POST", "/containers/create?name=ci-kept", {"Image": engine.image, "Cmd": ["true"]}
        )
        assert made.status == 201
        engine.docker.halt()
        assert service.health()["status"] == "ok"
        engine.docker.start()
        assert wire.ask("GET", "/containers/ci-kept/json").status == 200
        denied = engine.wire("local").ask("GET", "/containers/ci-kept/json")
        assert denied.status == 403
        assert "not owned by the person who asks" in denied.message
        assert wire.ask("DELETE", "/containers/ci-kept").status == 204

    def test_dockerd_stands_still(self, make, engine):
        """The plugin cannot ask whose a container is: a denial in time."""
        service = make()
        document = {"RequestMethod": "GET", "RequestUri": "/containers/ci-any/json"}
        os.kill(engine.docker.pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            answer = service.call("/AuthZPlugin.AuthZReq", document).json()
            seconds = time.monotonic() - begin
        finally:
            os.kill(engine.docker.pid, signal.SIGCONT)
        assert answer["Allow"] is False
        assert "did not answer in time" in answer["Msg"]
        assert seconds < DEADLINE + MARGIN


#: What may happen to a policy that a service has, and a piece of what it says then.
BREAKING: dict[str, tuple[Callable[[Path], object], str]] = {
    "bad YAML": (lambda path: path.write_text(path.read_text() + "  - [\n"), "own.yaml:"),
    "half-written": (lambda path: path.write_text(path.read_text()[:900]), "own.yaml:"),
    "deleted": (lambda path: path.unlink(), "own.yaml` does not exist"),
    "emptied": (lambda path: path.write_bytes(b""), "the file is empty"),
    "bad Rego": (
        lambda path: path.with_suffix(".rego").write_text("package stockade.extra\nx if {"),
        "own.rego:2",
    ),
    "no Rego": (lambda path: path.with_suffix(".rego").unlink(), "own.rego` does not exist"),
}


def told(service: Service, last: str, said: str) -> Any:
    """What the admin listener says, once it is about something else than the last time."""
    health = service.health()
    problems = health["reload_problems"]
    return health if problems != last and said in problems else None


class TestPolicy:
    def test_a_broken_one_changes_nothing(self, make, engine, policy, tmp_path):
        own = tmp_path / "own.yaml"
        text = policy.read_text().replace("authz:\n", "authz:\n  rego: [own.rego]\n", 1)
        bob, mallory = engine.wire("bob"), engine.wire("mallory")

        def write_good() -> None:
            own.write_text(text)
            own.with_suffix(".rego").write_text("package stockade.extra\n")

        write_good()
        service = make(policy=own)
        before, last = revision(service), ""
        for name, (change, said) in BREAKING.items():
            write_good()
            change(own)
            os.kill(service.master, signal.SIGHUP)
            health = eventually(lambda last=last, said=said: told(service, last, said), service)
            last = health["reload_problems"]
            assert (health["status"], health["revision"]) == ("degraded", before), name
            assert bob.ask("GET", "/version").status == 200, name
            assert mallory.ask("GET", "/version").status == 403, name
        write_good()
        os.kill(service.master, signal.SIGHUP)
        eventually(lambda: service.health()["status"] == "ok", service)

    def test_it_is_replaced_under_load(self, make, engine, policy, tmp_path):
        """Each decision is made by one revision, the old or the new; the reasons show which."""
        own = tmp_path / "own.yaml"
        text = policy.read_text()
        closed = text.replace("subjects: [builders, shell]", "subjects: [shell]")
        own.write_text(text)
        service = make(policy=own)
        revisions = [revision(service)]
        with Load(engine) as load:
            for number in range(3):
                load.wait_for(10)
                new = tmp_path / "new.yaml"
                new.write_text(text if number % 2 else closed)
                new.replace(own)
                os.kill(service.master, signal.SIGHUP)
                eventually(lambda: revision(service) != revisions[-1], service)
                revisions.append(revision(service))
            load.wait_for(10)
        assert not load.faults
        assert len(set(revisions)) == 2
        assert all(each.answer.status not in (0, 500) for each in load.sent)
        settle(service, engine, load.sent)
        opened = revisions[0]
        by_bob = [
            (record["bundles"]["stockade"]["revision"] == opened, record["result"]["allow"])
            for record in service.records()
            if record.get("phase") == "request"
            and record["user"] == "CN=bob,OU=builders"
            and (record.get("uri") or "").startswith("/volumes/ci-none")
        ]
        assert set(by_bob) == {(True, True), (False, False)}
