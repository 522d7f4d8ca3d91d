"""System call numbers: one table per ABI.

Names and numbers are the kernel's, `__NR_…` in asm/unistd*.h; the exact packages are in the header
of data/numbers.tsv.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

from .abi import ABIS, X32_BIT, Abi

_DATA = Path(__file__).parent / "data" / "numbers.tsv"


@dataclass(frozen=True, slots=True)
class Table:
    """The system calls of one ABI."""

    abi: Abi
    by_name: Mapping[str, int] = field(repr=False)
    """Number by name. x32 numbers include bit 30, mips numbers their base of 4000, 5000 or 6000."""
    by_number: Mapping[int, str] = field(repr=False)
    """Name by number, in ascending order. Of two names for a number the first in the kernel's
    table (arm: `arm_sync_file_range`, not `sync_file_range2`)."""
    last: int
    """The largest number of the part of the kernel's table that grows: what is above it, and has
    no name here, is newer than these tables. Two ranges lie apart and do not count: x32's own
    numbers, bit 30 and 512 to 547, to which nothing is added any more, and arm's private calls
    at 0x0f0001."""


_APART = {"x32": X32_BIT + 512, "arm": 0x0F0000}
"""Where the numbers start that lie apart: arch/x86/entry/syscalls/syscall_64.tbl, and
`__ARM_NR_BASE` of arch/arm/include/uapi/asm/unistd.h."""


@cache
def _rows() -> tuple[list[str], list[list[str]]]:
    lines = _DATA.read_text(encoding="ascii").splitlines()
    rows = [line.split("\t") for line in lines if line[0] != "#"]
    return rows[0], rows[1:]


@cache
def table(abi: Abi) -> Table:
    """The table of an ABI; read when first asked for."""
    head, rows = _rows()
    column = head.index(abi.name)
    by_name: dict[str, int] = {}
    by_number: dict[int, str] = {}
    for row in rows:
        if column < len(row) and (cell := row[column]):
            if cell[0] == "~":
                by_name[row[0]] = int(cell[1:])
            else:
                number = by_name[row[0]] = int(cell)
                by_number[number] = row[0]
    ordered = dict(sorted(by_number.items()))
    apart = _APART.get(abi.name, 1 << 32)
    last = max(number for number in ordered if number < apart)
    return Table(abi, MappingProxyType(by_name), MappingProxyType(ordered), last)


@cache
def known_names() -> frozenset[str]:
    """Every name that some ABI has."""
    head, rows = _rows()
    if head[1:] != list(ABIS):
        raise AssertionError("data/numbers.tsv has other ABIs than abi.py")
    return frozenset(row[0] for row in rows)
