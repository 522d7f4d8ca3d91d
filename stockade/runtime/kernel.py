"""System calls that Python has no name for: mounts of trees, id-mapped (mount_setattr(2)).

Numbers are those of asm-generic, which all architectures share for calls this new.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import NoReturn

from ..userns.ids import IdRange

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_EMPTY_PATH, _AT_RECURSIVE = 0x1000, 0x8000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_BIND, _MS_REC, _MS_SLAVE = 0x1000, 0x4000, 1 << 19
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 4

RDONLY, NOSUID, NODEV, NOEXEC, IDMAP = 0x1, 0x2, 0x4, 0x8, 0x100000
"""MOUNT_ATTR_…, linux/mount.h."""
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8

_libc = ctypes.CDLL(None, use_errno=True)


def _fail(path: str) -> NoReturn:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), path)


def private_mounts() -> None:
    """Give this process a mount namespace of its own, into which the host's mounts still come.

    What is mounted in it ends with the last process in it: there is nothing to clean up.
    """
    if _libc.unshare(_CLONE_NEWNS):
        _fail("a mount namespace")
    if _libc.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None):
        _fail("/")


def mount(source: str, target: str, kind: str, flags: int, data: str) -> None:
    """mount(2)."""
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), flags, data.encode())
    if _libc.mount(*arguments):
        _fail(target)


def bind(source: str, target: str) -> None:
    """A bind mount of one file or directory."""
    if _libc.mount(os.fsencode(source), os.fsencode(target), None, _MS_BIND, None):
        _fail(target)


def graft(
    tree: int, target: str, *, attributes: int, namespace: int | None, recursive: bool = False
) -> None:
    """Mount what the descriptor `tree` stands for at `target`, with MOUNT_ATTR_… set.

    With a user namespace, ids of the file system are seen through its map. Raises OSError:
    EINVAL where the file system cannot be id-mapped.
    """
    depth = _AT_RECURSIVE if recursive else 0
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_EMPTY_PATH | depth
    clone = _libc.syscall(_OPEN_TREE, tree, b"", flags)
    if clone < 0:
        _fail(target)
    try:
        if namespace is not None:
            attributes |= IDMAP
        if attributes:
            attr = struct.pack("=QQQQ", attributes, 0, 0, namespace or 0)
            if _libc.syscall(_MOUNT_SETATTR, clone, b"", _AT_EMPTY_PATH | depth, attr, len(attr)):
                _fail(target)
        where = os.fsencode(target)
        if _libc.syscall(_MOVE_MOUNT, clone, b"", -100, where, _MOVE_MOUNT_F_EMPTY_PATH):
            _fail(target)
    finally:
        os.close(clone)


def user_namespace(block: IdRange) -> int:
    """A descriptor of a user namespace with the map `0 FIRST COUNT` for both kinds of ids."""
    ready, say_ready = os.pipe()
    wait, let_go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(let_go)
        if _libc.unshare(_CLONE_NEWUSER) == 0:
            os.write(say_ready, b"1")
            os.read(wait, 1)
        os._exit(0)
    try:
        os.close(say_ready)
        os.close(wait)
        if os.read(ready, 1) != b"1":
            raise OSError(0, "the kernel makes no user namespace (user.max_user_namespaces?)")
        for kind in ("uid_map", "gid_map"):
            handle = os.open(f"/proc/{child}/{kind}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(handle, b"0 %d %d\n" % (block.first, block.count))
            finally:
                os.close(handle)
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.close(let_go)
        os.waitpid(child, 0)


def mount_overlay_as(owner: int, directory: str, target: str, flags: int, data: str) -> None:
    """Mount an overlay whose own files belong to host id `owner`; `data` is relative.

    An id-mapped upper layer has no place for files of host root, and the overlay makes some
    (its work directory). So a child mounts it with another fsuid, but all its capabilities.
    """
    child = os.fork()
    if child == 0:
        number = 1
        try:
            os.chdir(directory)
            if _libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0:
                _libc.setfsgid(owner)
                _libc.setfsuid(owner)
                where = os.fsencode(target)
                failed = _libc.mount(b"overlay", where, b"overlay", flags, os.fsencode(data))
                number = ctypes.get_errno() if failed else 0
        finally:
            os._exit(min(number, 255))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(abs(code)), target)
