"""Conditions that are right: what they mean, and where their parts stand."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockade.policies import load_text, parse_condition
from stockade.policies.errors import InputError
from stockade.policies.model import (
    And,
    Comparison,
    Condition,
    Constant,
    Membership,
    Not,
    Or,
    Range,
)
from stockade.policies.source import Location, Source

# Condition, and the same fully parenthesised in prefix form.
MEANINGS = [
    ("flags == 0", "(== flags 0)"),
    ("flags & CLONE_NEWUSER == 0", "(== flags&CLONE_NEWUSER 0)"),
    ("flags & A|B == 0x10", "(== flags&A|B 16)"),
    ("flags & (A|B) == C|D", "(== flags&A|B C|D)"),
    ("flags & ~A != 0", "(!= flags&~A 0)"),
    ("flags & ~(A|B) != 0", "(!= flags&~A|B 0)"),
    ("flags & ((A)) != ((0))", "(!= flags&A 0)"),
    ("u64(arg2) >= 18446744073709551615", "(>= u64(arg2) 18446744073709551615)"),
    ("u64 == 1", "(== u64 1)"),
    ("u64(x) & 0xff < 0o17", "(< u64(x)&255 15)"),
    ("fd == -1", "(== fd -1)"),
    ("fd <= -9223372036854775808", "(<= fd -9223372036854775808)"),
    ("fd==-1and fd>0", None),
    ("fd == 1 and fd > 0", "(and (== fd 1) (> fd 0))"),
    ("a == 1 or b == 1 and c == 1", "(or (== a 1) (and (== b 1) (== c 1)))"),
    ("(a == 1 or b == 1) and c == 1", "(and (or (== a 1) (== b 1)) (== c 1))"),
    ("a == 1 or b == 1 or c == 1", "(or (== a 1) (== b 1) (== c 1))"),
    ("not a == 1 and b == 1", "(and (not (== a 1)) (== b 1))"),
    ("not (a == 1 and b == 1)", "(not (and (== a 1) (== b 1)))"),
    ("not not a == 1", "(not (not (== a 1)))"),
    ("((a == 1))", "(== a 1)"),
    ("a in {1}", "(in a 1)"),
    ("a in {AF_UNIX, 1..3, A|B}", "(in a AF_UNIX 1..3 A|B)"),
    ("a not in {AF_UNIX}", "(not-in a AF_UNIX)"),
    ("a in 0..5", "(in a 0..5)"),
    ("a in -5..5", "(in a -5..5)"),
    ("a in LOW..HIGH", "(in a LOW..HIGH)"),
    ("a not in 2..4 and b == 1", "(and (not-in a 2..4) (== b 1))"),
    ("a & 3 in {1, 2}", "(in a&3 1 2)"),
    ("opt == __WALL", "(== opt __WALL)"),
    ("_x == F_SETLK64", "(== _x F_SETLK64)"),
    ("a\n  ==\t1", "(== a 1)"),
]


def at(text: str) -> Location:
    return Location(Source("x", text), 1, 1, len(text))


def prefix(condition: Condition) -> str:
    def constant(value: Constant) -> str:
        text = "|".join(str(term.value) for term in value.terms)
        return "~" + text if value.complement else text

    def member(value: Constant | Range) -> str:
        if isinstance(value, Range):
            return f"{constant(value.low)}..{constant(value.high)}"
        return constant(value)

    if isinstance(condition, Not):
        return f"(not {prefix(condition.inner)})"
    if isinstance(condition, And | Or):
        word = type(condition).__name__.lower()
        return f"({word} {' '.join(prefix(part) for part in condition.parts)})"
    operand = condition.operand
    left = f"u64({operand.argument})" if operand.full else operand.argument
    if operand.mask:
        left += "&" + constant(operand.mask)
    if isinstance(condition, Membership):
        word = "not-in" if condition.negated else "in"
        return f"({word} {left} {' '.join(member(m) for m in condition.members)})"
    return f"({condition.comparator} {left} {constant(condition.value)})"


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_meaning(text: str, meaning: str | None) -> None:
    if meaning is None:
        with pytest.raises(InputError, match="is not a number"):
            parse_condition(text, at(text))
    else:
        assert prefix(parse_condition(text, at(text))) == meaning


def test_empty() -> None:
    with pytest.raises(InputError, match="the condition is empty"):
        parse_condition("  ", at("  "))


def test_places() -> None:
    text = "not family in {AF_UNIX, 3..8} and u64(arg1) & ~(A|B) == 0x10"
    condition = parse_condition(text, at(text))
    assert isinstance(condition, And)
    negation, comparison = condition.parts
    assert isinstance(negation, Not)
    assert isinstance(negation.inner, Membership)
    assert isinstance(comparison, Comparison)
    assert comparison.operand.mask is not None

    def covered(place: Location) -> str:
        return text[place.column - 1 : place.column - 1 + place.width]

    assert covered(condition.at) == text
    assert covered(negation.at) == "not family in {AF_UNIX, 3..8}"
    assert covered(negation.inner.operand.at) == "family"
    assert [covered(member.at) for member in negation.inner.members] == ["AF_UNIX", "3..8"]
    assert covered(comparison.at) == "u64(arg1) & ~(A|B) == 0x10"
    assert covered(comparison.operand.at) == "u64(arg1) & ~(A|B)"
    assert covered(comparison.operand.mask.at) == "~(A|B)"
    assert covered(comparison.operand.mask.terms[1].at) == "B"
    assert covered(comparison.value.at) == "0x10"


SPELLINGS = [
    "when: family == AF_UNIX",
    'when: "family == AF_UNIX"',
    "when: 'family == AF_UNIX'",
    "when: >-\n        family ==\n        AF_UNIX",
    "when: |\n        family ==\n\n          AF_UNIX",
    "when: family\n        == AF_UNIX",
    'when: "family ==\n        AF_UNIX"',
    'when: "family == \\x41F_UNIX"',
    'when: "family == \\u0041F_UNIX\\t"',
    "when: > # a comment with AF_UNIX\n        family == AF_UNIX",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_places_in_every_yaml_spelling(spelling: str) -> None:
    text = (
        "stockade: 1\nname: x\nseccomp:\n  default: deny\n  rules:\n"
        f"    - allow: socket\n      {spelling}\n"
    )
    loaded = load_text(text)
    assert not loaded.problems
    assert loaded.policy
    assert loaded.policy.seccomp
    condition = loaded.policy.seccomp.rules[0].when
    assert isinstance(condition, Comparison)
    place = condition.value.at
    line = text.split("\n")[place.line - 1]
    shown = line[place.column - 1 : place.column - 1 + place.width]
    assert shown in ("AF_UNIX", "\\x41F_UNIX", "\\u0041F_UNIX")


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            "flags arg0 AF_UNIX 0 1 0x10 0o7 -1 == != < <= > >= in not and or ( ) { } , .. & | ~ "
            "u64 = && é ' \n 99999999999999999999".split(" ")
        ),
        max_size=14,
    )
)
def test_any_words(words: list[str]) -> None:
    text = " ".join(words)
    with suppress(InputError):
        parse_condition(text, at(text))
