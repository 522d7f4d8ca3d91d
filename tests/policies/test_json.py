"""JSON to nodes: the same values as Python's reader, and exact places."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockade.policies.jsontext import parse_json
from stockade.policies.nodes import Kind, MappingNode, Node, ScalarNode, SequenceNode
from stockade.policies.problems import Report
from stockade.policies.reading import check_text
from stockade.policies.source import Source

WORDS = {"true": True, "false": False, "null": None}


def plain(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {entry.key.text: plain(entry.value) for entry in node.entries}
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    if node.kind is Kind.TEXT:
        return node.text
    if node.kind is Kind.INTEGER:
        return int(node.text)
    return float(node.text) if node.kind is Kind.FLOAT else WORDS[node.text]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(values, st.booleans(), st.sampled_from([None, 1, "\t", "\r\n"]))
def test_same_as_python(value: Any, ascii_only: bool, indent: int | str | None) -> None:
    newline = indent == "\r\n"
    text = json.dumps(value, ensure_ascii=ascii_only, indent=1 if newline else indent)
    source = Source("x", text.replace("\n", "\r\n") if newline else text)
    report = Report()
    node = parse_json(source, report)
    if node is None:
        assert not check_text(source, Report())
        return
    assert not report.problems
    assert plain(node) == value
    walk(node, source)


def walk(node: Node, source: Source) -> None:
    """Every scalar stands where its place says."""
    if isinstance(node, ScalarNode):
        line = source.line(node.at.line)
        shown = line[node.at.column - 1 : node.at.column - 1 + node.at.width]
        assert shown == source.text[node.begin : node.end]
        if node.text.strip():
            place = node.places()(0, 1)
            assert place.line == node.at.line
        return
    if isinstance(node, SequenceNode):
        assert source.line(node.at.line)[node.at.column - 1] == "["
        for item in node.items:
            walk(item, source)
        return
    assert source.line(node.at.line)[node.at.column - 1] == "{"
    for entry in node.entries:
        walk(entry.key, source)
        walk(entry.value, source)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='{}[]",:\\u0019aetrfnl.-+eE \n\t', max_size=24))
def test_accepts_what_python_accepts(text: str) -> None:
    report = Report()
    node = parse_json(Source("x", text), report)
    mine = node is not None and not report.problems
    try:
        value = json.loads(text, object_pairs_hook=no_duplicates, parse_constant=refuse)
    except (ValueError, RecursionError):
        assert not mine
        return
    if mine:
        assert node is not None
        assert plain(node) == value
    else:
        # Python lets lone surrogates pass.
        assert any("surrogate" in problem.message for problem in report.problems)


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("duplicate key")
    return dict(pairs)


def refuse(word: str) -> Any:
    raise ValueError(word)


@pytest.mark.parametrize("text", [r'"\ud83d\ude00"', r'"\u0041\n\/"', "-0", "1e5", "1E-05"])
def test_scalars(text: str) -> None:
    node = parse_json(Source("x", text), Report())
    assert node is not None
    assert plain(node) == json.loads(text)


def test_places_behind_escapes() -> None:
    node = parse_json(Source("x", r'  "a\u0062\"c"'), Report())
    assert isinstance(node, ScalarNode)
    assert node.text == 'ab"c'
    assert [(p.column, p.width) for p in (node.places()(i, i + 1) for i in range(4))] == [
        (4, 1),
        (5, 1),
        (11, 1),
        (13, 1),
    ]
