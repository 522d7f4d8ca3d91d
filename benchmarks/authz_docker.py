"""What a plugin adds to requests to a real dockerd."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from authz_calls import NotAllowedError, Times, create_body, summary
from dockerd import BUSYBOX, DOCKER, DOCKERD, Docker, root_archive
from raw_http import Session, Wire

PLUGINS = Path("/run/docker/plugins")
_RELOADED = "Reloaded configuration"


def missing() -> str:
    """Why there can be no dockerd here; empty when there can."""
    if os.geteuid() != 0:
        return "dockerd needs root"
    absent = [str(path) for path in (DOCKERD, DOCKER, BUSYBOX) if not path.exists()]
    return f"there is no {' and no '.join(absent)}" if absent else ""


@contextlib.contextmanager
def engine(directory: Path) -> Iterator[Docker]:
    """A dockerd of our own, with no plugin, and with the image."""
    directory.mkdir()
    docker = Docker(directory, own_network=True)
    made = [path for path in (PLUGINS, PLUGINS.parent) if not path.exists()]
    PLUGINS.mkdir(parents=True, exist_ok=True)
    try:
        docker.start()
        docker.command("import", "-", docker.image, stdin=root_archive({}, {}))
        yield docker
    finally:
        docker.stop()
        for path in made:
            with contextlib.suppress(OSError):
                path.rmdir()


def ask_plugins(docker: Docker, names: list[str]) -> None:
    """dockerd asks these plugins from now on."""
    before = docker.log.read_text().count(_RELOADED)
    (docker.directory / "daemon.json").write_text(json.dumps({"authorization-plugins": names}))
    os.kill(docker.pid, signal.SIGHUP)
    end = time.monotonic() + 20
    while docker.log.read_text().count(_RELOADED) == before:
        if time.monotonic() > end:
            raise RuntimeError("dockerd did not reload its configuration")
        time.sleep(0.02)


def pings(docker: Docker, count: int) -> Times:
    """`GET /_ping` on one connection."""
    session, times = Session(Wire(docker.socket)), []
    for _ in range(count):
        begin = time.perf_counter()
        answer = session.ask("GET", "/_ping")
        times.append(time.perf_counter() - begin)
        if answer.status != 200:
            raise NotAllowedError(answer.message)
    session.close()
    return summary(times)


def creates(docker: Docker, files: Path, count: int, begin: int) -> Times:
    """`POST /containers/create`, each container with a name of its own and removed at once."""
    session, times = Session(Wire(docker.socket)), []
    for number in range(begin, begin + count):
        target = f"/v1.41/containers/create?name=ci-{number:09}"
        body = create_body(files, number)
        start = time.perf_counter()
        answer = session.ask("POST", target, body)
        times.append(time.perf_counter() - start)
        if answer.status != 201:
            raise NotAllowedError(answer.message)
        session.ask("DELETE", f"/v1.41/containers/{answer.json()['Id']}?force=1")
    session.close()
    return summary(times)
