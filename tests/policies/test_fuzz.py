"""Hostile input gives problems that can be shown, and never another exception."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stockade.policies import load, load_text
from stockade.policies.jsontext import parse_json
from stockade.policies.loader import Loaded
from stockade.policies.problems import Report
from stockade.policies.source import Location, Source

CASES = Path(__file__).parent / "cases"
SEEDS = [
    path.read_bytes()
    for path in sorted(CASES.glob("*.yaml"))
    if path.stat().st_size < 8000 and b"extends" not in path.read_bytes()
]
WORDS = [
    "stockade", "name", "seccomp", "default", "rules", "tests", "allow", "deny", "when", "with",
    "needs", "kernel", "architectures", "call", "expect", "1", "EPERM", "read", "@keyring",
    "flags & A == 0", ">=5.8", "yes", "~", "1e5", "0x", "\t", "é", "\u2028", "'", '"', "", " ",
]  # fmt: skip


def check(loaded: Loaded) -> None:
    """Something came out, and all of it can be shown and stands inside its text."""
    assert loaded.policy is not None or loaded.problems
    for problem in loaded.problems:
        problem.render().encode("utf-8")
        for place in [problem.at, *(place for _, place in problem.related)]:
            if place is not None:
                inside(place)


def inside(place: Location) -> None:
    assert 1 <= place.line <= len(place.source.lines)
    line = place.source.lines[place.line - 1]
    assert 1 <= place.column <= len(line) + 1, place
    assert place.width == 1 or place.column - 1 + place.width <= len(line), place


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
@example(b"\0")
@example(b"%")
@example(b"--- |\n")
@example(b"? - a")
@example(b"a: !<\n")
@example(b"!<tag:\xc3\xa9> a")
@example(b"a: !%ff%fe b")
def test_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    for suffix in ("yaml", "json"):
        path = tmp_path_factory.getbasetemp() / f"fuzz.{suffix}"
        path.write_bytes(data)
        check(load(str(path)))


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet=" \n\t-:?,[]{}#&*!|>'\"%@`ab1~<=.\r\x85\ufeff\\", max_size=40))
def test_yaml_like_text(text: str) -> None:
    check(load_text(text))
    check(load_text(text, "x.json"))


texts = st.sampled_from(WORDS) | st.text(max_size=6)
structures: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(structures, st.sampled_from([True, False, None]))
def test_structures(value: Any, flow: bool | None) -> None:
    wrapped = {"stockade": 1, "name": "x", "seccomp": {"default": "deny", "rules": value}}
    for document in (value, wrapped):
        check(load_text(yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True)))


@pytest.mark.parametrize("seed", range(40))
def test_mutated_policies(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(12):
        data = bytearray(draw.choice(SEEDS))
        for _ in range(draw.randint(1, 6)):
            at = draw.randrange(len(data))
            how = draw.randrange(4)
            if how == 0:
                data[at] = draw.choice(b" \n\t:-[]{}'\"&*!|>#%@,0aZ\x00\xff\x85")
            elif how == 1:
                del data[at : at + draw.randint(1, 20)]
            elif how == 2:
                data[at:at] = draw.choice(WORDS).encode()
            else:
                start = draw.randrange(len(data))
                data[at:at] = data[start : start + 30]
            if not data:
                data += b"x"
        check(load_text(bytes(data).decode("utf-8", "surrogateescape")))


@settings(max_examples=300, deadline=None)
@given(structures, st.integers(0, 200), st.text(alphabet='{}[]",:\\u0e-', max_size=3))
def test_json(value: Any, at: int, insert: str) -> None:
    text = json.dumps(value, default=str)
    report = Report()
    node = parse_json(Source("x.json", text[:at] + insert + text[at:]), report)
    assert node is not None or report.problems
    for problem in report.problems:
        problem.render()
        if problem.at is not None:
            inside(problem.at)
