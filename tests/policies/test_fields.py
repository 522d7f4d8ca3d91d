"""The readers that only Docker profiles use."""

from __future__ import annotations

import pytest

from stockade.policies.fields import read_boolean, whole
from stockade.policies.jsontext import parse_json
from stockade.policies.problems import Report, shown
from stockade.policies.source import Source


def test_boolean() -> None:
    report = Report()
    for text, value in [("true", True), ("false", False), ("1", None), ('"true"', None)]:
        node = parse_json(Source("x", text), report)
        assert node is not None
        assert read_boolean(node, "`x`", report) is value
    assert [problem.message for problem in report.problems] == [
        "`x` must be `true` or `false`, found the number `1`",
        "`x` must be `true` or `false`, found the text `true`",
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-5", -5),
        ("+5", 5),
        ("0x1F", 31),
        ("0o17", 15),
        ("010", None),
        ("1_000", None),
        ("0b1", None),
        ("1:30", None),
        ("0x", None),
        ("0x-1", None),
        ("٣", None),
        ("", None),
    ],
)
def test_whole(text: str, value: int | None) -> None:
    assert whole(text) == value


def test_very_long_numbers() -> None:
    assert (whole("9" * 10_000) or 0) > 1 << 64


def test_shown() -> None:
    assert shown("a\n  b") == "`a b`"
    assert len(shown("x" * 1000)) == 62
