"""Reading BPF programs from files."""

from __future__ import annotations

import os
import stat
import sys

from ..policies.errors import InputError
from ..seccomp import bpf
from ..seccomp.kernel import loaded

_PROCESS = "pid:"
_MOST_BYTES = bpf.MAXIMAL_LENGTH * 8


def is_process(reference: str) -> bool:
    """Whether this names a running process instead of a file."""
    return reference.startswith(_PROCESS) and reference.removeprefix(_PROCESS).isdecimal()


def read_bytes(file: str) -> bytes:
    """What a regular file or stdin (`-`) holds, if it can be a program at all by its size."""
    if file == "-":
        raw = sys.stdin.buffer.read(_MOST_BYTES + 1)
    else:
        try:
            handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it has a NUL"
            raise InputError.of(f"`{file}` cannot be read: {reason}") from error
        with os.fdopen(handle, "rb") as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise InputError.of(f"`{file}` is no regular file")
            raw = stream.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise InputError.of(
            f"`{file}` has more than {_MOST_BYTES} bytes, the most that a program can have"
        )
    return raw


def read_program(file: str, *, big_endian: bool = False) -> bpf.Program:
    """The program in a file, on stdin (`-`), or that a process has loaded (`pid:1234`).

    Raises InputError when it is none.
    """
    if is_process(file):
        return loaded(int(file.removeprefix(_PROCESS)))
    return bpf.decode(read_bytes(file), file, big_endian=big_endian)
