"""A real dockerd of our own, with one image: busybox and the probe (probe.c)."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dockerd import BUSYBOX, DOCKER, DOCKERD, Docker, root_archive

HERE = Path(__file__).parent


def _build_probe(directory: Path) -> bytes:
    binary = directory / "probe"
    flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-static", "-nostdlib", "-ffreestanding"]
    flags += ["-fno-stack-protector", "-fno-pie", "-no-pie", f"-I{HERE.parent / 'kernel'}"]
    subprocess.run(["cc", *flags, "-o", binary, HERE / "probe.c"], check=True)
    return binary.read_bytes()


@pytest.fixture(scope="session")
def probe_root(
    require: Callable[[object, str], None], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A root file system with nothing but the probe and what a runtime mounts on."""
    require(shutil.which("cc"), "needs a C compiler (cc) for the probe")
    require(os.uname().machine == "x86_64", "the probe is for x86_64")
    root = tmp_path_factory.mktemp("root")
    for name in ("proc", "dev", "sys", "etc", "run", "tmp"):
        (root / name).mkdir()
    _build_probe(root)
    (root / "probe32").symlink_to("probe")
    return root


@pytest.fixture(scope="session")
def docker_installed(require: Callable[[object, str], None]) -> None:
    """What a dockerd of our own needs."""
    require(os.geteuid() == 0, "dockerd needs root")
    for path, package in (
        (DOCKERD, "docker.io"),
        (DOCKER, "docker.io"),
        (BUSYBOX, "busybox-static"),
    ):
        require(path.exists(), f"needs {path} (Debian's {package})")


@pytest.fixture(scope="session")
def docker(require: Callable[[object, str], None], docker_installed: None) -> Iterator[Docker]:
    """A dockerd of our own with the test image."""
    require(shutil.which("cc"), "needs a C compiler (cc) for the probe")
    require(os.uname().machine == "x86_64", "the probe is for x86_64")
    # Not in pytest's own temporary directory: the path of a unix socket must be short.
    daemon = Docker(Path(tempfile.mkdtemp(prefix="stockade-docker-")))
    try:
        daemon.start()
        root = root_archive({"probe": _build_probe(daemon.directory)}, {"probe32": "probe"})
        imported = daemon.command("import", "-", daemon.image, stdin=root)
        if imported.returncode:
            raise RuntimeError(f"docker import: {imported.stderr}")
        yield daemon
    finally:
        daemon.stop()
