"""One policy file: its top level and its tests, before `extends` is followed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .calls import read_call
from .errors import InputError
from .fields import Fields, describe, read_integer, read_list, read_mapping, read_text
from .model import Action, ActionKind, TestCase
from .nodes import Kind, MappingNode, Node, ScalarNode
from .problems import Report, shown
from .rules import (
    MAXIMAL_TRACE,
    RULE_KEYS,
    SECCOMP_KEYS,
    Section,
    read_action,
    read_architectures,
    read_errno,
    read_needs,
    read_section,
)
from .source import Location

if TYPE_CHECKING:
    from .authz_model import Authz
    from .authz_tests import AuthzTest
    from .userns_model import Userns

LANGUAGE_VERSION = 1
"""The version of the language that this Stockade reads."""
SECTIONS = ("seccomp", "userns", "authz")
TOP_KEYS = ("stockade", "name", "description", "extends", *SECTIONS, "tests")
TEST_KEYS = ("call", "expect", "with", "needs", "architectures")
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
MAXIMAL_DESCRIPTION = 4096

_TOP_HINTS = {
    **dict.fromkeys((*SECCOMP_KEYS, *RULE_KEYS), "it belongs under `seccomp`, indented"),
    "version": "write `stockade: 1`",
    "syscalls": "write `seccomp` with `rules`; this key belongs to Docker profiles, which are JSON",
    "include": "write `extends`",
    "inherits": "write `extends`",
    "subjects": "it belongs under `authz`, indented",
    "rego": "it belongs under `authz`, indented",
    "span": "it belongs under `userns`, indented",
    "tenants": "it belongs under `userns`, indented",
}


@dataclass(frozen=True, slots=True)
class Document:
    """What one file says itself."""

    name: str
    description: str
    extends: ScalarNode | None
    section: Section | None
    tests: tuple[TestCase, ...]
    at: Location = field(compare=False, repr=False)
    authz: Authz | None = None
    """Its paths still start at this file's directory."""
    authz_tests: tuple[AuthzTest, ...] = ()
    userns: Userns | None = None


def read_document(root: Node, report: Report) -> Document | None:
    """The document; None when it is nothing like a policy."""
    if not isinstance(root, MappingNode):
        if not isinstance(root, ScalarNode) or root.kind is not Kind.INVALID:
            message = (
                f"a policy is a mapping that begins with `stockade: 1`, found {describe(root)}"
            )
            report.add(message, root.at)
        return None
    keys = {entry.key.text for entry in root.entries}
    if "defaultAction" in keys and "stockade" not in keys:
        hint = "`stockade lint` and `stockade explain` read it as it is"
        report.add("this is a Docker seccomp profile, not a policy", root.at, hint)
        return None
    fields = Fields(root, "the policy", TOP_KEYS, report, _TOP_HINTS)
    _read_version(fields, report)
    extends = fields.get("extends")
    parent = None
    if extends is not None:
        wanted = "a library policy or a path"
        parent = read_text(extends, "`extends`", report, wanted, "one policy can be extended")
    name = _read_name(fields, report)
    section = None
    node = fields.get("seccomp")
    if node is not None:
        section = read_section(node, fields.key_at("seccomp"), extends is not None, report)
    elif extends is None and fields.entries.keys().isdisjoint(SECTIONS):
        report.add(
            "the policy says nothing: it has no `seccomp`, `userns`, `authz` and no `extends`",
            fields.at,
            "add a `seccomp` section, or write `extends: docker-default`",
        )
    tests = fields.get("tests")
    items = read_list(tests, "`tests`", report, "tests") if tests is not None else None
    asked = [item for item in items or () if _about_request(item)]
    cases = [read_test(item, report) for item in items or () if not _about_request(item)]
    return Document(
        name,
        _read_description(fields, report),
        parent,
        section,
        tuple(case for case in cases if case is not None),
        root.at,
        _read_authz(fields, report),
        _read_authz_tests(asked, report),
        _read_userns(fields, report),
    )


def _read_userns(fields: Fields, report: Report) -> Userns | None:
    node = fields.get("userns")
    if node is None:
        return None
    from .userns_rules import read_userns  # most policies have no such section

    return read_userns(node, report)


def _read_authz(fields: Fields, report: Report) -> Authz | None:
    node = fields.get("authz")
    if node is None:
        return None
    from .authz_rules import read_authz  # most policies have no such section

    return read_authz(node, report)


def _about_request(node: Node) -> bool:
    """Whether an entry of `tests` is about a Docker request, not a system call."""
    keys = {e.key.text for e in node.entries} if isinstance(node, MappingNode) else set()
    return "call" not in keys and not keys.isdisjoint(("docker", "request"))


def _read_authz_tests(nodes: list[Node], report: Report) -> tuple[AuthzTest, ...]:
    if not nodes:
        return ()
    from .authz_tests import read_authz_test  # most policies have none

    found = [read_authz_test(node, report) for node in nodes if isinstance(node, MappingNode)]
    return tuple(case for case in found if case is not None)


def _read_version(fields: Fields, report: Report) -> None:
    node = fields.require("stockade", f"begin the file with `stockade: {LANGUAGE_VERSION}`")
    if node is None:
        return
    if isinstance(node, ScalarNode) and node.kind is Kind.INVALID:
        return
    right = isinstance(node, ScalarNode) and node.kind is Kind.INTEGER
    if not right or not isinstance(node, ScalarNode) or node.text != str(LANGUAGE_VERSION):
        message = f"this Stockade reads version {LANGUAGE_VERSION} of the language, found "
        report.add(message + describe(node), node.at, f"write `stockade: {LANGUAGE_VERSION}`")


def _read_name(fields: Fields, report: Report) -> str:
    node = fields.require("name", "files and reports are named after it")
    scalar = read_text(node, "`name`", report) if node is not None else None
    if scalar is None:
        return ""
    if not NAME.fullmatch(scalar.text):
        hint = (
            "small letters, digits, `_`, `.` and `-`, at most 63, beginning with a letter or digit"
        )
        report.add(f"{shown(scalar.text)} cannot be the name of a policy", scalar.at, hint)
    return scalar.text


def _read_description(fields: Fields, report: Report) -> str:
    node = fields.get("description")
    scalar = read_text(node, "`description`", report) if node is not None else None
    if scalar is None:
        return ""
    if len(scalar.text) > MAXIMAL_DESCRIPTION:
        report.add(f"`description` is longer than {MAXIMAL_DESCRIPTION} characters", scalar.at)
    return scalar.text.strip()


def read_test(node: Node, report: Report) -> TestCase | None:
    """An entry of `tests`."""
    hint = 'a test is written `- {call: "kill(1, 9)", expect: deny}`'
    mapping = read_mapping(node, "a test", report, hint)
    if mapping is None:
        return None
    hints = {"arch": "write `architectures`", "errno": "write `with`", "caps": "write `needs`"}
    fields = Fields(mapping, "the test", TEST_KEYS, report, hints)
    call_node, expect_node = fields.require("call"), fields.require("expect")
    needs, archs = fields.get("needs"), fields.get("architectures")
    capabilities = read_needs(needs, report) if needs is not None else ()
    architectures = read_architectures(archs, report) if archs is not None else None
    expect = _read_expect(fields, expect_node, report) if expect_node is not None else None
    if call_node is None:
        return None
    written = 'a call such as "kill(1, 9)"'
    hint = ""
    if isinstance(call_node, ScalarNode) and call_node.kind is Kind.NULL and not call_node.text:
        hint = 'a call that begins with `#` must be quoted: "#435"'
    scalar = read_text(call_node, "`call`", report, written, hint)
    if scalar is None:
        return None
    try:
        call = read_call(scalar.text, scalar.places())
    except InputError as error:
        report.extend(error.problems)
        return None
    if expect is None:
        return None
    return TestCase(call, expect, fields.at, capabilities, architectures)


def _read_expect(fields: Fields, node: Node, report: Report) -> Action | None:
    """The expected action; without `with`, any errno or number will do."""
    kind = read_action(node, "`expect`", report)
    number = fields.get("with")
    if kind is None or number is None:
        return None if kind is None else Action(kind)
    if kind is ActionKind.DENY:
        return Action(kind, read_errno(number, "`with`", report))
    if kind is ActionKind.TRACE:
        return Action(kind, read_integer(number, "`with`", report, 0, MAXIMAL_TRACE))
    hint = "delete it; only `deny` (an errno) and `trace` (a number) take one"
    report.add(f"`{kind.value}` takes no `with`", fields.key_at("with"), hint)
    return Action(kind)
