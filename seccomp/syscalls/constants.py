"""Named constants, per ABI: what a policy may write instead of a number.

Macros and enumerators of the kernel's headers; the exact packages are in the header of
data/constants.tsv, what is looked for in generate.py.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .abi import Abi

_DATA = Path(__file__).parent / "data" / "constants.tsv"


@cache
def _text() -> str:
    """The file, with a line end in front so that a name can be looked for without parsing."""
    return "\n" + _DATA.read_text(encoding="ascii")


@cache
def constant(name: str, abi: Abi) -> int | None:
    """The value of a constant, None where the ABI has none of that name.

    Negative where the C expression is (AT_FDCWD is -100); a mask of the argument's width makes
    it comparable with a register.
    """
    if not name.isidentifier():
        return None
    text = _text()
    start = text.find(f"\n{name}\t")
    if start < 0:
        return None
    cells = text[start + 1 : text.index("\n", start + 1)].split("\t")
    value = cells[1]
    for cell in cells[2:]:
        abis, _, other = cell.partition("=")
        if abi.name in abis.split(","):
            value = other
    return int(value) if value else None


def errno_number(name: str, abi: Abi) -> int | None:
    """The number of an errno (`EPERM`), None for a name that is none."""
    value = constant(name, abi)
    if value is None or not (name[0] == "E" and name.isalnum() and 0 < value < 4096):
        return None
    return value


@cache
def constant_names() -> frozenset[str]:
    """Every name that some ABI has, for suggestions."""
    lines = _text().splitlines()
    return frozenset(line.partition("\t")[0] for line in lines if line and line[0] != "#")
