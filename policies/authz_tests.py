"""Entries of `tests` about Docker requests: who asks for what, and what must be answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .fields import Fields, describe, read_list, read_text
from .model import Name
from .nodes import Kind, MappingNode, ScalarNode
from .problems import Report
from .source import Location

AUTHZ_TEST_KEYS = ("as", "docker", "request", "body", "given", "expect", "because")
_EXPECTED = ("allow", "deny")
_HINTS = {
    "call": "a test is about a call, or about `docker` or `request`, not both",
    "subject": "write `as`",
    "with": "`with` belongs to calls; `because` says what must be in the reason",
    "method": "write `request: GET /info`",
}


@dataclass(frozen=True, slots=True)
class AuthzTest:
    """An entry of `tests`: this request of this subject is allowed, or denied."""

    kind: str
    """`docker`: a docker command line; `request`: a method and a path."""
    text: str
    expect: bool
    """Whether it must be allowed."""
    at: Location = field(compare=False, repr=False)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`cn`, `ou` and `san` of the client's certificate; empty: the unix socket."""
    body: str | None = None
    """Of a `request`: JSON."""
    given: tuple[Name, ...] = ()
    """Docker command lines of the same subject that ran before."""
    because: str | None = None
    """Part of the reason of the denial, or of the id of the rule that decides."""


def read_authz_test(node: MappingNode, report: Report) -> AuthzTest | None:
    """The entry; None when it cannot be used, which is then reported."""
    fields = Fields(node, "the test", AUTHZ_TEST_KEYS, report, _HINTS)
    kinds = [kind for kind in ("docker", "request") if kind in fields.entries]
    if len(kinds) > 1:
        report.add("a test has `docker` or `request`, not both", fields.key_at("request"))
        return None
    kind = kinds[0]
    text = _text(fields, kind, report)
    expect = _expect(fields, report)
    names = _subject(fields, report)
    body = _text(fields, "body", report)
    if kind == "docker" and "body" in fields.entries:
        report.add("`body` goes with `request`", fields.key_at("body"), "delete it")
    because = _text(fields, "because", report)
    given = _given(fields, report)
    if text is None or expect is None or names is None:
        return None
    return AuthzTest(kind, text, expect, fields.at, names, body, given, because)


def _text(fields: Fields, key: str, report: Report) -> str | None:
    node = fields.get(key)
    scalar = read_text(node, f"`{key}`", report) if node is not None else None
    return None if scalar is None else scalar.text


def _expect(fields: Fields, report: Report) -> bool | None:
    node = fields.require("expect")
    if node is None:
        return None
    if isinstance(node, ScalarNode) and node.kind is Kind.TEXT and node.text in _EXPECTED:
        return node.text == "allow"
    report.add(f"`expect` must be `allow` or `deny`, found {describe(node)}", node.at)
    return None


def _subject(fields: Fields, report: Report) -> Mapping[str, tuple[str, ...]] | None:
    node = fields.require("as", "write `as: local`, or the names of a certificate: {cn: alice}")
    if node is None:
        return None
    if isinstance(node, ScalarNode) and node.kind is Kind.TEXT and node.text == "local":
        return {}
    if not isinstance(node, MappingNode):
        message = f"`as` must be `local` or a mapping of cn, ou and san, found {describe(node)}"
        report.add(message, node.at)
        return None
    names = Fields(node, "`as`", ("cn", "ou", "san"), report)
    found = {key: _names(names, key, report) for key in names.entries}
    if not found:
        report.add("`as` names nobody", node.at, "write `as: local` for the unix socket")
        return None
    if len(found.get("cn", ())) > 1:
        report.add("a certificate has one `cn`", names.key_at("cn"))
        return None
    return found


def _names(fields: Fields, key: str, report: Report) -> tuple[str, ...]:
    node = fields.entries[key].value
    if isinstance(node, ScalarNode):
        scalar = read_text(node, f"`{key}`", report)
        return () if scalar is None else (scalar.text,)
    items = read_list(node, f"`{key}`", report, "names") or ()
    scalars = [read_text(item, f"`{key}`", report) for item in items]
    return tuple(scalar.text for scalar in scalars if scalar is not None)


def _given(fields: Fields, report: Report) -> tuple[Name, ...]:
    node = fields.get("given")
    if node is None:
        return ()
    items = (
        (node,) if isinstance(node, ScalarNode) else read_list(node, "`given`", report, "commands")
    )
    scalars = [read_text(item, "`given`", report, "a docker command line") for item in items or ()]
    return tuple(Name(scalar.text, scalar.at) for scalar in scalars if scalar is not None)
