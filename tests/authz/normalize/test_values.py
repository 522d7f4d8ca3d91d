"""Small readings: paths as Go cleans them, flags, numbers, JSON inside texts."""

from __future__ import annotations

import posixpath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockade.authz.denied import Denied
from stockade.authz.normalize import values
from stockade.authz.normalize.users import user


@given(st.lists(st.sampled_from(["/", "//", ".", "..", "a", "b.c", "..d", "..."])).map("".join))
def test_clean_is_gos_path_clean(path: str) -> None:
    # Python's differs for the two slashes that POSIX leaves to the system.
    expected = posixpath.normpath(path or ".")
    assert values.clean(path) == ("/" + expected.lstrip("/") if path[:1] == "/" else expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # The examples of Go's path_test.go.
        ("", "."),
        ("abc/def", "abc/def"),
        ("/", "/"),
        ("/abc/", "/abc"),
        ("//abc//", "/abc"),
        ("abc/./../def", "def"),
        ("abc/../../././../def", "../../def"),
        ("/../abc", "/abc"),
        ("/abc/def/../../..", "/"),
        ("../../abc", "../../abc"),
        ("/.hidden", "/.hidden"),
        ("/a/..b", "/a/..b"),
    ],
)
def test_clean(path: str, expected: str) -> None:
    assert values.clean(path) == expected


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("a", "relative-path"),
        ("", "relative-path"),
        ("./a", "relative-path"),
        ("/a\\b", "windows-path"),
    ],
)
def test_absolute_denies(path: str, code: str) -> None:
    with pytest.raises(Denied) as caught:
        values.absolute(path, "x")
    assert caught.value.code == code


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/a", "a\\b"])
def test_subpath_stays_inside(path: str) -> None:
    with pytest.raises(Denied):
        values.subpath(path, "x")


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (values.flag, "true"),
        (values.flag, 1),
        (values.number, True),
        (values.number, 1.5),
        (values.number, "1"),
        (values.at_least_zero, -1),
        (values.text, 5),
        (values.text, ["a"]),
        (values.text, "a\nb"),
        (values.text, "a\x00"),
        (values.text, "\x7f"),
        (values.texts, "ALL"),
        (values.texts, [1]),
        (values.texts, {}),
        (values.texts, 0),
        (values.objects, ["a"]),
        (values.objects, {}),
        (values.mapping, []),
        (values.mapping, "x"),
        (values.strings, {"a": 1}),
    ],
)
def test_wrong_types_are_denied(read: Any, value: Any) -> None:
    with pytest.raises(Denied):
        read(value, "x")


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (values.flag, False),
        (values.number, 0),
        (values.text, ""),
        (values.texts, []),
        (values.objects, []),
        (values.mapping, {}),
        (values.strings, {}),
    ],
)
def test_null_is_the_zero_value(read: Any, expected: Any) -> None:
    assert read(None, "x") == expected


@pytest.mark.parametrize(
    "source",
    ['{"a":1,"a":2}', "NaN", "[Infinity]", "[1e999]", "{", "", "[]x", "[" * 100_000],
)
def test_json_in_texts_is_strict(source: str) -> None:
    with pytest.raises(Denied):
        values.parse_json(source, "x")


def test_fields_in_texts_are_folded_and_unique() -> None:
    assert values.spelled({"ha\u017fd": 1}, ["Hasd"], "x") == {"Hasd": 1}
    assert values.spelled({"\u212aey": 1}, ["Key"], "x") == {"Key": 1}
    for given_fields in ({"Hard": 1, "hard": 2}, {"other": 1}):
        with pytest.raises(Denied):
            values.spelled(given_fields, ["Hard"], "x")


def test_names_of_variables() -> None:
    assert values.names_of(["A=1", "B", "A=2", "C=x=y"], "Env") == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("said", "name", "group", "root"),
    [
        ("", "", "", True),
        ("root", "root", "", True),
        ("0", "0", "", True),
        ("00", "00", "", True),
        ("+0", "+0", "", True),
        ("-0", "-0", "", True),
        ("0:0", "0", "0", True),
        (":1000", "", "1000", True),
        ("root:users", "root", "users", True),
        ("1000", "1000", "", False),
        ("1000:0", "1000", "0", False),
        ("2147483647", "2147483647", "", False),
        ("nginx", "nginx", "", None),
        ("Root", "Root", "", None),
        ("nginx:0", "nginx", "0", None),
        ("\u0660", "\u0660", "", None),
    ],
)
def test_users(said: str, name: str, group: str, root: bool | None) -> None:
    assert user(said) == {"text": said, "user": name, "group": group, "root": root}


@pytest.mark.parametrize(
    "said", ["-1", "2147483648", "4294967296", "9" * 5000, "1:2:3", "1000:-1", " 0", "0 ", "a\n"]
)
def test_users_denied(said: str) -> None:
    with pytest.raises(Denied):
        user(said)
