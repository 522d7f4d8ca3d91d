"""clone3: a call whose flags a filter cannot see."""

from __future__ import annotations

from collections.abc import Iterator

from ...policies.findings import Severity
from ...policies.model import ActionKind
from ...seccomp import actions
from ..answers import Answer, is_enosys, runs_freely
from ..check import Check, Found
from ..subjects import PolicySubject, Subject

_BREAKING = (ActionKind.DENY, ActionKind.KILL_PROCESS, ActionKind.KILL_THREAD)


def _clone3(subject: Subject) -> Iterator[Found]:
    clones = {each.filter.abi.name: each for each in subject.answers("clone")}
    seen: set[str] = set()
    for each in subject.answers("clone3"):
        clone = clones.get(each.filter.abi.name)
        if clone is None or clone.never_runs:
            continue  # nothing to fall back to: this container makes no threads at all
        found = _judged(subject, each, clone)
        if found is not None and found.message not in seen:
            seen.add(found.message)
            yield found


def _judged(subject: Subject, clone3: Answer, clone: Answer) -> Found | None:
    fix = "deny it with errno 38 (ENOSYS), in an entry of its own"
    if isinstance(subject, PolicySubject):
        fix = "write `- deny: clone3` and below it `with: ENOSYS`, before the other rules"
    for value in clone3.values():
        clause = next((c for c in clone3.clauses if c.value == value), None)
        place = (
            subject.default_for("clone3")
            if clause is None
            else subject.place(clause.rule, "clone3")
        )
        if runs_freely(value):
            if clause is None and clone.always_runs:
                continue  # allowed by default, like everything: default-allow says so
            return Found("clone3 is allowed, and a filter cannot see its flags", place, fix)
        if actions.kind_of(value) in _BREAKING and not is_enosys(value, clone3.filter):
            answer = actions.describe(value)
            return Found(
                f"clone3 is answered with `{answer}`, so programs do not fall back to clone",
                place,
                fix,
            )
    return None


CHECKS = (
    Check(
        "clone3-answer",
        "clone3 is allowed, or not answered ENOSYS",
        Severity.WARNING,
        "clone3 takes its flags in a structure in memory, where no filter can look, so allowing "
        "it allows every new namespace that masking clone's flags denies. But glibc, musl and Go "
        "try it first, and only ENOSYS makes them fall back to clone; EPERM makes every new "
        "thread fail. So the one good answer, where clone is allowed, is ENOSYS.",
        ("moby#42680 and moby#42681", "glibc 2.34, __clone_internal", "clone(2)"),
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - allow: [read, write]\n"
        "    - allow: clone\n      when: flags & 0x7e020000 == 0\n",
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - allow: [read, write]\n"
        "    - allow: clone\n      when: flags & 0x7e020000 == 0\n    - deny: clone3\n"
        "      with: ENOSYS\n",
        policy=_clone3,
        profile=_clone3,
    ),
)
