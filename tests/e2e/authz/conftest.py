"""One dockerd with an authorization plugin for all of these tests."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_state import host_files
from plugin_host import PluginHost, Service

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.fixture(scope="session")
def host(docker_installed: None) -> Iterator[PluginHost]:
    """dockerd with its plugin; everything is allowed until a test puts ours in front."""
    host = PluginHost()
    try:
        host_files(host.files)
        host.start()
        yield host
    finally:
        host.stop()


@pytest.fixture(scope="session")
def policy(host: PluginHost) -> Path:
    """policy.yaml with this machine's paths."""
    path = host.directory / "policy.yaml"
    path.write_text((HERE / "policy.yaml").read_text().replace("@SRV@", str(host.files)))
    return path


@pytest.fixture(scope="session")
def make_service(host: PluginHost, policy: Path) -> Callable[[], Service]:
    """Makes our plugin, not yet started, with a state and a log that all of its lives share."""
    return lambda: Service(host.directory / "service", policy, host.path, host.docker.socket)


@pytest.fixture
def service(host: PluginHost, make_service: Callable[[], Service]) -> Service:
    """Our plugin in front of dockerd."""
    return host.use(make_service)


@pytest.fixture(scope="module")
def engine(host: PluginHost) -> Iterator[PluginHost]:
    """dockerd, and afterwards without the containers and volumes that were made here."""
    yield host
    host.use_allow_all()
    for kind in ("containers", "volumes"):
        host.wire("local").ask("POST", f"/{kind}/prune", timeout=60)


@pytest.fixture
def make(engine: PluginHost, policy: Path, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """`make(option, …)`: a plugin of the test's own, with a log of its own, in front of dockerd."""

    def put(*options: str, policy: Path = policy, **places: Path) -> Service:
        service = Service(
            tmp_path / "service", policy, engine.path, engine.docker.socket, options=options
        )
        service.log = places.get("log", service.log)
        service.state = places.get("state", service.state)
        return engine.put(service)

    yield put
    engine.use_allow_all()


@pytest.fixture
def in_front(host: PluginHost, make_service: Callable[[], Service]) -> None:
    """Our plugin in front of dockerd; with STOCKADE_E2E_ALLOW_ALL set the one that allows all.

    The corpus of ordinary use must pass with either: that calibrates it.
    """
    if os.environ.get("STOCKADE_E2E_ALLOW_ALL"):
        host.use_allow_all()
    else:
        host.use(make_service)


@pytest.fixture(scope="session")
def seccomp_option() -> str:
    """The security option that carries the library's docker-default, compiled for docker."""
    library = ROOT / "policies" / "library" / "docker-default.yaml"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "stockade",
            "compile",
            str(library),
            "-o",
            "-",
            "--target",
            "docker",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return f"seccomp={done.stdout}"
