"""The library that ships with Stockade: policies by name, and groups of system calls.

`library/NAME.yaml` is the policy NAME. `library/groups.yaml` holds the groups:

    groups:
      "@keyring":
        why: one line that says what the group is for
        calls: [add_key, keyctl, request_key, "@another-group"]

Groups are read once, and only when a policy uses one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from .errors import InternalError
from .fields import Fields, one_or_many, read_mapping, read_text
from .nodes import MappingNode
from .problems import Report, did_you_mean
from .reading import read_source
from .source import Location, Source
from .yamltext import parse_yaml

LIBRARY = Path(__file__).parent / "library"
"""Where the policies and groups lie."""
GROUP_NAME = re.compile(r"@[a-z0-9][a-z0-9-]{0,62}")
CALL_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_GROUPS_FILE = "groups"


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of system calls."""

    name: str
    """With its `@`."""
    why: str
    """One line: what the group is for."""
    calls: tuple[str, ...]
    """Every call in it, those of the groups it includes as well; no name twice."""
    includes: tuple[str, ...]
    """The groups named in it."""
    at: Location = field(compare=False, repr=False)


def library_names() -> tuple[str, ...]:
    """The names of the library's policies, sorted."""
    return tuple(sorted(p.stem for p in LIBRARY.glob("*.yaml") if p.stem != _GROUPS_FILE))


def library_path(name: str) -> Path | None:
    """The file of a library policy; None when there is no such one."""
    return LIBRARY / f"{name}.yaml" if name in library_names() else None


@lru_cache(maxsize=1)
def groups() -> Mapping[str, Group]:
    """The groups of the library by name; they ship with Stockade, so a fault in them is ours."""
    report = Report()
    source = read_source(LIBRARY / f"{_GROUPS_FILE}.yaml", f"library:{_GROUPS_FILE}")
    found = parse_groups(source, report)
    if report.problems:
        texts = "\n".join(problem.render() for problem in report.arranged())
        raise InternalError(f"the library's groups are not valid:\n{texts}")
    return MappingProxyType(found)


def parse_groups(source: Source, report: Report) -> dict[str, Group]:
    """The groups in a text of the form above."""
    root = parse_yaml(source, report)
    mapping = read_mapping(root, "the file", report) if root else None
    if mapping is None:
        return {}
    top = Fields(mapping, "the file", ("groups",), report)
    node = top.require("groups")
    listing = read_mapping(node, "`groups`", report) if node else None
    drafts: dict[str, Group] = {}
    for entry in listing.entries if listing else ():
        name = entry.key.text
        if not GROUP_NAME.fullmatch(name):
            message = f"`{name}` is no group name"
            report.add(message, entry.key.at, "`@`, small letters, digits and `-`")
        body = read_mapping(entry.value, f"`{name}`", report)
        if body is not None:
            drafts[name] = _draft(name, body, entry.key.at, report)
    return {name: _expanded(group, drafts, report) for name, group in drafts.items()}


def _draft(name: str, body: MappingNode, at: Location, report: Report) -> Group:
    """The group as written: its own calls, the included groups by name."""
    fields = Fields(body, f"group `{name}`", ("why", "calls"), report)
    why_node = fields.require("why", "say in one line what the group is for")
    why = read_text(why_node, "`why`", report) if why_node else None
    if why is not None and "\n" in why.text.strip():
        report.add("`why` must be one line", why.at)
    calls_node = fields.require("calls")
    items = one_or_many(calls_node, "`calls`", report, "name") if calls_node else None
    seen: dict[str, Location] = {}
    for item in items or ():
        scalar = read_text(item, f"a call of `{name}`", report, "a name")
        if scalar is None:
            continue
        if not (CALL_NAME.fullmatch(scalar.text) or GROUP_NAME.fullmatch(scalar.text)):
            report.add(f"`{scalar.text}` is no name of a call or group", scalar.at)
        elif scalar.text in seen:
            related = (("first here", seen[scalar.text]),)
            report.add(f"`{scalar.text}` is twice in `{name}`", scalar.at, "", related)
        else:
            seen[scalar.text] = scalar.at
    includes = tuple(text for text in seen if text.startswith("@"))
    return Group(name, why.text.strip() if why else "", tuple(seen), includes, at)


def _expanded(group: Group, drafts: Mapping[str, Group], report: Report) -> Group:
    """The group with every included group's calls in the place of its name."""
    calls: dict[str, None] = {}

    def add(name: str, path: tuple[str, ...]) -> None:
        for call in drafts[name].calls:
            if not call.startswith("@"):
                calls[call] = None
            elif call in path:
                cycle = " -> ".join((*path[path.index(call) :], call))
                report.add(f"groups include one another: {cycle}", drafts[name].at)
            elif call in drafts:
                add(call, (*path, call))
            elif name == group.name:
                message = f"unknown group `{call}` in `{name}`"
                report.add(message + did_you_mean(call, drafts), group.at)

    add(group.name, (group.name,))
    return Group(group.name, group.why, tuple(calls), group.includes, group.at)
