"""Query values: one text each, but lists where engines read lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .values import deny

Query = Mapping[str, Any]
"""Key -> text, or a sequence of texts for a key of `repeatable.REPEATABLE`."""

_FALSE = frozenset({"", "0", "no", "false", "none"})
"""What moby's BoolValue takes for false, folded and stripped; all else is true."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}\Z")


def one(query: Query, key: str) -> str:
    """The value, `""` when absent. Raises Denied when there are several."""
    value = query.get(key, "")
    if type(value) is str:
        return value
    values = list(value)
    if len(values) > 1:
        deny("repeated-query", f"{key} is said more than once")
    return values[0] if values else ""


def several(query: Query, key: str) -> list[str]:
    """All values of a key that may be repeated."""
    value = query.get(key)
    if value is None:
        return []
    return [value] if type(value) is str else list(value)


def flag(query: Query, key: str) -> bool:
    """A boolean as engines read it."""
    return one(query, key).strip().lower() not in _FALSE


def integer(query: Query, key: str) -> int | None:
    """A number; null for none or 0, which mean no limit. Raises Denied for no number."""
    value = one(query, key)
    if not value:
        return None
    if not _INTEGER.match(value):
        deny("bad-value", f"{key} must be an integer: {value[:40]!r}")
    return int(value) or None
