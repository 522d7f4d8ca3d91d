"""Regular expressions of compiled policy data that a comparison can stand for.

The embedded engine copies an expression for every match (5 us); most of them are plain texts.
What `patterns.rego` says of {is}, {starts}, {begins} and {below} is what the expression says, and
a test holds it there: the OPA server decides by the expressions themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..model import Json

_META = r"\\[\\.+*?()|\[\]{}^$]"
_LITERAL = rf"(?:[^\\.+*?()|\[\]{{}}^$]|{_META})*"
_FORMS = (
    ("is", re.compile(rf"(?:\(\?s\))?\^({_LITERAL})\$")),
    ("starts", re.compile(rf"(?:\(\?s\))?\^({_LITERAL})\[\^/\]\*\$")),
    ("begins", re.compile(rf"\(\?s\)\^({_LITERAL})\.\*\$")),
    ("below", re.compile(rf"(?:\(\?s\))?\^({_LITERAL}/)\[\^/\]\+\(/\[\^/\]\+\)\*\$")),
)
_TEXTS = frozenset({"id", "file", "because", "exact", "digest", "effect", "owner", "host_ip"})
"""Keys of a rule whose values are no expressions."""


def simplify(policy: Mapping[str, Json]) -> dict[str, Json]:
    """The policy data with the expressions of its rules simplified; the meaning is the same."""
    return {**policy, "rules": [_walk(rule) for rule in policy["rules"]]}


def expression(text: str) -> Json:
    """What stands for one regular expression: {is}, {starts}, {begins}, {below} or itself."""
    for form, shape in _FORMS:
        if (found := shape.fullmatch(text)) is not None:
            return {form: re.sub(r"\\(.)", r"\1", found[1])}
    return text


def _walk(value: Json) -> Json:
    if isinstance(value, dict) and isinstance(value.get("patterns"), list):
        made = [expression(each) for each in value["patterns"]]
        exact = {each["is"]: True for each in made if isinstance(each, dict) and "is" in each}
        rest = [each for each in made if not (isinstance(each, dict) and "is" in each)]
        return {**value, "exact": exact, "patterns": rest}
    if isinstance(value, dict):
        return {key: each if key in _TEXTS else _walk(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_walk(each) for each in value]
    return expression(value) if isinstance(value, str) and "^" in value else value
