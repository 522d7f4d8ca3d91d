"""What is known of containers, right after the plugin or the engine was away."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from authz_load import eventually, verify
from plugin_host import AllowAll, PluginHost, Service
from raw_http import Answer

pytestmark = pytest.mark.docker

DEADLINE = 2.0
MARGIN = 2.5


def create(host: PluginHost, who: str, name: str, command: tuple[str, ...] = ("true",)) -> str:
    """A container of somebody's; its id."""
    body = {"Image": host.image, "Cmd": command}
    answer = host.wire(who).ask("POST", f"/containers/create?name={name}", body)
    assert answer.status == 201, answer.message
    return str(answer.json()["Id"])


def look(host: PluginHost, who: str, reference: str) -> int:
    return host.wire(who).ask("GET", f"/containers/{reference}/json").status


def owned(host: PluginHost, who: str, reference: str) -> None:
    """It is this person's, and alice may see everything; nobody else may."""
    for each in ("bob", "local", "carol", "mallory"):
        wanted = 200 if each == who else 403
        assert look(host, each, reference) == wanted, (each, reference)
    assert look(host, "alice", reference) == 200


def restart(service: Service, host: PluginHost) -> None:
    service.stop()
    service.start()


def kill_and_start(service: Service, host: PluginHost) -> None:
    service.kill()
    service.start()


def kill_workers(service: Service, host: PluginHost) -> None:
    before = set(service.workers())
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(set(service.workers()) - before) >= 2, service)


def kill_at_once_after(service: Service, host: PluginHost) -> None:
    """The last thing learned is a moment old."""
    create(host, "bob", f"ci-last-{time.monotonic_ns()}")
    kill_and_start(service, host)


def restart_engine(service: Service, host: PluginHost) -> None:
    host.docker.halt()
    host.docker.start()


def restart_both(service: Service, host: PluginHost) -> None:
    host.docker.halt()
    service.kill()
    service.start()
    host.docker.start()


EVENTS = [restart, kill_workers, kill_at_once_after, restart_engine, restart_both]


@pytest.fixture
def clean(engine: PluginHost) -> Iterator[None]:
    """Names are free again."""
    yield
    engine.use_allow_all()
    wire = engine.wire("local")
    for entry in wire.ask("GET", "/containers/json?all=1").json():
        wire.ask("DELETE", f"/containers/{entry['Id']}?force=1")


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_what_is_bobs_stays_bobs(event, make, engine, clean):
    service = make()
    id_ = create(engine, "bob", "ci-bobs")
    renamed = create(engine, "bob", "ci-old")
    locals_ = create(engine, "local", "ci-locals")
    answer = engine.wire("bob").ask("POST", f"/containers/{renamed}/rename?name=ci-renamed")
    assert answer.status == 204, answer.message
    event(service, engine)
    for reference in (id_, "ci-bobs", id_[:12], renamed, "ci-renamed"):
        owned(engine, "bob", reference)
    owned(engine, "local", locals_)
    assert engine.wire("local").ask("DELETE", "/containers/ci-renamed").status == 403
    assert engine.wire("bob").ask("DELETE", "/containers/ci-renamed").status == 204
    verify(service.log)


def unguarded(host: PluginHost, service: Service, act: Callable[[], object]) -> None:
    """Does something while another plugin, which allows everything, stands in for ours."""
    service.stop()
    other = AllowAll(service.path)
    other.start()
    act()
    other.stop()
    service.start()


class TestWhileAway:
    def test_what_was_created_belongs_to_nobody(self, make, engine, clean):
        service = make()
        made: dict[str, str] = {}

        def act() -> None:
            for who in ("bob", "local", "mallory"):
                made[who] = create(engine, who, f"ci-{who}s")

        unguarded(engine, service, act)
        for who, id_ in made.items():
            for reference in (id_, f"ci-{who}s", id_[:12]):
                owned(engine, "nobody", reference)
        for path in ("start", "stop", "rename?name=ci-x", "exec"):
            answer = engine.wire("bob").ask("POST", f"/containers/ci-bobs/{path}", {"Cmd": ["id"]})
            assert answer.status == 403
        assert engine.wire("bob").ask("DELETE", "/containers/ci-bobs").status == 403
        assert engine.wire("alice").ask("DELETE", "/containers/ci-bobs").status == 204

    def test_names_that_changed_hands(self, make, engine, clean):
        """Whose a container is goes by its id: a name says nothing of what it was before."""
        service = make()
        bobs, locals_ = create(engine, "bob", "ci-one"), create(engine, "local", "ci-two")
        local = engine.wire("local")

        def swap() -> None:
            for old, new in (("ci-one", "ci-x"), ("ci-two", "ci-one"), ("ci-x", "ci-two")):
                assert local.ask("POST", f"/containers/{old}/rename?name={new}").status == 204

        unguarded(engine, service, swap)
        owned(engine, "local", "ci-one")
        owned(engine, "bob", "ci-two")
        owned(engine, "bob", bobs)
        owned(engine, "local", locals_)

    def test_a_name_that_somebody_else_took(self, make, engine, clean):
        service = make()
        gone = create(engine, "bob", "ci-taken")

        def act() -> None:
            assert engine.wire("alice").ask("DELETE", "/containers/ci-taken").status == 204
            create(engine, "alice", "ci-taken")

        unguarded(engine, service, act)
        owned(engine, "nobody", "ci-taken")
        assert look(engine, "bob", gone) in (403, 404)
        assert look(engine, "alice", gone) == 404


def test_a_name_that_is_the_beginning_of_an_id(make, engine, clean):
    """The engine takes a name before the beginning of an id; so whose it is must not waver."""
    service = make()
    theirs = create(engine, "local", "ci-target")
    name = theirs[:12]
    id_ = create(engine, "bob", name)
    for _ in range(2):
        owned(engine, "local", theirs)
        owned(engine, "bob", id_)
        # bob's, or nobody's: it might be renamed between our question and the engine's.
        assert look(engine, "bob", name) == 403
        assert look(engine, "local", name) == 403
        assert look(engine, "bob", theirs[:20]) == 403
        kill_and_start(service, engine)


def test_a_nonce_cannot_be_forged(make, engine):
    service = make()
    id_ = create(engine, "bob", "ci-nonce")
    # A true one, of an inspect that the plugin makes now, may be anywhere but in our hands.
    for value in ("", "A" * 43, "x" * 5000, "'; DELETE FROM nonces; --"):
        for who in ("local", "mallory", "bob"):
            for name in ("X-Stockade-Nonce", "x-stockade-nonce", "X-STOCKADE-NONCE"):
                answer = engine.wire(who).ask(
                    "GET", f"/containers/{id_}/json", headers=[f"{name}: {value}"]
                )
                assert answer.status == 403, (who, name, value, answer.message)
    records = [r for r in service.records() if r.get("code") == "bad-nonce"]
    assert len(records) >= 30
    owned(engine, "bob", id_)


def test_inspects_do_not_wait_for_each_other(make, engine, clean):
    """Both workers ask the engine, which asks the workers: 50 at once, nobody waits for ever."""
    service = make()
    ids = [create(engine, "bob", f"ci-busy-{n}", ("sleep", "100")) for n in range(5)]
    for id_ in ids:
        assert engine.wire("bob").ask("POST", f"/containers/{id_}/start").status == 204
    kill_and_start(service, engine)  # nothing is cached
    answers: list[tuple[str, Answer, float]] = []
    gate = threading.Barrier(50)

    def client(number: int) -> None:
        who = ("bob", "bob", "bob", "local", "alice")[number % 5]
        wire = engine.wire(who)
        gate.wait()
        begin = time.monotonic()
        target = f"/containers/ci-busy-{number % 7 % 5}/exec"
        answer = wire.ask("POST", target, {"Cmd": ["true"]})
        answers.append((who, answer, time.monotonic() - begin))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 50
    wanted = {"bob": 201, "local": 403, "alice": 201}
    wrong = [(who, a.status, a.message) for who, a, _ in answers if a.status != wanted[who]]
    assert wrong == []
    assert max(seconds for _, _, seconds in answers) < DEADLINE + MARGIN
    ran = [answer.json()["Id"] for who, answer, _ in answers if who == "bob"]
    for id_ in ran[:5]:
        start = engine.wire("bob").ask("POST", f"/exec/{id_}/start", {"Detach": True})
        assert start.status == 200, start.message
        assert engine.wire("local").ask("GET", f"/exec/{id_}/json").status == 403
    assert any(record.get("code") == "own-inspect" for record in service.records())
    verify(service.log)
