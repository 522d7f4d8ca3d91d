"""Keys of `input` that a module of the user's reads and that are never there.

Rego takes what is not there for undefined: `deny if input.spec.privilegd` denies nothing, and
nobody is told. Only what is written as one reference (`input.spec.mounts[_].source`) is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from ..policies.findings import Finding, Severity
from ..policies.problems import did_you_mean
from ..policies.source import Location, Source
from .documents import Document

_SKIPPED = re.compile(r'#[^\n]*|"(?:\\.|[^"\\\n])*+"|`[^`]*+`|(?<![\w.])input\b')
"""Comments and texts, in which `input` means nothing; and `input`."""
_KEY = re.compile(r'\.([A-Za-z_]\w*)|\["((?:\\.|[^"\\\n])*+)"\]|(\[\w+\])')
"""A key in either spelling, or any element."""


def unknown_input(source: Source) -> Iterator[Finding]:
    """A finding for each reference to a key that no input document has."""
    for found in _SKIPPED.finditer(source.text):
        if found[0] == "input":
            yield from _reference(source, found.start(), found.end())


def _reference(source: Source, begin: int, at: int) -> Iterator[Finding]:
    kind: Any = Document
    while (step := _KEY.match(source.text, at)) is not None:
        kind, at = _present(kind), step.end()
        key = step[1] or step[2]
        if key is None:
            kind = _element(kind)
        elif is_typeddict(kind):
            hints = get_type_hints(kind)
            if key not in hints:
                yield _finding(source, begin, source.text[begin:at], did_you_mean(key, hints))
                return
            kind = hints[key]
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif kind in (str, int, bool):
            yield _finding(source, begin, source.text[begin:at], "")
            return
        else:
            return
        if kind is Any:
            return


def _present(kind: Any) -> Any:
    """The type without null."""
    if get_origin(kind) in (Union, UnionType):
        kinds = [each for each in get_args(kind) if each is not type(None)]
        return kinds[0] if len(kinds) == 1 else Any
    return kind


def _element(kind: Any) -> Any:
    if get_origin(kind) is list:
        return get_args(kind)[0]
    return get_args(kind)[1] if get_origin(kind) is dict else Any


def _finding(source: Source, begin: int, text: str, end: str) -> Finding:
    line = source.text.count("\n", 0, begin) + 1
    column = begin - source.text.rfind("\n", 0, begin)
    return Finding(
        "authz-unknown-input",
        Severity.WARNING,
        f"`{text}` is never there{end}",
        Location(source, line, column, len(text)),
        why="Rego takes what is not there for undefined: a denial that depends on it never holds.",
        fix="docs/authz.md, `The input document`, has every key; authz explain --json shows one",
    )
