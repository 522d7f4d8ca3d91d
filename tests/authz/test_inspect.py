"""The plugin's own questions to the engine: what is asked, and what is no answer."""

import json
import socket
import threading
import time
from urllib.parse import unquote

import pytest

from stockade.authz.denied import Denied
from stockade.authz.facts import Facts
from stockade.authz.inspect import Daemon
from stockade.authz.model import LOCAL, Fact, ObjectReference
from stockade.authz.nonces import HEADER
from stockade.authz.resolve import Resolver, reconcile

OURS, THEIRS = "b7" + "a" * 62, "b7" + "b" * 62
OWNER = LOCAL.document()


class Engine:
    """A daemon that answers from a dictionary of targets, or with given bytes."""

    def __init__(self, path):
        self.path = path
        self.answers = {}
        self.heads = []
        self.raw = None
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def asked(self):
        return [unquote(head.split()[1]) for head in self.heads]

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                try:
                    self._answer(connection)
                except OSError:
                    continue

    def _answer(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        self.heads.append(head.decode())
        if self.raw is not None:
            self.raw(connection)
            return
        status, document = self.answers.get(self.asked[-1], (404, {"message": "no such thing"}))
        body = json.dumps(document).encode()
        connection.sendall(
            b"HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            % (status, len(body))
        )
        connection.sendall(body)

    def close(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def engine(tmp_path):
    made = Engine(tmp_path / "docker.sock")
    yield made
    made.close()


@pytest.fixture
def facts(tmp_path):
    return Facts(tmp_path / "state" / "facts.db")


@pytest.fixture
def daemon(engine, facts):
    return Daemon(engine.path, facts, timeout=5)


def read_spec(inspected):
    return inspected.get("Spec"), inspected.get("Labels", {}), inspected.get("Image")


@pytest.fixture
def resolve(facts, daemon):
    resolver = Resolver(facts, daemon, read_spec)
    return lambda kind, text: resolver.resolve(ObjectReference(kind, text), time.monotonic() + 5)


def container(id_=OURS, name="web", **more):
    return 200, {"Id": id_, "Name": f"/{name}", "Spec": {"privileged": False}, **more}


class TestAsking:
    def test_a_container(self, engine, daemon, facts):
        engine.answers["/containers/web/json"] = container()
        assert daemon.container("web")["Id"] == OURS
        assert daemon.container("other") is None
        head = engine.heads[0]
        assert head.startswith("GET /containers/web/json HTTP/1.1\r\n")
        nonce = next(
            line.split(": ")[1] for line in head.splitlines() if line.startswith(HEADER + ":")
        )
        assert facts.redeem(nonce, "GET", "/containers/web/json")

    @pytest.mark.parametrize(
        ("name", "target"),
        [
            ("a/b", "/containers/a%2Fb/json"),
            ("a?b#c", "/containers/a%3Fb%23c/json"),
            ("a b\r\nX: y", "/containers/a%20b%0D%0AX%3A%20y/json"),
            ("%2e%2e", "/containers/%252e%252e/json"),
            ("ü", "/containers/%C3%BC/json"),
        ],
    )
    def test_names_cannot_leave_their_place(self, engine, daemon, name, target):
        assert daemon.container(name) is None
        assert engine.heads[0].split()[1] == target

    @pytest.mark.parametrize("name", ["", ".", "..", "/", "../.."])
    def test_some_names_are_not_asked_for(self, engine, daemon, name):
        assert daemon.container(name) is None
        assert engine.heads == []

    def test_chunks_are_understood(self, engine, daemon):
        engine.raw = lambda connection: connection.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b'5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n'
        )
        assert daemon.container("web") == {"a": 1}

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (b"", "cannot be read"),
            (b"nonsense\r\n\r\n", "cannot be read"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", "cannot be read"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}", "cannot be read"),
            (b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000, "cannot be read"),
            (b"HTTP/1.1 200 OK\r\n\r\n\xff", "cannot be read"),
            (b"HTTP/1.1 200 OK\r\n\r\n[]", "answered 200"),
            (b"HTTP/1.1 500 x\r\n\r\n{}", "answered 500"),
            (b"HTTP/1.1 403 x\r\n\r\n{}", "answered 403"),
            (b"HTTP/1.1 301 x\r\nLocation: /\r\n\r\n", "answered 301"),
            (b"HTTP/1.1 503 x\r\n\r\n{}", "answered 503"),
        ],
    )
    def test_what_is_no_answer(self, engine, daemon, answer, said):
        engine.raw = lambda connection: connection.sendall(answer)
        with pytest.raises(Denied, match=said) as denied:
            daemon.container("web")
        assert denied.value.code == "facts-unavailable"

    def test_an_answer_without_end(self, engine, daemon):
        def flood(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b" " * (1 << 20))

        engine.raw = flood
        with pytest.raises(Denied, match="more than 8 MiB"):
            daemon.container("web")

    def test_an_engine_that_does_not_answer(self, engine, daemon):
        engine.raw = lambda connection: connection.recv(1)
        with pytest.raises(Denied, match="in time"):
            daemon.container("web", time.monotonic() + 0.1)

    def test_an_engine_that_drips(self, engine, daemon):
        """Bytes that keep coming do not move the deadline."""
        stop = threading.Event()

        def drip(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while not stop.wait(0.02):
                connection.sendall(b" ")

        engine.raw = drip
        with pytest.raises(Denied, match="in time"):
            daemon.container("web", time.monotonic() + 0.3)
        stop.set()

    def test_a_deadline_that_has_passed(self, daemon):
        with pytest.raises(Denied, match="in time"):
            daemon.container("web", time.monotonic() - 1)

    def test_no_engine(self, tmp_path, facts):
        with pytest.raises(Denied, match="No such file"):
            Daemon(tmp_path / "nothing", facts).container("web")

    def test_no_swarm(self, engine, daemon):
        engine.answers["/services/x"] = engine.answers["/services"] = (503, {"message": "no"})
        assert daemon.inspect("service", "x") is None
        assert daemon.list("service") is None


class TestContainers:
    def test_a_full_id_is_known_without_asking(self, engine, facts, resolve):
        facts.remember(Fact("container", OURS, "web", OWNER, {"a": "b"}, {"text": "x"}, {"s": 1}))
        assert resolve("container", OURS) == {
            "kind": "container", "reference": OURS, "id": OURS, "known": True, "name": "web",
            "owner": OWNER, "labels": {"a": "b"}, "image": {"text": "x"}, "spec": {"s": 1},
        }  # fmt: skip
        assert engine.heads == []

    @pytest.mark.parametrize("text", ["web", "/web", OURS[:12]])
    def test_a_name_is_asked_for_and_the_owner_added(self, engine, facts, resolve, text):
        facts.remember(Fact("container", OURS, "old-name", OWNER, {}, None, {"s": 1}))
        engine.answers[f"/containers/{text.removeprefix('/')}/json"] = container()
        found = resolve("container", text)
        assert (found["id"], found["owner"], found["name"]) == (OURS, OWNER, "web")
        assert found["spec"] == {"s": 1}
        assert len(engine.heads) == 1

    def test_one_that_nobody_saw_being_made(self, engine, resolve):
        engine.answers["/containers/web/json"] = container(Labels={"a": "b"})
        found = resolve("container", "web")
        assert found["known"] is True
        assert found["owner"] is None
        assert (found["labels"], found["spec"]) == ({"a": "b"}, {"privileged": False})

    def test_one_that_does_not_exist(self, facts, resolve):
        found = resolve("container", "web")
        assert (found["known"], found["id"], found["owner"]) == (False, None, None)

    def test_one_that_is_gone(self, facts, resolve):
        facts.remember(Fact("container", OURS, None, OWNER))
        assert resolve("container", OURS)["known"] is False
        assert facts.lookup("container", OURS) is None

    def test_what_was_not_known_is_asked_for_once(self, engine, facts, resolve):
        facts.remember(Fact("container", OURS, None, OWNER, {}, None, {"s": 1}))
        engine.answers[f"/containers/{OURS}/json"] = container()
        assert resolve("container", OURS)["name"] == "web"
        assert resolve("container", OURS)["spec"] == {"s": 1}
        assert len(engine.heads) == 1

    def test_what_changes_is_asked_for_each_time(self, engine, facts, resolve):
        facts.remember(Fact("container", OURS, "web", OWNER, {}, None, {"s": 1}))
        facts.changing("container", OURS)
        engine.answers[f"/containers/{OURS}/json"] = container()
        for _ in range(2):
            found = resolve("container", OURS)
            assert (found["spec"], found["owner"]) == ({"privileged": False}, OWNER)
        assert len(engine.heads) == 2

    def test_a_name_that_begins_another_ones_id(self, engine, resolve):
        """Its owner could rename it just then, and the short id would be the other's."""
        engine.answers["/containers/b7/json"] = container("c" * 64, "b7")
        filtered = '/containers/json?all=1&filters={"id": {"b7": true}}'
        engine.answers[filtered] = (200, [{"Id": "c" * 64}, {"Id": "ab7" + "0" * 61}])
        assert resolve("container", "b7")["known"] is True
        engine.answers[filtered] = (200, [{"Id": "c" * 64}, {"Id": THEIRS}])
        with pytest.raises(Denied) as denied:
            resolve("container", "b7")
        assert denied.value.code == "ambiguous-reference"

    def test_an_answer_without_an_id(self, engine, resolve):
        engine.answers["/containers/web/json"] = (200, {"Id": "web"})
        with pytest.raises(Denied):
            resolve("container", "web")


class TestOtherThings:
    def test_an_exec_is_its_containers(self, engine, facts, resolve):
        exec_id = "e" * 64
        facts.remember(Fact("container", OURS, "web", OWNER, {"a": "b"}, None, {"s": 1}))
        engine.answers[f"/exec/{exec_id}/json"] = (200, {"ID": exec_id, "ContainerID": OURS})
        for _ in range(2):
            found = resolve("exec", exec_id)
            assert (found["kind"], found["id"], found["known"]) == ("exec", exec_id, True)
            assert (found["owner"], found["labels"], found["spec"]) == (OWNER, {"a": "b"}, {"s": 1})
        assert len(engine.heads) == 1
        assert resolve("exec", "f" * 64)["known"] is False

    def test_a_volume(self, engine, facts, resolve):
        facts.remember(Fact("volume", "data", "data", OWNER))
        engine.answers["/volumes/data"] = (
            200, {"Name": "data", "CreatedAt": "2030-01-01T01:00:00+01:00", "Labels": {"a": "b"}},
        )  # fmt: skip
        found = resolve("volume", "data")
        assert (found["owner"], found["labels"]) == (OWNER, {"a": "b"})

    def test_a_volume_that_is_gone(self, facts, resolve):
        facts.remember(Fact("volume", "data", "data", OWNER))
        assert resolve("volume", "data")["known"] is False
        assert facts.lookup("volume", "data") is None

    def test_a_network_by_name_and_id(self, engine, facts, resolve):
        facts.remember(Fact("network", OURS, "net-1", OWNER, {"a": "b"}))
        engine.answers["/networks/net-1"] = (200, {"Id": OURS, "Name": "net-1", "Labels": {}})
        assert resolve("network", "net-1")["owner"] == OWNER
        assert resolve("network", OURS)["labels"] == {"a": "b"}
        assert len(engine.heads) == 1

    def test_a_service(self, engine, facts, resolve):
        id_ = "x" * 25
        facts.remember(Fact("service", id_, "api", OWNER, {}, None, {"s": 1}))
        engine.answers["/services/api_1"] = (
            200, {"ID": id_, "Spec": {"Name": "api_1", "Labels": {"a": "b"}}},
        )  # fmt: skip
        found = resolve("service", "api_1")
        assert (found["id"], found["owner"], found["labels"]) == (id_, OWNER, {"a": "b"})

    @pytest.mark.parametrize("kind", ["image", "node", "task", "plugin"])
    def test_kinds_without_facts(self, engine, resolve, kind):
        assert resolve(kind, "x")["known"] is False
        assert engine.heads == []


class TestReconciling:
    def test_drops_what_is_gone(self, engine, daemon, facts):
        facts.remember(Fact("container", OURS, None, OWNER))
        facts.remember(Fact("container", THEIRS, None, OWNER))
        facts.remember(Fact("volume", "v", "v", OWNER))
        facts.remember(Fact("service", "x" * 25, "v", OWNER))
        engine.answers["/containers/json?all=1"] = (200, [{"Id": OURS}])
        engine.answers["/volumes"] = (200, {"Volumes": None})
        engine.answers["/networks"] = (200, [])
        for kind in ("services", "secrets", "configs"):
            engine.answers[f"/{kind}"] = (503, {})
        assert reconcile(facts, daemon, time.monotonic() + 5) == 2
        assert facts.lookup("container", OURS) is not None
        assert facts.lookup("service", "x" * 25) is not None
        assert facts.count() == 2

    def test_an_engine_that_fails_drops_nothing(self, engine, daemon, facts):
        facts.remember(Fact("container", OURS, None, OWNER))
        for answer in ((500, []), (200, {}), (200, ["x"]), (404, [])):
            engine.answers["/containers/json?all=1"] = answer
            with pytest.raises(Denied):
                reconcile(facts, daemon, time.monotonic() + 5)
        assert facts.count() == 1
