"""Named constants, per ABI: what a policy may write instead of a number.

Macros and enumerators of the kernel's headers; the exact packages are in the header of
data/constants.tsv, what is looked for in generate/constants.py.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .abi import Abi

_DATA = Path(__file__).parent / "data"


@cache
def _text(file: str) -> str:
    """A file, with a line end in front so that a name can be looked for without parsing."""
    return "\n" + (_DATA / file).read_text(encoding="ascii")


@cache
def _value(file: str, name: str, abi: Abi) -> int | None:
    if not name.isidentifier():
        return None
    text = _text(file)
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


def constant(name: str, abi: Abi) -> int | None:
    """The value of a constant, None where the ABI has none of that name.

    Negative where the C expression is (AT_FDCWD is -100); a mask of the argument's width makes
    it comparable with a register.
    """
    value = _value("constants.tsv", name, abi)
    return errno_number(name, abi) if value is None else value


def errno_number(name: str, abi: Abi) -> int | None:
    """The number of an errno (`EPERM`), None for a name that is none.

    From asm/errno.h alone: `EPOLLIN` is a constant, and no errno.
    """
    return _value("errno.tsv", name, abi)


@cache
def errno_names() -> frozenset[str]:
    """Every errno that some ABI has, for suggestions."""
    return _names("errno.tsv")


@cache
def constant_names() -> frozenset[str]:
    """Every name that some ABI has, errnos among them, for suggestions."""
    return _names("constants.tsv") | errno_names()


def _names(file: str) -> frozenset[str]:
    lines = _text(file).splitlines()
    return frozenset(line.partition("\t")[0] for line in lines if line and line[0] != "#")
