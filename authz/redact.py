"""What must not reach the log: secrets in documents, request targets and sentences.

The input document already has names instead of Env values and build arguments, and no secrets
of swarm bodies. What is left are options with values of their own (a log driver's token, a
CIFS password), credentials inside of URLs, and the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_plus

from .model import Json

MARK = "[redacted]"

_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|"
    r"signing|unlock[-_.]?key|authorization|^auth$|^x-registry|^pass$|^key$|^buildargs$",
    re.IGNORECASE,
)
_OWN_KEYS = frozenset(
    {
        # Keys of the input document whose values are names, sizes or switches.
        "secrets",
        "credential_spec",
        "env_names",
        "args_names",
        "privileged",
    }
)
_USER_INFO = re.compile(r"(?<=://)[^/?#\s@]+@")
_ASSIGNED = re.compile(
    r"((?:passw\w*|passphrase|\bpass|secret|token|credentials?|api[-_]?key|access[-_]?key)"
    r"[\w.-]*\s*[=:]\s*)[^\s,;&\"']+",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def _is_secret(key: str) -> bool:
    return key not in _OWN_KEYS and _SECRET_KEY.search(key) is not None


def scrub(text: str) -> str:
    """The text without user:password@ of URLs and values given as password=…, token:…"""
    if "://" in text:
        text = _USER_INFO.sub(MARK + "@", text)
    if "=" in text or ":" in text:
        text = _ASSIGNED.sub(lambda found: found[1] + MARK, text)
    return text


_MARKS = (
    b"pass", b"secret", b"token", b"credential", b"key", b"signing", b"authorization", b"://",
    b'"auth"', b'"auth\\n"', b'"x-registry', b'"buildargs',
)  # fmt: skip
"""One of them is in whatever the expressions above find ($ is before a last line feed too)."""


def may_have_secrets(text: bytes) -> bool:
    """Whether `redact` could find anything in a document, which is given as JSON in ASCII.

    Letters beyond ASCII, which are escaped there, may stand for others where case is ignored.
    """
    if b"\\u" in text:
        return True
    lowered = text.lower()
    for mark in _MARKS:  # noqa: SIM110 - twice as quick as any()
        if mark in lowered:
            return True
    return False


def redact(document: Json) -> Json:
    """The document without secrets; parts that hold none are the same objects, not copies."""
    kind = type(document)
    if kind is int or kind is float:
        return document
    if isinstance(document, str):
        return scrub(document) if "=" in document or ":" in document else document
    if kind is dict or isinstance(document, Mapping):  # asking the latter takes long
        changed = None
        for key, value in document.items():
            if value is None or value is True or value is False or value == "" or value == []:
                continue
            clean = _hidden(value) if _is_secret(key) else redact(value)
            if clean is not value:
                changed = dict(document) if changed is None else changed
                changed[key] = clean
        return document if changed is None else changed
    if isinstance(document, list | tuple):
        cleaned = [redact(each) for each in document]
        same = all(new is old for new, old in zip(cleaned, document, strict=True))
        return document if same else cleaned
    return document


def _hidden(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _hidden(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(each) for each in value]
    return MARK


def redact_uri(uri: str) -> str:
    """A request target as it stood on the wire, without the values of secret query keys."""
    before, mark, query = uri.partition("?")
    if not mark:
        return _USER_INFO.sub(MARK + "@", before)
    return _USER_INFO.sub(MARK + "@", before) + "?" + "&".join(map(_pair, query.split("&")))


def _pair(pair: str) -> str:
    key, mark, value = pair.partition("=")
    if not mark:
        return pair
    # Decoded twice: what the engine would not take for a secret may still be one.
    if _is_secret(unquote_plus(unquote_plus(key))):
        return f"{key}={MARK}"
    plain = unquote_plus(value)
    return pair if scrub(plain) == plain else f"{key}={scrub(plain)}"
