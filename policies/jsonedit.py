"""JSON that its owner wrote, changed in one place: everything else stays byte for byte."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import InputError
from .jsontext import parse_json
from .nodes import MappingNode
from .problems import Report
from .source import Source

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


@dataclass(frozen=True, slots=True)
class Token:
    """A bracket, comma, colon, string, number or word, and where it stands in the text."""

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


def cut(text: str, tokens: list[Token], first: int, last: int) -> str:
    """The text without these tokens and the comma that goes with them."""
    if tokens[first - 1].text == ",":
        return text[: tokens[first - 1].begin] + text[tokens[last].end :]
    if tokens[last + 1].text == ",":
        return text[: tokens[first].begin] + text[tokens[last + 2].begin :]
    return text[: tokens[first - 1].end] + text[tokens[last + 1].begin :]


def with_entry(text: str, tokens: list[Token], entry: str) -> str:
    """The text with an entry more at the end of its object."""
    opening, closing = tokens[0], tokens[-1]
    if len(tokens) == 2:
        return f"{text[: opening.end]}\n  {entry}\n{text[closing.begin :]}"
    gap = text[opening.end : tokens[1].begin]
    return f"{text[: tokens[-2].end]},{gap}{entry}{text[tokens[-2].end :]}"


def tokens_of(text: str) -> list[Token]:
    """The tokens of sound JSON."""
    return [Token(found.group(), found.start(), found.end()) for found in _TOKEN.finditer(text)]


def value_of(tokens: list[Token], settings: MappingNode, key: str) -> tuple[int, int] | None:
    """First and last token of the value of a key of the outermost object; None without the key."""
    at = next((each.key.begin for each in settings.entries if each.key.text == key), None)
    if at is None:
        return None
    first = last = next(i for i, token in enumerate(tokens) if token.begin == at) + 2
    depth = 0
    while True:
        depth += (tokens[last].text in ("[", "{")) - (tokens[last].text in ("]", "}"))
        if depth == 0:
            return first, last
        last += 1
