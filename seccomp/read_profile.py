"""JSON text -> Profile, as Docker, runc, crun and Podman read it, but with places.

Docker decodes with Go's encoding/json: keys match whatever their case, unknown keys are
dropped without a word. Unknown keys are therefore kept apart from errors: the engine would
go on, and a linter should not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..policies.fields import Fields, expected, read_integer, read_list, read_mapping, read_text
from ..policies.jsontext import parse_json
from ..policies.model import ActionKind
from ..policies.nodes import Entry as NodeEntry
from ..policies.nodes import Kind, MappingNode, Node, ScalarNode
from ..policies.problems import Report, did_you_mean, shown
from ..policies.source import Problem, Source
from . import actions
from .profile import EPERM, EVERYWHERE, KINDS, OPERATORS, Check, Condition, Entry, Profile

_ROOT = (
    "defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap", "flags",
    "listenerPath", "listenerMetadata", "syscalls",
)  # fmt: skip
_ENTRY = (
    "name", "names", "action", "errnoRet", "errno", "args", "comment", "includes", "excludes",
)  # fmt: skip
_CONDITION = ("caps", "arches", "minKernel")
_CHECK = ("index", "value", "valueTwo", "op")
_ARCH = ("architecture", "subArchitectures")
_DISABLED = Profile(actions.ALLOW, (), disabled=True)


@dataclass(frozen=True, slots=True)
class ReadProfile:
    """What came out of a text."""

    profile: Profile | None
    """None when the engine would refuse the profile, or it cannot be read."""
    errors: tuple[Problem, ...]
    """Why it would be refused."""
    ignored: tuple[Problem, ...]
    """What the engine would drop without a word."""


def read_profile(source: Source) -> ReadProfile:
    """The profile in a JSON text."""
    errors, ignored = Report(), Report()
    root = parse_json(source, errors)
    profile = None
    if root is not None:
        mapping = read_mapping(root, "a seccomp profile", errors)
        if mapping is not None:
            profile = _Reader(errors, ignored).profile(mapping)
    problems = errors.arranged()
    return ReadProfile(None if problems else profile, problems, ignored.arranged())


class _Reader:
    def __init__(self, errors: Report, ignored: Report) -> None:
        self._errors = errors
        self._ignored = ignored

    def profile(self, node: MappingNode) -> Profile:
        fields = self._fields(node, "the profile", _ROOT)
        entries = tuple(
            entry
            for item in self._items(fields, "syscalls", "entries")
            if (entry := self._entry(item)) is not None
        )
        if not self._text(fields, "defaultAction") and not entries:
            return _DISABLED
        action = fields.require("defaultAction", "such as SCMP_ACT_ERRNO")
        default = self._action(action, fields.get("defaultErrnoRet"), "defaultAction")
        architectures = self._texts(fields, "architectures")
        arch_map = tuple(
            self._arch(item) for item in self._items(fields, "archMap", "architectures")
        )
        if architectures and arch_map:
            self._errors.add(
                "both `architectures` and `archMap` are given", fields.key_at("archMap"),
                "Docker refuses such a profile; keep one of them",
            )  # fmt: skip
        return Profile(
            default if default is not None else actions.KILL_PROCESS,
            entries,
            arch_map,
            architectures,
            self._texts(fields, "flags"),
            "".join(self._text(fields, "listenerPath")),
        )

    def _fields(self, node: MappingNode, where: str, known: tuple[str, ...]) -> Fields:
        """The mapping's fields under their proper spelling; others go to `ignored`."""
        proper = {name.lower(): name for name in known}
        kept: list[NodeEntry] = []
        seen: set[str] = set()
        for entry in node.entries:
            key = entry.key
            name = proper.get(key.text.lower())
            if name is None:
                guess = did_you_mean(key.text, known)
                self._ignored.add(f"unknown key {shown(key.text)} in {where}{guess}", key.at)
            elif name in seen:
                self._errors.add(f"`{name}` is given twice in {where}", key.at)
            else:
                seen.add(name)
                as_known = ScalarNode(name, Kind.TEXT, key.at, key.begin, key.end, None)
                kept.append(NodeEntry(as_known, entry.value))
        present = MappingNode(tuple(each for each in kept if not _is_null(each.value)), node.at)
        return Fields(present, where, known, self._errors)

    def _items(self, fields: Fields, key: str, of: str) -> tuple[Node, ...]:
        node = fields.get(key)
        return () if node is None else read_list(node, f"`{key}`", self._errors, of) or ()

    def _text(self, fields: Fields, key: str) -> list[str]:
        node = fields.get(key)
        if node is None or (isinstance(node, ScalarNode) and not node.text):
            return []
        scalar = read_text(node, f"`{key}`", self._errors)
        return [] if scalar is None else [scalar.text]

    def _texts(self, fields: Fields, key: str) -> tuple[str, ...]:
        scalars = (
            read_text(item, f"an item of `{key}`", self._errors)
            for item in self._items(fields, key, "texts")
        )
        return tuple(scalar.text for scalar in scalars if scalar is not None)

    def _arch(self, node: Node) -> tuple[str, tuple[str, ...]]:
        mapping = read_mapping(node, "an item of `archMap`", self._errors)
        if mapping is None:
            return "", ()
        fields = self._fields(mapping, "an item of `archMap`", _ARCH)
        fields.require("architecture")
        return "".join(self._text(fields, "architecture")), self._texts(fields, "subArchitectures")

    def _entry(self, node: Node) -> Entry | None:
        mapping = read_mapping(node, "an item of `syscalls`", self._errors)
        if mapping is None:
            return None
        fields = self._fields(mapping, "an item of `syscalls`", _ENTRY)
        single, names = tuple(self._text(fields, "name")), self._texts(fields, "names")
        if single and names:
            self._errors.add(
                "both `name` and `names` are given", fields.key_at("name"),
                "Docker refuses such a profile; keep `names`",
            )  # fmt: skip
        action = fields.require("action", "such as SCMP_ACT_ALLOW")
        value = self._action(action, fields.get("errnoRet"), "action")
        checks = [self._check(item) for item in self._items(fields, "args", "checks")]
        includes, excludes = (self._condition(fields, key) for key in ("includes", "excludes"))
        at = fields.key_at("names") if names else mapping.at
        if value is None or None in checks:
            return None
        return Entry(
            single or names,
            value,
            tuple(check for check in checks if check is not None),
            includes,
            excludes,
            "".join(self._text(fields, "comment")),
            at,
        )

    def _action(self, node: Node | None, errno: Node | None, what: str) -> int | None:
        if node is None:
            return None
        scalar = read_text(node, f"`{what}`", self._errors, "an action such as SCMP_ACT_ERRNO")
        if scalar is None:
            return None
        kind = KINDS.get(scalar.text)
        if kind is None:
            self._errors.add(
                f"unknown action {shown(scalar.text)}{did_you_mean(scalar.text, KINDS)}", scalar.at
            )
            return None
        number: int | None = None
        if errno is not None:
            number = read_integer(errno, "`errnoRet`", self._errors, 0, 0xFFFF)
            if kind not in (ActionKind.DENY, ActionKind.TRACE):
                self._ignored.add(f"an errno counts for nothing with {scalar.text}", errno.at)
                number = None
        if number is None and kind in (ActionKind.DENY, ActionKind.TRACE):
            number = EPERM
        return actions.return_value(kind, number or 0)

    def _check(self, node: Node) -> Check | None:
        mapping = read_mapping(node, "an item of `args`", self._errors)
        if mapping is None:
            return None
        fields = self._fields(mapping, "an item of `args`", _CHECK)
        index = self._number(fields, "index", 5)
        value = self._number(fields, "value", (1 << 64) - 1)
        value_two = self._number(fields, "valueTwo", (1 << 64) - 1)
        operator = fields.require("op", "such as SCMP_CMP_EQ")
        scalar = read_text(operator, "`op`", self._errors) if operator is not None else None
        if scalar is None:
            return None
        if scalar.text not in OPERATORS:
            guess = did_you_mean(scalar.text, OPERATORS)
            self._errors.add(f"unknown operator {shown(scalar.text)}{guess}", scalar.at)
            return None
        return Check(index, scalar.text, value, value_two)

    def _number(self, fields: Fields, key: str, top: int) -> int:
        node = fields.get(key)
        return 0 if node is None else read_integer(node, f"`{key}`", self._errors, 0, top) or 0

    def _condition(self, fields: Fields, key: str) -> Condition:
        node = fields.get(key)
        mapping = None if node is None else read_mapping(node, f"`{key}`", self._errors)
        if mapping is None:
            return EVERYWHERE
        inner = self._fields(mapping, f"`{key}`", _CONDITION)
        return Condition(
            self._texts(inner, "caps"), self._texts(inner, "arches"), self._kernel(inner)
        )

    def _kernel(self, fields: Fields) -> tuple[int, int] | None:
        node = fields.get("minKernel")
        if node is None or (isinstance(node, ScalarNode) and not node.text):
            return None
        scalar = read_text(node, "`minKernel`", self._errors)
        if scalar is None:
            return None
        found = re.fullmatch(r"(\d{1,6})\.(\d{1,6})", scalar.text)
        if found is None:
            expected(self._errors, "`minKernel`", "a version such as 4.8", node)
            return None
        return int(found[1]), int(found[2])


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.kind is Kind.NULL
