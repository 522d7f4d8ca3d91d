"""Listening sockets: made safely, taken over from systemd, and what systemd is told."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from ..policies.errors import InputError
from .settings import Address, Settings, Tls

BACKLOG = 1024
"""Connections that wait to be accepted; the kernel may cap it (net.core.somaxconn)."""
LONGEST_PATH = 107
"""Bytes of a unix socket's path, unix(7)."""
_FIRST_PASSED = 3
_PRIVATE = 0o600
_UNIX_STREAM = (socket.AF_UNIX, socket.SOCK_STREAM)


def listen_unix(path: Path) -> socket.socket:
    """A listening unix socket of mode 0600, never reachable by others, not even for a moment.

    It takes the place of a socket that nobody listens on. Raises InputError when the path is
    anything else, when somebody listens there, or when its directory lets others replace it.
    """
    if len(os.fsencode(path)) > LONGEST_PATH - 12:
        raise InputError.of(f"the path `{path}` is too long for a unix socket")
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _only_ours(path.parent)
        _removable(path)
        return _bound(path)
    except PermissionError as error:
        raise InputError.of(
            f"cannot listen on `{path}`: {error.strerror}", hint=_who_may(path)
        ) from error
    except OSError as error:
        raise InputError.of(f"cannot listen on `{path}`: {error.strerror}") from error


def _who_may(path: Path) -> str:
    if os.geteuid() == 0:
        return ""
    return (
        f"run it as root, as dockerd is, or name a --socket in a directory of your own "
        f"instead of {path.parent}"
    )


def _only_ours(directory: Path) -> None:
    """Raises InputError when somebody else could put another socket in the place of ours."""
    found = directory.stat()
    others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
    if others or found.st_uid not in (0, os.geteuid()):
        raise InputError.of(
            f"others may write in `{directory}`: they could answer in the plugin's place",
            hint=f"chmod go-w {directory}",
        )


def _removable(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        kind = "a symbolic link" if stat.S_ISLNK(mode) else "no socket"
        raise InputError.of(f"`{path}` exists and is {kind}", hint="remove it, or name another")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        code = probe.connect_ex(str(path))
    if code not in (errno.ECONNREFUSED, errno.ENOENT):
        raise InputError.of(f"somebody listens on `{path}` already", hint="stop that service first")


def _bound(path: Path) -> socket.socket:
    """Bound under a name of its own first: the final name never leads to a half-made socket."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path.with_name(f".{path.stem[:8]}.{os.getpid() % 10**6:06}")
    mask = os.umask(0o777 & ~_PRIVATE)
    try:
        temporary.unlink(missing_ok=True)
        made.bind(str(temporary))
        made.listen(BACKLOG)
        temporary.replace(path)
    except BaseException:
        made.close()
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.umask(mask)
    made.setblocking(False)
    return made


def inode(path: Path) -> int | None:
    """By which our own socket is known again when it is time to remove it."""
    try:
        return path.lstat().st_ino
    except OSError:
        return None


def unlink_own(path: Path, own: int | None) -> None:
    """Removes the socket unless somebody has put another in its place."""
    with contextlib.suppress(OSError):
        if own is not None and path.lstat().st_ino == own:
            path.unlink()


def listen_tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises InputError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise InputError.of(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    made.setblocking(False)
    return made


def listen_admin(address: Address) -> socket.socket:
    """The admin listener's socket. Raises InputError."""
    if address.path is not None:
        return listen_unix(address.path)
    return listen_tcp(address.host, address.port)


def listen_tls(tls: Tls) -> socket.socket:
    """The TLS listener's socket. Raises InputError."""
    return listen_tcp(tls.host, tls.port)


def passed(environment: MutableMapping[str, str]) -> list[socket.socket]:
    """The listening sockets that systemd passed, sd_listen_fds(3); takes the variables away.

    Raises InputError for one that is no listening unix socket.
    """
    pid = environment.pop("LISTEN_PID", "")
    count = environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    found = []
    for descriptor in range(_FIRST_PASSED, _FIRST_PASSED + int(count)):
        try:
            os.set_inheritable(descriptor, False)
            taken = socket.socket(fileno=descriptor)
            listening = taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            fine = listening and (taken.family, taken.type) == _UNIX_STREAM
        except OSError:
            fine = False
        if not fine:
            raise InputError.of(
                f"file descriptor {descriptor}, passed by systemd, is no listening unix socket",
                hint="the socket unit must have ListenStream= with a path and Accept=no",
            )
        taken.setblocking(False)
        found.append(taken)
    return found


def notify(environment: MutableMapping[str, str], message: str) -> None:
    """Tells systemd, sd_notify(3); nothing happens where nobody wants to know."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
    ):
        sender.connect("\0" + address[1:] if address[0] == "@" else address)
        sender.send(message.encode())


@dataclass
class Sockets:
    """What the service listens on."""

    plugin: tuple[socket.socket, ...]
    own: tuple[tuple[Path, int | None], ...] = ()
    """Paths that are removed at the end, with their inodes."""
    tls: socket.socket | None = None
    admin: socket.socket | None = None
    names: tuple[str, ...] = ()
    """For people."""


def open_sockets(settings: Settings) -> Sockets:
    """Takes systemd's sockets or makes them. Raises InputError."""
    given = passed(os.environ)
    names: list[str] = []
    own: list[Path] = []
    if given:
        names += [str(one.getsockname()) for one in given]
        plugin = tuple(given)
    else:
        plugin = (listen_unix(settings.socket),)
        names.append(str(settings.socket))
        own.append(settings.socket)
    tls = admin = None
    if settings.tls is not None:
        tls = listen_tls(settings.tls)
        names.append(f"https://{settings.tls.host}:{tls.getsockname()[1]}")
    if settings.admin is not None:
        admin = listen_admin(settings.admin)
        if settings.admin.path is not None:
            own.append(settings.admin.path)
        names.append(f"{settings.admin} (admin)")
    owned = tuple((path, inode(path)) for path in own)
    return Sockets(plugin, owned, tls, admin, tuple(names))
