"""`userns check` on a host: files, registry, and namespaces that real processes are in.

The host's own /etc and /var/lib are covered by files of ours in a mount namespace.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dockerd import BUSYBOX, DOCKERD, Docker, root_archive

pytestmark = pytest.mark.userns

Require = Callable[[object, str], None]
FILES = {
    "subuid": "web:2000224256:65536\nbob:2000289792:65536\n",
    "subgid": "web:2000224256:65536\nbob:2000289792:65536\n",
    "passwd": "root:x:0:0::/root:/bin/sh\nbob:x:1001:1::/:/bin/sh\n",
    "group": "root:x:0:\nbob:x:1001:\n",
}
REGISTRY = '{"version": 1, "blocks": {"web": "2000224256:65536"}, "tombstones": {}}'
COVER = """
set -e
mount -t tmpfs tmpfs /var/lib
mkdir /var/lib/stockade
[ ! -e "$0/registry" ] || cp "$0/registry" /var/lib/stockade/userns.json
[ ! -e "$0/intent" ] || cp "$0/intent" /var/lib/stockade/userns.intent.json
for name in subuid subgid passwd group; do mount --bind "$0/$name" "/etc/$name"; done
exec "$@"
"""


@pytest.fixture(autouse=True)
def _root(require: Require) -> None:
    require(os.geteuid() == 0, "needs root")
    for name in FILES:
        require(Path("/etc", name).exists(), f"needs an /etc/{name} to cover")


@contextlib.contextmanager
def namespace(uid_map: str, command: str = "sleep") -> Iterator[int]:
    """A process in a user namespace with this map; its PID."""
    process = subprocess.Popen(["unshare", "--user", command, "100"])
    try:
        own = Path("/proc/self/ns/user").readlink()
        place = Path(f"/proc/{process.pid}")
        end = time.monotonic() + 10
        while (place / "ns/user").readlink() == own or "unshare" in (place / "comm").read_text():
            assert time.monotonic() < end
            time.sleep(0.01)
        for name in ("uid_map", "gid_map"):
            (place / name).write_text(uid_map)
        yield process.pid
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "registry").write_text(REGISTRY)
    return tmp_path


def check(host: Path, *words: str, live: set[int]) -> dict[str, set[str]]:
    """ids of the findings about our processes or no process -> their messages."""
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", COVER, str(host), sys.executable, "-m", "stockade",
         "userns", "check", "--format", "json", *words],
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, set[str]] = {}
    for each in json.loads(done.stdout)["findings"]:
        file = each["file"] or ""
        # Other namespaces may be live on the machine.
        if file.startswith("/proc/") and int(file.split("/")[2]) not in live:
            continue
        found.setdefault(each["id"], set()).add(f"{each['severity']}: {each['message']}")
    return found


def test_a_host_in_order(host: Path) -> None:
    with namespace("0 2000224256 65536\n") as one, namespace("0 2000289792 65536\n") as two:
        found = check(host, "--host", live={one, two})
    (note,) = found.pop("subid-unknown-owner")
    assert note.startswith("note: web is no login")
    assert not found


def test_live_maps_against_files(host: Path) -> None:
    with (
        namespace("0 2000224256 65536\n") as one,
        namespace("0 2000224256 65536\n") as same,
        namespace("0 2000289791 2\n") as across,
        namespace("0 2100000000 10\n") as foreign,
        namespace("0 0 1\n1 2000224300 1\n") as root,
    ):
        found = check(host, "--host", live={one, same, across, foreign, root})
    assert {f"process {foreign} (sleep) uses 2100000000-2100000009, which nobody was given"} == {
        each.partition(": ")[2] for each in found["live-foreign-ids"]
    }
    assert any(f"process {root} (sleep)" in each for each in found["live-host-root"])
    shared = found["live-shared-ids"]
    pair = sorted((one, same))
    assert any(
        each.startswith("note") and f"process {pair[0]} " in each and f"process {pair[1]} " in each
        for each in shared
    ), shared
    assert any(each.startswith("error") and f"process {across} " in each for each in shared), shared


def test_registry_against_files(host: Path) -> None:
    (host / "subuid").write_text("web:2000224256:65535\nbob:2000289792:65536\n")
    (host / "subgid").write_text("bob:2000224256:65536\n")
    (host / "passwd").write_text(FILES["passwd"] + "web:x:2000224300:1::/:/bin/sh\n")
    (host / "intent").write_text("{}")
    found = check(host, "--host", live=set())
    assert {
        "drift-changed-line", "drift-missing-line", "drift-disputed-block",
        "drift-interrupted-commit", "subid-login-inside", "subid-one-file-only",
    } <= set(found)  # fmt: skip


def test_a_process(host: Path) -> None:
    with namespace("0 2000224256 65536\n") as one, namespace("0 2000224256 65536\n") as other:
        both = check(host, "--pid", str(other), live={one, other})
        (message,) = both["live-shared-ids"]
        assert f"process {other} (sleep) has the same map" in message
        assert f"process {one} (sleep)" in message
    with namespace("0 0 65536\n") as rooted:
        assert "idmap-host-root" in check(host, "--pid", str(rooted), live={rooted})


@pytest.mark.docker
def test_containers(require: Require, host: Path) -> None:
    """dockerd with userns-remap: its containers share one map; one outside has the host's."""
    require(DOCKERD.exists() and BUSYBOX.exists(), "needs Debian's docker.io and busybox-static")
    directory = Path(tempfile.mkdtemp(prefix="stockade-check-"))
    directory.chmod(0o711)
    files = {f"/etc/{name}": host / name for name in FILES}
    docker = Docker(directory, options=["--userns-remap=bob"], instead=files)
    try:
        docker.start()
        imported = docker.command("import", "-", docker.image, stdin=root_archive({}, {}))
        assert imported.returncode == 0, imported.stderr
        for name, *options in (("one",), ("two",), ("free", "--userns=host")):
            done = docker.command(
                "run", "-d", "--network=none", "--name", name, *options, docker.image, "sleep", "99"
            )
            assert done.returncode == 0, done.stderr
        pids = {
            name: int(docker.command("inspect", "-f", "{{.State.Pid}}", name).stdout)
            for name in ("one", "two", "free")
        }
        asked = ["--docker-socket", str(docker.socket), "--container"]
        one = check(host, *asked, "one", live=set(pids.values()))
        assert not any("idmap" in name for name in one)
        (shared,) = one["live-shared-ids"]
        assert shared.startswith("note: process")
        assert f"process {pids['two']} (sleep), the ids of bob" in shared
        free = check(host, *asked, "free", live=set(pids.values()))
        assert "idmap-host-root" in free
        docker.command("stop", "-t", "0", "two")
        for name, words in (("two", "not running"), ("three", "no container")):
            done = subprocess.run(
                [sys.executable, "-m", "stockade", "userns", "check", *asked, name],
                capture_output=True,
                text=True,
            )
            assert done.returncode == 2
            assert words in done.stderr
    finally:
        docker.stop()
