"""What happens to calls that no rule names."""

from __future__ import annotations

from collections.abc import Iterator

from ...policies.findings import Severity
from ...policies.model import ActionKind
from ...seccomp import actions
from ..answers import runs_freely
from ..check import Check, Found
from ..subjects import Place, ProfileSubject, Subject
from .dangerous import DANGERS

_EFFECTS = {
    ActionKind.ALLOW: "is allowed",
    ActionKind.LOG: "is only logged, and runs",
    ActionKind.TRACE: "runs whenever a tracer is attached and says so",
}


def _default_allow(subject: Subject) -> Iterator[Found]:
    for each in subject.filters:
        effect = _EFFECTS.get(actions.kind_of(each.default) or ActionKind.DENY)
        if effect is None:
            continue
        left = [name for name in DANGERS if _left_open(subject, name)]
        message = f"every call that no rule names {effect}"
        if left:
            calls = "dangerous call" if len(left) == 1 else "dangerous calls"
            message += (
                f", {len(left)} {calls} among them ({', '.join(left[:3])}{', …' * bool(left[3:])})"
            )
        yield Found(
            message,
            subject.default,
            "deny by default and allow what the program needs; `extends: docker-default` is a start"
            if not isinstance(subject, ProfileSubject)
            else "make it SCMP_ACT_ERRNO and allow what the program needs",
        )
        return


def _left_open(subject: Subject, name: str) -> bool:
    return any(not each.decided and runs_freely(each.otherwise) for each in subject.answers(name))


def _seccomp_disabled(subject: ProfileSubject) -> Iterator[Found]:
    if subject.profile is not None and subject.profile.disabled:
        yield Found(
            "this profile turns seccomp off for the container",
            Place("", subject.root.at),
            "give it a `defaultAction`, or start the container without "
            "--security-opt seccomp to get Docker's default",
        )


CHECKS = (
    Check(
        "default-allow",
        "Calls that no rule names are let run",
        Severity.WARNING,
        "A deny list lets through every call that its author did not think of: calls of newer "
        "kernels, of other ABIs (x32, 32-bit), and calls that do the same under another name "
        "(openat2 for open). `log` and `trace` are for learning: logged calls run, and traced "
        "ones run when any tracer lets them.",
        ("seccomp(2), SECCOMP_RET_LOG, SECCOMP_RET_TRACE and Caveats",),
        "stockade: 1\nname: web\nseccomp:\n  default: allow\n  newer: default\n  rules:\n"
        "    - deny: [bpf, ptrace]\n",
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - allow: [read, write]\n",
        policy=_default_allow,
        profile=_default_allow,
    ),
    Check(
        "seccomp-disabled",
        "The profile turns seccomp off",
        Severity.ERROR,
        "Docker takes a profile without default action and entries, `{}` above all, for "
        "`no profile`: the container starts without any filter and without a word of warning. "
        "`docker inspect` shows a custom profile all the same.",
        ("moby, profiles/seccomp: setupSeccomp() returns nil for an empty configuration",),
        "{}\n",
        '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "architectures": ["SCMP_ARCH_X86_64", '
        '"SCMP_ARCH_X86"],\n  "syscalls": []\n}\n',
        profile=_seccomp_disabled,
    ),
)
