"""Values of the `authz` section: words, mappings, numbers, paths.

Each reader returns the value, or reports what is wrong and returns None; of a list it returns
what could be understood.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from .authz_model import Keyed, Words
from .capabilities import CAPABILITIES
from .fields import expected, one_or_many, read_integer, read_mapping, read_text, whole
from .model import Name
from .nodes import Kind, Node, ScalarNode
from .problems import Report, listed, shown, suggest
from .source import Location

MAXIMAL_TEXT = 1024
"""Characters of a pattern, a path or a name."""
MAXIMAL_NUMBER = (1 << 31) - 1
"""Of processes and operations a second."""
SIZE = re.compile(
    "[1-9][0-9]{0,14}b?|[1-9][0-9]{0,11}k|[1-9][0-9]{0,8}m|[1-9][0-9]{0,5}g|[1-9][0-9]{0,2}t"
)
"""A number of bytes with docker's binary units; below 2^53, so that every JSON reader agrees."""

_UNITS = {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
PATH = re.compile(r"/|(?:/(?!\.{1,2}(?:/|$))[^/]+)+")
"""Absolute, without `.`, `..`, an empty component or a `/` at the end."""
USER = re.compile(r"[A-Za-z0-9_.*][A-Za-z0-9_.*-]*(?::[A-Za-z0-9_.*-]+)?")


def read_items(node: Node, what: str, report: Report, of: str) -> Iterator[ScalarNode]:
    """The texts of one value or a list, each once; numbers count as the text they are."""
    seen: dict[str, Location] = {}
    for item in one_or_many(node, what, report, of) or ():
        scalar = item if isinstance(item, ScalarNode) and item.kind is Kind.INTEGER else None
        if scalar is None or of not in _NUMBERS:
            scalar = read_text(item, what, report, f"one {of} or a list of them")
        if scalar is None:
            continue
        first = seen.setdefault(scalar.text, scalar.at)
        if first is not scalar.at:
            related = (("first here", first),)
            report.add(f"{shown(scalar.text)} is in {what} twice", scalar.at, "delete one", related)
        elif len(scalar.text) > MAXIMAL_TEXT:
            report.add(f"{what}: longer than {MAXIMAL_TEXT} characters", scalar.at)
        else:
            yield scalar


_NUMBERS = ("port", "user")


def read_words(
    node: Node, what: str, report: Report, special: Collection[str] = (), of: str = "pattern"
) -> Words:
    """A text or a list of them, of which those in `special` mean something of their own."""
    found: list[Name] = []
    meant: set[str] = set()
    for scalar in read_items(node, what, report, of):
        if scalar.text in special:
            meant.add(scalar.text)
        else:
            found.append(Name(scalar.text, scalar.at))
    return Words(tuple(found), frozenset(meant), node.at)


def read_choices(
    node: Node, what: str, report: Report, choices: Iterable[str], special: Collection[str] = ()
) -> Words:
    """Words of a fixed set."""
    known = (*choices, *special)
    words = read_words(node, what, report, special, "word")
    for name in words.items:
        _one_of(name, what, report, known)
    return words


def read_choice(node: Node, what: str, report: Report, choices: Collection[str]) -> str | None:
    """One word of a fixed set."""
    only = next(iter(choices))
    hint = f"write `{only}`" if len(choices) == 1 else "write one of these words"
    scalar = read_text(node, what, report, _either(choices), hint)
    if scalar is not None and _one_of(Name(scalar.text, scalar.at), what, report, choices):
        return scalar.text
    return None


def _one_of(name: Name, what: str, report: Report, known: Collection[str]) -> bool:
    if name.text in known:
        return True
    close = suggest(name.text, known)
    end = f"; did you mean `{close}`?" if close else ""
    report.add(
        f"unknown word {shown(name.text)} in {what}{end}", name.at, f"it is {_either(known)}"
    )
    return False


def _either(words: Collection[str]) -> str:
    return f"`{next(iter(words))}`" if len(words) == 1 else f"one of {listed(words)}"


def read_any(node: Node, what: str, report: Report) -> bool | None:
    """The word `any`, which is all that a few keys can say."""
    return read_choice(node, what, report, ("any",)) is not None or None


def read_capabilities(node: Node, what: str, report: Report) -> Words:
    """Capabilities with or without `CAP_`, or `any`."""
    words = read_words(node, what, report, ("any",), "capability")
    found: list[Name] = []
    for name in words.items:
        full = name.text if name.text.startswith("CAP_") else f"CAP_{name.text}"
        if full in CAPABILITIES:
            found.append(Name(full, name.at))
            continue
        close = suggest(full, CAPABILITIES)
        end = f"; did you mean `{close}`?" if close else ""
        hint = "write `any`" if full == "CAP_ALL" else "names are those of capabilities(7)"
        report.add(
            f"unknown capability {shown(name.text)}{end * (full != 'CAP_ALL')}", name.at, hint
        )
    return Words(tuple(found), words.special, words.at)


def read_keyed(node: Node, what: str, report: Report, *, any_key: bool = True) -> Keyed | None:
    """Keys with patterns of their values; with `any_key` also the word `any`."""
    if any_key and isinstance(node, ScalarNode) and node.kind is Kind.TEXT:
        return None if read_any(node, what, report) is None else Keyed((), True, node.at)
    hint = "as in {key: [pattern]}" + ", or the word `any`" * any_key
    mapping = read_mapping(node, what, report, hint)
    if mapping is None:
        return None
    if not mapping.entries:
        report.add(f"{what} is an empty mapping", node.at, "name at least one key, or delete it")
    found: list[tuple[Name, Words]] = []
    for entry in mapping.entries:
        text = entry.key.text
        if not text.strip() or len(text) > MAXIMAL_TEXT:
            message = f"a key of {what} must be a text of at most {MAXIMAL_TEXT} characters"
            report.add(message, entry.key.at)
        values = read_words(entry.value, f"{what}, {shown(text)}", report, ("any",))
        found.append((Name(text, entry.key.at), values))
    return Keyed(tuple(found), False, node.at)


# --- numbers --------------------------------------------------------------------------


def read_size(node: Node, what: str, report: Report) -> int | None:
    """Bytes: `2g`, `512m`, `1024`; units are binary, as docker's."""
    wanted = "a size such as `512m` or `2g`"
    text = node.text if isinstance(node, ScalarNode) else ""
    kinds = (Kind.TEXT, Kind.INTEGER)
    if isinstance(node, ScalarNode) and node.kind in kinds and SIZE.fullmatch(text):
        digits, unit = (text[:-1], text[-1]) if text[-1] in _UNITS else (text, "b")
        return int(digits) << _UNITS[unit]
    hint = "a whole number of bytes, or with `k`, `m`, `g` or `t` for powers of 1024"
    loose = re.fullmatch(r"([0-9]+)\s*([kmgt])i?b?", text.strip().lower())
    if loose and SIZE.fullmatch(loose[1] + loose[2]):
        hint = f"write `{loose[1]}{loose[2]}`"
    elif text.strip("0") == "" and text:
        hint = "0 would mean no limit; delete the key where none is asked for"
    expected(report, what, wanted, node, hint)
    return None


def read_cpus(node: Node, what: str, report: Report) -> int | None:
    """A share of the processors, `1.5`, as billionths of one."""
    text = node.text if isinstance(node, ScalarNode) else ""
    numbers = (Kind.INTEGER, Kind.FLOAT)
    match = re.fullmatch(r"([0-9]{1,4})(?:\.([0-9]{1,9}))?", text)
    if (
        isinstance(node, ScalarNode)
        and node.kind in numbers
        and match
        and whole(match[1]) is not None
    ):
        value = int(match[1]) * 10**9 + int((match[2] or "0").ljust(9, "0"))
        if value:
            return value
    quoted = isinstance(node, ScalarNode) and node.kind is Kind.TEXT and match
    hint = f"write it without quotes: {text}" if quoted else ""
    expected(report, what, "a number of processors such as `1.5`", node, hint)
    return None


def read_count(node: Node, what: str, report: Report) -> int | None:
    """A whole number above 0."""
    return read_integer(node, what, report, 1, MAXIMAL_NUMBER)


# --- paths -----------------------------------------------------------------------------


def read_path(node: Node, what: str, report: Report) -> Name | None:
    """A clean absolute path, perhaps with `*` and `**`."""
    scalar = read_text(node, what, report, "a path")
    if scalar is None or not _is_path(scalar, what, report):
        return None
    return Name(scalar.text, scalar.at)


def _is_path(scalar: ScalarNode, what: str, report: Report) -> bool:
    if len(scalar.text) <= MAXIMAL_TEXT and PATH.fullmatch(scalar.text):
        return True
    hint = "paths begin with `/`; `.`, `..`, `//` and a `/` at the end match nothing"
    report.add(f"{what}: {shown(scalar.text)} is no clean absolute path", scalar.at, hint)
    return False
