"""Rules of the authorization plugin, or parts of them, that have no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...authz.operations import operations, with_object
from ...authz.section_data import operations_of
from ...policies.findings import Severity
from ..check import Check, Found
from ..subjects import Place, PolicySubject
from .authz import CREATES, SPEC, allow_rules, constraint

_VOLUMES = frozenset({"volume.create", "volume.update"})
_JOINS = frozenset({"network.connect", "network.disconnect"})
_BUILDS = frozenset({"image.build"})
_MADE = frozenset({"config.create", "network.create", "secret.create", "volume.create"})
_IMAGES = frozenset(name for name in operations() if name.startswith("image."))
_OBJECTS = frozenset(with_object(operations()))
_PLUGINS = frozenset({"plugin.create", "plugin.pull", "plugin.set", "plugin.upgrade"})

_EFFECTIVE: Mapping[str, frozenset[str]] = {
    "volumes": SPEC | _VOLUMES,
    "volume-drivers": SPEC | _VOLUMES,
    "volume-options": SPEC | _VOLUMES,
    "networks": SPEC | _JOINS | {"network.create"},
    "endpoint": SPEC | _JOINS,
    "build": _BUILDS,
    "network-drivers": frozenset({"network.create"}),
    "network-options": frozenset({"network.create"}),
    "internal": frozenset({"network.create"}),
    "plugin-privileges": _PLUGINS,
    "images": CREATES | _IMAGES,
    "pinned": CREATES | {"image.pull"},
    "limits": CREATES | {"container.update"},
    "user": CREATES | {"exec.create"},
    "no-new-privileges": CREATES,
    "read-only": CREATES,
    "labels": CREATES | _MADE | _BUILDS,
    "owner": _OBJECTS | SPEC | _VOLUMES,
    "objects": _OBJECTS,
}
"""The operations for which a constraint is looked at; those that are not here: SPEC."""


def _idle_constraint(subject: PolicySubject) -> Iterator[Found]:
    for rule, named in allow_rules(subject):
        for key in rule.said:
            effective = _EFFECTIVE.get(key, SPEC)
            if named & effective:
                continue
            some = ", ".join(sorted(effective)[:3])
            yield Found(
                f"`{key}` has no effect here: none of the rule's operations looks at it",
                constraint(rule, key),
                f"move it to a rule that allows {some}, or delete it",
            )


def _unused_subject(subject: PolicySubject) -> Iterator[Found]:
    if subject.problems or subject.policy is None or subject.policy.authz is None:
        return
    authz = subject.policy.authz
    named = {name.text for rule in authz.rules for name in rule.subjects}
    for each in authz.subjects:
        if each.name not in named:
            yield Found(
                f"no rule names the subject {each.name}, which may therefore do nothing",
                Place(f"authz.subjects.{each.name}", each.at),
                "allow it something, or delete it",
            )


def _denied_rule(subject: PolicySubject) -> Iterator[Found]:
    if subject.problems or subject.policy is None or subject.policy.authz is None:
        return
    denials = [rule for rule in subject.policy.authz.rules if not rule.allow]
    for rule, _ in allow_rules(subject):
        for name in rule.operations:
            wanted = set(operations_of([name]))
            for denial in denials:
                who = {each.text for each in denial.subjects}
                if wanted <= set(operations_of(denial.operations)) and who >= {
                    each.text for each in rule.subjects
                }:
                    yield Found(
                        f"`{name.text}` is allowed here and denied to the same subjects elsewhere; "
                        "the denial wins, whatever their order",
                        Place(f"{rule.route}.allow", name.at),
                        "delete one of the two, or name other subjects in one of them",
                        (("the denial", denial.at),),
                    )
                    break


_HEAD = "stockade: 1\nname: ci\nauthz:\n  subjects:\n    ci: {ou: builders}\n"

CHECKS = (
    Check(
        "authz-idle-constraint",
        "A constraint that none of the rule's operations looks at",
        Severity.WARNING,
        "Every rule stands alone: what one rule asks for does not hold for what another allows. "
        "A constraint in a rule without the operations that it is about limits nothing, and its "
        "author is likely to think otherwise.",
        ("Stockade, docs/language.md: authz",),
        f'{_HEAD}  rules:\n    - allow: "@logs"\n      subjects: ci\n'
        "      limits: {memory: 2g}\n",
        f"{_HEAD}  rules:\n    - allow: [container.create]\n      subjects: ci\n"
        "      images: nginx\n      limits: {memory: 2g}\n",
        policy=_idle_constraint,
    ),
    Check(
        "authz-denied-rule",
        "What a rule allows is denied to the same subjects",
        Severity.WARNING,
        "A deny rule wins over every allow rule, before or after it. An allowance that is denied "
        "as a whole never counts.",
        ("Stockade, docs/language.md: authz",),
        f"{_HEAD}  rules:\n    - deny: plugin.*\n      subjects: ci\n"
        "    - allow: [image.list, plugin.list]\n      subjects: ci\n",
        f"{_HEAD}  rules:\n    - deny: plugin.pull\n      subjects: ci\n"
        "    - allow: [image.list, plugin.list]\n      subjects: ci\n",
        policy=_denied_rule,
    ),
    Check(
        "authz-unused-subject",
        "A subject that no rule names",
        Severity.NOTE,
        "Nothing is allowed unless a rule says so. A subject without a rule may do nothing; often "
        "a rule names it under another spelling of what was meant.",
        ("Stockade, docs/language.md: authz",),
        f"{_HEAD}    ops: {{cn: alice}}\n  rules:\n    - allow: image.list\n      subjects: ci\n",
        f"{_HEAD}    ops: {{cn: alice}}\n  rules:\n    - allow: image.list\n"
        "      subjects: [ci, ops]\n",
        policy=_unused_subject,
    ),
)
