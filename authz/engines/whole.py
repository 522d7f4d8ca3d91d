"""Whether a document has every key that normalisation makes, at every depth.

The virtual machine passes what is missing to functions as undefined, which the interpreter does
not, so it may see only documents without gaps. Requests' documents have none; those of a log,
or with a specification that an older version kept, may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from ..documents import Document
from ..model import Json

Check = Callable[[Any], bool]


def _check(kind: Any) -> Check | None:
    """Whether a value of this type has all its keys; None where the type promises no keys."""
    if is_typeddict(kind):
        return _keys(kind)
    arguments = get_args(kind)
    if get_origin(kind) is list:
        inner = _check(arguments[0])
        return None if inner is None else _each(inner)
    if get_origin(kind) in (Union, UnionType):
        found = next(filter(None, map(_check, arguments)), None)
        return None if found is None else _or_null(found)
    return None


def _keys(kind: Any) -> Check:
    hints = get_type_hints(kind)
    keys = hints.keys()
    found = [(name, _check(hint)) for name, hint in hints.items()]
    parts = [(name, part) for name, part in found if part is not None]

    def has_keys(value: Any) -> bool:
        return (
            type(value) is dict
            and value.keys() == keys
            and all(part(value[name]) for name, part in parts)
        )

    return has_keys


def _each(inner: Check) -> Check:
    return lambda value: type(value) is list and all(map(inner, value))


def _or_null(inner: Check) -> Check:
    return lambda value: value is None or inner(value)


_WHOLE = _keys(Document)


def whole(document: Mapping[str, Json]) -> bool:
    """Whether nothing is missing."""
    return _WHOLE(document)
