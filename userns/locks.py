"""The locks under which useradd, usermod and userdel write subuid and subgid.

First lckpwdf(3): a write lock on /etc/.pwd.lock, waited for 15 seconds. Then, for each file,
`FILE.lock`: a second name, made with link(2), of a file that holds the writer's PID
(shadow, lib/commonio.c: do_lock_file). One whose process is dead is stolen, as shadow does.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator

from ..policies.errors import InputError
from ..policies.source import printable

TIMEOUT = 15.0
"""Seconds: what lckpwdf(3) waits."""

_PWD_LOCK = ".pwd.lock"
_STEP = 0.02
"""Seconds between two tries."""
_held: set[tuple[int, int]] = set()
"""Directories (device, inode) whose locks this process has."""
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextlib.contextmanager
def locked(etc: int, shown: str, timeout: float = TIMEOUT) -> Iterator[None]:
    """Holds all three locks in a directory; whatever happens inside, they are given back.

    `etc` is a handle of the directory, `shown` how messages call it. Raises InputError when
    somebody else has one for longer than `timeout` seconds, or something is in its place, and
    at once when this process has them: the locks are a process's, not a thread's.
    """
    status = os.fstat(etc)
    place = (status.st_dev, status.st_ino)
    if place in _held:
        raise InputError.of(f"this process holds the locks in `{shown}` already")
    with contextlib.ExitStack() as stack:
        _held.add(place)
        stack.callback(_held.discard, place)
        stack.enter_context(_password_lock(etc, shown, timeout))
        for name in ("subuid", "subgid"):
            stack.enter_context(_file_lock(etc, shown, name, timeout))
        yield


@contextlib.contextmanager
def leases_locked(directory: int, shown: str, timeout: float = TIMEOUT) -> Iterator[None]:
    """Holds the lock under which `stockade-runtime` leases blocks: a flock(2) on the directory.

    `directory` is a handle of it, `shown` how messages call it. Raises InputError when somebody
    else has the lock for longer than `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            pass
        if time.monotonic() > deadline:
            raise InputError.of(
                f"stockade-runtime has held the lock `{shown}` for {timeout:.0f} seconds",
                hint=f"see who: fuser {shown}; then try again",
            )
        time.sleep(_STEP)
    try:
        yield
    finally:
        fcntl.flock(directory, fcntl.LOCK_UN)


@contextlib.contextmanager
def _password_lock(etc: int, shown: str, timeout: float) -> Iterator[None]:
    path = f"{shown}/{_PWD_LOCK}"
    try:
        handle = os.open(_PWD_LOCK, os.O_WRONLY | os.O_CREAT | _SAFE, 0o600, dir_fd=etc)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InputError.of(f"`{path}` is no regular file; it is left alone")
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise _refused(path, error) from error
            if time.monotonic() > deadline:
                raise InputError.of(
                    f"somebody has held the lock `{path}` for {timeout:.0f} seconds",
                    hint=f"see who: fuser {path}; then try again",
                )
            time.sleep(_STEP)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _file_lock(etc: int, shown: str, name: str, timeout: float) -> Iterator[None]:
    lock, path = f"{name}.lock", f"{shown}/{name}.lock"
    deadline = time.monotonic() + timeout
    try:
        while not _link(etc, name, lock):
            holder = _holder(etc, lock, path)
            if holder is None:
                continue
            if holder == os.getpid() or not _alive(holder):
                # Nobody else steals at the same time: whoever does holds .pwd.lock, as we do.
                _remove(etc, lock)
                _remove(etc, f"{name}.{holder}")
            elif time.monotonic() > deadline:
                raise InputError.of(
                    f"process {holder} ({_command(holder)}) has held the lock `{path}` for "
                    f"{timeout:.0f} seconds",
                    hint="wait until it has ended, then try again",
                )
            else:
                time.sleep(_STEP)
    except OSError as error:
        raise _refused(path, error) from error
    try:
        yield
    finally:
        _remove(etc, lock)


def _link(etc: int, name: str, lock: str) -> bool:
    """Makes the lock; False when it is there already."""
    own = f"{name}.{os.getpid()}"
    _remove(etc, own)  # of a process that had this PID before
    handle = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o600, dir_fd=etc)
    try:
        # With a NUL behind it, as shadow writes it.
        os.write(handle, b"%d\0" % os.getpid())
        os.fsync(handle)
        os.link(own, lock, src_dir_fd=etc, dst_dir_fd=etc, follow_symlinks=False)
        return True
    except FileExistsError:
        return False
    finally:
        os.close(handle)
        _remove(etc, own)


def _holder(etc: int, lock: str, path: str) -> int | None:
    """The PID in a lock; None when the lock has gone meanwhile."""
    try:
        handle = os.open(lock, os.O_RDONLY | _SAFE, dir_fd=etc)
    except FileNotFoundError:
        return None
    try:
        regular = stat.S_ISREG(os.fstat(handle).st_mode)
        data = os.read(handle, 32) if regular else b""
    finally:
        os.close(handle)
    match = re.fullmatch(rb"([1-9][0-9]{0,9})[\0\n]*", data)
    if match is None:
        raise InputError.of(
            f"the lock `{path}` holds no process id, so nobody can tell whose it is",
            hint="remove it when no useradd, usermod or userdel is running",
        )
    return int(match[1])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return printable(file.read().strip())
    except OSError:
        return "unknown"


def _remove(etc: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=etc)


def _refused(path: str, error: OSError) -> InputError:
    if error.errno == errno.ELOOP:
        return InputError.of(f"`{path}` is a symbolic link; it is left alone")
    hint = "run it as root" if error.errno in (errno.EACCES, errno.EPERM) else ""
    return InputError.of(f"cannot lock `{path}`: {error.strerror}", hint=hint)
