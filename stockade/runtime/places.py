"""Where files stand on the host: which mount they are on, and who can come to them (proc(5))."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of /proc/self/mountinfo."""

    id: int
    point: str
    kind: str
    options: str
    """Of the file system: an overlay's layers."""


def mounts() -> list[Mount]:
    """All mounts of this mount namespace; later ones may hide earlier ones."""
    found = []
    with open("/proc/self/mountinfo", errors="surrogateescape") as file:  # noqa: PTH123
        for line in file:
            before, _, after = line.rstrip("\n").partition(" - ")
            words, (kind, _, options) = before.split(" "), after.split(" ", 2)
            found.append(Mount(int(words[0]), _plain(words[4]), kind, _plain(options)))
    return found


def mount_of(handle: int) -> int:
    """The id of the mount that an open file is on."""
    with open(f"/proc/self/fdinfo/{handle}") as file:  # noqa: PTH123
        for line in file:
            if line.startswith("mnt_id:"):
                return int(line.split()[1])
    raise OSError(0, "the kernel does not say which mount a file is on")


def open_place(path: str) -> int:
    """A descriptor that only stands for the place (O_PATH), links followed."""
    return os.open(path, os.O_PATH | os.O_CLOEXEC)


def real_path(handle: int) -> str:
    """Where an open file is, without links."""
    return os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115


def is_below(path: str, directory: str) -> bool:
    """Whether a real path is the directory or inside it."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def is_closed(path: str) -> bool:
    """Whether host users cannot come to it: a directory on the way lets only root pass.

    Otherwise a program with a setuid bit that a container's root makes in an id-mapped place
    would be host root's, for every user of the host.
    """
    while True:
        status = os.stat(path)  # noqa: PTH116
        if stat.S_ISDIR(status.st_mode) and status.st_uid == 0:
            others = 0o001 if status.st_gid == 0 else 0o011
            if not status.st_mode & others:
                return True
        if path == "/":
            return False
        path = os.path.dirname(path)  # noqa: PTH120


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)
