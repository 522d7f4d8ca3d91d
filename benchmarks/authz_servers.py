"""The comparison that chose the authorization plugin's server.

    python benchmarks/authz_servers.py [SECONDS]

Each server answers the plugin's Flask application on a unix socket, two workers where it can,
with a stand-in for the decision that costs about 200 us of CPU. The client sends a 2.5 KB
AuthZReq over 1, then 16 keep-alive connections, on the same cores. `cpu us` is what the server
spent on a request; it hardly depends on what else the machine does. Servers that are not installed
are left out, and named. `pip install gunicorn granian waitress` has the others.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CPU = 200e-6
BODY = json.dumps(
    {
        "RequestMethod": "POST",
        "RequestUri": "/v1.41/containers/create?name=web",
        "RequestBody": "e" * 2000,
        "RequestHeaders": {"Content-Type": "application/json", "X": "y" * 250},
    }
).encode()
REQUEST = (
    b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: plugin\r\nUser-Agent: Go-http-client/1.1\r\n"
    b"Content-Length: %d\r\nAccept: application/vnd.docker.plugins.v1.2+json\r\n"
    b"Accept-Encoding: gzip\r\n\r\n%s" % (len(BODY), BODY)
)
ANSWER = b'{"Allow": true, "Msg": "", "Err": ""}'
GUNICORN = (
    "gunicorn", "--no-control-socket", "--keep-alive", "3600", "--log-level", "error",
    "--bind", "unix:{socket}", "authz_servers:app()",
)  # fmt: skip
SERVERS: dict[str, tuple[str, ...]] = {
    "stockade (gevent pywsgi) x2": ("{python}", __file__, "--stockade", "{socket}"),
    "gunicorn gevent_pywsgi x2": (*GUNICORN, "-w", "2", "-k", "gevent_pywsgi"),
    "gunicorn gevent x2": (*GUNICORN, "-w", "2", "-k", "gevent"),
    "gunicorn gthread 2x8": (*GUNICORN, "-w", "2", "-k", "gthread", "--threads", "8"),
    "granian x2": (
        "granian", "--interface", "wsgi", "--workers", "2", "--uds", "{socket}", "--factory",
        "--log-level", "error", "authz_servers:app",
    ),
    "waitress, 8 threads": (
        "waitress-serve", "--unix-socket={socket}", "--threads=8", "--call", "authz_servers:app",
    ),
    "stdlib, no Flask, 1 process": ("{python}", __file__, "--stdlib", "{socket}"),
}  # fmt: skip


def burn() -> None:
    """Costs as much CPU as a decision does."""
    for _ in range(int(os.environ["BURNS"])):
        json.loads(BODY)


def calibrated() -> int:
    """How often burn() has to go round."""
    for count in (200, 2000):
        begin = time.process_time()
        for _ in range(count):
            json.loads(BODY)
        each = (time.process_time() - begin) / count
    return max(1, round(CPU / each))


class StandIn:
    """In the place of the decider."""

    def answer(self, phase: Any, raw: bytes, arrived: float | None = None) -> bytes:
        """Yes, after the time that a decision takes."""
        burn()
        return ANSWER

    def swap(self, rules: Any) -> None:
        """There is nothing to swap."""


def app() -> Any:
    """The plugin's application, for the other servers."""
    from stockade.authz.app import make_app

    return make_app(StandIn(), 2.0)


def serve_stockade(path: str) -> int:
    """The service itself."""
    from gevent import monkey

    monkey.patch_all()
    from stockade.authz.reload import Bundle
    from stockade.authz.server import serve
    from stockade.authz.settings import Settings
    from stockade.authz.worker import Parts

    parts = Parts(
        lambda settings: Bundle("bench", "0", None),
        lambda settings, bundle: None,  # type: ignore[arg-type, return-value]
        lambda settings, rules, meter: StandIn(),
    )
    settings = Settings(policy=__file__, socket=Path(path), state=Path(path).parent / "state")
    return serve(settings, parts)


def serve_stdlib(path: str) -> None:
    """The least that Python can do: a thread for each connection, no framework."""
    import socketserver

    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while True:
                length = 0
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line[15:])
                if not line:
                    return
                self.rfile.read(length)
                burn()
                self.wfile.write(answer)

    socketserver.ThreadingUnixStreamServer.request_queue_size = 1024
    socketserver.ThreadingUnixStreamServer(path, Handler).serve_forever()


@contextlib.contextmanager
def running(command: tuple[str, ...], environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Starts a server; gives its socket's path and its session."""
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/plugin.sock"
        words = [word.format(socket=path, python=sys.executable) for word in command]
        beside = str(Path(sys.executable).parent)
        words[0] = shutil.which(words[0], path=f"{beside}:{os.environ['PATH']}") or words[0]
        process = subprocess.Popen(
            words, env=environment, cwd=directory, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(path)
                    break
                time.sleep(0.05)
            time.sleep(0.5)
            yield path, process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def cpu_of(session: int) -> float:
    """Seconds of CPU that the processes of a session have used."""
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def load(path: str, connections: int, seconds: float) -> tuple[int, list[float], int]:
    """Requests answered, their times in seconds, and connections that closed unanswered."""
    selector = selectors.DefaultSelector()
    begun: dict[socket.socket, float] = {}
    times: list[float] = []
    closed = 0
    for _ in range(connections):
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        selector.register(client, selectors.EVENT_READ, bytearray())
    end = time.perf_counter() + seconds
    for key in list(selector.get_map().values()):
        begun[key.fileobj] = time.perf_counter()  # type: ignore[index]
        key.fileobj.sendall(REQUEST)  # type: ignore[union-attr]
    while (now := time.perf_counter()) < end and begun:
        for key, _ in selector.select(1.0):
            client: Any = key.fileobj
            data = client.recv(65536)
            if not data:
                closed += 1
                selector.unregister(client)
                begun.pop(client)
                continue
            key.data.extend(data)
            if not _whole(key.data):
                continue
            key.data.clear()
            now = time.perf_counter()
            times.append(now - begun[client])
            begun[client] = now
            client.sendall(REQUEST)
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return len(times), times, closed


def _whole(data: bytearray) -> bool:
    head = data.find(b"\r\n\r\n")
    return head >= 0 and data.endswith((ANSWER, b"\r\n0\r\n\r\n"))


def main(seconds: float) -> None:
    """Print the table."""
    here = str(Path(__file__).parent)
    environment = {**os.environ, "BURNS": str(calibrated()), "PYTHONPATH": here}
    columns = "".join(f"{n:>3} conn: req/s  p50 ms  p99 ms  cpu us" for n in (1, 16))
    print(f"{'server':30}{columns}   closed")
    for name, command in SERVERS.items():
        package = command[0].removesuffix("-serve")
        if package != "{python}" and find_spec(package) is None:
            print(f"{name:30} not installed")
            continue
        with running(command, environment) as (path, session):
            load(path, 16, 0.5)
            row, unanswered = "", 0
            for connections in (1, 16):
                before = cpu_of(session)
                count, times, closed = load(path, connections, seconds)
                cpu = (cpu_of(session) - before) / max(1, count) * 1e6
                unanswered += closed
                cuts = statistics.quantiles(times, n=100) if count > 1 else [0.0] * 99
                row += f"{count / seconds:14.0f} {cuts[49] * 1e3:7.2f} {cuts[98] * 1e3:7.2f}"
                row += f" {cpu:7.0f}"
            print(f"{name:30}{row} {unanswered:8}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stockade"]:
        sys.exit(serve_stockade(sys.argv[2]))
    elif sys.argv[1:2] == ["--stdlib"]:
        serve_stdlib(sys.argv[2])
    else:
        main(float(sys.argv[1]) if sys.argv[1:] else 5.0)
