"""newuidmap, newgidmap, getsubids, podman and the C library as they are, with files of our own.

They read fixed names, so a process in a mount and a process namespace of its own, with files of
ours over /etc/subuid and the like, runs them; it ends with everything that they started.
"""

import ctypes
import grp
import json
import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path

USER = 1000
"""alice's UID and GID in subid_rows.PASSWD."""
FILES = ("subuid", "subgid", "passwd", "group")
CLONE_NEWUSER = 0x10000000
PR_SET_DUMPABLE = 4
_LIBC = ctypes.CDLL(None, use_errno=True)


class IdPrograms:
    """The programs on a host with these accounts. Use it as a context; it needs root."""

    def __init__(self, passwd: bytes, group: bytes) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="stockade-ids-")
        self.top = Path(self._directory.name)
        self.top.chmod(0o755)
        for name, data in (("passwd", passwd), ("group", group), ("subuid", b""), ("subgid", b"")):
            (self.top / name).write_bytes(data)
        for name in ("home", "run"):
            (self.top / name).mkdir(mode=0o700)
            os.chown(self.top / name, USER, USER)

    def __enter__(self) -> "IdPrograms":
        namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._server = subprocess.Popen(
            [*namespaces, "--", sys.executable, "-I", __file__, str(self.top)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(20)
        self._directory.cleanup()

    def put(self, data: bytes) -> None:
        """Make this the content of /etc/subuid and /etc/subgid."""
        for name in ("subuid", "subgid"):
            (self.top / name).write_bytes(data)

    def may_map(self, first: int, count: int, kind: str = "uid") -> bool:
        """Whether newuidmap (newgidmap) lets alice map these ids."""
        return bool(self._ask("map", kind, first, count))

    def put_accounts(self, name: str, data: bytes) -> None:
        """Make this the content of /etc/passwd or /etc/group."""
        (self.top / name).write_bytes(data)

    def entries(self, database: str) -> list[tuple[str, int]]:
        """The names and ids of all entries of passwd or group that the C library sees, without
        those for NIS: it lists them, but finds no login by them."""
        found: list[tuple[str, int]] = self._ask("entries", database)  # type: ignore[assignment]
        return [(name, number) for name, number in found if not name.startswith(("+", "-"))]

    def getsubids(self, owner: str, *options: str) -> list[tuple[int, int]]:
        """The ranges that getsubids lists, in its order; none when it fails."""
        lines = str(self._ask("getsubids", *options, owner)).splitlines()
        return [(int(line.split()[2]), int(line.split()[3])) for line in lines]

    def podman(self) -> bytes:
        """The uid_map of alice's rootless podman; empty when it does not start."""
        return str(self._ask("podman")).encode()

    def _ask(self, *words: object) -> object:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(words) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())


# --- inside ------------------------------------------------------------------------------------


def _target() -> tuple[int, int]:
    """A process of alice's in a user namespace of its own, and the pipe that ends it."""
    ready, tell = os.pipe()
    wait, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go)
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
        failed = _LIBC.unshare(CLONE_NEWUSER)
        _LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        os.write(tell, b"n" if failed else b"y")
        os.read(wait, 1)
        os._exit(0)
    os.close(wait)
    os.close(tell)
    if os.read(ready, 1) != b"y":
        raise RuntimeError("unshare failed")
    os.close(ready)
    return pid, go


def _map(kind: str, first: int, count: int) -> bool:
    pid, go = _target()
    words = [f"new{kind}map", str(pid), "0", str(first), str(count)]
    done = subprocess.run(words, capture_output=True, user=USER, group=USER, extra_groups=[])
    shown = Path(f"/proc/{pid}/{kind}_map").read_text().split()
    assert (done.returncode == 0) == (shown == ["0", str(first), str(count)])
    os.close(go)
    os.waitpid(pid, 0)
    return done.returncode == 0


def _entries(database: str) -> list[tuple[str, int]]:
    _LIBC.__nss_configure_lookup(database.encode(), b"files")
    found: list[tuple[str, int]]
    if database == "passwd":
        found = [(entry.pw_name, entry.pw_uid) for entry in pwd.getpwall()]
    else:
        found = [(entry.gr_name, entry.gr_gid) for entry in grp.getgrall()]
    return [(name, number % (1 << 32)) for name, number in found]  # Python has -1 for the last


def _getsubids(*words: str) -> str:
    done = subprocess.run(["getsubids", *words], capture_output=True, text=True)
    return "" if done.returncode else done.stdout


def _podman(top: Path) -> str:
    done = subprocess.run(
        ["podman", "unshare", "cat", "/proc/self/uid_map"],
        capture_output=True,
        text=True,
        cwd=top / "home",
        env={"HOME": str(top / "home"), "XDG_RUNTIME_DIR": str(top / "run"), "PATH": os.defpath},
        user=USER,
        group=USER,
        extra_groups=[],
    )
    # What it keeps running holds the map: the next call would get the same.
    pause = top / "run/libpod/tmp/pause.pid"
    if pause.exists():
        os.kill(int(pause.read_text()), 9)
        pause.unlink()
    return "" if done.returncode else done.stdout


def _serve(top: Path) -> None:
    for name in FILES:
        subprocess.run(["mount", "--bind", top / name, f"/etc/{name}"], check=True)
    for line in sys.stdin:
        what, *words = json.loads(line)
        answer: object
        if what == "podman":
            answer = _podman(top)
        else:
            answer = {"map": _map, "getsubids": _getsubids, "entries": _entries}[what](*words)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
