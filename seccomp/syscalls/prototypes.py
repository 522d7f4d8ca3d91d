"""What the arguments of each system call are: name, width, sign, pointer.

The width is the kernel's own view of the argument, from the prototype of the entry point that the
number leads to: the bits above it are dropped before anything looks at them, so a filter that
compares them can be bypassed. Each fact's source is in the header of data/prototypes.tsv and, for
what the headers do not declare, in data/overlay.tsv.

There is one name per argument. It is the one in linux/syscalls.h; data/overlay.tsv says which are
named otherwise, because the declaration has no name or the manual page has a better known one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .abi import Abi

_DATA = Path(__file__).parent / "data" / "prototypes.tsv"
_REGISTERS = 6
"""Of a call that takes more (mips o32 has such), a filter sees the first six."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument register of a system call, as `seccomp_data.args` has it."""

    name: str
    """The one name. A 64-bit parameter of a 32-bit ABI is two arguments, `NAME_lo` and `NAME_hi`;
    `pad` is a register that such an ABI leaves unused in front of it."""
    bits: int
    """64, 32 or 16 (umode_t, old_uid_t): how many low bits the kernel looks at."""
    signed: bool
    """The kernel's type is signed, so -1 and an ordered comparison mean what they say."""
    pointer: bool
    """An address in the program's memory: a filter cannot see what is there."""


@cache
def _argument(name: str, bits: int, signed: bool, pointer: bool) -> Argument:
    return Argument(name, bits, signed, pointer)


def resolve(text: str, abi: Abi) -> tuple[Argument, ...]:
    """The registers of an argument list `NAME:KIND,…` on an ABI; kinds as in the data file.

    On a 32-bit ABI a 64-bit parameter takes two registers, the low half first on a little-endian
    machine, and both halves are unsigned (`compat_arg_u64`, include/asm-generic/compat.h). arm's
    EABI and mips o32 start it at an even register (arch/arm64/kernel/sys32.c,
    arch/mips/kernel/linux32.c); x86 and s390 do not (arch/x86/kernel/sys_ia32.c,
    arch/s390/kernel/compat_linux.c).
    """
    result: list[Argument] = []
    wide = abi.registers
    for item in text.split(",") if text else ():
        name, _, kind = item.partition(":")
        if kind in ("p", "l", "L"):
            result.append(_argument(name, wide, kind == "l", kind == "p"))
            continue
        bits = int(kind[1:])
        if bits <= wide:
            result.append(_argument(name, bits, kind[0] == "s", False))
            continue
        if abi.pairs and len(result) % 2:
            result.append(_argument("pad", 32, False, False))
        low = _argument(name + "_lo", 32, False, False)
        high = _argument(name + "_hi", 32, False, False)
        result += (high, low) if abi.big_endian else (low, high)
    return tuple(result[:_REGISTERS])


@cache
def _lines() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Of each system call the (ABIs, arguments) lines, the default one first."""
    lines: dict[str, tuple[tuple[str, str], ...]] = {}
    for line in _DATA.read_text(encoding="ascii").splitlines():
        if line[0] != "#":
            name, abis, text = line.split("\t")
            lines[name] = (*lines.get(name, ()), (abis, text))
    return lines


@cache
def arguments(name: str, abi: Abi) -> tuple[Argument, ...] | None:
    """The arguments of a system call, in the order of the registers.

    None where the prototype is not known, or the ABI has no such call: then an argument can only
    be compared as a whole register. An empty tuple is a call that takes no arguments.
    """
    from .tables import table

    if name not in table(abi).by_name:
        return None
    lines = _lines().get(name)
    if lines is None:
        return None
    for abis, text in lines[1:]:
        if abi.name in abis.split(","):
            return resolve(text, abi)
    # The default line is true for the ABIs that no other line names.
    return resolve(lines[0][1], abi)
