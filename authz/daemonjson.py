"""daemon.json as text that its owner wrote: one entry of `authorization-plugins` in or out.

Everything else stays as it stands, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..policies.errors import InputError
from ..policies.jsontext import parse_json
from ..policies.nodes import Kind, MappingNode, ScalarNode, SequenceNode
from ..policies.problems import Report
from ..policies.source import Source

KEY = "authorization-plugins"
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    begin: int
    end: int


def read_settings(source: Source) -> MappingNode:
    """The file as nodes with places.

    Raises InputError when it is no JSON object, or has a key twice (dockerd and other readers
    then disagree on which counts).
    """
    report = Report()
    root = parse_json(source, report)
    if report.problems or root is None:
        raise InputError(report.arranged())
    if not isinstance(root, MappingNode):
        raise InputError.of(f"`{source.name}` holds no JSON object", root.at)
    return root


def listed_plugins(settings: MappingNode) -> list[ScalarNode]:
    """The entries of `authorization-plugins`; raises InputError when it is no list of names."""
    node = next((each.value for each in settings.entries if each.key.text == KEY), None)
    if node is None or (isinstance(node, ScalarNode) and node.kind is Kind.NULL):
        return []
    if not isinstance(node, SequenceNode):
        raise InputError.of(f"`{KEY}` must be a list of names", node.at)
    names = [each for each in node.items if isinstance(each, ScalarNode)]
    if len(names) < len(node.items) or any(each.kind is not Kind.TEXT for each in names):
        raise InputError.of(f"`{KEY}` must be a list of names", node.at)
    return names


def with_plugin(source: Source, name: str) -> str:
    """The text with the plugin named last, unchanged when it is named already.

    Raises InputError for a file that cannot be changed safely.
    """
    text = source.text
    if not text.strip():
        return f'{{\n  "{KEY}": ["{name}"]\n}}\n'
    settings = read_settings(source)
    if any(each.text == name for each in listed_plugins(settings)):
        return text
    tokens = _tokens(text)
    value = _value(tokens, settings)
    if value is None:
        return _with_entry(text, tokens, f'"{KEY}": ["{name}"]')
    first, last = value
    if tokens[first].text != "[":  # null
        return text[: tokens[first].begin] + f'["{name}"]' + text[tokens[first].end :]
    before = tokens[last - 1]
    if before.text == "[":
        return text[: before.end] + f'"{name}"' + text[tokens[last].begin :]
    gap = text[tokens[last - 2].end : before.begin] if last - first > 2 else ""
    apart = gap if "\n" in gap else " "
    if last - first == 2 and "\n" in text[tokens[first].end : before.begin]:
        apart = text[tokens[first].end : before.begin]
    return f'{text[: before.end]},{apart}"{name}"{text[before.end :]}'


def without_plugin(source: Source, name: str) -> str:
    """The text without the plugin, and without the key when no plugin is left."""
    text = source.text
    if not text.strip():
        return text
    settings = read_settings(source)
    names = [each.text for each in listed_plugins(settings)]
    if name not in names:
        return text
    tokens = _tokens(text)
    value = _value(tokens, settings)
    assert value is not None
    first, last = value
    if set(names) == {name}:
        return _cut(text, tokens, first - 2, last)
    inside = [at for at in range(first + 1, last) if tokens[at].text not in (",",)]
    at = inside[names.index(name)]
    return without_plugin(Source(source.name, _cut(text, tokens, at, at)), name)


def _cut(text: str, tokens: list[_Token], first: int, last: int) -> str:
    """The text without these tokens and the comma that goes with them."""
    if tokens[first - 1].text == ",":
        return text[: tokens[first - 1].begin] + text[tokens[last].end :]
    if tokens[last + 1].text == ",":
        return text[: tokens[first].begin] + text[tokens[last + 2].begin :]
    return text[: tokens[first - 1].end] + text[tokens[last + 1].begin :]


def _with_entry(text: str, tokens: list[_Token], entry: str) -> str:
    """The text with an entry more at the end of its object."""
    opening, closing = tokens[0], tokens[-1]
    if len(tokens) == 2:
        return f"{text[: opening.end]}\n  {entry}\n{text[closing.begin :]}"
    gap = text[opening.end : tokens[1].begin]
    return f"{text[: tokens[-2].end]},{gap}{entry}{text[tokens[-2].end :]}"


def _tokens(text: str) -> list[_Token]:
    return [_Token(found.group(), found.start(), found.end()) for found in _TOKEN.finditer(text)]


def _value(tokens: list[_Token], settings: MappingNode) -> tuple[int, int] | None:
    """First and last token of the value of `authorization-plugins`."""
    at = next((each.key.begin for each in settings.entries if each.key.text == KEY), None)
    if at is None:
        return None
    first = next(i for i, token in enumerate(tokens) if token.begin == at) + 2
    if tokens[first].text != "[":
        return first, first
    last = next(i for i in range(first, len(tokens)) if tokens[i].text == "]")
    return first, last
