"""Which container has which block: a directory with one small file for each lease.

    STATE/leases/524288.65536.4f2c…      {"version": 1, "root": "/run/docker/…", …}

The name alone says which ids are taken and by whom (`userns/leases.py`). Files are complete
and on disk before they have their name; changes are made under a lock on the directory, which
`stockade userns apply` takes too. Leases survive the death of everything, and a reboot; one is
given back by `delete`, or when its container is gone for certain (`Leases.reclaim`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ..policies.errors import InputError
from ..userns.ids import IdRange
from ..userns.leases import read_name
from .live import Creator, boot_id, is_alive

VERSION = 1


@dataclass(frozen=True, slots=True)
class Lease:
    """A container's block."""

    range: IdRange
    container: str
    """Its id, as the real runtime knows it."""
    root: str
    """The real runtime's state directory; empty: the file cannot be read."""
    boot: str
    """The boot during which it was taken (random/boot_id in proc(5))."""
    creator: Creator
    """The process that took it, and then became the real runtime's `create`."""

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.range.first}.{self.range.count}.{self.container}"


class Leases:
    """All leases below one state directory."""

    def __init__(self, state: str) -> None:
        self.directory = f"{state}/leases"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes leases meanwhile; the kernel unlocks for the dead."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)  # noqa: PTH103
        handle = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def all(self) -> list[Lease]:
        """Every lease; one whose file cannot be read has no root and stays taken.

        Raises InputError for a file with another name: it may hold a block that nobody knows.
        """
        try:
            names = os.listdir(self.directory)  # noqa: PTH208
        except FileNotFoundError:
            return []
        return [self._read(name) for name in sorted(names) if not name.startswith(".")]

    def find(self, root: str, container: str) -> Lease | None:
        """The lease of a container of the runtime with this state directory."""
        try:
            names = os.listdir(self.directory)  # noqa: PTH208
        except FileNotFoundError:
            return None
        for name in names:
            if name.endswith(f".{container}") and name.split(".", 2)[2:] == [container]:
                with contextlib.suppress(InputError):  # no lease at all
                    lease = self._read(name)
                    if lease.root == root:
                        return lease
        return None

    def add(self, lease: Lease) -> None:
        """Record a lease, on disk when this returns. Only under the lock."""
        content = {
            "version": VERSION,
            "root": lease.root,
            "boot": lease.boot,
            "pid": lease.creator.pid,
            "start": lease.creator.start,
        }
        temporary = f"{self.directory}/.{os.getpid()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(temporary, flags, 0o600)
        try:
            os.write(handle, json.dumps(content).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(temporary, f"{self.directory}/{lease.name}")  # noqa: PTH104
        self._sync()

    def remove(self, lease: Lease) -> None:
        """Give a block back. Only under the lock, and for a container that is gone."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.directory}/{lease.name}")  # noqa: PTH108
        self._sync()

    def reclaim(self, live: list[IdRange]) -> list[Lease]:
        """Give back the blocks of containers that are gone without a `delete`; what remains.

        Gone is one that the real runtime does not know (it has no state directory), whose
        creator is not at work any more, and in whose ids no process lives (`live`).
        Only under the lock.
        """
        boot = boot_id()
        kept = []
        for lease in self.all():
            known = not lease.root or os.path.lexists(f"{lease.root}/{lease.container}")
            at_work = lease.boot == boot and is_alive(lease.creator)
            if known or at_work or any(lease.range.overlaps(each) for each in live):
                kept.append(lease)
            else:
                self.remove(lease)
        return kept

    def _read(self, name: str) -> Lease:
        named = read_name(name)
        found, container = named.range, named.container
        try:
            with open(f"{self.directory}/{name}", "rb") as file:  # noqa: PTH123
                content = json.loads(file.read(4096))
            if content["version"] != VERSION:
                raise ValueError(name)
            creator = Creator(int(content["pid"]), int(content["start"]))
            return Lease(found, container, str(content["root"]), str(content["boot"]), creator)
        except (OSError, ValueError, LookupError, TypeError):
            return Lease(found, container, "", "", Creator(0, 0))

    def _sync(self) -> None:
        handle = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
