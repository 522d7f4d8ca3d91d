"""A dockerd with `stockade-runtime` as one of its runtimes, for all of these tests."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dockerd import Docker, root_archive
from mapped_docker import COUNT, FIRST, Mapped, launcher


@pytest.fixture(scope="module")
def mapped(require: Callable[[object, str], None], docker_installed: None) -> Iterator[Mapped]:
    """dockerd with the runtimes `stockade` and `keep` (`--mounts keep`)."""
    directory = Path(tempfile.mkdtemp(prefix="stockade-docker-"))
    host, state = directory / "host", directory / "state"
    (host / "var/lib/stockade").mkdir(parents=True)
    registry = {"version": 1, "blocks": {"docker": f"{FIRST}:{COUNT}"}, "tombstones": {}}
    (host / "var/lib/stockade/userns.json").write_text(json.dumps(registry))
    common = ("--tenant", "docker", "--state", str(state), "--host-root", str(host))
    own = launcher(directory / "own", *common, "--dedicated", str(directory / "dedicated"))
    keep = launcher(directory / "keep", *common, "--mounts", "keep")
    options = [f"--add-runtime=stockade={own}", f"--add-runtime=keep={keep}"]
    docker = Docker(directory, options=options, own_network=True)
    try:
        docker.start()
        imported = docker.command("import", "-", docker.image, stdin=root_archive({}, {}))
        assert imported.returncode == 0, imported.stderr
        require(docker.driver == "overlay2", "needs a file system that can hold overlays")
        yield Mapped(docker, state)
    finally:
        docker.stop()
