"""Patterns of the policy language -> regular expressions.

`*` is any run of characters without `/`, `**` any run at all. In paths they are about
components: a component `*` is exactly one, `**` one or more, so `/srv/**` is everything below
/srv and not /srv. Nothing else is special.

The expressions are anchored and use nothing that RE2 (OPA), Rust's regex (regorus) and Python
read differently: escaped ASCII punctuation, `[^/]`, `.` with `(?s)`, `*`, `+` and groups. In
Python they are for `re.fullmatch`, because its `$` also matches before a last line feed.
"""

from __future__ import annotations

import re

_META = frozenset("\\.+*?()|[]{}^$")
_RUN = re.compile(r"\*+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOT_OURS = frozenset("?[]{}\\")


class PatternError(ValueError):
    """A text that is no pattern; the hint says what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def exact(text: str) -> str:
    """Only this text."""
    _check(text)
    return f"^{_escaped(text)}$"


def name(text: str) -> str:
    """A pattern of names; raises PatternError."""
    _check(text)
    _check_wildcards(text)
    return value(text)


def value(text: str) -> str:
    """A pattern of free texts, in which brackets and `?` stand for themselves."""
    _check(text)
    flags = "(?s)" if "**" in text else ""
    return f"{flags}^{_runs(text)}$"


def path(text: str) -> str:
    """A pattern of clean absolute paths; raises PatternError."""
    _check(text)
    _check_wildcards(text)
    if text == "/":
        return "^/$"
    if not text.startswith("/"):
        raise PatternError(f"`{text}` is no absolute path", "begin it with `/`")
    return "^" + "".join(f"/{_component(part)}" for part in text[1:].split("/")) + "$"


def user(text: str) -> str:
    """A pattern of users; without a group any group will do. Raises PatternError."""
    if ":" in text:
        return name(text)
    return name(text)[:-1] + "(:[^/]*)?$"


def is_literal(text: str) -> bool:
    """Whether a pattern has no wildcard."""
    return "*" not in text


def _component(text: str) -> str:
    if text in ("", ".", ".."):
        raise PatternError(f"a path has no component `{text}`", "write it clean: `/srv/data`")
    if text == "*":
        return "[^/]+"
    if text == "**":
        return "[^/]+(/[^/]+)*"
    if "**" in text:
        hint = "write `/**` for everything below, or `*` for a part of a name"
        raise PatternError(f"in a path `**` stands alone between slashes, not in `{text}`", hint)
    return _runs(text)


def _runs(text: str) -> str:
    """The text with its wildcards replaced and all else escaped."""
    parts: list[str] = []
    end = 0
    for match in _RUN.finditer(text):
        if len(match[0]) > 2:
            raise PatternError(f"`{match[0]}` is no wildcard", "write `*` or `**`")
        parts += [_escaped(text[end : match.start()]), "[^/]*" if len(match[0]) == 1 else ".*"]
        end = match.end()
    return "".join([*parts, _escaped(text[end:])])


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in _META else char for char in text)


def _check(text: str) -> None:
    if _CONTROL.search(text):
        raise PatternError("a control character in a pattern", "delete it")


def _check_wildcards(text: str) -> None:
    other = sorted(_NOT_OURS & set(text))
    if other:
        hint = "`*` and `**` are all there is; list the alternatives one by one"
        raise PatternError(f"`{other[0]}` means nothing in a pattern", hint)
