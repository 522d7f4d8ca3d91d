"""Files that nobody else may write: how the service's state and log are opened."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class NotPrivate(OSError):  # noqa: N818 - the word that reads right where it is caught
    """Somebody else could change the file, or has put something in its place."""


def private_directory(path: Path) -> None:
    """Make the directory (mode 0700, its parents too) unless it is there.

    Raises NotPrivate when it belongs to somebody else or others may write to it, OSError when
    it cannot be made.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid != os.geteuid():
        raise NotPrivate(f"the directory `{path}` belongs to user {found.st_uid}, not to this one")
    if found.st_mode & _OTHERS_WRITE:
        raise NotPrivate(f"the directory `{path}` can be written by others; use mode 0700")


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a regular file that is ours alone; made with mode 0600 when absent.

    Raises NotPrivate for a link (symbolic or hard), something that is no regular file, and a
    file that belongs to or can be written by others; OSError when it cannot be opened.
    """
    # O_NONBLOCK: opening a FIFO must fail below, not hang here.
    safe = os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags | safe, 0o600)
    except OSError as error:
        if path.is_symlink():
            raise NotPrivate(f"`{path}` is a symbolic link") from error
        raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotPrivate(f"`{path}` is no regular file")
        if found.st_uid != os.geteuid():
            raise NotPrivate(f"`{path}` belongs to user {found.st_uid}, not to this one")
        if found.st_nlink > 1:
            raise NotPrivate(f"`{path}` has a second name (a hard link)")
        if found.st_mode & _OTHERS_WRITE:
            raise NotPrivate(f"`{path}` can be written by others; use mode 0600")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
