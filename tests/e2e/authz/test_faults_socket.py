"""Clients that misbehave on the plugin's socket, large bodies, and many clients at once: nobody
else notices.
"""

import base64
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from authz_load import verify
from plugin_host import PluginHost, Service
from raw_http import Answer, build, read_answer

pytestmark = pytest.mark.docker

DEADLINE = 2.0
MARGIN = 2.5
CALL = b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: x\r\n"
PING = json.dumps({"RequestMethod": "GET", "RequestUri": "/_ping"}).encode()
LARGE = 5_600_000


def call(body: bytes) -> bytes:
    return CALL + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


@contextlib.contextmanager
def connections(service: Service, count: int, first: bytes) -> Iterator[list[socket.socket]]:
    """Clients that have sent this and wait."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(count)]
        for each in opened:
            each.settimeout(20)
            each.connect(str(service.path))
            with contextlib.suppress(OSError):
                each.sendall(first)
        yield opened


def quick(host: PluginHost) -> None:
    """Everybody else is answered as always."""
    for who, status in (("bob", 200), ("mallory", 403), ("local", 200)):
        begin = time.monotonic()
        assert host.wire(who).ask("GET", "/version").status == status
        assert time.monotonic() - begin < DEADLINE


#: What a client may send and then say nothing more.
SILENCES = {
    "nothing": b"",
    "half-a-line": b"POST /AuthZ",
    "half-the-headers": CALL + b"Content-Le",
    "no-body": CALL + b"Content-Length: 100\r\n\r\n",
    "half-a-body": CALL + b"Content-Length: 100\r\n\r\n{",
    "half-a-large-body": CALL + b"Content-Length: 5000000\r\n\r\n" + b" " * 100_000,
    "half-a-chunk": CALL + b"Transfer-Encoding: chunked\r\n\r\n4\r\n{",
    "a-stream": CALL + b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\nabcde\r\n" * 1000,
}


@pytest.fixture(scope="module")
def service(engine, host, make_service):
    """One for all of them: what a test leaves behind must not matter to the next."""
    return host.use(make_service)


@pytest.mark.parametrize("sent", SILENCES.values(), ids=SILENCES)
def test_clients_that_say_no_more(sent, service, engine):
    with connections(service, 60, sent):
        quick(engine)
    quick(engine)


def test_a_body_that_never_comes_is_denied_in_time(service):
    begin = time.monotonic()
    with connections(service, 5, SILENCES["half-a-large-body"]) as clients:
        for each in clients:
            answer = read_answer(each, "POST", 1)
            assert (answer.status, answer.json()["Allow"]) == (200, False)
    assert time.monotonic() - begin < DEADLINE + MARGIN


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 4096,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"GET\r\n\r\n",
        b"POST  HTTP/1.1\r\n\r\n",
        b"POST /AuthZPlugin.AuthZReq HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        CALL + b"Content-Length: -1\r\n\r\n",
        CALL + b"Content-Length: 1e9\r\n\r\n",
        CALL + b"Content-Length: 99999999999999999999\r\n\r\n",
        CALL + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        CALL + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        CALL + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        CALL + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",
        CALL + b"X: y\r\n" * 100_000 + b"\r\n",
        b"POST /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        b"\r\n" * 100_000,
    ],
    ids=lambda sent: repr(sent[:24] + sent[-24:])[2:-1],
)
def test_garbage_is_never_an_allow(sent, service, engine):
    with connections(service, 3, sent) as clients:
        quick(engine)
        for each in clients:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_WR)
            answer = read_answer(each, "POST", 1)
            assert b'"Allow": true' not in answer.body
    quick(engine)


def test_requests_in_a_row_are_answered_in_a_row(service):
    denied = json.dumps({"RequestMethod": "GET", "RequestUri": "/swarm"}).encode()
    with connections(service, 1, (call(PING) + call(denied)) * 10 + call(b"")) as (client,):
        client.shutdown(socket.SHUT_WR)
        text = b"".join(iter(lambda: client.recv(1 << 16), b""))
    answers = [part.partition(b"\r\n\r\n")[2] for part in text.split(b"HTTP/1.1 200 OK")[1:]]
    assert [json.loads(each)["Allow"] for each in answers] == [True, False] * 10 + [False]


def test_a_thousand_connections(service, engine):
    with connections(service, 1000, b""):
        quick(engine)
    quick(engine)


def test_whoever_goes_away_before_the_answer(service, engine):
    for _ in range(300):
        with connections(service, 1, call(PING)):
            pass
    quick(engine)
    verify(service.log)


def test_200_clients_at_once(service, engine):
    answers: list[tuple[str, int, float]] = []
    gate = threading.Barrier(200)

    def client(number: int) -> None:
        who = ("local", "bob", "mallory")[number % 3]
        wire = engine.wire(who)
        gate.wait()
        begin = time.monotonic()
        status = wire.ask("GET", "/version", timeout=30).status
        answers.append((who, status, time.monotonic() - begin))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 200
    wanted = {"local": 200, "bob": 200, "mallory": 403}
    assert [(who, status) for who, status, _ in answers if status != wanted[who]] == []
    assert max(seconds for _, _, seconds in answers) < DEADLINE + MARGIN
    verify(service.log)


class TestLargeBodies:
    """dockerd gives the plugin none of a body of 1 MiB or more, and executes it all the same."""

    @pytest.mark.parametrize("size", [900_000, 1_100_000, LARGE])
    @pytest.mark.parametrize("chunked", [False, True])
    @pytest.mark.parametrize("privileged", [False, True])
    def test_create(self, size, chunked, privileged, service, engine):
        name = f"ci-large-{size}-{chunked}-{privileged}"
        body = {"Image": engine.image, "Cmd": ["true"], "Labels": {"x": "y" * size}}
        body["HostConfig"] = {"Privileged": privileged}
        raw = build("POST", f"/containers/create?name={name}", body)
        if chunked:
            head, _, text = raw.partition(b"\r\n\r\n")
            lines = [line for line in head.split(b"\r\n") if b"Content-Length" not in line]
            lines.append(b"Transfer-Encoding: chunked")
            raw = b"\r\n".join(lines) + b"\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
        begin = time.monotonic()
        answer = engine.wire("bob").send(raw, method="POST")
        assert time.monotonic() - begin < DEADLINE + MARGIN
        executed = size < 1 << 20 and not privileged
        assert answer.status == (201 if executed else 403), answer.message

    def test_archives(self, service, engine):
        """Never shown to a plugin: the decision is about the rest of the request."""
        context = bytes(LARGE)
        for who, target, status in (
            ("bob", "/build?t=ci-large&networkmode=host", 403),
            ("mallory", "/build?t=ci-large", 403),
            ("bob", "/images/load", 403),
            ("alice", "/images/load", 200),
        ):
            begin = time.monotonic()
            answer = engine.wire(who).ask("POST", target, context)
            assert time.monotonic() - begin < DEADLINE + MARGIN
            assert answer.status == status, (who, target, answer.message)

    def test_documents_of_the_plugin_protocol(self, service):
        """Larger than dockerd ever sends: decided, or denied, many at a time."""
        create = json.dumps({"Image": "x", "Labels": {"x": "y" * 4_000_000}}).encode()
        document = {
            "RequestMethod": "POST",
            "RequestUri": "/containers/create",
            "RequestHeaders": {"Content-Type": "application/json"},
            "RequestBody": base64.b64encode(create).decode(),
        }
        answers: list[tuple[Answer, float]] = []

        def client(phase: str) -> None:
            begin = time.monotonic()
            answer = service.call(f"/AuthZPlugin.AuthZ{phase}", document)
            answers.append((answer, time.monotonic() - begin))

        threads = [
            threading.Thread(target=client, args=(phase,))
            for phase in ("Req", "Res")
            for _ in "1234"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 8
        for answer, seconds in answers:
            assert answer.status == 200
            assert seconds < DEADLINE + MARGIN
        verify(service.log)
