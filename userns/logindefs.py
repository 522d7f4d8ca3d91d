"""What login.defs(5) lets useradd give out: ids that are as good as spoken for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .ids import ID_SPACE, IdRange, Reservation

_PAIRS = (
    ("SUB_UID_MIN", "SUB_UID_MAX", "useradd's first fit in subuid"),
    ("SUB_GID_MIN", "SUB_GID_MAX", "useradd's first fit in subgid"),
    ("UID_MIN", "UID_MAX", "new logins"),
    ("GID_MIN", "GID_MAX", "new groups"),
)
# getdef_ulong() reads with strtoul(3) and base 0; the last line of a name counts.
_SETTING = re.compile(rb"[ \t]*([A-Z_]+)[ \t]+\"?(0[xX][0-9a-fA-F]+|[0-9]+)\"?[ \t]*(?:\r?\n|\Z)")


def reservations(data: bytes | None) -> Iterator[Reservation]:
    """The ranges that the file names; a pair of which one half is missing or odd is passed over.

    shadow then takes its defaults, and those are reserved anyway.
    """
    found: dict[str, int] = {}
    for line in (data or b"").splitlines(keepends=True):
        match = _SETTING.fullmatch(line)
        if match is not None:
            found[match[1].decode()] = _number(match[2].decode())
    for low, high, name in _PAIRS:
        if low in found and high in found and found[low] <= found[high] < ID_SPACE:
            each = IdRange.between(found[low], found[high])
            yield Reservation(each, name, f"login.defs, {low} and {high}")


def _number(text: str) -> int:
    """As strtoul(3) with base 0: hex, octal behind a zero, else decimal."""
    if text[:2] in ("0x", "0X"):
        return int(text, 16) if len(text) < 40 else ID_SPACE
    if text.startswith("0") and len(text) > 1:
        digits = re.match("[0-7]*", text)
        return int(digits[0], 8) if digits and len(text) < 40 else ID_SPACE
    return int(text) if len(text) < 40 else ID_SPACE
