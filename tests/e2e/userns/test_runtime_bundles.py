"""`stockade-runtime` on bundles without an engine: leases, faults, and what it refuses."""

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from bundles import Runtime, make_bundle, make_root, remove_cgroups
from mapped_docker import launcher

pytestmark = pytest.mark.userns

FIRST, BLOCKS = 524288 + 65536 * 1000, 3


class Place:
    """A closed directory with bundles, leases and the registry of a host."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host, self.state = directory / "host", directory / "state"
        self.runtime = self.with_options("--tenant", "docker")
        self.bundles: list[Path] = []

    def with_options(self, *options: str, program: str = "runc") -> Runtime:
        """Our runtime with its state and host in this place."""
        path = self.directory / f"runtime-{len(list(self.directory.glob('runtime-*')))}"
        common = ("--state", str(self.state), "--host-root", str(self.host), "--runtime", program)
        own = str(launcher(path, *common, *options))
        return Runtime(own, self.directory / "run", crun=program == "crun")

    def bundle(self, name: str, script: str = "exec sleep 1000", **changes: Any) -> Path:
        """A bundle with a root of its own; `changes` replace keys of config.json."""
        unique = f"{self.directory.name}-{name}"
        root = make_root(self.directory / f"{name}-tmp")
        bundle = make_bundle(self.directory / unique, Path("rootfs"), script, read_only=False)
        root.rename(bundle / "rootfs")
        config = json.loads((bundle / "config.json").read_text())
        for key, value in changes.items():
            config[key] = {**config[key], **value} if isinstance(value, dict) else value
        (bundle / "config.json").write_text(json.dumps(config))
        self.bundles.append(bundle)
        return bundle

    def leases(self) -> dict[str, int]:
        """container -> first id."""
        found = self.state.glob("leases/*")
        parts = [each.name.split(".", 2) for each in found if not each.name.startswith(".")]
        return {container: int(first) for first, _, container in parts}


@pytest.fixture
def place(require: Callable[[object, str], None]) -> Iterator[Place]:
    require(os.geteuid() == 0, "containers need root")
    for program in ("runc", "crun", "/bin/busybox"):
        require(shutil.which(program), f"needs {program}")
    place = Place(Path(tempfile.mkdtemp(prefix="stockade-runtime-")))
    registry = place.host / "var/lib/stockade/userns.json"
    registry.parent.mkdir(parents=True)
    blocks = {"docker": f"{FIRST}:{65536 * BLOCKS}"}
    registry.write_text(json.dumps({"version": 1, "blocks": blocks, "tombstones": {}}))
    try:
        yield place
    finally:
        for bundle in place.bundles:
            place.runtime.end(bundle)
        shutil.rmtree(place.directory)
        remove_cgroups()


def map_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/uid_map").read_text().split()]


def test_the_root_is_seen_through_the_map_and_the_bundle_stays(place: Place) -> None:
    bundle = place.bundle("one")
    before = (bundle / "config.json").read_bytes()
    pid = place.runtime.start(bundle)
    inside, outside, count = map_of(pid)
    assert (inside, count) == (0, 65536)
    assert place.leases() == {bundle.name: outside}
    place.runtime("exec", "--user=7:8", bundle.name, "sh", "-c", "echo x > /tmp/x")
    shown = place.runtime("exec", bundle.name, "stat", "-c%u", "/", "/bin/busybox", "/tmp/x")
    assert shown.stdout.split() == ["0", "0", "7"], shown.stdout
    stored = (bundle / "rootfs/tmp/x").stat()
    assert (stored.st_uid, stored.st_gid) == (7, 8)
    assert (bundle / "config.json").read_bytes() == before
    assert place.runtime("delete", "--force", bundle.name).returncode == 0
    assert place.leases() == {}
    assert map_of(place.runtime.start(bundle))[1] == outside  # its own place again


def test_crun_is_given_the_same(place: Place) -> None:
    bundle = place.bundle("one")
    runtime = place.with_options("--tenant", "docker", program="crun")
    pid = runtime.start(bundle)
    assert list(place.leases().values()) == [map_of(pid)[1]]
    shown = runtime("exec", bundle.name, "stat", "-c%u", "/", "/bin/busybox")
    assert shown.stdout.split() == ["0", "0"], shown.stdout
    assert runtime("delete", "--force", bundle.name).returncode == 0
    assert place.leases() == {}


def test_creates_at_once_get_disjoint_blocks_until_there_is_none(place: Place) -> None:
    bundles = [place.bundle(str(number)) for number in range(BLOCKS + 2)]

    def create(bundle: Path) -> tuple[int, str]:
        words = ("--bundle", str(bundle), "--pid-file", str(bundle / "pid"), bundle.name)
        done = place.runtime("create", *words)
        return done.returncode, done.stdout

    with ThreadPoolExecutor(len(bundles)) as pool:
        made = list(pool.map(create, bundles))
    refused = [output for code, output in made if code]
    assert len(refused) == 2
    assert all("no block of 65536 ids is free" in output for output in refused)
    alive = [bundle for bundle, (code, _) in zip(bundles, made, strict=True) if not code]
    maps = {map_of(int((bundle / "pid").read_text()))[1] for bundle in alive}
    assert maps == {FIRST + 65536 * number for number in range(BLOCKS)}
    # One goes, and its block is the next one's.
    place.runtime.end(alive[0])
    assert create(next(b for b in bundles if b not in alive))[0] == 0


def test_a_block_is_reclaimed_only_when_nothing_is_left_of_its_container(place: Place) -> None:
    bundle, other = place.bundle("gone"), place.bundle("other")
    pid = place.runtime.start(bundle)
    taken = place.leases()
    kept = place.runtime.state / bundle.name
    # The runtime forgot it, as after an accident; the process still lives.
    kept.rename(place.directory / "aside")
    place.runtime.start(other)
    assert taken.items() <= place.leases().items()
    place.runtime.end(other)
    # The process is gone too, but the runtime knows it.
    (place.directory / "aside").rename(kept)
    os.kill(pid, signal.SIGKILL)
    place.runtime.start(other)
    assert taken.items() <= place.leases().items()
    place.runtime.end(other)
    # Nothing is left, as after a reboot.
    shutil.rmtree(kept)
    place.runtime.start(other)
    assert list(place.leases()) == [other.name]


def test_a_lease_whose_creator_is_at_work_is_kept(place: Place) -> None:
    """Between the lease and the runtime's own record there is only the process itself."""
    bundle = place.bundle("one")
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    start = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    directory = place.state / "leases"
    directory.mkdir(parents=True)
    lease = {"version": 1, "root": "/nowhere", "boot": boot, "pid": os.getpid(), "start": start}
    dead = {**lease, "start": start - 1}
    rebooted = {**lease, "boot": "another"}
    for number, content in enumerate((lease, dead, rebooted)):
        (directory / f"{FIRST + 65536 * number}.65536.c{number}").write_text(json.dumps(content))
    place.runtime.start(bundle)
    assert set(place.leases()) == {"c0", bundle.name}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"root": {"path": "/"}}, "is not known to be for containers only"),
        ({"root": {"path": "/bin"}}, "is not known to be for containers only"),
        ({"root": {"path": "nowhere"}}, "No such file or directory"),
        ({"linux": {"rootfsPropagation": "rshared"}}, "would appear on the host"),
        ({"linux": {"namespaces": [{"type": "mount"}]}}, "shares process ids of the host"),
        ({"process": {"user": {"uid": 65536, "gid": 0}}}, "process.user.uid is 65536"),
        ({"process": {"user": {"uid": 0, "gid": 0, "additionalGids": [1 << 32]}}}, "additional"),
        ({"annotations": {"run.oci.keep_original_groups": "1"}}, "steers the runtime"),
        ({"mounts": [{"destination": "/x", "type": "ext4", "source": "/dev/x"}]}, "of ext4"),
        ({"mounts": [{"destination": "/x", "type": "bind", "source": "/etc"}]}, "host's /etc"),
        ({"mounts": [{"destination": "/x", "options": ["bind"], "source": "/"}]}, "host's /"),
        (
            {"mounts": [{"destination": "/x", "options": ["bind", "idmap"], "source": "."}]},
            "a map of its own",
        ),
        (
            {"mounts": [{"destination": "/x", "options": ["rbind", "shared"], "source": "."}]},
            "would appear on the host",
        ),
        ({"mounts": [{"destination": "/x", "type": "bind"}]}, "has no source"),
    ],
)
def test_refused_and_nothing_leased(place: Place, changes: dict[str, Any], reason: str) -> None:
    bundle = place.bundle("one", **changes)
    log = bundle / "log.json"
    words = ("--log", str(log), "--log-format", "json", "create", "--bundle", str(bundle), "one")
    done = place.runtime(*words)
    assert done.returncode == 1
    told = json.loads(log.read_text().splitlines()[-1])
    assert told["level"] == "error"
    assert told["msg"].startswith("stockade-runtime: ")
    assert reason in told["msg"]
    assert "Traceback" not in done.stdout
    assert place.leases() == {}
    assert not (place.runtime.state / "one").exists()


def test_refused_without_a_bundle_of_its_kind(place: Place) -> None:
    bundle = place.bundle("one")
    words = ("create", "--bundle", str(bundle), "one")
    for options, reason in (
        (("--tenant", "nobody"), "no tenant `nobody`"),
        (("--span", "0-65535"), "--span takes FIRST-LAST"),
        (("--span", "524288-524290"), "no block of 65536 ids is free"),
        (("--policy", str(place.directory / "none.yaml")), "none.yaml"),
        (("--tenant", "docker", "--dedicated", "/"), "--dedicated / would"),
        (("--tenant", "docker", "--span", "1-2"), "pass one of"),
    ):
        done = place.with_options(*options)(*words)
        assert (done.returncode, reason in done.stdout) == (1, True), done.stdout
    (bundle / "config.json").write_text('{"linux": {}, "linux": {}}')
    assert "`linux` twice" in place.runtime(*words).stdout
    assert "no such program" in place.with_options(program="nonesuch")(*words).stdout
    place.directory.chmod(0o755)  # now everybody could run what its root leaves there
    done = place.runtime("create", "--bundle", str(place.bundle("two")), "two")
    assert "setuid program" in done.stdout
    assert place.leases() == {}


def test_a_span_gives_what_nobody_claims(place: Place) -> None:
    (place.host / "etc").mkdir()
    subuid = place.host / "etc/subuid"
    span = f"{FIRST + 65536 * BLOCKS}-{FIRST + 65536 * (BLOCKS + 3) - 1}"
    runtime = place.with_options("--span", span)
    subuid.write_text(f"alice:{FIRST + 65536 * BLOCKS}:65536\n")
    one, two = place.bundle("one"), place.bundle("two")
    assert runtime.start(one)
    # A file that changed is read again: the last free block is now somebody's.
    free = {FIRST + 65536 * (BLOCKS + n) for n in (1, 2)} - set(place.leases().values())
    assert len(free) == 1
    subuid.write_text(subuid.read_text() + f"bob:{free.pop()}:65536\n")
    done = runtime("create", "--bundle", str(two), two.name)
    assert "no block of 65536 ids is free" in done.stdout
    # A line of a tenant that readers take for different ids: in doubt, none.
    subuid.write_text(subuid.read_text() + "docker:0100000:65536\n")
    done = runtime("create", "--bundle", str(two), two.name)
    assert done.returncode == 1
    assert "readers take it for different ids" in done.stdout


def test_a_policy_names_the_span(place: Place) -> None:
    policy = place.directory / "runtime.yaml"
    first = FIRST + 65536 * 100
    policy.write_text(
        f"stockade: 1\nname: runtime\nuserns:\n  span: {first}-{first + 65535}\n  tenants: {{}}\n"
    )
    bundle = place.bundle("one")
    pid = place.with_options("--policy", str(policy)).start(bundle)
    assert map_of(pid) == [0, first, 65536]
