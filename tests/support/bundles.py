"""OCI bundles of busybox, and runc and crun that run them without an engine."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

BUSYBOX = Path("/bin/busybox")

#: crun refuses hosts where cgroup v2 has controllers beside v1; in a mount namespace of ours it
#: does not see that hierarchy.
NO_UNIFIED = (
    *("unshare", "--mount", "sh", "-c"),
    'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"',
    "sh",
)


def make_root(directory: Path, applets: str = "sh cat sleep id stat ls test") -> Path:
    """A root file system, owned by host root."""
    for name in ("bin", "proc", "dev", "sys", "shared", "tmp"):
        (directory / name).mkdir(parents=True)
    (directory / "tmp").chmod(0o1777)
    shutil.copy2(BUSYBOX, directory / "bin/busybox")
    for name in applets.split():
        (directory / "bin" / name).symlink_to("busybox")
    return directory


def make_bundle(
    directory: Path, root: Path, script: str, *, mounts: Sequence[dict] = (), read_only: bool = True
) -> Path:
    """A bundle without a map: its container is host root."""
    proc = {"destination": "/proc", "type": "proc", "source": "proc"}
    dev = {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/sh", "-c", script],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "noNewPrivileges": True,
        },
        "root": {"path": str(root), "readonly": read_only},
        "hostname": directory.name,
        "mounts": [proc, dev, *mounts],
        "linux": {
            "cgroupsPath": f"/stockade-test-{os.getpid()}/{directory.name}",
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")],
        },
        "annotations": {"org.example.kept": "as it is"},
    }
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return directory


class Runtime:
    """runc or crun with a state directory of its own."""

    def __init__(self, program: str, state: Path, *options: str, crun: bool = False) -> None:
        """`crun`: whether it is, or becomes, crun."""
        wrapper = NO_UNIFIED if crun else ()
        self.command = (*wrapper, program, *options, "--root", str(state))
        self.state = state

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command; containers' streams are no pipes of ours, so that nothing waits for them."""
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [*self.command, *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=60,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")

    def start(self, bundle: Path) -> int:
        """Run a bundle in the background under its directory's name; its pid on the host."""
        file = bundle / "pid"
        words = ("--detach", "--bundle", str(bundle), "--pid-file", str(file), bundle.name)
        done = self("run", *words)
        assert done.returncode == 0, done.stdout
        return int(file.read_text())

    def end(self, bundle: Path) -> None:
        """Kill and delete a container."""
        self("delete", "--force", bundle.name)


def remove_cgroups() -> None:
    """Remove those of this process's bundles; their containers are gone."""
    for top in Path("/sys/fs/cgroup").glob(f"*/stockade-test-{os.getpid()}"):
        for path, _, _ in os.walk(top, topdown=False):
            Path(path).rmdir()


def kill(pid: int) -> None:
    """End one process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
