"""The documents of the plugin protocol: what dockerd sends, and what it gets back.

Fields as in moby's `pkg/authorization/api.go`. An unknown field is tolerated (a newer dockerd may
have more); a known one of another type is not.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Mapping
from typing import NoReturn

from .denied import Denied
from .jsonbytes import finite
from .model import Json, Phase, PluginRequest

LIMIT = 8 * 1024 * 1024
"""Bytes of a document; dockerd's largest is a body of 4 MiB in base64, with its headers."""


def parse_request(phase: Phase, raw: bytes) -> PluginRequest:
    """Reads a document.

    Raises:
        Denied: it is empty (dockerd sends that after a connection that ended without an answer),
            too large, no JSON object, or a field has a wrong type.
    """
    if not raw:
        raise Denied("empty-request", "the engine sent no request document")
    if len(raw) > LIMIT:
        raise Denied("request-too-large", f"the request document is larger than {LIMIT} bytes")
    document = _load(raw)
    get = document.get
    method, uri = get("RequestMethod"), get("RequestUri")
    if type(method) is not str or not method:
        _malformed("RequestMethod is missing")
    if type(uri) is not str or not uri:
        _malformed("RequestUri is missing")
    return PluginRequest(
        phase,
        method,
        uri,
        _bytes(get("RequestBody"), "RequestBody"),
        _texts(get("RequestHeaders"), "RequestHeaders"),
        _text(get("User"), "User"),
        _text(get("UserAuthNMethod"), "UserAuthNMethod"),
        _certificates(get("RequestPeerCertificates")),
        _status(get("ResponseStatusCode")),
        _texts(get("ResponseHeaders"), "ResponseHeaders"),
        _bytes(get("ResponseBody"), "ResponseBody"),
    )


def answer(allow: bool, message: str) -> bytes:
    """The answer, which dockerd must get with status 200.

    `Err` is never set: dockerd allows a request that was allowed with an error.
    """
    if allow and not message:
        return _YES
    return json.dumps({"Allow": allow, "Msg": message, "Err": ""}).encode()


_YES = json.dumps({"Allow": True, "Msg": "", "Err": ""}).encode()


def _malformed(what: str) -> NoReturn:
    raise Denied("malformed-request", f"the engine's request document: {what}")


def _load(raw: bytes) -> dict[str, Json]:
    if b"\\ud" in raw or b"\\uD" in raw:
        _malformed("a surrogate is written as an escape")
    try:
        document = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError, MemoryError) as error:
        raise Denied(
            "malformed-request", f"the engine's request document cannot be read: {error}"
        ) from error
    if type(document) is not dict:
        _malformed("not an object")
    return document


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return result


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=finite)


def _text(value: Json, name: str) -> str:
    if value is None:
        return ""
    if type(value) is not str:
        _malformed(f"{name} is not a string")
    return value


def _bytes(value: Json, name: str) -> bytes:
    if value is None or value == "":
        return b""
    if type(value) is not str:
        _malformed(f"{name} is not a string")
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except ValueError:
        _malformed(f"{name} is not base64")


def _texts(value: Json, name: str) -> Mapping[str, str]:
    if value is None:
        return {}
    if type(value) is not dict:
        _malformed(f"{name} is not an object")
    for text in value.values():
        if type(text) is not str:
            _malformed(f"{name} has a value that is not a string")
    return value


def _certificates(value: Json) -> tuple[str, ...]:
    if value is None:
        return ()
    if type(value) is not list:
        _malformed("RequestPeerCertificates is not a list")
    try:
        return tuple(_bytes(one, "a certificate").decode("ascii") for one in value)
    except UnicodeDecodeError:
        _malformed("a certificate is not PEM")


def _status(value: Json) -> int | None:
    if value is None:
        return None
    if type(value) is not int:
        _malformed("ResponseStatusCode is not a number")
    return value
