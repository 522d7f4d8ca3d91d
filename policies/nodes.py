"""What a YAML or JSON text says, as a tree in which every part knows its place.

The two readers (`yamltext`, `jsontext`) make these nodes; `fields` reads them. Nothing here
knows the language: a scalar is its text and what kind of thing it looks like. Nodes are named
tuples, not dataclasses: a policy has thousands of them, and tuples are made much faster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from .problems import Report
from .source import Location, Source

MAXIMAL_DEPTH = 32
"""Lists and mappings inside one another."""
MAXIMAL_NODES = 140_000
"""Scalars, lists and mappings in one document: enough for 65,536 tenants."""

Places = Callable[[int, int], Location]
"""From the start and end of a stretch of a scalar's text to where it stands in the source."""


class Kind(Enum):
    """What a scalar is, as its author wrote it."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    NULL = "null"
    INVALID = "invalid"
    """Already reported; whoever reads it stays silent."""


class ScalarNode(NamedTuple):
    """A text, number, truth value or null, by its text."""

    text: str
    """The value as written, quotes and escapes resolved."""
    kind: Kind
    at: Location
    begin: int
    """Index in the source of the first character, quotes included."""
    end: int
    shift: int | None = 0
    """When the text stands in the source as it is, how far into the scalar it begins (1 after
    a quote); None when escapes or line ends lie between."""

    def places(self) -> Places:
        """Where stretches of this scalar's text stand, exact wherever that can be told."""
        shift = self.shift
        if shift is not None:
            at = self.at
            return lambda start, end: at.part(shift + start, end - start)
        spots = _align(self.at.source.text[self.begin : self.end], self.text)
        if spots is None:
            return lambda start, end: self.at
        return lambda start, end: _stretch(self, spots, start, end)


class SequenceNode(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    at: Location


class Entry(NamedTuple):
    """A key and its value."""

    key: ScalarNode
    value: Node


class MappingNode(NamedTuple):
    """Keys and values in the order written; no key twice."""

    entries: tuple[Entry, ...]
    at: Location


Node = ScalarNode | SequenceNode | MappingNode


@dataclass(slots=True)
class EntryList:
    """The entries of a mapping that is being composed; a second key of one name is reported."""

    report: Report
    entries: list[Entry] = field(default_factory=list)
    seen: dict[str, Location] = field(default_factory=dict)

    def add(self, key: ScalarNode, value: Node) -> None:
        """Keeps the entry unless its key was there already."""
        first = self.seen.setdefault(key.text, key.at)
        if first is key.at:
            self.entries.append(Entry(key, value))
        else:
            self.report.add(
                f"duplicate key `{key.text}`",
                key.at,
                "keep one of the two; no reader agrees on which one would count",
                (("it is first given here", first),),
            )


def locate(source: Source, index: int, width: int = 1) -> Location:
    """The location of the character with this index; the width ends with its line."""
    text = source.text
    start = text.rfind("\n", 0, index) + 1
    end = text.find("\n", index)
    room = (len(text) if end < 0 else end) - index
    line = text.count("\n", 0, index) + 1
    return Location(source, line, index - start + 1, max(1, min(width, room)))


def _stretch(node: ScalarNode, spots: list[int], start: int, end: int) -> Location:
    if not spots:
        return node.at
    last = len(spots) - 1
    first = spots[min(start, last)]
    final = spots[min(max(start, end - 1), last)]
    return locate(node.at.source, node.begin + first, final - first + 1)


_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}


def _align(raw: str, text: str) -> list[int] | None:
    """For every character of the text its index in the raw scalar; None when that is unclear.

    Folding and indentation change blanks only, so blanks are skipped on both sides. A blank of
    the text is given the place just after the character before it.
    """
    quote = raw[:1] if raw[:1] in ("'", '"') else ""
    header = raw[:1] in ("|", ">")
    at = max(0, raw.find("\n")) if header else len(quote)
    spots: list[int] = []
    for char in text:
        if char.isspace():
            spots.append(at)
            continue
        while at < len(raw) and raw[at].isspace():
            at += 1
        width = _match(raw, at, char, quote)
        if not width:
            return None
        spots.append(at)
        at += width
    return spots


def _match(raw: str, at: int, char: str, quote: str) -> int:
    """How many raw characters from `at` on mean this character; 0 when they do not."""
    here = raw[at : at + 1]
    if quote == "'" and here == "'":
        return 2 if char == "'" and raw[at + 1 : at + 2] == "'" else 0
    if quote != '"' or here != "\\":
        return 1 if here == char else 0
    escape = raw[at + 1 : at + 2]
    digits = {"x": 2, "u": 4, "U": 8}.get(escape, 0)
    if digits:
        code = raw[at + 2 : at + 2 + digits]
        return 2 + digits if code.lower() == f"{ord(char):0{digits}x}" else 0
    return 2 if _ESCAPED.get(escape, escape) == char else 0
