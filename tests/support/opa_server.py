"""A real OPA server for tests: on loopback, in a directory of its own, ended by its process id."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from os import environ
from pathlib import Path

START_SECONDS = 20


def find_opa() -> str | None:
    """The program: what STOCKADE_OPA says, beside this Python, or in PATH."""
    beside = Path(sys.executable).with_name("opa")
    return environ.get("STOCKADE_OPA") or (str(beside) if beside.exists() else shutil.which("opa"))


class OpaServer:
    """One server; `start` after `stop` begins with nothing, on the same port."""

    def __init__(self, directory: Path, options: Sequence[object] = (), scheme: str = "http"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.log = directory / "opa.log"
        self._options = [str(each) for each in options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        command = [find_opa(), "run", "--server", "--addr", f"127.0.0.1:{self.port}"]
        command += ["--disable-telemetry", "--log-level", "error", *self._options]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],  # type: ignore[list-item]
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            time.sleep(0.02)
        raise RuntimeError(self.log.read_text())

    def stop(self) -> None:
        """End it; what it was given is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def delete(self, path: str) -> None:
        """DELETE of its API, for a server without a token."""
        request = urllib.request.Request(f"{self.url}/v1/{path}", method="DELETE")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(request, timeout=5).close()
