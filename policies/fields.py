"""Reading nodes as what they should be: each reader returns the value, or reports and None.

Messages name the key (`what`), say what was expected and what was found. Used for policies
(YAML) and by `seccomp` for Docker profiles (JSON).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .nodes import Entry, Kind, MappingNode, Node, ScalarNode, SequenceNode
from .problems import Report, listed, shown, suggest
from .source import Location

_NO_NUMBER = "write it decimal, or hex with `0x`"


def describe(node: Node) -> str:
    """What a node is, for people: `a list`, `the number 5`, `the text `abc``."""
    if isinstance(node, SequenceNode):
        return "a list" if node.items else "an empty list"
    if isinstance(node, MappingNode):
        return "a mapping"
    if node.kind is Kind.NULL:
        return f"`{node.text}` (null)" if node.text else "nothing"
    if node.kind is Kind.BOOLEAN:
        return f"`{node.text}` (a truth value)"
    if node.kind in (Kind.INTEGER, Kind.FLOAT):
        return f"the number {shown(node.text, 40)}"
    return f"the text {shown(node.text, 40)}" if node.text.strip() else "an empty text"


def expected(report: Report, what: str, wanted: str, node: Node, hint: str = "") -> None:
    """Reports that a value is of the wrong kind, unless it was reported already."""
    if not isinstance(node, ScalarNode) or node.kind is not Kind.INVALID:
        report.add(f"{what} must be {wanted}, found {describe(node)}", node.at, hint)


def read_text(
    node: Node, what: str, report: Report, wanted: str = "a text", hint: str = ""
) -> ScalarNode | None:
    """A text that is not empty."""
    if isinstance(node, ScalarNode) and node.kind is Kind.TEXT and node.text.strip():
        return node
    if not hint and isinstance(node, ScalarNode) and node.kind in _QUOTABLE and node.text:
        hint = f'quote it if it is meant as a text: "{node.text}"'
    expected(report, what, wanted, node, hint)
    return None


_QUOTABLE = (Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN, Kind.NULL)


def read_integer(node: Node, what: str, report: Report, low: int, high: int) -> int | None:
    """A whole number from low to high, decimal, `0x` or `0o`."""
    wanted = f"a whole number from {low} to {high}"
    if not isinstance(node, ScalarNode) or node.kind is not Kind.INTEGER:
        expected(report, what, wanted, node)
        return None
    value = whole(node.text)
    if value is None:
        message = f"{what}: readers disagree about the number {shown(node.text, 40)}"
        report.add(message, node.at, _NO_NUMBER)
    elif not low <= value <= high:
        expected(report, what, wanted, node)
    else:
        return value
    return None


def whole(text: str) -> int | None:
    """The number that every reader takes this for: no underscores, no leading zeros."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    base = {"0x": 16, "0o": 8}.get(digits[:2], 10)
    if base != 10:
        digits = digits[2:]
    elif len(digits) > 1 and digits[0] == "0":
        return None
    if not digits.isalnum() or not digits.isascii():
        return None
    try:
        # Past any number of interest, and int() itself refuses the very long ones.
        return sign * (int(digits, base) if len(digits) <= 64 else 1 << 256)
    except ValueError:
        return None


def read_boolean(node: Node, what: str, report: Report) -> bool | None:
    """`true` or `false`."""
    if isinstance(node, ScalarNode) and node.kind is Kind.BOOLEAN and node.text in _TRUTH:
        return node.text == "true"
    expected(report, what, "`true` or `false`", node)
    return None


_TRUTH = ("true", "false")


def read_list(node: Node, what: str, report: Report, of: str = "") -> tuple[Node, ...] | None:
    """A list, perhaps empty."""
    if isinstance(node, SequenceNode):
        return node.items
    expected(report, what, f"a list{of and ' of '}{of}", node)
    return None


def read_mapping(node: Node, what: str, report: Report, hint: str = "") -> MappingNode | None:
    """A mapping."""
    if isinstance(node, MappingNode):
        return node
    expected(report, what, "a mapping", node, hint)
    return None


def one_or_many(node: Node, what: str, report: Report, of: str) -> tuple[Node, ...] | None:
    """A single value, or a list of at least one."""
    if isinstance(node, SequenceNode):
        if node.items:
            return node.items
        report.add(f"{what} is an empty list", node.at, "name at least one, or delete it")
        return None
    if isinstance(node, MappingNode):
        expected(report, what, f"one {of} or a list of them", node)
        return None
    return (node,)


class Fields:
    """A mapping whose keys are asked for one by one; unknown keys are reported at once."""

    def __init__(
        self,
        node: MappingNode,
        where: str,
        known: Iterable[str],
        report: Report,
        hints: Mapping[str, str] | None = None,
    ) -> None:
        """`where` names the mapping in messages (`seccomp`, `a rule`); `hints` say for keys
        that are often written here by mistake what to write instead."""
        self.node = node
        self.where = where
        self.known = tuple(known)
        self.report = report
        self.entries: dict[str, Entry] = {}
        for entry in node.entries:
            if entry.key.text in self.known:
                self.entries[entry.key.text] = entry
            else:
                self.unknown(entry, hints or {})

    @property
    def at(self) -> Location:
        """The place of the mapping."""
        return self.node.at

    def unknown(self, entry: Entry, hints: Mapping[str, str]) -> None:
        key = entry.key
        message = f"unknown key {shown(key.text)} in {self.where}"
        hint = hints.get(key.text, "")
        if hint:
            pass
        elif _cut_by_comma(entry):
            hint = 'a text with a comma inside { } must be quoted: "a, b"'
        elif close := suggest(key.text, (*hints, *self.known)):
            message += f"; did you mean `{close}`?"
            hint = hints.get(close, "")
        else:
            hint = f"it takes {listed(self.known)}"
        self.report.add(message, key.at, hint)

    def get(self, key: str) -> Node | None:
        """The value of this key, None when it is not there."""
        entry = self.entries.get(key)
        return entry.value if entry else None

    def key_at(self, key: str) -> Location:
        """The place of a key that is there, else of the mapping."""
        entry = self.entries.get(key)
        return entry.key.at if entry else self.at

    def require(self, key: str, hint: str = "") -> Node | None:
        """The value of a key that must be there."""
        if key not in self.entries:
            self.report.add(f"`{key}` is missing in {self.where}", self.at, hint)
        return self.get(key)


def _cut_by_comma(entry: Entry) -> bool:
    """A key without `:` in a flow mapping: what followed a comma in an unquoted text."""
    value = entry.value
    return (
        isinstance(value, ScalarNode)
        and value.kind is Kind.NULL
        and value.begin == value.end
        and value.at.source.text[entry.key.end : entry.key.end + 1] != ":"
    )
