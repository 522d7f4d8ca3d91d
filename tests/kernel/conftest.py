"""The real-kernel oracle: what the running kernel decides about a call under a filter.

`rewrite_returns(program)` makes every RET an ERRNO of its own, `kernel_verdicts(program, calls)`
loads the result and makes the calls. Both take a raw sock_filter array of this machine.
"""

import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import pytest

HERE = Path(__file__).parent

#: One call: kind (0: `syscall` instruction, 1: `int $0x80`), number as in eax, six arguments.
Call = tuple[int, int, Sequence[int]]

SYSCALL, INT80 = 0, 1

#: x86_64 numbers for which the kernel ignores filters (uretprobe, uprobe).
UNFILTERABLE = frozenset({335, 336})

_INSTRUCTION = struct.Struct("=HBBI")
_CALL = struct.Struct("=II6Q")

_BPF_RET, _CLASS_MASK = 0x06, 0x07
_RET_K = 0x06
_RET_ERRNO, _ACTION_MASK, _DATA_MASK = 0x00050000, 0xFFFF0000, 0x0000FFFF
_MAX_ERRNO = 4095
_FIRST_CODE = 1000  # far from any errno that a call itself could give


def _returns(program: bytes) -> list[tuple[int, int]]:
    """Offset and value of every RET in the program; a RET of the accumulator is refused."""
    if len(program) % _INSTRUCTION.size:
        raise ValueError(f"{len(program)} bytes are no whole number of instructions")
    found = []
    for index, (code, _, _, value) in enumerate(_INSTRUCTION.iter_unpack(program)):
        if code & _CLASS_MASK != _BPF_RET:
            continue
        if code != _RET_K:
            raise ValueError(f"instruction {index}: only RET K can be rewritten, not {code:#04x}")
        found.append((index * _INSTRUCTION.size, value))
    return found


def _rewrite_returns(program: bytes) -> tuple[bytes, dict[int, int]]:
    """Give each distinct RET value an errno of its own; also returns errno -> original value."""
    returns = _returns(program)
    values = dict.fromkeys(value for _, value in returns)
    if len(values) > _MAX_ERRNO:
        raise ValueError(f"{len(values)} distinct returns, but only {_MAX_ERRNO} errno codes")
    codes = {
        value: (_FIRST_CODE - 1 + index) % _MAX_ERRNO + 1 for index, value in enumerate(values)
    }
    rewritten = bytearray(program)
    for offset, value in returns:
        _INSTRUCTION.pack_into(rewritten, offset, _RET_K, 0, 0, _RET_ERRNO | codes[value])
    return bytes(rewritten), {code: value for value, code in codes.items()}


class KernelVerdicts:
    """Asks the kernel. Calling it gives one errno code, positive, for each call."""

    def __init__(self, harness: Path) -> None:
        self.harness = harness

    def __call__(self, program: bytes, calls: Sequence[Call]) -> list[int]:
        [verdicts] = self.of_many([(program, calls)])
        return verdicts

    def of_many(self, asked: Sequence[tuple[bytes, Sequence[Call]]]) -> list[list[int]]:
        """The same for many programs, each loaded in a child of one process."""
        parts = []
        for program, calls in asked:
            for value in {value for _, value in _returns(program)}:
                if value & _ACTION_MASK != _RET_ERRNO or not 1 <= value & _DATA_MASK <= _MAX_ERRNO:
                    raise ValueError(
                        f"RET {value:#x} is not ERRNO with a code: rewrite_returns first"
                    )
            for kind, nr, _ in calls:
                if kind == SYSCALL and nr in UNFILTERABLE:
                    raise ValueError(f"the kernel ignores filters for system call {nr}")
            parts += [struct.pack("=II", len(program) // _INSTRUCTION.size, len(calls)), program]
            parts += [_CALL.pack(kind, nr, *args) for kind, nr, args in calls]
        done = subprocess.run([self.harness], input=b"".join(parts), capture_output=True)
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace").strip())
        results = struct.iter_unpack("=q", done.stdout)
        found = []
        for program, calls in asked:
            codes = {value for _, value in _returns(program)}
            verdicts = [-result for (result,) in islice(results, len(calls))]
            for call, verdict in zip(calls, verdicts, strict=True):
                if _RET_ERRNO | verdict not in codes:
                    raise RuntimeError(
                        f"call {call} gave {-verdict}, which is no return of the program"
                    )
            found.append(verdicts)
        return found


@pytest.fixture(scope="session")
def rewrite_returns() -> Callable[[bytes], tuple[bytes, dict[int, int]]]:
    """A function from a program to the program with each RET as ERRNO, and errno -> value."""
    return _rewrite_returns


@pytest.fixture(scope="session")
def kernel_verdicts(
    tmp_path_factory: pytest.TempPathFactory, require: Callable[[object, str], None]
) -> KernelVerdicts:
    """A function from a program and calls to the errno that this kernel gives for each call."""
    require(
        sys.platform == "linux" and platform.machine() == "x86_64",
        "the real-kernel oracle needs Linux on x86_64",
    )
    compiler = shutil.which("cc")
    require(compiler, "the real-kernel oracle needs a C compiler (cc)")
    harness = tmp_path_factory.mktemp("kernel") / "verdicts"
    flags = ["-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *flags, "-o", harness, HERE / "verdicts.c"], check=True)
    return KernelVerdicts(harness)


@pytest.fixture
def int80(kernel_verdicts: KernelVerdicts, require: Callable[[object, str], None]) -> int:
    """The kind of call that enters as i386, for tests that need a kernel which takes those."""
    deny = _INSTRUCTION.pack(_RET_K, 0, 0, _RET_ERRNO | 1)
    try:
        kernel_verdicts(deny, [(INT80, 20, (0,) * 6)])
    except RuntimeError as error:
        require(False, f"this kernel takes no int $0x80 (IA32 emulation is off): {error}")
    return INT80
