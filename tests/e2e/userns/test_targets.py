"""What `stockade compile` writes for a userns section, given to the programs it is for."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dockerd import Docker, root_archive

from stockade.cli.commands import run
from stockade.userns.registry import read

pytestmark = pytest.mark.userns

POLICY = """\
stockade: 1
name: hosts
userns:
  span: 524288-1879048191
  tenants: {mapped: {blocks: 2}, other: {}, containers: {blocks: 4}}
"""
PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\nmapped:x:4242:4242::/:/bin/sh\nother:x:4243:4243::/:/bin/sh\n"
)
#: Podman asks for more than the machine allows, which in a user namespace cannot be raised.
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
GROUP = "root:x:0:\nmapped:x:4242:\nother:x:4243:\n"


class Host:
    """A tree to which the policy was applied, and what was compiled from it."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.etc = directory, directory / "host/etc"
        self.etc.mkdir(parents=True)
        (self.etc / "passwd").write_text(PASSWD)
        (self.etc / "group").write_text(GROUP)
        self.policy = directory / "hosts.yaml"
        self.policy.write_text(POLICY)
        assert run(["userns", "apply", str(self.policy), "--root", str(directory / "host")]) == 0
        data = (directory / "host/var/lib/stockade/userns.json").read_bytes()
        self.blocks = read(data, "userns.json").blocks

    def compile(self, target: str, tenant: str = "mapped") -> Path:
        """The target's file."""
        words = ["compile", str(self.policy), "--root", str(self.directory / "host")]
        words += ["-o", str(self.directory), "--target", target, "--tenant", tenant]
        assert run(words) == 0
        return next(self.directory.glob(f"hosts.*{target.removesuffix('.json')}*"))

    def instead(self) -> dict[str, Path]:
        """The machine's own files and those of the tree."""
        return {f"/etc/{name}": self.etc / name for name in ("subuid", "subgid", "passwd", "group")}

    def bound(self, script: str) -> list[str]:
        """A command for a shell script that finds the tree's files in the machine's places."""
        binds = "".join(
            f"mount --bind '{path}' {name} && " for name, path in self.instead().items()
        )
        return ["unshare", "--mount", "sh", "-ec", f"{binds}true\n{script}"]

    def map(self, tenant: str) -> list[str]:
        """What /proc/self/uid_map must say, in words."""
        block = self.blocks[tenant]
        return ["0", str(block.first), str(block.count)]


@pytest.fixture(scope="module")
def host(require: Callable[[object, str], None]) -> Iterator[Host]:
    require(os.geteuid() == 0, "user namespaces of others need root")
    directory = Path(tempfile.mkdtemp(prefix="stockade-targets-"))
    directory.chmod(0o711)
    # The machine has these files in a minimal image too; bind mounts need something to lie on.
    require(Path("/etc/subuid").exists(), "needs /etc/subuid (Debian's passwd)")
    yield Host(directory)
    shutil.rmtree(directory)


@pytest.mark.docker
def test_dockerd(host: Host, docker_installed: None) -> None:
    settings = host.compile("daemon.json").read_text()
    directory = Path(tempfile.mkdtemp(prefix="stockade-docker-"))
    directory.chmod(0o711)
    docker = Docker(directory, instead=host.instead(), settings=settings)
    try:
        docker.start()
        imported = docker.command("import", "-", docker.image, stdin=root_archive({}, {}))
        assert imported.returncode == 0, imported.stderr
        shown = docker.run("cat", "/proc/self/uid_map", "/proc/self/gid_map")
        assert shown.stdout.split() == host.map("mapped") * 2, shown.stderr
    finally:
        docker.stop()


@pytest.mark.parametrize("tenant", ["mapped", "other"])
def test_newuidmap(host: Host, tenant: str, require: Callable[[object, str], None]) -> None:
    require(shutil.which("newuidmap"), "needs newuidmap (Debian's uidmap)")
    arguments = host.compile("newuidmap-args", tenant)
    # The shell of the tenant's user maps a child of its own.
    script = f"""
        exec setpriv --reuid {tenant} --regid {tenant} --clear-groups sh -ec '
            unshare --user sleep 60 & child=$!
            until [ "$(readlink /proc/$child/ns/user)" != "$(readlink /proc/$$/ns/user)" ]
            do sleep 0.02; done
            newuidmap $child {arguments.read_text().strip()}
            newgidmap $child {arguments.read_text().strip()}
            cat /proc/$child/uid_map /proc/$child/gid_map
            ! newuidmap $child 0 {host.blocks[tenant].first + 65536} 65536 2> /dev/null
            kill $child'
    """
    done = subprocess.run(host.bound(script), capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == host.map(tenant) * 2, done.stderr


def test_podman(host: Host, require: Callable[[object, str], None]) -> None:
    require(shutil.which("podman"), "needs podman")
    place = host.directory / "podman"
    podman = ["podman", "--root", str(place / "root"), "--runroot", str(place / "run")]
    podman += ["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--runtime=runc"]
    podman += ["--events-backend=none", "--tmpdir", str(place / "tmp")]
    archive = host.directory / "image.tar"
    archive.write_bytes(root_archive({}, {}))
    subprocess.run([*podman, "import", str(archive), "box"], check=True, capture_output=True)

    def run_with(tenant: str) -> list[str]:
        words = host.compile("podman-args", tenant).read_text().split()
        script = [*podman, "run", "--rm", "--network=none", "--log-driver=none", *LIMITS, *words]
        script += ["box", "cat", "/proc/self/uid_map", "/proc/self/gid_map"]
        command = [*host.bound('exec "$@"'), "sh", *script]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert run_with("mapped") == host.map("mapped") * 2
    inside, outside, count = map(int, run_with("containers")[:3])
    own = host.blocks["containers"]
    assert (inside, count) == (0, 65536)
    assert own.first <= outside <= own.last - 65535
