"""The decision log: one JSON line a decision, hash-chained, written before the answer is given.

Several processes append to one file under its lock (flock). Each remembers the end that it left;
where the file's size differs it reads what the others wrote. Whoever finds a line without its
end (its writer was killed, so it was never answered) removes it and says so in a record.

A new file, after a rotation by size or by another program, continues the chain: its first
record names the file before. The lock is the file's own, so that a rename is noticed by
comparing the file that is open with the one that has the name.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ..policies.errors import InputError
from .chain import MOST, ORIGIN, Link, extend, parse
from .model import Json
from .private import NotPrivate, open_private, private_directory
from .records import encode
from .rotation import predecessor, rotate

_LEAST = 4096
"""Bytes that a file has at least before it is rotated, whatever `max_size` says."""

_CHAIN = 220
"""Bytes that the chain adds to a record, at most."""

_FLAGS = os.O_RDWR | os.O_APPEND


class DecisionLog:
    """The log at a path. Safe to share between threads and greenlets, and after a fork."""

    def __init__(
        self,
        path: Path,
        max_size: int = 100 << 20,
        keep: int = 10,
        sync: bool = False,
        patience: float = 1.0,
    ) -> None:
        """Open the log, or make it (mode 0600).

        `max_size` is the size in bytes at which a file is rotated (0: never), `keep` how many
        older files stay beside it. `sync` waits for the disk with every record. `patience` is how
        many seconds to wait for another writer.

        Raises InputError when the log is not ours alone or cannot be written.
        """
        self.path = path
        self._max_size = max_size
        self._keep = max(1, keep)
        self._sync = sync
        self._patience = patience
        self._mutex = threading.Lock()
        self._fd = -1
        self._file = (-1, -1)
        self._size = -1
        self._last: Link | None = None
        self._pid = os.getpid()
        try:
            private_directory(path.parent)
            with self._mutex, self._locked(time.monotonic() + patience):
                self._catch_up()
        except NotPrivate as error:
            raise InputError.of(f"decision log: {error}") from error
        except OSError as error:
            raise InputError.of(
                f"decision log: `{path}` cannot be written: {error.strerror}"
            ) from error

    def append(self, record: Mapping[str, Json] | bytes) -> Link:
        """Write a record (what `records.encode` takes or gives) as the next line.

        When this returns the line is in the file as a whole. Raises OSError when it cannot be:
        disk full, a lock that is not given up, a file that is not ours; nothing of it is left
        then.
        """
        text = record if isinstance(record, bytes) else encode(record)
        if len(text) > MOST - _CHAIN:
            raise OSError(errno.EMSGSIZE, "the record is too long")
        deadline = time.monotonic() + self._patience
        with self._mutex:
            link = None
            while link is None:
                self._take(deadline)
                try:
                    self._catch_up()
                    if not self._is_full(len(text)) or not self._set_aside():
                        link = self._write([text])
                finally:
                    self._release()
                # After a rotation the lock is taken anew: of the file that has the name then.
            if self._sync:
                # Outside of the lock: the line is in the file, others need not wait for the disk.
                os.fdatasync(self._fd)
        return link

    def last(self) -> Link:
        """The end of the chain as it stands in the file. Raises OSError like `append`."""
        with self._mutex, self._locked(time.monotonic() + self._patience):
            self._catch_up()
            assert self._last is not None
            return self._last

    def close(self) -> None:
        """Close the file; the next append would open it again."""
        with self._mutex:
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    # --- the file and its lock ---

    @contextlib.contextmanager
    def _locked(self, deadline: float) -> Iterator[None]:
        """Hold the lock of the file that has the name at this moment."""
        self._take(deadline)
        try:
            yield
        finally:
            self._release()

    def _take(self, deadline: float) -> None:
        if os.getpid() != self._pid:
            # The lock belongs to the open file, which parent and child would share.
            self._close()
            self._pid = os.getpid()
        if self._fd < 0:
            self._open()
        _lock(self._fd, deadline)
        try:
            while not self._is_current():
                if time.monotonic() > deadline:
                    raise OSError(errno.ETIMEDOUT, "the log is renamed again and again")
                # Renamed. Nobody appends to the old file once its lock was had and given up
                # here, so its end is final.
                with contextlib.suppress(OSError):
                    self._read_end()
                old, self._fd = self._fd, -1
                os.close(old)
                self._size = -1
                self._open()
                _lock(self._fd, deadline)
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _open(self) -> None:
        self._fd = open_private(self.path, _FLAGS)
        found = os.fstat(self._fd)
        self._file = (found.st_dev, found.st_ino)
        self._size = -1

    def _is_current(self) -> bool:
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == self._file

    # --- the end of the file ---

    def _catch_up(self) -> None:
        """Under the lock: know the last link; mend what a killed writer left."""
        size = os.fstat(self._fd).st_size
        if size == self._size and self._last is not None:
            return
        if size == 0:
            self._begin_file()
            return
        torn, damaged = self._read_end()
        if torn:
            os.ftruncate(self._fd, self._size)
        notes: list[bytes] = []
        if torn:
            notes.append(
                _event(
                    "unfinished-line-removed",
                    bytes=len(torn),
                    sha256=hashlib.sha256(torn).hexdigest(),
                )
            )
        if damaged:
            notes.append(_event("damage-found", detail=damaged))
        if self._size == 0:
            self._begin_file()
        if notes:
            ended = os.pread(self._fd, 1, self._size - 1) == b"\n"
            self._write(notes, b"" if ended else b"\n")

    def _read_end(self) -> tuple[bytes, str]:
        """Learn `_last` and `_size` from the file.

        Gives the bytes of an unfinished line, and what is wrong with the last whole one.
        """
        size = os.fstat(self._fd).st_size
        # What this process left is whole; else look back far enough for a line and a half.
        known = self._last is not None and 0 <= self._size <= size
        start = self._size if known and size - self._size <= 4 * MOST else max(0, size - 4 * MOST)
        text = os.pread(self._fd, size - start, start)
        end = text.rfind(b"\n") + 1
        torn = text[end:]
        if end == 0 and start > 0 and not known:
            self._size = size
            self._last = self._last or ORIGIN
            return b"", f"the last {len(text)} bytes hold no end of a line"
        self._size = start + end
        lines = text[:end].split(b"\n")[:-1]
        for behind, each in enumerate(reversed(lines)):
            # What others appended while we looked is taken on trust: this is the hot path.
            line = parse(each, verify=not known)
            if line is None:
                continue
            self._last = line.link
            if line.sound and behind == 0:
                return torn, ""
            break
        if not lines:
            return torn, ""
        self._last = self._last or ORIGIN
        return torn, "the last line was not written by Stockade, or was changed"

    def _begin_file(self) -> None:
        """The first record of an empty file: it names the file before."""
        before = predecessor(self.path)
        links = [self._last, before.link if before is not None else None]
        # Several rotations may have passed since this process wrote: the later one counts.
        found = [link for link in links if link is not None]
        self._last = max(found, key=lambda link: link.seq, default=ORIGIN)
        details: dict[str, Json] = {"previous": before.name if before is not None else None}
        if self._size > 0:
            details["truncated"] = True  # it was longer when this process left it
        self._size = 0
        self._write([_event("file-begins", **details)])

    def _write(self, records: list[bytes], before: bytes = b"") -> Link:
        """Append lines with one write. Raises OSError, and nothing of them is left."""
        assert self._last is not None
        link = self._last
        lines = []
        for record in records:
            line, link = extend(record, link)
            lines.append(line)
        text = before + b"".join(lines)
        try:
            written = os.write(self._fd, text)
            if written != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except BaseException:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(text)
        self._last = link
        return link

    def _is_full(self, more: int) -> bool:
        if not self._max_size or self._size <= _LEAST:
            return False
        return self._size + more + _CHAIN > self._max_size

    def _set_aside(self) -> bool:
        """Under the lock: give the file a number.

        False when it cannot be renamed: a file that is too long is better than no record.
        """
        try:
            rotate(self.path, self._keep)
        except OSError:
            return not self._is_current()
        return True


def _lock(descriptor: int, deadline: float) -> None:
    """Lock the file. Raises OSError(ETIMEDOUT): a stopped writer must not hang the engine."""
    for _ in range(200):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            os.sched_yield()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OSError(errno.ETIMEDOUT, "another process holds the log's lock") from None
            time.sleep(0.0002)


def _event(name: str, **details: Json) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return json.dumps({"event": name, "timestamp": now, **details}, separators=(",", ":")).encode()
