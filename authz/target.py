"""The request target, decoded once and as dockerd decodes it (Go's net/url, then gorilla/mux).

What dockerd would clean up, redirect or refuse is denied instead: a plugin that cleans up
otherwise than the engine decides about another request than the one that runs.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from .denied import Denied
from .model import Target
from .repeatable import REPEATABLE

LIMIT = 256 * 1024
"""Bytes of a target; a build's arguments stand in it."""
PATH_LIMIT = 4096
"""Characters of a decoded path."""
KEYS_LIMIT = 256
"""Parts of a query."""


_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([A-Za-z0-9._~:\[\]%-]*)(/.*)", re.DOTALL)
_VERSION = re.compile(r"/v((?:0|[1-9][0-9]{0,3})\.(?:0|[1-9][0-9]{0,3}))(/.*)", re.DOTALL)
_VERSION_LIKE = re.compile(r"/v[0-9.]+(?:/|\Z)")
_PLAIN = re.compile(r"/[A-Za-z0-9_.:@/-]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WITH_SLASH = frozenset(("/networks/", "/debug/pprof/"))
"""Routes of their own; elsewhere a slash at the end is no route, or another one."""


def parse_target(uri: str) -> Target:
    """Parses `RequestUri`.

    A key of `REPEATABLE` may stand more than once; its value is then a tuple of texts.

    Raises:
        Denied: the target is not in the one form that Stockade knows for it.
    """
    if len(uri) > LIMIT:
        raise Denied("target-too-long", f"the request target has more than {LIMIT} characters")
    if not uri.isascii():
        raise Denied("bad-target", "the request target has characters that must be escaped")
    if not uri.startswith("/"):
        uri = _without_authority(uri)
    raw_path, _, raw_query = uri.partition("?")
    path = raw_path if _PLAIN.fullmatch(raw_path) else _decode_path(raw_path)
    version, path = _split_version(path)
    _check_path(path)
    return Target(path, version, _query(raw_query) if raw_query else {})


def _without_authority(uri: str) -> str:
    matched = _ABSOLUTE.fullmatch(uri)
    if matched is None:
        raise Denied("bad-target", "the request target is neither a path nor a URL with one")
    return matched[3]


def _decode(text: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise Denied("bad-escape", "the request target has an escape that is none")
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Denied("bad-escape", "the request target is not UTF-8") from error


def _decode_path(raw: str) -> str:
    if "#" in raw:
        raise Denied("bad-target", "the request target has a fragment")
    path = _decode(raw)
    if _UNPRINTABLE.search(path):
        raise Denied("bad-path", "the path has a control character")
    if ";" in path or "\\" in path or "?" in path or "#" in path:
        raise Denied("bad-path", "the path has a character that no path of the API has")
    return path


def _split_version(path: str) -> tuple[str | None, str]:
    matched = _VERSION.fullmatch(path)
    if matched is not None:
        return matched[1], matched[2]
    if _VERSION_LIKE.match(path):
        raise Denied("bad-version", "the API version is not written as 1.41 is")
    return None, path


def _check_path(path: str) -> None:
    if len(path) > PATH_LIMIT:
        raise Denied("target-too-long", f"the path has more than {PATH_LIMIT} characters")
    if "//" in path:
        raise Denied("bad-path", "the path has an empty part")
    if "/." in path and not {".", ".."}.isdisjoint(path.split("/")):
        raise Denied("bad-path", "the path has . or .. as a part")
    if path.endswith("/") and path not in _WITH_SLASH:
        raise Denied("bad-path", "the path ends with a slash")


def _query(raw: str) -> dict[str, Any]:
    if ";" in raw or "#" in raw:
        raise Denied("bad-query", "the query has a ; or # that is not escaped")
    if raw.count("&") >= KEYS_LIMIT:
        raise Denied("bad-query", f"the query has more than {KEYS_LIMIT} parts")
    escaped = "%" in raw
    if "+" in raw:
        raw = raw.replace("+", " ")
    result: dict[str, Any] = {}
    for part in raw.split("&"):
        if not part:
            continue
        key, _, value = part.partition("=")
        if escaped:
            key, value = _decode(key), _decode(value)
        if "\0" in value:
            raise Denied("bad-query", "the query has a NUL character")
        if key not in result:
            result[key] = value
        elif key not in REPEATABLE:
            raise Denied("duplicate-query", f"the query has {key!r} twice")
        elif type(result[key]) is tuple:
            result[key] = (*result[key], value)
        else:
            result[key] = (result[key], value)
    return result
