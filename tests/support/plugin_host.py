"""A dockerd that asks an authorization plugin, and the plugin: ours, or one that allows everything.

dockerd serves on a unix socket and on TCP with client certificates. It lives in a network
namespace of its own and finds the plugin by a name that no other test uses.
"""

import contextlib
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from certificates import DAY, Authority, Pair
from cryptography import x509
from dockerd import Docker, root_archive
from raw_http import Answer, Wire

PLUGINS = Path("/run/docker/plugins")
PROTOCOL = "application/vnd.docker.plugins.v1.2+json"
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20


class AllowAll:
    """A plugin that allows everything: the control that shows what a trick does without ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.uris: list[str] = []
        self._server: socketserver.BaseServer | None = None
        self._connections: set[socket.socket] = set()

    def start(self) -> None:
        """Serve in a thread."""
        self.path.unlink(missing_ok=True)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer._connections.add(self.connection)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/Plugin.Activate":
                    answer = b'{"Implements":["authz"]}'
                else:
                    answer = b'{"Allow":true}'
                    if self.path.endswith("Req") and body:
                        outer.uris.append(json.loads(body).get("RequestUri", ""))
                self.send_response(200)
                self.send_header("Content-Type", PROTOCOL)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

            def get_request(self) -> tuple[Any, Any]:
                return super().get_request()[0], ("plugin", 0)

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = Server(str(self.path), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Close the socket and every connection."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()
        self.path.unlink(missing_ok=True)


class Service:
    """`stockade authz serve` as a process. `state` and `log` outlive it."""

    def __init__(
        self,
        directory: Path,
        policy: Path,
        path: Path,
        docker: Path,
        *,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.policy = policy
        self.path = path
        self.docker = docker
        self.options = tuple(options)
        self.environment = dict(environment or {})
        self.state = directory / "state"
        self.log = directory / "log" / "decisions.jsonl"
        self.admin = directory / "admin.sock"
        self.output = directory / "output.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The command line."""
        return [
            *("setpriv", "--pdeathsig", "TERM", "--"),
            *(sys.executable, "-m", "stockade", "authz", "serve"),
            *("--policy", str(self.policy), "--socket", str(self.path)),
            *("--state", str(self.state), "--log", str(self.log)),
            *("--docker", str(self.docker), "--admin", str(self.admin)),
            *("--deadline", "2", "--workers", "2"),
            *self.options,
        ]

    def start(self) -> None:
        """Start it and wait until it answers the handshake."""
        for needed in (self.state, self.log.parent):
            needed.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=ROOT,
                env={**os.environ, **self.environment},
            )
        end = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.call("/Plugin.Activate", b"").status == 200:
                    return
            time.sleep(0.02)
        tail = self.output.read_text(errors="replace").splitlines()[-20:]
        raise RuntimeError("the plugin did not start:\n" + "\n".join(tail))

    def call(self, path: str, document: object, timeout: float = 20) -> Answer:
        """A call of the plugin protocol, as dockerd makes it but on a connection of its own."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: plugin\r\nAccept: {PROTOCOL}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return Wire(self.path).send(head.encode() + body, method="POST", timeout=timeout)

    @property
    def master(self) -> int:
        """The process that was started."""
        assert self.process is not None
        return self.process.pid

    def workers(self) -> list[int]:
        """Its children."""
        children = Path(f"/proc/{self.master}/task/{self.master}/children")
        return [int(pid) for pid in children.read_text().split()]

    def health(self) -> Any:
        """What its admin listener says of it."""
        return Wire(self.admin).ask("GET", "/healthz").json()

    def stop(self) -> int:
        """End it as a service manager does; its exit code."""
        assert self.process is not None
        self.process.terminate()
        try:
            code = self.process.wait(15)
        except subprocess.TimeoutExpired:
            code = -1
        self.kill()
        return code

    def kill(self) -> None:
        """Kill it and what it started, at once."""
        if self.process is not None:
            # A process group of its own, made by start_new_session.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def records(self) -> list[dict[str, Any]]:
        """The decision log, oldest first, of rotated files too."""
        files = sorted(self.log.parent.glob(f"{self.log.name}*"), key=lambda each: each.name)
        rotated = [each for each in files if each != self.log and each.suffix != ".lock"]
        lines = [
            line
            for each in [*rotated, self.log]
            if each.exists() and each.is_file()
            for line in each.read_bytes().splitlines()
        ]
        return [record for line in lines if (record := _decoded(line)) is not None]


def _decoded(line: bytes) -> dict[str, Any] | None:
    """A whole line of the log; None for one that a killed process left half written."""
    with contextlib.suppress(ValueError):
        record = json.loads(line)
        if isinstance(record, dict):
            return record
    return None


class PluginHost:
    """dockerd with its plugin, and everybody's certificates.

    People: alice (ops), bob (builders), carol (deploy, by SAN), mallory (nobody's), and `local`
    on the unix socket.
    """

    image = Docker.image

    def __init__(self) -> None:
        # Not in pytest's own temporary directory: the path of a unix socket must be short.
        self.directory = Path(tempfile.mkdtemp(prefix="stockade-authz-"))
        self.name = f"stockade-test-{os.getpid()}"
        self.path = PLUGINS / f"{self.name}.sock"
        self.files = self.directory / "srv"
        self._made = [path for path in (PLUGINS, PLUGINS.parent) if not path.exists()]
        PLUGINS.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(self.directory / "tls", "stockade-test")
        server = self.authority.server()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.docker = Docker(
            _made(self.directory / "docker"),
            own_network=True,
            listener=self._listener,
            options=[
                f"--authorization-plugin={self.name}",
                "--tlsverify",
                f"--tlscacert={self.authority.certificate}",
                f"--tlscert={server.certificate}",
                f"--tlskey={server.key}",
            ],
        )
        spiffe = x509.UniformResourceIdentifier("spiffe://example.org/deploy")
        client = self.authority.client
        self.people: dict[str, Pair] = {
            "alice": client("alice", cn=["alice"], ou=["ops"]),
            "bob": client("bob", cn=["bob"], ou=["builders"]),
            "carol": client("carol", cn=["carol"], sans=[spiffe]),
            "mallory": client("mallory", cn=["mallory"]),
            "expired": client("expired", cn=["alice"], ou=["ops"], valid=-DAY),
        }
        self.plugin: AllowAll | Service = AllowAll(self.path)

    def start(self) -> None:
        """Start dockerd, with everything allowed, and give it the test's image."""
        self.plugin.start()
        self.docker.start()
        archive = root_archive({}, {})
        self.image_id = self.docker.command("import", "-", self.image, stdin=archive).stdout.strip()

    def stop(self) -> None:
        """End everything and leave nothing behind."""
        try:
            self.use_allow_all()
        finally:
            self.docker.stop()
            self.plugin.stop()
            self._listener.close()
            shutil.rmtree(self.directory, ignore_errors=True)
            for path in self._made:
                with contextlib.suppress(OSError):
                    path.rmdir()

    def use_allow_all(self) -> AllowAll:
        """Put the plugin that allows everything in front, if it is not there."""
        if not isinstance(self.plugin, AllowAll):
            self.plugin.stop()
            self.plugin = AllowAll(self.path)
            self.plugin.start()
        return self.plugin

    def use(self, make: Callable[[], Service]) -> Service:
        """Put our plugin in front: the one that runs, or a new one from `make`."""
        if isinstance(self.plugin, Service):
            if self.plugin.process is not None and self.plugin.process.poll() is None:
                return self.plugin
            self.plugin.kill()
        else:
            self.plugin.stop()
        self.plugin = make()
        self.plugin.start()
        return self.plugin

    def put(self, service: Service) -> Service:
        """Put a service of the test's own in front, in place of what is there."""
        self.plugin.stop()
        self.plugin = service
        service.start()
        return service

    def wire(self, who: str) -> Wire:
        """The API as somebody reaches it."""
        if who == "local":
            return Wire(self.docker.socket)
        return Wire(self.port, self.authority.certificate, self.people[who])

    def client_options(self, who: str) -> list[str]:
        """The options of a docker client that make it ask as somebody."""
        if who == "local":
            return [f"--host=unix://{self.docker.socket}"]
        pair = self.people[who]
        return [
            f"--host=tcp://127.0.0.1:{self.port}",
            "--tlsverify",
            f"--tlscacert={self.authority.certificate}",
            f"--tlscert={pair.certificate}",
            f"--tlskey={pair.key}",
        ]


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory
