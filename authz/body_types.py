"""The types of request bodies, as the engine's Go types decode them; data/schema.tsv has them.

Kinds: `string`; `strings` (a list of strings or one string, Go's `strslice.StrSlice`); `bytes`
(base64); `bool`; `int64`, `uint64`, `uint32`, `uint16`; `float`; `empty` (an object without
fields); `unset` (a field of engines long gone, only with its zero value; dropped); `dropped` (a
string that no engine reads; dropped); `[KIND]` a list; `{KIND}` a map, its keys free; else the name
of a type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

EMBED = "*"
"""In the table, as a field: all fields of another type."""
ALIAS = "="
"""In the table, as a field: the type is another name for a kind."""

INTEGERS: Mapping[str, tuple[int, int]] = {
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
    "uint32": (0, 2**32 - 1),
    "uint16": (0, 2**16 - 1),
}
"""The integer kinds with their least and greatest value."""


@dataclass(frozen=True, slots=True)
class BodyType:
    """An object's fields, or another name for a kind."""

    fields: Mapping[str, str]
    """By name, the kind; embedded types' fields are among them."""
    alias: str | None = None


@cache
def body_types() -> Mapping[str, BodyType]:
    """All types by name."""
    rows: dict[str, dict[str, str]] = {}
    text = resources.files(__package__).joinpath("data/schema.tsv").read_text()
    for line in text.splitlines():
        if not line.startswith("#"):
            name, field, kind = line.split("\t")
            rows.setdefault(name, {})[field] = kind
    del rows["type"]
    return {
        name: BodyType({} if ALIAS in fields else _fields(name, rows), fields.get(ALIAS))
        for name, fields in rows.items()
    }


def fold(name: str) -> str:
    """A field's name without the differences that Go's decoder does not see.

    U+017F and U+212A are the only letters beyond ASCII that fold to ASCII ones.
    """
    # str.lower turns U+212A into k.
    return name.lower().replace("\u017f", "s")


def _fields(name: str, rows: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    result: dict[str, str] = {}
    for field, kind in rows[name].items():
        if field == EMBED:
            result |= _fields(kind, rows)
        else:
            result[field] = kind
    return result
