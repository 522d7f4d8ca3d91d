"""Calls that are right; the wrong ones are cases/calls.yaml."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stockade.policies import parse_call
from stockade.policies.errors import InputError
from stockade.policies.source import Location, Source

CALLS: list[tuple[str, str | int, list[tuple[str | int, list[str | int]]]]] = [
    ("getpid", "getpid", []),
    ("getpid()", "getpid", []),
    ("kill(1, 9)", "kill", [(0, [1]), (1, [9])]),
    ("kill(pid=-1, sig=SIGKILL)", "kill", [("pid", [-1]), ("sig", ["SIGKILL"])]),
    ("kill(1, sig=9)", "kill", [(0, [1]), ("sig", [9])]),
    ("open(arg1=O_RDWR|O_CREAT)", "open", [("arg1", ["O_RDWR", "O_CREAT"])]),
    ("open(flags=(A|0x10))", "open", [("flags", ["A", 16])]),
    ("#435(arg0=1, arg5=2)", 435, [("arg0", [1]), ("arg5", [2])]),
    ("#0x1b3(7)", 435, [(0, [7])]),
    ("#4294967295", 4294967295, []),
    ("f(1,2,3,4,5,6)", "f", [(i, [i + 1]) for i in range(6)]),
    ("f(in=1, not=2)", "f", [("in", [1]), ("not", [2])]),
    (" _llseek ( ) ", "_llseek", []),
]


def at(text: str) -> Location:
    return Location(Source("x", text), 1, 1, len(text))


@pytest.mark.parametrize(("text", "name", "arguments"), CALLS)
def test_call(
    text: str, name: str | int, arguments: list[tuple[str | int, list[str | int]]]
) -> None:
    call = parse_call(text, at(text))
    assert call.name == name
    found = [(a.key, [term.value for term in a.value.terms]) for a in call.arguments]
    assert found == arguments


def test_places() -> None:
    text = "kill(1, sig=SIGKILL)"
    call = parse_call(text, at(text))
    assert (call.at.column, call.at.width) == (1, len(text))
    assert [(a.at.column, a.at.width) for a in call.arguments] == [(6, 1), (9, 11)]
    assert call.arguments[1].value.at.column == 13


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ak#@019(),=|~-_AZ \n", max_size=20))
def test_any_text(text: str) -> None:
    with suppress(InputError):
        parse_call(text, at(text))
