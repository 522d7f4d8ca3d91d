"""A service with a stand-in for the decision, running, and a client that speaks as dockerd does."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

STAND_IN = Path(__file__).with_name("stand_in.py")
PATIENCE = 20.0
REQUEST, RESPONSE = "/AuthZPlugin.AuthZReq", "/AuthZPlugin.AuthZRes"


class Connection(HTTPConnection):
    """Keep-alive over a unix socket."""

    def __init__(self, path, timeout=PATIENCE):
        super().__init__("plugin", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

    def ask(self, document, path=REQUEST, **how):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.request("POST", path, body, how.pop("headers", {}), **how)
        response = self.getresponse()
        text = response.read()
        assert response.status == 200, text
        assert response.headers["Content-Type"] == "application/vnd.docker.plugins.v1.2+json"
        return json.loads(text)


def wait_for(condition, what="it"):
    """Waits until the condition gives something true, and gives that."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        time.sleep(0.02)
    pytest.fail(f"{what} did not come about")


class Service:
    """The process."""

    def __init__(self, directory, *settings, **more):
        self.directory = directory
        self.socket = directory / "plugin.sock"
        self._output = directory / "stderr"
        with self._output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, STAND_IN, directory, *settings],
                stderr=output, start_new_session=True, **more,
            )  # fmt: skip

    @property
    def output(self):
        return self._output.read_text()

    def says(self, text, times=1):
        def said():
            if self.process.poll() is not None and self.output.count(text) < times:
                pytest.fail(f"the service ended: {self.output}")
            return self.output.count(text) >= times

        wait_for(said, f"`{text}` in {self.output!r}")

    def connection(self):
        return Connection(self.socket)

    def ask(self, document, **how):
        with contextlib.closing(self.connection()) as connection:
            return connection.ask(document, **how)

    def workers(self):
        """Process ids, seen by asking until both have answered."""
        found = set()
        for _ in range(200):
            found.add(self.ask({})["pid"])
            if len(found) == 2:
                break
        return found

    def policy(self, revision, **more):
        path = self.directory / "policy.json"
        new = path.with_suffix(".new")
        new.write_text(json.dumps({"revision": revision, **more}))
        new.replace(path)

    def admin(self, path):
        connection = Connection(self.directory / "admin.sock")
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture(scope="session")
def eventually():
    """`eventually(condition)`: waits until it gives something true, and gives that."""
    return wait_for


@pytest.fixture
def start(tmp_path):
    """`start("deadline=1", …)`: a running service."""
    started = []

    def start_service(*settings, wait=True, revision="one", **more):
        policy = tmp_path / "policy.json"
        if not policy.exists():
            policy.write_text(json.dumps({"revision": revision}))
        service = Service(tmp_path, *settings, **more)
        started.append(service)
        if wait:
            service.says("listening on")
        return service

    yield start_service
    for service in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(service.process.pid, signal.SIGKILL)
        service.process.wait()


@pytest.fixture
def service(start, tmp_path):
    """A running service with its admin listener."""
    return start(f"admin={tmp_path}/admin.sock")
