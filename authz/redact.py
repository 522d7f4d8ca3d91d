"""What must not reach the log: secrets in documents, request targets and sentences.

The input document already has names instead of Env values and build arguments, and no secrets
of swarm bodies. What is left are options with values of their own (a log driver's token, a
CIFS password), words of command lines, credentials inside of URLs, and the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_plus

from .model import Json
from .wording import LONGEST, hide, hide_in_command, hide_instruction, sounds_secret

MARK = "[redacted]"

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
_COMMANDS = frozenset({"command", "entrypoint", "Cmd", "Entrypoint", "Command", "Args", "Test"})
"""Keys of command lines, of the input document and of bodies."""
_INSTRUCTIONS = frozenset({"changes", "OnBuild"})


@lru_cache(maxsize=4096)
def _is_secret(key: str) -> bool:
    return key not in _OWN_KEYS and sounds_secret(key)


def scrub(text: str) -> str:
    """The text without user:password@ of URLs and values given as password=…, token:…"""
    return hide(text, MARK)


_MARKS = (
    b"pass", b"secret", b"token", b"credential", b"key", b"signing", b"://", b'"x-registry',
    b'"buildargs', b"pwd", b"cookie", b"bearer", b'"changes', b'"onbuild', b"-user",
)  # fmt: skip
_SHORT_OPTION = re.compile(rb"-(?:(?<=[^\w.-]-)|(?<=\\[nrt]-))(?:[pu]|[aw]\W)")
"""One of them, or `auth`, is in whatever `wording` finds. Beginning with its letter is quick."""


def may_have_secrets(text: bytes) -> bool:
    """Whether `redact` could find anything in a document, which is given as JSON in ASCII.

    Letters beyond ASCII, which are escaped there, may stand for others where case is ignored.
    """
    if b"\\u" in text:
        return True
    lowered = text.lower()
    for mark in _MARKS:  # any() takes twice as long
        if mark in lowered:
            return True
    if lowered.count(b"auth") > lowered.count(b"authz"):  # rules' ids, and our own path
        return True
    return _SHORT_OPTION.search(lowered) is not None


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
            if _is_secret(key):
                clean = _hidden(value)
            elif key in _COMMANDS or key in _INSTRUCTIONS:
                clean = _commands(key, value)
            else:
                clean = redact(value)
            if clean is not value:
                changed = dict(document) if changed is None else changed
                changed[key] = clean
        return document if changed is None else changed
    if isinstance(document, list | tuple):
        cleaned = [redact(each) for each in document]
        same = all(new is old for new, old in zip(cleaned, document, strict=True))
        return document if same else cleaned
    return document


def _commands(key: str, value: Json) -> Json:
    if not isinstance(value, list):
        return redact(value)
    if key in _COMMANDS:
        cleaned = hide_in_command(value, MARK)
    else:
        cleaned = [hide_instruction(each, MARK) if type(each) is str else each for each in value]
    return value if cleaned == value else cleaned


def _hidden(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _hidden(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(each) for each in value]
    return MARK


def redact_uri(uri: str) -> str:
    """A request target as it stood on the wire, without the values of secret query keys."""
    before, mark, query = uri[:LONGEST].partition("?")
    if not mark:
        return scrub(before)
    return scrub(before) + "?" + "&".join(map(_pair, query.split("&")))


def _pair(pair: str) -> str:
    key, mark, value = pair.partition("=")
    if not mark:
        return scrub(pair)
    # Decoded twice: what the engine would not take for a secret may still be one.
    name = unquote_plus(unquote_plus(key))
    if _is_secret(name):
        return f"{key}={MARK}"
    plain = unquote_plus(value)
    clean = hide_instruction(plain, MARK) if name in _INSTRUCTIONS else scrub(plain)
    return pair if clean == plain else f"{key}={clean}"
