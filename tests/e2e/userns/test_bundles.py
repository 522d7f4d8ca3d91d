"""Bundles that `stockade userns oci` wrote, alive under runc and crun: 300 of them at once."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bundles import Runtime, kill, make_bundle, make_root, remove_cgroups

from stockade.cli.commands import run

pytestmark = pytest.mark.userns

COUNT = 300
FIRST = 524288 + 65536 * 100


@pytest.fixture
def place(require: Callable[[object, str], None]) -> Iterator[Path]:
    """A directory that containers' users can pass through."""
    require(os.geteuid() == 0, "containers need root")
    for program in ("runc", "crun", "/bin/busybox"):
        require(shutil.which(program), f"needs {program}")
    directory = Path(tempfile.mkdtemp(prefix="stockade-bundles-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)
    remove_cgroups()


def write_registry(place: Path, count: int) -> None:
    """Tenants t0, t1, … with a block each."""
    blocks = {f"t{n}": f"{FIRST + 65536 * n}:65536" for n in range(count)}
    path = place / "host/var/lib/stockade/userns.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"version": 1, "blocks": blocks, "tombstones": {}}))


def test_a_mount_through_the_map(place: Path) -> None:
    """crun does this from config.json; runc before 1.2 ignores it."""
    write_registry(place, 1)
    data = place / "closed" / "data"
    data.mkdir(parents=True)
    (data / "file").write_text("x")
    mount = {"destination": "/shared", "type": "bind", "source": str(data), "options": ["rbind"]}
    script = "stat -c %u /shared/file > /shared/seen; echo y > /shared/new; exec sleep 1000"
    bundle = make_bundle(
        place / f"{place.name}-0", make_root(place / "root"), script, mounts=[mount]
    )
    words = ["userns", "oci", str(bundle), "--tenant", "t0", "--root", str(place / "host")]
    assert run([*words, "--mounts", "idmap"]) == 2  # everybody can come there
    (place / "closed").chmod(0o700)
    assert run([*words, "--mounts", "idmap"]) == 0
    assert run([*words]) == 0  # it has its map, and nothing is to be refused
    runtime = Runtime("crun", place / "crun", crun=True)
    try:
        pid = runtime.start(bundle)
        _until(lambda: (data / "new").exists())
        assert (data / "seen").read_text() == "0\n"
        assert (data / "new").stat().st_uid == 0
        shared = [
            line
            for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
            if " /shared " in line
        ]
        assert "nosuid" in shared[0]
    finally:
        runtime.end(bundle)


def test_300_containers_keep_their_secrets(place: Path) -> None:
    write_registry(place, COUNT)
    shared = place / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    root = make_root(place / "root")
    mount = {
        "destination": "/shared",
        "type": "bind",
        "source": str(shared),
        "options": ["rbind", "rw"],
    }
    script = (
        "umask 077; echo secret > /shared/secret-{n}; until [ -e /shared/go ]; do sleep 0.5; done; "
        "{{ for f in /shared/secret-*; do read -r x < $f && echo $f; done; }} "
        "> /shared/.result-{n} 2> /dev/null; mv /shared/.result-{n} /shared/result-{n}; "
        "exec sleep 1000"
    )
    # One more has the map of the first, to show that the files themselves hide nothing.
    bundles = [
        make_bundle(place / f"{place.name}-{n}", root, script.format(n=n), mounts=[mount])
        for n in range(COUNT + 1)
    ]
    for number, bundle in enumerate(bundles):
        tenant = f"t{number % COUNT}"
        words = ["userns", "oci", str(bundle), "--tenant", tenant, "--mounts", "keep"]
        assert run([*words, "--root", str(place / "host")]) == 0
    runtimes = [
        Runtime("runc", place / "runc"),
        Runtime("crun", place / "crun", crun=True),
    ]

    def start(number: int) -> int:
        return runtimes[number % 2].start(bundles[number])

    pids: list[int] = []
    try:
        with ThreadPoolExecutor(2) as pool:
            pids = list(pool.map(start, range(COUNT + 1)))
        maps = {}
        for number, pid in enumerate(pids):
            for kind in ("uid_map", "gid_map"):
                inside, outside, count = map(int, Path(f"/proc/{pid}/{kind}").read_text().split())
                assert (inside, count) == (0, 65536)
                assert outside == FIRST + 65536 * (number % COUNT)
            maps[number] = outside
        assert len(maps) == COUNT + 1
        assert len({maps[number] for number in range(COUNT)}) == COUNT  # disjoint, all alive
        _until(lambda: len(list(shared.glob("secret-*"))) == COUNT + 1)
        (shared / "go").touch()
        _until(lambda: len(list(shared.glob("result-*"))) == COUNT + 1)
        for number in range(COUNT + 1):
            read = {int(line.rpartition("-")[2]) for line in _lines(shared / f"result-{number}")}
            assert read == ({0, COUNT} if number in (0, COUNT) else {number})
        owners = {(shared / f"secret-{n}").stat().st_uid for n in range(COUNT)}
        assert owners == {FIRST + 65536 * n for n in range(COUNT)}
    finally:
        for pid in pids:
            kill(pid)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda n: runtimes[n % 2].end(bundles[n]), range(COUNT + 1)))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)
