"""An OPA server that is away, hangs, is slow or has another policy: a denial in time."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from authz_load import Load, check_answers, check_engine, check_logged, eventually, revision, verify
from plugin_host import PluginHost, Service
from raw_http import Answer

from stockade.authz.compile import bundle

pytestmark = pytest.mark.docker

OPA = Path(sys.executable).with_name("opa")
DEADLINE = 2.0
MARGIN = 2.5


class OpaServer:
    """A real OPA on a port of its own, with the policy of a service, or empty."""

    def __init__(self, directory: Path) -> None:
        self._bundle = directory / "bundle.tar.gz"
        self._log = directory / "opa.log"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def take_policy(self, service: Service) -> None:
        """What the service has compiled, as the bundle that OPA loads at its next start."""
        compiled = json.loads((service.state / "policy.json").read_bytes())["bundle"]
        self._bundle.write_bytes(bundle(compiled["document"], {}))

    def start(self) -> None:
        """Start it and wait until it answers."""
        address = f"127.0.0.1:{self.port}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL", "--", OPA, "run", "--server"),
                    *("--addr", address, "--log-level", "error"),
                    *(("--bundle", self._bundle) if self._bundle.exists() else ()),
                ],
                stdout=log,
                stderr=log,
            )
        for _ in range(500):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            time.sleep(0.02)
        raise RuntimeError(self._log.read_text())

    def send(self, number: int) -> None:
        """A signal to it."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def opa(tmp_path: Path, require: Callable[[object, str], None]) -> Iterator[OpaServer]:
    require(OPA.exists(), f"needs {OPA} (.ci/opa)")
    server = OpaServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def served(make: Callable[..., Service], opa: OpaServer) -> Service:
    """A plugin that asks OPA, which is up and has its policy."""
    service = make("--opa", opa.url)
    opa.take_policy(service)
    opa.start()
    return service


def timed(host: PluginHost, who: str, target: str = "/version") -> tuple[Answer, float]:
    begin = time.monotonic()
    answer = host.wire(who).ask("GET", target)
    return answer, time.monotonic() - begin


def refused(answer: Answer, seconds: float, said: str) -> None:
    """A denial in time, which says why and can be found in the log."""
    assert (answer.status, said in answer.message) == (403, True), answer.message
    assert "[decision " in answer.message
    assert seconds < DEADLINE + MARGIN


def test_away_and_back(make, engine, opa):
    service = make("--opa", opa.url)
    refused(*timed(engine, "bob"), "the OPA server")
    opa.take_policy(service)
    opa.start()
    assert timed(engine, "bob")[0].status == 200
    assert timed(engine, "mallory")[0].status == 403
    opa.stop()
    refused(*timed(engine, "bob"), "the OPA server")
    opa.start()
    assert timed(engine, "bob")[0].status == 200
    verify(service.log)


def test_hanging_and_slow(served, engine, opa):
    assert timed(engine, "bob")[0].status == 200
    opa.send(signal.SIGSTOP)
    outcomes: list[tuple[Answer, float]] = []
    threads = [
        threading.Thread(target=lambda who=who: outcomes.append(timed(engine, who)))
        for who in ("bob", "local", "alice", "mallory") * 5
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 20
    for answer, seconds in outcomes:
        refused(answer, seconds, "did not answer in time")
    # What is slow but in time still decides.
    waking = threading.Timer(0.7, opa.send, (signal.SIGCONT,))
    waking.start()
    answer, seconds = timed(engine, "bob")
    waking.join()
    assert answer.status == 200
    assert seconds > 0.3
    assert timed(engine, "mallory")[0].status == 403
    verify(served.log)


def test_byte_by_byte(make, engine, opa):
    """Each byte comes in time, the whole never."""
    ended = threading.Event()

    def trickle(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            client.recv(1 << 16)
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not ended.wait(0.1):
                client.sendall(b" ")

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=trickle, args=(listener.accept()[0],)).start()

    service = make("--opa", opa.url)
    with socket.create_server(("127.0.0.1", opa.port)) as listener:
        accepting = threading.Thread(target=accept, args=(listener,))
        accepting.start()
        try:
            refused(*timed(engine, "bob"), "did not answer in time")
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
    verify(service.log)


def test_another_policy_than_ours(make, engine, opa, policy, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(policy.read_text())
    service = make("--opa", opa.url, policy=own)
    opa.take_policy(service)
    opa.start()
    assert timed(engine, "bob")[0].status == 200
    before = revision(service)
    own.write_text(policy.read_text().replace("[NET_BIND_SERVICE]", "[CHOWN]"))
    os.kill(service.master, signal.SIGHUP)
    eventually(lambda: revision(service) != before, service)
    refused(*timed(engine, "bob"), "another version of the policy")
    opa.stop()
    opa.take_policy(service)
    opa.start()
    assert timed(engine, "bob")[0].status == 200


def test_a_new_policy_while_it_hangs(make, engine, opa, policy, tmp_path):
    """Nobody waits for the new policy longer than for a decision, and none is by the old one."""
    own = tmp_path / "own.yaml"
    own.write_text(policy.read_text())
    opa.start()
    service = make("--opa", opa.url, policy=own)
    assert timed(engine, "bob")[0].status == 200
    before = revision(service)
    opa.send(signal.SIGSTOP)
    own.write_text(policy.read_text().replace("[NET_BIND_SERVICE]", "[CHOWN]"))
    os.kill(service.master, signal.SIGHUP)
    end = time.monotonic() + 2.5 * DEADLINE
    while time.monotonic() < end:
        refused(*timed(engine, "bob"), "")
    assert revision(service) != before
    opa.send(signal.SIGCONT)
    eventually(lambda: timed(engine, "bob")[0].status == 200, service)
    assert timed(engine, "mallory")[0].status == 403
    verify(service.log)


def test_killed_under_load(served, engine, opa):
    with Load(engine) as load:
        for _ in range(3):
            load.wait_for(8)
            opa.stop()
            time.sleep(0.2)
            opa.start()
        load.wait_for(8)
    assert not load.faults
    check_answers(load.sent)
    assert all(each.answer.status not in (0, 500) for each in load.sent)
    records = served.records()
    check_logged(load.sent, records)
    check_engine(engine, load.sent, records)
    verify(served.log)
    assert load.slowest < DEADLINE + MARGIN
