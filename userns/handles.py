"""Files by handles of their directories: no link is followed, nothing is written in place."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import sys
from pathlib import Path

from ..policies.errors import InputError
from ..policies.source import printable

SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PUBLIC = 0o644
"""Mode of a file that was not there before: everybody may read subuid(5)."""
_CHUNK = 1 << 20
_FS_IOC_GETFLAGS = 0x80086601
"""linux/fs.h: _IOR('f', 1, long) on most architectures; elsewhere it is refused."""
_FS_UNCHANGEABLE = 0x10 | 0x20
"""FS_IMMUTABLE_FL, FS_APPEND_FL."""


def open_directory(parent: int, name: str, shown: Path, *, make: int | None = None) -> int | None:
    """A handle of a directory; None when it is not there.

    `make`: the mode to make it with then. `shown` is its path for messages. Raises InputError
    when it is a link or no directory, or cannot be made.
    """
    try:
        if make is not None:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, make, dir_fd=parent)
                os.fsync(parent)
        return os.open(name, DIRECTORY, dir_fd=parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        path = printable(str(shown))
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            what = "is a symbolic link or no directory"
            raise InputError.of(f"`{path}` {what}; Stockade does not write there") from error
        raise unwritable(shown, error) from error


def open_file(directory: int, name: str, shown: Path) -> int | None:
    """A handle to read a regular file; None when there is none. Raises InputError."""
    try:
        handle = os.open(name, os.O_RDONLY | SAFE, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        path = printable(str(shown))
        if error.errno == errno.ELOOP:
            raise InputError.of(
                f"`{path}` is a symbolic link; Stockade does not write through links",
                hint="put the file itself in its place",
            ) from error
        raise InputError.of(f"`{path}` cannot be read: {error.strerror}") from error
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise InputError.of(f"`{printable(str(shown))}` is no regular file; it is left alone")


def write_beside(directory: int, name: str, content: bytes, old: int | None) -> None:
    """A new file, complete and on disk, with the owner, mode and extended attributes of `old`.

    What has the name is removed first. Raises OSError.
    """
    remove(directory, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFE
    handle = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        if old is None:
            os.fchmod(handle, _PUBLIC)
        else:
            _take_over(old, handle)
        os.fsync(handle)
    except BaseException:
        remove(directory, name)
        raise
    finally:
        os.close(handle)


def _take_over(old: int, new: int) -> None:
    status = os.fstat(old)
    os.fchown(new, status.st_uid, status.st_gid)
    os.fchmod(new, stat.S_IMODE(status.st_mode))
    try:
        names = os.listxattr(old)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return
        raise
    for name in names:
        os.setxattr(new, name, os.getxattr(old, name))


def is_mount_point(directory: int, file: int) -> bool:
    """Whether another mount lies on a file, which rename(2) then refuses (EBUSY).

    False where /proc does not tell.
    """
    one, other = _mount_of(directory), _mount_of(file)
    return one is not None and other is not None and one != other


def is_unchangeable(file: int) -> bool:
    """Whether a file is immutable or append-only (chattr(1)), so that it cannot be replaced.

    False where the file system does not tell.
    """
    flags = bytearray(8)
    try:
        fcntl.ioctl(file, _FS_IOC_GETFLAGS, flags)
    except OSError:
        return False
    return bool(int.from_bytes(flags, sys.byteorder) & _FS_UNCHANGEABLE)


def _mount_of(handle: int) -> str | None:
    try:
        text = Path(f"/proc/self/fdinfo/{handle}").read_text()
    except OSError:
        return None
    return next((line for line in text.splitlines() if line.startswith("mnt_id:")), None)


def digest(content: bytes | None) -> str | None:
    """SHA-256 in hex; None for a file that is not there."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def digest_of(directory: int, name: str, shown: Path) -> str | None:
    """SHA-256 of a regular file, None when it is not there. Raises InputError."""
    handle = open_file(directory, name, shown)
    if handle is None:
        return None
    try:
        return handle_digest(handle)
    finally:
        os.close(handle)


def handle_digest(handle: int) -> str:
    """SHA-256 of an open file from its beginning. Raises OSError."""
    sum_ = hashlib.sha256()
    os.lseek(handle, 0, os.SEEK_SET)
    while block := os.read(handle, _CHUNK):
        sum_.update(block)
    return sum_.hexdigest()


def remove(directory: int, name: str) -> None:
    """Without the name, whether it was there or not. Raises OSError."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        pass
    except OSError as error:
        # A read-only file system says so before it looks for the name.
        if error.errno != errno.EROFS or _is_there(directory, name):
            raise


def _is_there(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def unwritable(shown: Path, error: OSError) -> InputError:
    """What to say when the system does not let Stockade write."""
    hints = {
        errno.EACCES: "run it as root",
        errno.EPERM: "run it as root; or the file is immutable (lsattr)",
        errno.ENOSPC: "make room on that file system",
        errno.EDQUOT: "make room on that file system",
        errno.EROFS: "it is mounted read-only",
    }
    message = f"cannot write `{printable(str(shown))}`: {error.strerror}; nothing was changed"
    return InputError.of(message, hint=hints.get(error.errno or 0, ""))
