"""What the loader cannot know about an `authz` section: names that name nothing, patterns that
are none, files that are not there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..policies import load
from ..policies.authz_model import Authz, AuthzRule
from ..policies.errors import InputError
from ..policies.model import Name
from ..policies.problems import Report, did_you_mean, listed, shown, suggest
from ..policies.reading import read_source
from ..policies.source import Problem, Source
from .engines.validate import problems
from .operations import expand, groups, operations
from .section_data import rules_data

PACKAGE = "stockade.extra"
"""The package of a user's own modules."""

_PACKAGE = re.compile(r"^\s*package\s+([\w.\[\]\"]+)", re.MULTILINE)
_OTHER_WORDS = {
    "container.run": "@run",
    "container.exec": "@exec",
    "container.cp": "@copy",
    "container.copy": "@copy",
    "container.rm": "container.remove",
    "container.delete": "container.remove",
    "container.ps": "container.list",
    "container.ls": "container.list",
    "image.rm": "image.remove",
    "image.delete": "image.remove",
    "image.ls": "image.list",
    "volume.rm": "volume.remove",
    "volume.ls": "volume.list",
    "network.rm": "network.remove",
    "network.ls": "network.list",
    "docker.exec": "@exec",
    "docker.run": "@run",
}


def check(authz: Authz) -> list[Problem]:
    """Everything wrong with the section that the loader could not know; empty: it compiles."""
    report = Report()
    rules_data(authz, report)
    names = [subject.name for subject in authz.subjects]
    for rule in authz.rules:
        for name in rule.operations:
            _operation(name, report)
        for name in rule.subjects:
            if name.text not in names:
                message = f"unknown subject {shown(name.text)}{did_you_mean(name.text, names)}"
                hint = f"`authz.subjects` defines {listed(names)}" if names else _NO_SUBJECTS
                report.add(message, name.at, hint)
    for name in _profiles(authz.rules):
        _profile(name, authz, report)
    modules = [source for name in authz.rego if (source := _module(name, authz, report))]
    if modules and not report.problems:
        report.extend(_tried(authz, modules))
    return list(report.problems)


_NO_SUBJECTS = "define it: `subjects: {ops: {cn: [alice]}, shell: local}` under `authz`"


def _operation(name: Name, report: Report) -> None:
    if expand(name.text):
        return
    text = name.text
    if text.startswith("@"):
        message = f"unknown group {shown(text)}{did_you_mean(text, groups())}"
        report.add(message, name.at, f"the groups are {listed(groups())}")
        return
    kinds = sorted({each.partition(".")[0] for each in operations()})
    kind = text.partition(".")[0]
    if text.endswith(".*"):
        close = suggest(kind, kinds)
        end = f"; did you mean `{close}.*`?" if close else ""
        report.add(f"{shown(text)} names no operation{end}", name.at, f"there are {listed(kinds)}")
        return
    close = _OTHER_WORDS.get(text) or suggest(text, operations())
    end = f"; did you mean `{close}`?" if close else ""
    same = [each for each in operations() if each.startswith(f"{kind}.")]
    hint = f"there are {listed(same)}" if same and not close else "docs/operations.md lists them"
    report.add(f"unknown operation {shown(text)}{end}", name.at, hint)


def _profiles(rules: Iterable[AuthzRule]) -> Iterator[Name]:
    """Each seccomp policy that a rule names, where it is first named."""
    seen: set[str] = set()
    for rule in rules:
        for name in rule.seccomp.items if rule.seccomp is not None else ():
            if name.text not in seen:
                seen.add(name.text)
                yield name


def _profile(name: Name, authz: Authz, report: Report) -> None:
    loaded = load(authz.reference(name.text))
    if loaded.problems:
        first = loaded.problems[0]
        message = f"`seccomp`: {shown(name.text)} cannot be used: {first.message}"
        related = (("there", first.at),) if first.at is not None else ()
        report.add(message, name.at, first.hint, related)
    elif loaded.policy is not None and loaded.policy.seccomp is None:
        message = f"`seccomp`: the policy {shown(name.text)} has no `seccomp` section"
        report.add(message, name.at, "name one that has")


def _tried(authz: Authz, modules: list[Source]) -> Iterator[Problem]:
    """What is wrong with the modules themselves, found by deciding by them."""
    data = {"language": 1, "name": "", "revision": "tried", "protected": []}
    found = problems({**data, **rules_data(authz, Report())}, modules)
    for each in found:
        yield replace(each, message=f"`rego`: {each.message}", at=each.at or authz.rego[0].at)


def _module(name: Name, authz: Authz, report: Report) -> Source | None:
    try:
        source = read_source(authz.directory / name.text)
    except InputError as error:
        for problem in error.problems:
            report.add(f"`rego`: {problem.message}", name.at, problem.hint)
        return None
    code = re.sub(r"(?m)^\s*#.*$", "", source.text)
    found = _PACKAGE.search(code)
    if found is None or found[1] != PACKAGE:
        what = f"is of package {shown(found[1])}" if found is not None else "names no package"
        message = f"`rego`: {shown(name.text)} {what}"
        report.add(message, name.at, f"begin it with `package {PACKAGE}`")
        return None
    return source
