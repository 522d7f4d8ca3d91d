"""An engine that records what the docker client sends to it, and answers just enough."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from stockade.policies.reading import read_source

NEW = {"container": "c" * 64, "exec": "e" * 64, "service": "s" * 25}


@dataclass(frozen=True)
class Recorded:
    """What one command line led to."""

    requests: list[tuple[str, str, bytes]]
    status: int
    error: str


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        pass

    def address_string(self) -> str:
        return ""

    def answer(self) -> None:
        body = self._body()
        self.server.seen.append((self.command, self.path, body))  # type: ignore[attr-defined]
        status, document = _answer(self.path.partition("?")[0])
        raw = b"" if status == 204 else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Api-Version", self.server.api)  # type: ignore[attr-defined]
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)

    do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = answer  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while length := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


def _answer(path: str) -> tuple[int, object]:
    parts = path.split("/")
    if path.endswith("/containers/create"):
        return 201, {"Id": NEW["container"], "Warnings": []}
    if path.endswith("/exec"):
        return 201, {"Id": NEW["exec"]}
    if "/exec/" in path and path.endswith("/json"):
        return 200, {"ID": parts[-2], "Running": False, "ExitCode": 0}
    if "/containers/" in path and path.endswith("/json") and parts[-2] != "containers":
        state = {"Running": True, "ExitCode": 0}
        return 200, {"Id": parts[-2], "Config": {"Tty": False}, "State": state, "HostConfig": {}}
    if path.endswith("/wait"):
        return 200, {"StatusCode": 0}
    if path.endswith("/services/create"):
        return 201, {"ID": NEW["service"]}
    if path.endswith("/create"):
        return 201, {"Name": "v", "Id": "n", "ID": "n"}
    if path.endswith("/info"):
        return 200, {"OSType": "linux", "Swarm": {"LocalNodeState": "active"}}
    if path.endswith(("/json", "/privileges", "/search")):
        return 200, []
    if path.endswith(("/start", "/kill", "/stop", "/restart", "/pause", "/unpause", "/rename")):
        return 204, None
    return 200, {}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@pytest.fixture
def record(tmp_path: Path, require: Callable[[object, str], None]) -> Callable[..., Recorded]:
    """`record(docker, words, version)`: run a real client against the recording engine."""

    def run(docker: str, words: list[str], version: str) -> Recorded:
        require(shutil.which(docker), f"needs the docker client {docker}")
        place = tmp_path / "engine.sock"
        place.unlink(missing_ok=True)
        with _Server(str(place), _Handler) as server:
            server.seen = []  # type: ignore[attr-defined]
            server.api = version  # type: ignore[attr-defined]
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            done = subprocess.run(
                [docker, *words],
                env={
                    "DOCKER_HOST": f"unix://{place}",
                    "PATH": os.environ["PATH"],
                    "HOME": "/nowhere",
                    "DOCKER_BUILDKIT": "0",
                    "GIVEN": "from outside",
                },
                cwd=tmp_path,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=60,
            )
            time.sleep(0.02)  # the client may end before its last request was recorded
            server.shutdown()
            seen = list(server.seen)  # type: ignore[attr-defined]
        return Recorded(seen, done.returncode, done.stderr.decode(errors="replace"))

    return run


class Client:
    """The client's side: a directory's files and one variable."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def read(self, path: str) -> str:
        return read_source(self.directory / path).text

    def variable(self, name: str) -> str | None:
        return {"GIVEN": "from outside", "HOME": "/nowhere"}.get(name)

    def absolute(self, path: str) -> str:
        return os.path.normpath(self.directory / path)


@pytest.fixture
def machine(tmp_path: Path) -> Client:
    """With an env file, a label file, a seccomp profile and a build context."""
    (tmp_path / "env").write_text("A=1\n# no\n  GIVEN\nMISSING\nB=x=y \n")
    (tmp_path / "labels").write_text("tier=web\nempty=\n")
    profile = '{ "defaultAction": "SCMP_ACT_ALLOW",\n "syscalls": [ { "names": ["acct"],'
    profile += ' "action": "SCMP_ACT_ERRNO", "comment": "a \\" b" } ] }\n'
    (tmp_path / "profile.json").write_text(profile)
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\n")
    return Client(tmp_path)
