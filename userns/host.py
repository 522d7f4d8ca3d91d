"""The files of a host, or of an image's tree, that say who uses which ids.

Names are resolved below the tree's root as a process chrooted there would see them: an absolute
link starts again at the root and `..` does not climb above it. So a tree that somebody else
made can name nothing outside of itself.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ..policies.errors import InputError
from ..policies.source import printable
from .leases import LEASES
from .model import HostFiles

SUBUID = "etc/subuid"
SUBGID = "etc/subgid"
PASSWD = "etc/passwd"
GROUP = "etc/group"
LOGIN_DEFS = "etc/login.defs"
DAEMON_JSON = "etc/docker/daemon.json"
REGISTRY = "var/lib/stockade/userns.json"

MAXIMAL_IDS = 256 << 20
"""Bytes of subuid and of subgid."""
MAXIMAL_LINES = 2_000_000
"""Of subuid and of subgid; useradd takes seconds at half of it."""
MAXIMAL_ACCOUNTS = 64 << 20
"""Bytes of passwd and of group."""
MAXIMAL_REGISTRY = 16 << 20
MAXIMAL_SETTINGS = 1 << 20
"""Bytes of login.defs and of daemon.json."""

_MAXIMAL_LINKS = 40
"""As the kernel follows at most, path_resolution(7)."""
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def read_host(root: Path) -> HostFiles:
    """The files below a root (`/` for this host); raises InputError with the path."""
    return HostFiles(
        subuid=read_ids_below(root, SUBUID),
        subgid=read_ids_below(root, SUBGID),
        passwd=read_below(root, PASSWD, MAXIMAL_ACCOUNTS),
        group=read_below(root, GROUP, MAXIMAL_ACCOUNTS),
        login_defs=read_below(root, LOGIN_DEFS, MAXIMAL_SETTINGS),
        daemon_json=read_below(root, DAEMON_JSON, MAXIMAL_SETTINGS),
        registry=read_below(root, REGISTRY, MAXIMAL_REGISTRY),
        leases=names_below(root, LEASES),
    )


def read_ids_below(root: Path, name: str) -> bytes | None:
    """As read_below, for subuid and subgid: bounded in lines as well."""
    data = read_below(root, name, MAXIMAL_IDS)
    return None if data is None else _bounded(data, root / name)


def read_ids(path: Path) -> bytes:
    """As read_plain, for subuid and subgid: bounded in lines as well."""
    return _bounded(read_plain(path, MAXIMAL_IDS), path)


def _bounded(data: bytes, path: Path) -> bytes:
    lines = data.count(b"\n")
    if lines > MAXIMAL_LINES:
        raise _refused(path, f"has {lines:,} lines; {MAXIMAL_LINES:,} are the limit")
    return data


def read_below(root: Path, name: str, limit: int) -> bytes | None:
    """The content of a regular file below the root, None when there is none.

    Raises InputError when it is anything else, cannot be read, or has more than `limit` bytes.
    """
    path = root / name
    try:
        handle = open_below(root, name)
    except FileNotFoundError:
        if not root.is_dir():
            raise InputError.of(
                f"`{_shown(root)}` is no directory", hint="check the path"
            ) from None
        return None
    except (OSError, ValueError) as error:
        raise _refused(path, _reason(error)) from error
    return _content(handle, path, limit)


def names_below(root: Path, name: str) -> tuple[str, ...]:
    """The names in a directory below the root, none when it is not there; raises InputError."""
    path = root / name
    try:
        handle = open_below(root, name)
        try:
            return tuple(os.listdir(handle))  # noqa: PTH208
        finally:
            os.close(handle)
    except FileNotFoundError:
        return ()
    except NotADirectoryError as error:
        raise _refused(path, "is no directory") from error
    except (OSError, ValueError) as error:
        raise _refused(path, _reason(error)) from error


def read_plain(path: Path, limit: int) -> bytes:
    """The content of a regular file that somebody named; links are followed. Raises InputError."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _refused(path, _reason(error)) from error
    return _content(handle, path, limit)


def open_below(root: Path, name: str) -> int:
    """A handle to read a file below the root, opened without leaving the root; raises OSError."""
    directories = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        # Backwards, so that the next part is the last.
        parts = name.split("/")[::-1]
        links = 0
        while parts:
            part = parts.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if len(directories) > 1:
                    os.close(directories.pop())
                continue
            handle = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directories[-1])
            mode = os.fstat(handle).st_mode
            if stat.S_ISLNK(mode):
                target = os.readlink("", dir_fd=handle)
                os.close(handle)
                links += 1
                if links > _MAXIMAL_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if target.startswith("/"):
                    while len(directories) > 1:
                        os.close(directories.pop())
                parts += target.split("/")[::-1]
            elif stat.S_ISDIR(mode):
                directories.append(handle)
            else:
                os.close(handle)
                if parts:
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                # Not blocking: opening a named pipe must not wait for a writer. If the name has
                # become a link meanwhile, this fails.
                flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
                return os.open(part, flags, dir_fd=directories[-1])
        # The name leads to a directory.
        return os.open(".", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directories[-1])
    finally:
        for each in directories:
            os.close(each)


def _content(handle: int, path: Path, limit: int) -> bytes:
    """What is behind a handle, which is closed; raises InputError."""
    try:
        status = os.fstat(handle)
        for test, kind in _KINDS:
            if test(status.st_mode):
                raise _refused(path, f"is {kind}, not a file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise _refused(path, _reason(error)) from error
    finally:
        os.close(handle)
    if len(data) > limit:
        raise _refused(path, f"is too large: {limit:,} bytes are the limit")
    return data


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ValueError):
        return "is no path: it contains a NUL character"
    if error.errno == errno.ENOENT:
        return "does not exist"
    if error.errno == errno.ENXIO:
        return "is a socket, not a file"
    return f"cannot be read: {(error.strerror or str(error)).lower()}"


def _refused(path: Path, why: str) -> InputError:
    return InputError.of(f"`{_shown(path)}` {why}", hint=_hint(why))


def _hint(why: str) -> str:
    if "permission" in why:
        return "run it as root, or give yourself read permission"
    return "name a regular file" if "not a file" in why else "check the path"


def _shown(path: Path) -> str:
    return printable(str(path))
