"""The `authz` sections of a policy and what it extends, joined into one.

The rules of the nearest file come first, subjects are merged, and paths that other files wrote
are rewritten to start where the policy's own do.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .authz_model import Authz, AuthzRule, Subject
from .loader import is_path
from .model import Name
from .problems import Report, shown


def join_authz(parts: Sequence[tuple[Authz, Path]], directory: Path, report: Report) -> Authz:
    """The section of a policy in `directory`; `parts`: at least one, nearest first, each with
    the directory of its file. A subject that two files define differently is reported."""
    sections = [_moved(section, start, directory) for section, start in parts]
    subjects: dict[str, Subject] = {}
    for section in sections:
        for subject in section.subjects:
            nearest = subjects.setdefault(subject.name, subject)
            if not nearest.same(subject):
                report.add(
                    f"subject {shown(subject.name)} is defined differently in what this extends",
                    nearest.at,
                    "give one of the two another name",
                    (("the other definition", subject.at),),
                )
    return Authz(
        tuple(subjects.values()),
        tuple(rule for section in sections for rule in section.rules),
        tuple(dict.fromkeys(name for section in sections for name in section.rego)),
        sections[0].at,
        directory,
    )


def _moved(section: Authz, start: Path, directory: Path) -> Authz:
    """The section with its paths relative to `directory`."""
    if start == directory:
        return section
    return replace(
        section,
        rego=tuple(_path(name, start, directory) for name in section.rego),
        rules=tuple(_rule(rule, start, directory) for rule in section.rules),
    )


def _rule(rule: AuthzRule, start: Path, directory: Path) -> AuthzRule:
    words = rule.seccomp
    if words is None:
        return rule
    items = tuple(
        _path(name, start, directory) if is_path(name.text) else name for name in words.items
    )
    return replace(rule, seccomp=replace(words, items=items))


def _path(name: Name, start: Path, directory: Path) -> Name:
    if name.text.startswith("/"):
        return name
    text = os.path.relpath(start / name.text, directory)
    return replace(name, text=text if "/" in text else f"./{text}")
