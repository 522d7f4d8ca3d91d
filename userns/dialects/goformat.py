"""How programs in Go take a file apart: bufio.Scanner, strings.TrimSpace, strconv."""

from __future__ import annotations

import re

LONGEST_LINE = 65535
"""Bytes; bufio.Scanner gives up on a longer line (MaxScanTokenSize) and on all after it."""

# unicode.IsSpace, which is not str.strip()'s idea.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
_SIGNED = re.compile(r"([+-]?)([0-9]+)", re.ASCII)
_MAXIMUM = (1 << 63) - 1


def scanned(text: bytes) -> bytes:
    """A line as bufio.ScanLines gives it: without one carriage return at its end."""
    return text.removesuffix(b"\r")


def too_long(text: bytes) -> bool:
    """Whether the scanner stops at this line."""
    return len(text) > LONGEST_LINE


def trimmed(text: str) -> str:
    """strings.TrimSpace."""
    return text.strip(_SPACE)


def signed(text: str) -> tuple[int, bool]:
    """strconv.ParseInt(text, 10, 64): the number that it returns, and whether without an error.

    With an error that number is 0 (syntax) or the nearest that fits (range). Digits beyond 64
    bits are an error of range at once, whatever stands behind them.
    """
    match = _SIGNED.match(text)
    if match is None:
        return 0, False
    digits = match[2].lstrip("0")
    # Longer than any number that fits: Python need not make an integer of it.
    value = int(digits or "0") if len(digits) < 25 else 1 << 80
    if match.end() < len(text) and value < 1 << 64:
        return 0, False
    if match[1] == "-":
        return (-value, True) if value <= _MAXIMUM + 1 else (-_MAXIMUM - 1, False)
    return (value, True) if value <= _MAXIMUM else (_MAXIMUM, False)


def unsigned32(text: str) -> int | None:
    """strconv.ParseUint(text, 10, 32); None for an error."""
    if not re.fullmatch(r"[0-9]+", text, re.ASCII):
        return None
    digits = text.lstrip("0")
    value = int(digits or "0") if len(digits) < 12 else 1 << 40
    return value if value < 1 << 32 else None
