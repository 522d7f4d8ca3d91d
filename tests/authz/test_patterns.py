"""Patterns mean what a matcher without regular expressions says, in Python, Rust and RE2."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockade.authz import patterns

# Everything that some syntax of regular expressions gives a meaning, and what is not ASCII.
ALPHABET = "ab*/.^$+()|\\-_#&~ <>:,@é߀\u212a\n"
NAMES = st.text(ALPHABET.replace("\\", "").replace("\n", ""), max_size=8)
TEXTS = st.text(ALPHABET, max_size=8)
COMPONENTS = st.sampled_from(["a", "b", "ab", "*", "**", "a*", "*b", "a*b*", "a.b", "a+"])
CLEAN = st.lists(st.sampled_from(["a", "b", "ab", "aXb", "a.b", "a+", "éa", "a\nb"]), max_size=4)


def runs(pattern: str, text: str) -> bool:
    """`*`: any run without `/`; `**`: any run; the rest itself."""

    @cache
    def at(i: int, j: int) -> bool:
        if i == len(pattern):
            return j == len(text)
        if pattern.startswith("**", i):
            return at(i + 2, j) or (j < len(text) and at(i, j + 1))
        if pattern[i] == "*":
            return at(i + 1, j) or (j < len(text) and text[j] != "/" and at(i, j + 1))
        return j < len(text) and text[j] == pattern[i] and at(i + 1, j + 1)

    return at(0, 0)


def components(pattern: list[str], path: list[str]) -> bool:
    """`*`: exactly one; `**`: one or more."""
    if not pattern:
        return not path
    first, rest = pattern[0], pattern[1:]
    if first == "**":
        return any(components(rest, path[n:]) for n in range(1, len(path) + 1))
    return bool(path) and (first == "*" or runs(first, path[0])) and components(rest, path[1:])


def matches(expression: str, text: str) -> bool:
    return re.fullmatch(expression, text) is not None


@given(NAMES, TEXTS)
def test_names(pattern: str, text: str) -> None:
    if "***" in pattern:
        with pytest.raises(patterns.PatternError):
            patterns.name(pattern)
        return
    for candidate in (text, pattern, pattern.replace("*", "ab"), pattern.replace("*", "a/b")):
        assert matches(patterns.name(pattern), candidate) == runs(pattern, candidate)
        assert matches(patterns.value(pattern), candidate) == runs(pattern, candidate)


@given(st.lists(COMPONENTS, max_size=4), CLEAN)
def test_paths(pattern: list[str], path: list[str]) -> None:
    expression = patterns.path("/" + "/".join(pattern))
    assert matches(expression, "/" + "/".join(path)) == components(pattern, path)


@given(TEXTS.filter(lambda text: "\n" not in text), TEXTS)
def test_exact(text: str, other: str) -> None:
    assert matches(patterns.exact(text), text)
    assert matches(patterns.exact(text), other) == (text == other)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("/srv/*", ["/srv/a"], ["/srv", "/srv/", "/srv/a/b", "/srvx/a", "srv/a"]),
        ("/srv/**", ["/srv/a", "/srv/a/b"], ["/srv", "/srv/", "/srv//a", "/srv/a/", "/x/srv/a"]),
        ("/srv/ci-*", ["/srv/ci-", "/srv/ci-1"], ["/srv/ci", "/srv/ci-1/x", "/srv/ci-1\n/x"]),
        ("/**", ["/a", "/a/b"], ["/", "", "a"]),
        ("/", ["/"], ["", "//", "/a"]),
        ("/a.b", ["/a.b"], ["/axb", "/a.b\n"]),
        ("/*/x", ["/a/x"], ["/x", "//x", "/a/b/x"]),
    ],
)
def test_what_paths_mean(pattern: str, yes: list[str], no: list[str]) -> None:
    expression = patterns.path(pattern)
    assert [text for text in yes + no if matches(expression, text)] == yes


def test_users() -> None:
    assert matches(patterns.user("1000"), "1000")
    assert matches(patterns.user("1000"), "1000:50")
    assert not matches(patterns.user("1000"), "10000")
    assert not matches(patterns.user("1000"), "0:1000")
    assert matches(patterns.user("1*:1*"), "1000:1000")
    assert not matches(patterns.user("1*:1*"), "1000:0")
    assert not matches(patterns.user("1*:1*"), "1000")


@pytest.mark.parametrize("text", ["a***", "a?", "[ab]", "{a,b}", "a\\*", "a\nb", "a\0", "\x7f"])
@pytest.mark.parametrize("make", [patterns.name, patterns.path])
def test_what_is_no_pattern(text: str, make: Callable[[str], str]) -> None:
    with pytest.raises(patterns.PatternError):
        make(text if make is patterns.name else f"/{text}")


@pytest.mark.parametrize("text", ["a", "", "/a/", "//a", "/a/../b", "/.", "/a/**b", "/a**"])
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(patterns.PatternError):
        patterns.path(text)


# --- the engines --------------------------------------------------------------------------


def cases() -> list[tuple[str, str]]:
    """Expressions with texts, every special character among both."""
    names = [char for char in ALPHABET if char not in "*\\\n"] + ["a*", "**", "*a*b*", "a.*", "ß"]
    found = [patterns.name(name) for name in names]
    found += [patterns.value(f"{char}*[?]{{1}}") for char in "ab.^$+(|"]
    found += [patterns.path(path) for path in ("/", "/a", "/*", "/**", "/a/**/b", "/a*/é")]
    found += [patterns.user("10*"), patterns.exact("a*b\\d[x]"), patterns.exact("")]
    texts = [*ALPHABET, "", "a\n", "\na", "ab", "a/b", "/a", "/a/b", "/a/x/b", "/aß/é", "A", "ss"]
    texts += ["1000", "1000:0", "a*b\\d[x]", ".x[?]{1}", "/a/x\ny/b", "a.b", "k", "7"]
    return [(expression, text) for expression in found for text in texts]


MODULE = """package stockade.probe

import rego.v1

found := [regex.match(pair[0], pair[1]) | some pair in input]
"""


def expected() -> list[bool]:
    found = [matches(expression, text) for expression, text in cases()]
    assert 50 < sum(found) < len(found) / 2
    return found


def test_rust_agrees(require: Callable[[object, str], None]) -> None:
    try:
        import regorus
    except ImportError:
        require(False, "needs gordon-to-regorus")
    engine = regorus.Engine()
    engine.add_policy("probe.rego", MODULE)
    engine.set_input_json(json.dumps(cases()))
    answer = engine.eval_rule("data.stockade.probe.found")
    assert list(answer) == expected()


def test_re2_agrees(require: Callable[[object, str], None], tmp_path: Path) -> None:
    beside = Path(sys.executable).parent
    opa = shutil.which("opa", path=f"{beside}:/usr/local/bin:/usr/bin")
    require(opa, "needs opa")
    (tmp_path / "probe.rego").write_text(MODULE)
    (tmp_path / "input.json").write_text(json.dumps(cases()))
    done = subprocess.run(
        [str(opa), "eval", "-d", "probe.rego", "-i", "input.json", "-f", "raw",
         "--strict-builtin-errors", "data.stockade.probe.found"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == expected()
