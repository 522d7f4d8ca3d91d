"""library/groups.yaml -> docs/groups.md: what each group is for and which calls are in it.

    python -m stockade.policies.group_pages > docs/groups.md

A comment right above a group becomes its note, a comment between dashes a heading.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .catalog import Group, groups

_HEAD = """\
# Groups of system calls

Made from `policies/library/groups.yaml` by `python -m stockade.policies.group_pages`; make changes
there.

A rule names a group like a call: `allow: ["@file-system", "@network-client", futex]`. A group has
the calls of every architecture, of which a policy takes those that its own have. Rules are read
from the top and the first that matches decides, so exceptions to a group stand above it:

```yaml
rules:
  - deny: [mknod, mknodat]
  - allow: "@file-system"
```

`stockade explain POLICY CALL` says which rule decides a call.
"""
_SECTION = re.compile(r"# -+ (.+?) -+")


@dataclass(frozen=True, slots=True)
class _Section:
    """Groups under one heading."""

    title: str
    groups: tuple[Group, ...]


def render(found: Mapping[str, Group]) -> str:
    """The page as Markdown."""
    sections = _sections(found.values())
    lines = [_HEAD]
    for section in sections:
        lines += [f"## {section.title}", "", "| group | for |", "|---|---|"]
        lines += [f"| {_link(group.name)} | {group.why} |" for group in section.groups]
        lines.append("")
        for group in section.groups:
            lines += _group(group, found)
    return "\n".join(lines).rstrip() + "\n"


def _sections(found: Iterable[Group]) -> list[_Section]:
    """The groups by the headings that stand above them in the text."""
    titles: dict[str, list[Group]] = {}
    for group in found:
        above = group.at.source.lines[: group.at.line]
        headings = [match[1] for line in above if (match := _SECTION.fullmatch(line.strip()))]
        titles.setdefault(headings[-1] if headings else "groups", []).append(group)
    return [
        _Section(title[0].upper() + title[1:], tuple(members)) for title, members in titles.items()
    ]


def _group(group: Group, found: Mapping[str, Group]) -> Iterator[str]:
    yield from (f"### {group.name}", "", f"{group.why[0].upper()}{group.why[1:]}.")
    note = _note(group)
    if note:
        yield note
    yield ""
    own = set(group.calls)
    if group.includes:
        own -= {call for name in group.includes for call in found[name].calls}
        yield f"All of {', '.join(map(_link, group.includes))}{', and' if own else '.'}"
    if own:
        yield ", ".join(f"`{call}`" for call in sorted(own))
    yield ""


def _note(group: Group) -> str:
    """The comment right above the group."""
    lines: list[str] = []
    for line in reversed(group.at.source.lines[: group.at.line - 1]):
        text = line.strip()
        if not text.startswith("#") or _SECTION.fullmatch(text):
            break
        lines.append(text.removeprefix("#").strip())
    return " ".join(reversed(lines))


def _link(name: str) -> str:
    return f"[{name}](#{name.removeprefix('@')})"


if __name__ == "__main__":
    sys.stdout.write(render(groups()))
