"""Looking for files that belong to ids, before these are given to somebody else.

What is looked at is the owner and the group of every inode below some directories, other
mounts below them too; links are not followed. What only names an id (an ACL, the root id of a
file capability), and files in archives or images, are not found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..policies.errors import InputError
from ..policies.source import printable
from .ids import IdRange

_UNREAL = frozenset(
    ("proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "pstore", "bpf")
)
"""File systems whose inodes are no files: what they show of ids ends with the processes."""


@dataclass(frozen=True, slots=True)
class Owned:
    """An inode that belongs to one of the ids."""

    path: str
    uid: int
    gid: int


def owned(directories: Sequence[str], ranges: Sequence[IdRange]) -> Iterator[Owned]:
    """Inodes below the directories whose owner or group is in one of the ranges.

    Raises InputError when something cannot be looked at: then nobody knows.
    """
    passed = _unreal_mounts()
    for directory in directories:
        pending = [os.path.realpath(directory)]
        yield from _judged(pending[0], _status(pending[0]), ranges)
        while pending:
            for entry in _entries(pending.pop()):
                try:
                    status = entry.stat(follow_symlinks=False)
                    inside = entry.is_dir(follow_symlinks=False) and entry.path not in passed
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise _unknown(entry.path, error) from error
                yield from _judged(entry.path, status, ranges)
                if inside:
                    pending.append(entry.path)


def _judged(path: str, status: os.stat_result, ranges: Sequence[IdRange]) -> Iterator[Owned]:
    if any(status.st_uid in each or status.st_gid in each for each in ranges):
        yield Owned(path, status.st_uid, status.st_gid)


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path, follow_symlinks=False)  # noqa: PTH116 - as everything here, a string
    except OSError as error:
        raise _unknown(path, error) from error


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unknown(directory, error) from error


def _unknown(path: str, error: OSError) -> InputError:
    return InputError.of(
        f"cannot look into `{printable(path)}`: {error.strerror}; so nobody knows whether the ids "
        "are unused",
        hint="scan as root, or name other directories",
    )


def _unreal_mounts() -> frozenset[str]:
    """Where file systems without files are mounted (proc(5), mountinfo)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return frozenset()
    found = set()
    for line in lines:
        before, _, after = line.partition(" - ")
        if after.split(" ", 1)[0] in _UNREAL:
            mount = before.split(" ")[4]
            found.add(mount.encode("latin-1", "replace").decode("unicode_escape"))
    return frozenset(found)
