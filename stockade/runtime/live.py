"""What lives on this host at this moment: user namespaces and processes (proc(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..userns.ids import ID_SPACE, IdRange

_WHOLE = b"         0          0 4294967295\n"


@dataclass(frozen=True, slots=True)
class Creator:
    """A process that cannot be confused with a later one of the same number."""

    pid: int
    start: int
    """Clock ticks after boot (field 22 of /proc/PID/stat)."""

    @classmethod
    def this(cls) -> Creator:
        """The calling process; it stays the same one over execve."""
        pid = os.getpid()
        return cls(pid, _start(pid))


def is_alive(process: Creator) -> bool:
    """Whether exactly this process still runs."""
    return _start(process.pid) == process.start != 0


def _start(pid: int) -> int:
    words = _stat(str(pid))
    return int(words[19]) if words else 0


def _stat(pid: str) -> list[bytes]:
    """The fields of /proc/PID/stat after the name, the state first; none for no process."""
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def boot_id() -> str:
    """This boot of the kernel."""
    with open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123
        return file.read().strip()


def in_initial_namespace() -> bool:
    """Whether host ids are what they seem here: we are in a map of everything to itself."""
    return all(_read(f"/proc/self/{kind}") == _WHOLE for kind in ("uid_map", "gid_map"))


def live_ranges() -> list[IdRange]:
    """Host ids that the maps of running processes reach, as seen from the initial namespace."""
    found: set[bytes] = set()
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit():
            continue
        texts = (
            {_read(f"/proc/{name}/{kind}") for kind in ("uid_map", "gid_map")} - found - {_WHOLE}
        )
        if texts and not _is_dead(name):
            found |= texts
    ranges: set[IdRange] = set()
    for text in found:
        for line in text.splitlines():
            _, outside, count = map(int, line.split())
            if outside < ID_SPACE - 1:  # otherwise out of reach from here
                ranges.add(IdRange(outside, count))
    return sorted(ranges)


def _is_dead(pid: str) -> bool:
    """Whether it only waits for its parent to ask how it ended, without a thread that runs."""
    words = _stat(pid)
    return not words or (words[0] in (b"Z", b"X") and int(words[17]) <= 1)


def _read(path: str) -> bytes:
    """A small file of a process; empty when it is gone meanwhile."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""
