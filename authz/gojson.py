"""Request bodies as Go's encoding/json reads them, and nothing that it would read in two ways.

Go matches field names without case, merges what stands twice, takes numbers apart by their spelling
and, in some engines, ignores what follows the document. Here a body has one reading or is denied;
the result has the schema's spelling of every field.
"""

from __future__ import annotations

import binascii
import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import NoReturn

from .body_types import INTEGERS, body_types, fold
from .denied import Denied
from .jsonbytes import finite
from .model import Json

LIMIT = 4 * 1024 * 1024
"""Bytes of a body; engines pass no longer one on."""
COMMAS = 20_000
"""In a body, texts included: whoever sends more keeps a worker busy for longer than a decision
may take. A container with 2,000 published ports has a quarter."""
DEPTH = 64
"""Objects and lists within one another; the API's deepest has less than half."""

_Check = Callable[[Json], Json]


class _Mistake(Exception):  # noqa: N818 - becomes a Denied once its place is known
    def __init__(self, code: str, what: str) -> None:
        super().__init__(what)
        self.code = code
        self.route: list[str] = []


def decode(body: bytes, schema_name: str) -> Json:
    """Reads a body of a type of the schema table.

    Null stays null, at any value but a map's or list's strings, where it is what Go makes of it.
    As a whole body null is denied, unless the type is a list: Go's clients send a nil list so.

    Raises:
        Denied: the body is too large or deep, not JSON, ambiguous, or not of that type.
    """
    document = parse(body)
    check = _check_of(schema_name)
    if document is None:
        if _is_list(schema_name):
            return []
        raise Denied("wrong-type", "the body is null")
    try:
        return check(document)
    except _Mistake as mistake:
        place = "".join(reversed(mistake.route)).removeprefix(".") or "body"
        raise Denied(mistake.code, f"{place}: {mistake}") from None


def parse(body: bytes) -> Json:
    """Reads JSON of no particular type, with the same strictness.

    Raises:
        Denied: it is too large or deep, no JSON, or has a key twice.
    """
    if len(body) > LIMIT:
        raise Denied("body-too-large", f"the body is larger than {LIMIT} bytes")
    if body.count(b",") > COMMAS:
        raise Denied("too-many", f"the body has more than {COMMAS:,} values")
    try:
        document = _DECODER.decode(body.decode("utf-8"))
        if b"\\u" in body:
            _check_surrogates(document)
        return document
    except _Mistake as mistake:
        raise Denied(mistake.code, str(mistake)) from None
    except UnicodeError as error:
        raise Denied("bad-unicode", "the body is not UTF-8, or has half a character") from error
    except (RecursionError, MemoryError) as error:
        raise Denied("too-deep", "the body is nested too deep") from error
    except ValueError as error:
        raise Denied("bad-json", f"the body is not JSON: {error}") from error


def _check_surrogates(document: Json) -> None:
    """Go puts U+FFFD in place of half a character."""
    json.dumps(document, ensure_ascii=False).encode("utf-8")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()  # counting each key would take minutes for a body of 4 MiB
        for key, _ in pairs:
            if key in seen:
                raise _Mistake("duplicate-key", f"the body has {key!r} twice in an object")
            seen.add(key)
    return result


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    try:
        return finite(text)
    except ValueError as error:
        raise _Mistake("out-of-range", str(error)) from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite
)


def _is_list(name: str) -> bool:
    alias = body_types()[name].alias
    return alias is not None and alias.startswith("[")


@cache
def _check_of(kind: str) -> _Check:
    """The check of a kind, which returns the canonical value; None stands for itself."""
    if kind.startswith("["):
        return _list_of(kind[1:-1])
    if kind.startswith("{"):
        return _map_of(kind[1:-1])
    if kind in INTEGERS:
        return _integer(kind)
    if kind in _CHECKS:
        return _CHECKS[kind]
    described = body_types()[kind]
    if described.alias is not None:
        return _check_of(described.alias)
    return _object_of(described.fields)


_DROP = object()
"""What a check returns for a field that the canonical form does not have."""


def _object_of(described: Mapping[str, str]) -> _Check:
    fields = {name: (name, _PLAIN.get(kind), _check_of(kind)) for name, kind in described.items()}
    folded = {fold(name): entry for name, entry in fields.items()}
    get = fields.get

    def check(value: Json) -> Json:
        if type(value) is not dict:
            raise _wrong("an object", value)
        result = {}
        dropped = False
        for key, one in value.items():
            entry = get(key) or folded.get(fold(key))
            if entry is None:
                raise _Mistake("unknown-field", f"the API has no field {key!r} here")
            name, plain, inner = entry
            if name in result:
                raise _Mistake("duplicate-key", f"{name} stands twice, in different spellings")
            if type(one) is plain or (one is None and inner not in _DROPPING):
                result[name] = one
                continue
            try:
                result[name] = inner(one)
            except _Mistake as mistake:
                mistake.route.append(f".{name}")
                raise
            dropped = dropped or result[name] is _DROP
        if dropped:
            return {name: one for name, one in result.items() if one is not _DROP}
        return result

    return check


def _list_of(kind: str) -> _Check:
    plain, inner = _PLAIN.get(kind), _check_of(kind)

    def check(value: Json) -> Json:
        if type(value) is not list:
            raise _wrong("a list", value)
        result = []
        for index, one in enumerate(value):
            if type(one) is plain:
                result.append(one)
                continue
            try:
                result.append(inner(one))
            except _Mistake as mistake:
                mistake.route.append(f"[{index}]")
                raise
        return result

    return check


def _map_of(kind: str) -> _Check:
    plain, inner = _PLAIN.get(kind), _check_of(kind)
    zero = "" if kind == "string" else None

    def check(value: Json) -> Json:
        if type(value) is not dict:
            raise _wrong("an object", value)
        result = {}
        for key, one in value.items():
            if type(one) is plain:
                result[key] = one
            elif one is None:
                result[key] = zero
            else:
                try:
                    result[key] = inner(one)
                except _Mistake as mistake:
                    mistake.route.append(f"[{key!r}]")
                    raise
        return result

    return check


def _integer(kind: str) -> _Check:
    least, greatest = INTEGERS[kind]

    def check(value: Json) -> Json:
        if type(value) is not int:
            raise _wrong("a whole number", value)
        if not least <= value <= greatest:
            raise _Mistake("out-of-range", f"the number does not fit {kind}")
        return value

    return check


def _scalar(expected: type, words: str) -> _Check:
    def check(value: Json) -> Json:
        if type(value) is not expected:
            raise _wrong(words, value)
        return value

    return check


def _strings(value: Json) -> Json:
    if type(value) is str:
        return [value]
    return _check_of("[string]")(value)


def _base64(value: Json) -> Json:
    if type(value) is not str:
        raise _wrong("a string in base64", value)
    try:
        binascii.a2b_base64(value.replace("\r", "").replace("\n", ""), strict_mode=True)
    except ValueError:
        raise _Mistake("wrong-type", "not base64") from None
    return value


def _float(value: Json) -> Json:
    if type(value) is not int and type(value) is not float:
        raise _wrong("a number", value)
    if not math.isfinite(value) or abs(value) > _FLOAT32:
        raise _Mistake("out-of-range", "the number is too large")
    return value


_FLOAT32 = 3.4028234663852886e38


def _unset(value: Json) -> Json:
    if value:
        raise _Mistake("unknown-field", "no engine since Docker 20.10 knows this field")
    return _DROP


def _dropped(value: Json) -> Json:
    if value is not None and type(value) is not str:
        raise _wrong("a string", value)
    return _DROP


_DROPPING = (_unset, _dropped)


def _wrong(expected: str, value: Json) -> _Mistake:
    found = _WORDS.get(type(value), "null")
    return _Mistake("wrong-type", f"expected {expected}, found {found}")


_WORDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number with a fraction or exponent",
}
_PLAIN: Mapping[str, type] = {"string": str, "bool": bool}
"""Kinds of which every value of the Python type is good as it is."""
_CHECKS: Mapping[str, _Check] = {
    "string": _scalar(str, "a string"),
    "bool": _scalar(bool, "true or false"),
    "strings": _strings,
    "bytes": _base64,
    "float": _float,
    "empty": _object_of({}),
    "unset": _unset,
    "dropped": _dropped,
}
