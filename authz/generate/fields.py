"""The types of bodies: the description, corrected by fields.tsv."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .api import EMBED, Api, Fields, Types, shape
from .errors import GenerateError
from .handmade import Row

KINDS = frozenset(
    """string strings bytes bool float empty unset dropped
    int64 uint64 uint32 uint16""".split()
)
"""The kinds that are no type's name; schema.py has their meaning."""
_REMOVED = "-"
_NAME = re.compile(r"[A-Za-z][\w.]*")


def corrected(api: Api, operations: Sequence[Row], corrections: Sequence[Row]) -> dict[str, Fields]:
    """The fields by type, of those types that some body is made of.

    Raises:
        GenerateError: a correction changes nothing, or a type is missing.
    """
    roots = {row[4]: shape(row[0], row[1]) for row in operations if row[4] != "-"}
    types = Types(api)
    for name, route in sorted(roots.items()):
        if route in api.bodies:
            types.add_body(name, api.bodies[route])
    found = types.found
    for name, field, kind, _ in corrections:
        fields = found.setdefault(name, {})
        if fields.get(field, _REMOVED) == kind:
            raise GenerateError(f"fields.tsv: {name}.{field} changes nothing")
        if kind == _REMOVED:
            del fields[field]
        else:
            fields[field] = kind
    used: dict[str, Fields] = {}
    for name in roots:
        _use(name, found, used)
    if unused := sorted({row[0] for row in corrections} - used.keys()):
        raise GenerateError(f"fields.tsv: no body has {', '.join(unused)}")
    for name in used:
        _check_folding(name, used)
    return dict(sorted(used.items()))


def _use(name: str, found: dict[str, Fields], used: dict[str, Fields]) -> None:
    if name in used:
        return
    if name not in found:
        raise GenerateError(f"the type {name} is not described")
    used[name] = found[name]
    for kind in found[name].values():
        for part in _NAME.findall(kind):
            if part not in KINDS:
                _use(part, found, used)


def _names(name: str, types: dict[str, Fields]) -> list[str]:
    own = [field for field in types[name] if field.isalnum()]
    embedded = types[name].get(EMBED)
    return own + (_names(embedded, types) if embedded else [])


def _check_folding(name: str, types: dict[str, Fields]) -> None:
    """Go takes a key for any field that it equals but for case: no two may."""
    names = [field.lower() for field in _names(name, types)]
    if len(set(names)) != len(names) or not all(field.isascii() for field in names):
        raise GenerateError(f"{name}: two fields differ in case only, or one is not ASCII")
