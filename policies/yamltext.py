"""YAML text to nodes: libyaml's events, bounded, with what a policy has no use for refused.

Refused are anchors, aliases, tags, merge keys, keys that are no text, and a second document.
Plain scalars are classified here and not by YAML's resolver, whose rules changed between
YAML 1.1 and 1.2: what either of them takes for a number, truth value or null is one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .nodes import (
    MAXIMAL_DEPTH,
    MAXIMAL_NODES,
    EntryList,
    Kind,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    locate,
)
from .problems import Report
from .reading import check_text
from .source import Location, Problem, Source
from .yamlerrors import explain

if TYPE_CHECKING:
    from yaml.error import Mark

_BOOLEANS = frozenset(("true", "false", "yes", "no", "on", "off"))
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])*)")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


def parse_yaml(source: Source, report: Report) -> Node | None:
    """The one document of the text; None, with a problem reported, when there is none."""
    if not check_text(source, report):
        return None
    import yaml

    # Without libyaml the same events come from Python, some thirty times slower.
    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        parser = loader(source.text)
        return _Composer(source, parser, report).document()
    except InputError as error:
        report.extend(error.problems)
    except yaml.MarkedYAMLError as error:
        report.problems.append(explain(error, source))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        report.add(f"not valid YAML: {str(error).splitlines()[0]}", locate(source, 0))
    return None


def classify(text: str) -> Kind:
    """What a plain scalar is, to YAML 1.1 or YAML 1.2."""
    first = text[:1]
    if first.isalpha():
        if len(text) > 5:
            return Kind.TEXT
        # YAML knows `no`, `No` and `NO`, but `nO` is a text.
        cased = text.islower() or text.isupper() or text.istitle()
        word = text.lower()
        if cased and word in _BOOLEANS:
            return Kind.BOOLEAN
        return Kind.NULL if cased and word == "null" else Kind.TEXT
    if text in ("", "~"):
        return Kind.NULL
    if first not in "+-.0123456789":
        return Kind.TEXT
    if _INTEGER.fullmatch(text):
        return Kind.INTEGER
    return Kind.FLOAT if _FLOAT.fullmatch(text) else Kind.TEXT


class _Composer:
    """Events to nodes, by recursive descent; the depth is bounded, so the recursion is."""

    def __init__(self, source: Source, parser: Any, report: Report) -> None:
        from yaml import events

        self.source = source
        self.next = parser.get_event
        self.report = report
        self.count = 0
        self.stream_end = events.StreamEndEvent
        self.alias = events.AliasEvent
        self.scalar_event = events.ScalarEvent
        self.sequence_start = events.SequenceStartEvent
        self.sequence_end = events.SequenceEndEvent
        self.mapping_end = events.MappingEndEvent

    def document(self) -> Node | None:
        self.next()  # the stream's start
        event = self.next()
        if isinstance(event, self.stream_end):
            self.report.add("the file is empty", locate(self.source, 0), "begin: `stockade: 1`")
            return None
        root = self.node(self.next(), 0)
        self.next()  # the document's end
        event = self.next()
        if not isinstance(event, self.stream_end):
            self.report.add(
                "a second document begins here; a file holds one",
                self.at(event.start_mark, event.end_mark),
                "move it to a file of its own, or delete the `---`",
            )
        return root

    def node(self, event: Any, depth: int) -> Node:
        self.count += 1
        if self.count > MAXIMAL_NODES:
            raise self.fault(f"more than {MAXIMAL_NODES:,} values in one file", event)
        if depth > MAXIMAL_DEPTH:
            raise self.fault(f"nested more than {MAXIMAL_DEPTH} levels deep", event)
        kind = type(event)
        if kind is self.alias:
            at = self.at(event.start_mark, event.end_mark)
            self.report.add(f"aliases are refused: `*{event.anchor}`", at, "write the value out")
            return ScalarNode("", Kind.INVALID, at, event.start_mark.index, event.end_mark.index)
        if event.anchor is not None or event.tag is not None:
            self.refuse(event)
        if kind is self.scalar_event:
            return self.scalar(event)
        return (self.sequence if kind is self.sequence_start else self.mapping)(event, depth + 1)

    def sequence(self, event: Any, depth: int) -> SequenceNode:
        items: list[Node] = []
        while type(inner := self.next()) is not self.sequence_end:
            items.append(self.node(inner, depth))
        return SequenceNode(tuple(items), self.span(event, inner, items))

    def mapping(self, event: Any, depth: int) -> MappingNode:
        entries = EntryList(self.report)
        keys: list[Node] = []
        while type(inner := self.next()) is not self.mapping_end:
            key = self.node(inner, depth)
            value = self.node(self.next(), depth)
            keys.append(key)
            if self.is_key(key, inner):
                assert isinstance(key, ScalarNode)
                entries.add(key, value)
        return MappingNode(tuple(entries.entries), self.span(event, inner, keys))

    def scalar(self, event: Any) -> ScalarNode:
        start, end = event.start_mark, event.end_mark
        begin, stop = start.index, end.index
        text: str = event.value
        quotes = 2 if event.style else 0
        one_line = start.line == end.line
        shift = quotes >> 1 if one_line and stop - begin == len(text) + quotes else None
        kind = Kind.TEXT if quotes or event.tag else classify(text)
        if one_line:
            at = Location(self.source, start.line + 1, start.column + 1, max(1, stop - begin))
        else:
            at = self.at(start, end)
        return ScalarNode(text, kind, at, begin, stop, shift)

    def is_key(self, key: Node, event: Any) -> bool:
        """Whether this can be a key; reports it when not."""
        if not isinstance(key, ScalarNode):
            self.report.add("a key must be a word, not a list or mapping", key.at)
        elif key.kind is Kind.INVALID:
            pass
        elif key.text == "<<" and not event.style:
            self.report.add("merge keys (`<<`) are refused", key.at, "write the keys out")
        elif key.kind is not Kind.TEXT:
            named = f"`{key.text}`" if key.text else "nothing"
            hint = f'quote it if it is meant as a name: "{key.text}"' if key.text else ""
            self.report.add(f"a key must be a text, found {named}", key.at, hint)
        else:
            return True
        return False

    def refuse(self, event: Any) -> None:
        """Reports an anchor or a tag; the node itself is read on as if it had none."""
        if event.anchor is not None:
            at = locate(self.source, event.start_mark.index, len(event.anchor) + 1)
            self.report.add(f"anchors are refused: `&{event.anchor}`", at, "delete it")
        else:
            # Where the tag is written; `event.tag` holds it expanded.
            rest = self.source.text[event.start_mark.index :].split(None, 1)
            tag = rest[0] if rest and rest[0].startswith("!") else event.tag
            at = locate(self.source, event.start_mark.index, len(tag))
            self.report.add(f"tags are refused: `{tag}`", at, "delete it")

    def fault(self, message: str, event: Any) -> InputError:
        at = self.at(event.start_mark, event.end_mark)
        return InputError([Problem(message, at, "is it the right file?")])

    def at(self, start: Mark, end: Mark) -> Location:
        width = end.index - start.index
        if start.line != end.line:
            # Only the part on the first line; the marks know no more about it.
            stop = self.source.text.find("\n", start.index)
            width = len(self.source.text[start.index : stop].rstrip())
        return Location(self.source, start.line + 1, start.column + 1, max(1, width))

    def span(self, start: Any, end: Any, children: list[Node]) -> Location:
        """Of a list or mapping: from `[` to `]` on one line, else its first child's place."""
        if start.flow_style:
            return self.at(start.start_mark, end.end_mark)
        return children[0].at if children else self.at(start.start_mark, start.end_mark)
