"""An `authz` section -> its subjects and rules as the shipped Rego reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..policies.authz_model import Authz, AuthzRule, Subject
from ..policies.model import Name
from ..policies.problems import Report
from .model import Json
from .operations import expand
from .rule_data import RuleData


def rules_data(authz: Authz, report: Report) -> dict[str, Json]:
    """Subjects, rules, the index of operations and the profiles; of no use when anything was
    reported."""
    make = RuleData(report)
    known = {subject.name for subject in authz.subjects}
    rules: list[dict[str, Json]] = []
    by_operation: dict[str, dict[str, list[int]]] = {}
    home = authz.at.source.name
    for index, rule in enumerate(authz.rules):
        subjects = [name.text for name in rule.subjects if name.text in known]
        file = file_of(rule, authz)
        own = rule.at.source.name == home
        rules.append(
            {
                "id": rule.route if own else f"{file}:{rule.route}",
                "file": file,
                "line": rule.at.line,
                **make.rule(rule, subjects),
            }
        )
        for operation in operations_of(rule.operations):
            lists = by_operation.setdefault(operation, {"allow": [], "deny": []})
            lists["allow" if rule.allow else "deny"].append(index)
    return {
        "subjects": {subject.name: _subject(subject) for subject in authz.subjects},
        "by_operation": dict(sorted(by_operation.items())),
        "rules": rules,
        "profiles": {name: name for name in profile_names(authz)},
    }


def operations_of(names: Iterable[Name]) -> tuple[str, ...]:
    """The operations that a rule's words stand for, sorted; unknown words stand for none."""
    return tuple(sorted({each for name in names for each in expand(name.text)}))


def profile_names(authz: Authz) -> tuple[str, ...]:
    """The seccomp policies that rules name, sorted: library names, and paths from
    `authz.directory`."""
    words = (rule.seccomp for rule in authz.rules if rule.seccomp is not None)
    return tuple(sorted({name.text for each in words for name in each.items}))


def file_of(rule: AuthzRule, authz: Authz) -> str:
    """The rule's file as seen from the policy's own directory, so that where the command line
    ran makes no difference."""
    name = rule.at.source.name
    if name.startswith(("<", "library:")):
        return name
    try:
        return Path(name).relative_to(authz.directory).as_posix()
    except ValueError:
        return Path(name).name


def _subject(subject: Subject) -> Json:
    def part(names: Sequence[Name] | None) -> Json:
        return None if names is None else dict.fromkeys(sorted(n.text for n in names), True)

    return {
        "cn": part(subject.cn),
        "ou": part(subject.ou),
        "sans": part(subject.san),
        "local": subject.local,
    }
