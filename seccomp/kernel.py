"""Loading a program into the kernel for the calling process: seccomp(2), prctl(2)."""

from __future__ import annotations

import ctypes
import errno
import os

from ..policies.errors import InputError
from . import bpf
from .syscalls import abi, native_abi, table

_PTRACE_DETACH = 17
_PTRACE_SEIZE = 0x4206
_PTRACE_INTERRUPT = 0x4207
_PTRACE_SECCOMP_GET_FILTER = 0x420C
_WALL = 0x40000000
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


def loaded(pid: int) -> bpf.Program:
    """The one filter that a running process has, which is stopped for a moment: ptrace(2),
    PTRACE_SECCOMP_GET_FILTER. That takes CAP_SYS_ADMIN, no filter on this process itself, and
    a kernel with CONFIG_CHECKPOINT_RESTORE.

    Raises InputError where there is none to be had, or several: the strictest of them decides
    each call, so one of them alone says nothing.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long

    def ptrace(request: int, address: int = 0, data: object = None) -> int:
        result = int(libc.ptrace(request, pid, address, data))
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    try:
        ptrace(_PTRACE_SEIZE)
        try:
            ptrace(_PTRACE_INTERRUPT)
            os.waitpid(pid, _WALL)
            count = ptrace(_PTRACE_SECCOMP_GET_FILTER)
            buffer = ctypes.create_string_buffer(count * 8)
            ptrace(_PTRACE_SECCOMP_GET_FILTER, 0, buffer)
            several = True
            try:
                ptrace(_PTRACE_SECCOMP_GET_FILTER, 1)
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise
                several = False
        finally:
            ptrace(_PTRACE_DETACH)
    except OSError as error:
        reason = "it has none" if error.errno == errno.ENOENT else error.strerror
        raise InputError.of(
            f"the filter of process {pid} cannot be had: {reason}",
            hint="it takes root, a process with a filter, and CONFIG_CHECKPOINT_RESTORE",
        ) from error
    if several:
        raise InputError.of(
            f"process {pid} has several filters, and the strictest of them decides each call",
            hint="compare the files that they were loaded from, one by one",
        )
    native = native_abi(os.uname().machine)
    return bpf.decode(buffer.raw, f"process {pid}", big_endian=native.big_endian)


def _refused(what: str) -> InputError:
    return InputError.of(
        f"the kernel refuses {what}: {os.strerror(ctypes.get_errno())}",
        hint="is CONFIG_SECCOMP_FILTER on, and may this process use seccomp(2)?",
    )
