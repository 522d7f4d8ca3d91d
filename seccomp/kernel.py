"""Loading a program into the kernel for the calling process: seccomp(2), prctl(2)."""

from __future__ import annotations

import ctypes
import os

from ..policies.errors import InputError
from . import bpf
from .syscalls import abi, native_abi, table

_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1


class _Program(ctypes.Structure):
    """struct sock_fprog, linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def load(program: bpf.Program) -> None:
    """Set no_new_privs and attach the program to this thread; both last until it ends.

    Raises InputError when the kernel refuses, with its reason.
    """
    native = native_abi(os.uname().machine)
    raw = bpf.encode(program, big_endian=native.big_endian)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    description = _Program(len(program), ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) != 0:
        raise _refused("no_new_privs")
    number = table(abi(native.name)).by_name["seccomp"]
    if libc.syscall(
        ctypes.c_long(number),
        ctypes.c_ulong(_SECCOMP_SET_MODE_FILTER),
        zero,
        ctypes.byref(description),
    ):
        raise _refused("the filter")


def _refused(what: str) -> InputError:
    return InputError.of(
        f"the kernel refuses {what}: {os.strerror(ctypes.get_errno())}",
        hint="is CONFIG_SECCOMP_FILTER on, and may this process use seccomp(2)?",
    )
