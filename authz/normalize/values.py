"""Small readings of canonical JSON: flags, numbers, texts, paths."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import NoReturn

from ..denied import Denied
from ..jsonbytes import finite
from ..model import Json

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def deny(code: str, reason: str) -> NoReturn:
    """Raise Denied; an expression where a statement does not fit."""
    raise Denied(code, reason)


def is_zero(value: Json) -> bool:
    """Whether Go's decoder would leave the field as it was: absent, null or the zero value."""
    return value is None or (
        not value if isinstance(value, (str, list, dict, bool, int, float)) else False
    )


def flag(value: Json, name: str) -> bool:
    """A boolean; null is false. Raises Denied for anything else."""
    if value is None or value is False:
        return False
    return True if value is True else deny("wrong-type", f"{name} must be true or false")


def number(value: Json, name: str) -> int:
    """An integer; null is 0. Raises Denied for anything else."""
    if value is None:
        return 0
    if type(value) is int:
        return value
    return deny("wrong-type", f"{name} must be an integer")


def at_least_zero(value: Json, name: str) -> int:
    """Like number, and a negative one is denied."""
    found = number(value, name)
    return found if found >= 0 else deny("bad-value", f"{name} must not be negative")


def text(value: Json, name: str) -> str:
    """A text; null is empty. Raises Denied for anything else and for control characters."""
    if not value:
        return "" if value is None or value == "" else deny("wrong-type", f"{name} must be a text")
    if type(value) is not str:
        deny("wrong-type", f"{name} must be a text")
    if not value.isprintable() and _CONTROL.search(value):
        deny("bad-value", f"{name} has a control character")
    found: str = value
    return found


def texts(value: Json, name: str) -> list[str]:
    """A list of texts, any characters; null is empty."""
    if not value:
        return [] if value is None or value == [] else deny("wrong-type", f"{name} must be a list")
    if type(value) is not list or any(type(item) is not str for item in value):
        deny("wrong-type", f"{name} must be a list of texts")
    return list(value)


def plain(value: Json, name: str) -> str:
    """A text with any characters, for commands and the like; null is empty."""
    if value is None:
        return ""
    return value if type(value) is str else deny("wrong-type", f"{name} must be a text")


def objects(value: Json, name: str) -> list[dict[str, Json]]:
    """A list of objects; null is empty, and a null element an empty object."""
    if not value:
        return [] if value is None or value == [] else deny("wrong-type", f"{name} must be a list")
    if type(value) is not list or any(
        item is not None and type(item) is not dict for item in value
    ):
        deny("wrong-type", f"{name} must be a list of objects")
    return [item or {} for item in value]


def mapping(value: Json, name: str) -> dict[str, Json]:
    """An object; null is empty."""
    if not value:
        return {} if value is None or value == {} else deny("wrong-type", f"{name}: an object")
    return value if type(value) is dict else deny("wrong-type", f"{name} must be an object")


def strings(value: Json, name: str) -> dict[str, str]:
    """A map of texts; null is empty, a null value the empty text (as Go decodes it)."""
    if not value:
        return mapping(value, name)
    return {key: plain(item, f"{name}[{key}]") for key, item in mapping(value, name).items()}


def names_of(environment: Json, name: str) -> list[str]:
    """The names in `NAME=value` texts, in order, once each."""
    return list(dict.fromkeys(item.partition("=")[0] for item in texts(environment, name)))


def clean(path: str) -> str:
    """Go's path.Clean: no `//`, no `.`, every `..` resolved against what stands before it."""
    if path.startswith("/") and "//" not in path and "/." not in path:
        return path.rstrip("/") or "/"
    rooted = path.startswith("/")
    kept: list[str] = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            kept.append(part)
        elif kept and kept[-1] != "..":
            kept.pop()
        elif not rooted:
            kept.append(part)
    return ("/" if rooted else "") + "/".join(kept) or "."


def climbs(path: str) -> bool:
    """Whether `..` is a component: what it names then depends on symbolic links."""
    return ".." in path and ".." in path.split("/")


def absolute(path: str, name: str) -> str:
    """The path, cleaned as the engine cleans it. Raises Denied for a relative or Windows one."""
    if not path.startswith("/"):
        deny("relative-path", f"{name} must be an absolute path: {path!r}")
    if "\\" in path:
        deny("windows-path", f"{name} has a backslash: {path!r}")
    return clean(path)


def subpath(path: str, name: str) -> str | None:
    """A path inside a volume or image; null when there is none."""
    if not path:
        return None
    if path.startswith("/") or "\\" in path or climbs(path):
        deny("unclear-path", f"{name} must stay inside: {path!r}")
    return clean(path)


def _unique(pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found:
            deny("duplicate-key", f"duplicate key {key!r}")
        found[key] = value
    return found


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def parse_json(source: str, name: str) -> Json:
    """JSON inside a text, strictly: no duplicate keys, no NaN. Raises Denied."""
    try:
        return json.loads(
            source, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=finite
        )
    except (ValueError, RecursionError) as error:
        raise Denied("bad-json", f"{name} is not valid JSON") from error


def fold(name: str) -> str:
    """A field's name as Go compares it: ASCII case, long s and the Kelvin sign ignored."""
    return name.replace("\u017f", "s").replace("\u212a", "k").lower()


def spelled(given: Mapping[str, Json], fields: Iterable[str], name: str) -> dict[str, Json]:
    """The object with its fields as the table spells them. Raises Denied for others."""
    table = {fold(field): field for field in fields}
    found: dict[str, Json] = {}
    for key, value in given.items():
        field = table.get(fold(key)) or deny("unknown-field", f"{name} has no field {key!r}")
        if field in found:
            deny("duplicate-key", f"{name} has {field} twice")
        found[field] = value
    return found
