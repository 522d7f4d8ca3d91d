"""A real dockerd of our own for tests, not the machine's own one.

The daemon keeps everything in one temporary directory, and its images are made here: no registry.
"""

import contextlib
import ctypes
import io
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

BUSYBOX = Path("/bin/busybox")
#: Debian's own, even where another client stands in front of it in PATH.
DOCKER, DOCKERD = Path("/usr/bin/docker"), Path("/usr/sbin/dockerd")

START_SECONDS = 60
STOP_SECONDS = 30
MNT_DETACH = 2


#: Without a network of its own, a daemon must keep its hands off the machine's.
NO_NETWORK = (
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
)


class Docker:
    """One running dockerd. `run` starts a container and waits for it.

    `options` are dockerd's. With `own_network` it lives in a network namespace that ends with
    it, where bridges, published ports and a swarm work and touch nothing of the machine's.
    `listener` is a bound TCP socket on which it serves too (dockerd's `fd://`); it is not closed
    here, so that a restarted daemon can serve on the same port. `instead`: files of the machine
    (/etc/subuid) in whose place the daemon, and only it, finds others. `settings`: daemon.json.
    """

    image = "stockade-test:busybox"

    def __init__(
        self,
        directory: Path,
        *,
        options: Sequence[str] = (),
        own_network: bool = False,
        listener: socket.socket | None = None,
        instead: Mapping[str, Path] | None = None,
        settings: str = "{}",
    ) -> None:
        self.directory = directory
        self.options = tuple(options)
        self.own_network = own_network
        self.listener = listener
        self.instead = dict(instead or {})
        self.settings = settings
        self.socket = directory / "docker.sock"
        self.log = directory / "dockerd.log"
        self.cgroup = f"stockade-test-{os.getpid()}"
        self.driver = _storage_driver(directory)
        self._process: subprocess.Popen[bytes] | None = None
        self._profiles = 0

    @property
    def pid(self) -> int:
        """The daemon's process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the daemon and wait until it answers."""
        command = [
            # If the tests are killed, the daemon must not stay behind.
            *("setpriv", "--pdeathsig", "TERM", "--"),
            *(("unshare", "--net") if self.own_network else ()),
            *(("unshare", "--mount") if self.instead else ()),
            *self._wrapper(),
            DOCKERD,
            f"--host=unix://{self.socket}",
            *(["--host=fd://"] if self.listener else []),
            f"--data-root={self.directory / 'data'}",
            f"--exec-root={self.directory / 'exec'}",
            f"--pidfile={self.directory / 'dockerd.pid'}",
            f"--config-file={self.directory / 'daemon.json'}",
            f"--cgroup-parent=/{self.cgroup}",
            f"--storage-driver={self.driver}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            "--shutdown-timeout=1",
            *(() if self.own_network else NO_NETWORK),
            *self.options,
        ]
        (self.directory / "daemon.json").write_text(self.settings)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[self.listener.fileno()] if self.listener else [],
                env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        end = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            if self.socket.exists() and self.answers():
                return
            time.sleep(0.05)
        lines = self.log.read_text(errors="replace").splitlines()
        raise RuntimeError("dockerd did not start:\n" + "\n".join(lines[-20:]))

    def _wrapper(self) -> list[str]:
        """What sets up the process that becomes dockerd: its loopback, and the listener as 3."""
        script = "ip link set lo up; " if self.own_network else ""
        for name, path in self.instead.items():
            script += f"mount --bind {shlex.quote(str(path))} {name} || exit 1; "
        if self.listener:
            number = self.listener.fileno()
            if number != 3:
                script += f"exec 3<&{number} {number}<&-; "
            script += "export LISTEN_PID=$$ LISTEN_FDS=1; "
        return ["bash", "-c", script + 'exec "$@"', "dockerd"] if script else []

    def answers(self) -> bool:
        """Whether the daemon serves: any answer will do, a denial too."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(5)
                client.connect(str(self.socket))
                client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return client.recv(16).startswith(b"HTTP/")
        except OSError:
            return False

    def halt(self) -> None:
        """End the daemon, and keep what it has: `start` goes on from there."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                self._kill_containerd()
            self._process = None

    def stop(self) -> None:
        """End the daemon and what it started, and remove what it left: mounts, cgroups, files."""
        if self._process is not None:
            running = self.command("ps", "--quiet").stdout.split()
            if running:
                self.command("rm", "--force", *running)
        self.halt()
        for mount in reversed(_mounts_under(self.directory)):
            ctypes.CDLL(None).umount2(os.fsencode(mount), MNT_DETACH)
        for cgroup in Path("/sys/fs/cgroup").glob(f"*/{self.cgroup}"):
            _remove_cgroup(cgroup)
        _remove_cgroup(Path("/sys/fs/cgroup") / self.cgroup)
        shutil.rmtree(self.directory)

    def _kill_containerd(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.directory / "exec/containerd/containerd.pid").read_text())
            if os.fsencode(self.directory) in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)

    def command(
        self, *args: str, stdin: bytes | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """`docker ARGS` against this daemon."""
        done = subprocess.run(
            [DOCKER, f"--host=unix://{self.socket}", *args],
            input=b"" if stdin is None else stdin,
            capture_output=True,
            timeout=timeout,
            env={"HOME": str(self.directory), "PATH": os.environ["PATH"]},
        )
        return subprocess.CompletedProcess(
            done.args,
            done.returncode,
            done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace"),
        )

    def profile(self, profile: object) -> str:
        """A value for --security-opt from JSON text, a path, or what json.dumps takes."""
        if isinstance(profile, Path):
            return f"seccomp={profile}"
        self._profiles += 1
        path = self.directory / f"profile-{self._profiles}.json"
        path.write_text(profile if isinstance(profile, str) else json.dumps(profile))
        return f"seccomp={path}"

    def run(
        self, *args: str, profile: object = None, options: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in a new container, under the profile if one is given."""
        security = [] if profile is None else ["--security-opt", self.profile(profile)]
        return self.command(
            *("run", "--rm", "--network=none", *security, *options),
            *(self.image, *args),
        )

    def probe(
        self,
        *calls: Sequence[int | str],
        profile: object = None,
        i386: bool = False,
        options: Sequence[str] = (),
    ) -> list[int]:
        """Raw results of the calls, each (nr, arg, ...), made in one container; -errno if refused.

        An argument `@` is the address of 4096 zeroed bytes, `:text` that of the text.
        """
        words = [word for call in calls for word in ("--", *map(str, call))][1:]
        program = "/bin/probe32" if i386 else "/bin/probe"
        done = self.run(program, *words, profile=profile, options=options)
        if done.returncode:
            raise RuntimeError(f"the probe ended with {done.returncode}: {done.stderr.strip()}")
        return [int(line) for line in done.stdout.split()]


def _storage_driver(directory: Path) -> str:
    """overlay2 where an overlay can be mounted on this file system, else vfs."""
    parts = [directory / f"overlay-{name}" for name in ("lower", "upper", "work", "merged")]
    for part in parts:
        part.mkdir()
    lower, upper, work, merged = (os.fsencode(part) for part in parts)
    options = b"lowerdir=%s,upperdir=%s,workdir=%s" % (lower, upper, work)
    libc = ctypes.CDLL(None)
    works = libc.mount(b"overlay", merged, b"overlay", 0, options) == 0
    if works:
        libc.umount2(merged, MNT_DETACH)
    for part in parts:
        shutil.rmtree(part)
    return "overlay2" if works else "vfs"


def _mounts_under(directory: Path) -> list[str]:
    """Mount points below the directory, outermost first."""
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    decoded = (re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), point) for point in points)
    return [point for point in decoded if point.startswith(f"{directory}/")]


def _remove_cgroup(cgroup: Path) -> None:
    for path, _, _ in os.walk(cgroup, topdown=False):
        with contextlib.suppress(OSError):
            Path(path).rmdir()


def root_archive(programs: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    """The root of an image as a tar archive: busybox, and `programs` and `links` in /bin."""
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True)
    root = io.BytesIO()
    with tarfile.open(fileobj=root, mode="w") as archive:

        def add(name: str, kind: bytes, mode: int = 0o755, data: bytes = b"", to: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.size, info.linkname = kind, mode, len(data), to
            archive.addfile(info, io.BytesIO(data))

        for directory in ("bin", "dev", "etc", "proc", "root", "sys", "var"):
            add(directory, tarfile.DIRTYPE)
        add("tmp", tarfile.DIRTYPE, 0o1777)
        add("etc/passwd", tarfile.REGTYPE, 0o644, b"root:x:0:0:root:/:/bin/sh\n")
        add("etc/group", tarfile.REGTYPE, 0o644, b"root:x:0:\n")
        add("bin/busybox", tarfile.REGTYPE, data=BUSYBOX.read_bytes())
        for name, program in programs.items():
            add(f"bin/{name}", tarfile.REGTYPE, data=program)
        for name, to in links.items():
            add(f"bin/{name}", tarfile.SYMTYPE, to=to)
        for applet in applets.stdout.split():
            if applet != "busybox":
                add(f"bin/{applet}", tarfile.SYMTYPE, to="busybox")
    return root.getvalue()
