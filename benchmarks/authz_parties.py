"""The plugins that are compared: `stockade authz serve`, and opa-docker-authz by a policy file."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from plugin_host import Service

HERE = Path(__file__).resolve().parent
POLICY = HERE.parent / "tests" / "e2e" / "authz" / "policy.yaml"
PEER = "opa-docker-authz"
PEER_POLICY = HERE / "authz_peer.rego"
PEER_MODULE = "github.com/open-policy-agent/opa-docker-authz@latest"
SMALLEST = "package docker.authz\n\nallow := true\n"
"""The shortest policy that allows: what the peer costs before any rule."""
BUILDING = 120.0
"""Seconds for `go install`."""


def find_peer(directory: Path, *, build: bool) -> tuple[Path | None, str]:
    """The peer's program and its version, or None and why there is none."""
    named = os.environ.get("OPA_DOCKER_AUTHZ") or shutil.which(PEER)
    if named:
        return Path(named), _version(Path(named))
    found = f"no {PEER} in PATH, OPA_DOCKER_AUTHZ is not set"
    go = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
    if go is None or not build:
        return None, f"{found}, and {'there is no Go' if go is None else 'none is built'}"
    environment = {**os.environ, "GOBIN": str(directory), "GOFLAGS": "-buildvcs=false"}
    try:
        done = subprocess.run(
            [go, "install", PEER_MODULE],
            env=environment, capture_output=True, text=True, timeout=BUILDING,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"{found}, and `go install` took more than {BUILDING:.0f} s"
    if done.returncode:
        said = " ".join(done.stderr.split())
        return None, f"{found}, and `go install` failed: {said[-160:]}"
    return directory / PEER, _version(directory / PEER)


def _version(program: Path) -> str:
    done = subprocess.run([program, "-version"], capture_output=True, text=True, check=True)
    return ", ".join(line.strip() for line in done.stdout.splitlines())


def peer_policy(files: Path) -> str:
    """What the policy of the measurement says, for the peer."""
    return PEER_POLICY.read_text().replace("@SRV@", str(files))


class Party:
    """A plugin that runs; `with` ends it."""

    path: Path
    pid: int

    def stop(self) -> None:
        """End it."""

    def __enter__(self) -> Party:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


class Stockade(Party):
    """Ours, with two workers, its decision log and its admin process."""

    def __init__(self, directory: Path, files: Path, path: Path, docker: Path) -> None:
        directory.mkdir()
        policy = directory / "policy.yaml"
        policy.write_text(POLICY.read_text().replace("@SRV@", str(files)))
        self._service = Service(directory, policy, path, docker)
        self._service.start()
        self.path, self.pid = path, self._service.master
        time.sleep(0.3)  # the second worker

    def stop(self) -> None:
        self._service.stop()


class Peer(Party):
    """The peer by a policy file, with its own decision log on stderr, into a file."""

    def __init__(self, program: Path, directory: Path, policy: str, path: Path) -> None:
        directory.mkdir()
        file = directory / "policy.rego"
        file.write_text(policy)
        with (directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-plugin-name", path, "-policy-file", file],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.path, self.pid = path, self._process.pid
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
                return
            time.sleep(0.02)
        raise RuntimeError(f"{PEER} did not start: {(directory / 'log').read_text()[-500:]}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self.path.unlink(missing_ok=True)


def workplace() -> tempfile.TemporaryDirectory[str]:
    """A directory with a short name: a unix socket's path has 107 bytes."""
    return tempfile.TemporaryDirectory(prefix="stockade-bench-")
