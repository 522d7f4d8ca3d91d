"""Answers that do not do what their words say."""

from __future__ import annotations

from collections.abc import Iterator

from ...policies.findings import Severity
from ...policies.model import Action, ActionKind
from ...seccomp import actions
from ..check import Check, Found
from ..subjects import Place, PolicySubject, ProfileSubject, Subject
from .language import useless_errnos
from .names import profile_example

_NO_ERRNO = actions.ERRNO
_ZERO = "errno 0 makes the call report success without being carried out"
_ZERO_FIX = "name the errno that the program should see, such as EPERM (1)"
_UNFILTERED = ("uretprobe", "uprobe")


def _zero_in_policy(subject: PolicySubject) -> Iterator[Found]:
    policy = subject.policy
    if policy is None or policy.seccomp is None:
        return
    zero = Action(ActionKind.DENY, 0)
    if policy.seccomp.default == zero:
        yield Found(_ZERO, subject.default, _ZERO_FIX)
    if policy.seccomp.newer == zero:
        yield Found(_ZERO, Place("seccomp.newer", policy.seccomp.at), _ZERO_FIX)
    for rule in subject.rules:
        if rule.action == zero:
            yield Found(_ZERO, Place(rule.route, rule.at), _ZERO_FIX)


def _zero_in_profile(subject: ProfileSubject) -> Iterator[Found]:
    if subject.profile is not None and subject.profile.default == _NO_ERRNO:
        place = Place("defaultErrnoRet", subject.at("defaultErrnoRet"))
        yield Found(_ZERO, place, _ZERO_FIX)
    for index, entry in enumerate(subject.entries):
        if entry.value == _NO_ERRNO:
            at = subject.at("syscalls", index, "errnoRet")
            yield Found(_ZERO, Place(f"syscalls[{index}].errnoRet", at), _ZERO_FIX)


def _useless_errno(subject: ProfileSubject) -> Iterator[Found]:
    for route, at in useless_errnos(subject):
        yield Found(
            "an errno counts for nothing beside this action",
            Place(route, at),
            "delete it, or make the action SCMP_ACT_ERRNO",
        )


def _notify(subject: Subject) -> Iterator[Found]:
    if isinstance(subject, ProfileSubject):
        yield from _notify_in_profile(subject)
        return
    for each in subject.filters[:1]:
        if actions.kind_of(each.default) is ActionKind.NOTIFY:
            yield Found(
                "runc refuses `notify` as the default",
                subject.default,
                "deny by default and notify single calls",
            )
    for index, rule in enumerate(subject.rules):
        if rule.action.kind is ActionKind.NOTIFY and any(c.text == "write" for c in rule.calls):
            yield Found(
                "runc refuses `notify` on write: its own start would wait for an answer",
                subject.place(index, "write"),
                "allow write",
            )


def _notify_in_profile(subject: ProfileSubject) -> Iterator[Found]:
    profile = subject.profile
    if profile is None:
        return
    notified = [
        (index, entry)
        for index, entry in enumerate(profile.entries)
        if actions.kind_of(entry.value) is ActionKind.NOTIFY
    ]
    if actions.kind_of(profile.default) is ActionKind.NOTIFY:
        yield Found(
            "runc refuses SCMP_ACT_NOTIFY as the default",
            subject.default,
            "make it SCMP_ACT_ERRNO and notify single calls",
        )
    for index, entry in notified:
        if "write" in entry.names:
            yield Found(
                "runc refuses SCMP_ACT_NOTIFY on write",
                subject.place(index, "write"),
                "allow write",
            )
    if notified and not profile.listener_path:
        index = notified[0][0]
        yield Found(
            "SCMP_ACT_NOTIFY without `listenerPath`: nobody answers",
            Place(f"syscalls[{index}].action", subject.at("syscalls", index, "action")),
            "give the profile a `listenerPath`, the socket of the agent that answers",
        )


def _unfilterable(subject: Subject) -> Iterator[Found]:
    for name in _UNFILTERED:
        for each in subject.answers(name):
            for clause in each.clauses:
                named = clause.rule >= 0 and subject.named_itself(clause.rule, name)
                if (
                    each.filter.abi.name == "x86_64"
                    and named
                    and not actions.lets_run(clause.value)
                ):
                    yield Found(
                        f"`{name}` cannot be denied: the kernel lets it past every filter",
                        subject.place(clause.rule, name),
                        "delete the name; the rule does nothing",
                    )


_HEAD = "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - "

CHECKS = (
    Check(
        "errno-zero",
        "A denied call reports success",
        Severity.WARNING,
        "The kernel returns the errno that a filter gives, and 0 is success: the program goes on "
        "as if the call had been carried out. That is a known trick to get chown or setgroups "
        "out of the way, and a trap for everything else: a program that believes it has dropped "
        "its privileges has not.",
        ("seccomp(2), SECCOMP_RET_ERRNO",),
        _HEAD + "allow: [read, write]\n    - deny: setuid\n      with: 0\n",
        _HEAD + "allow: [read, write]\n    - deny: setuid\n      with: EPERM\n",
        policy=_zero_in_policy,
        profile=_zero_in_profile,
    ),
    Check(
        "useless-errno",
        "An errno beside an action that has none",
        Severity.WARNING,
        "Only SCMP_ACT_ERRNO and SCMP_ACT_TRACE carry a number; runc drops it for every other "
        "action. An `errnoRet` beside SCMP_ACT_ALLOW mostly means that the action is wrong.",
        ("runc, libcontainer/seccomp: getAction()",),
        profile_example('{"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 38}'),
        profile_example('{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}'),
        profile=_useless_errno,
    ),
    Check(
        "notify-unusable",
        "A notification that no runtime accepts or nobody answers",
        Severity.ERROR,
        "runc refuses SCMP_ACT_NOTIFY on write and as the default action, since it has to send "
        "the listener's descriptor itself after the filter is loaded. Without `listenerPath` "
        "nobody takes the descriptor, and the container does not start, or hangs.",
        ("runc, libcontainer/seccomp: InitSeccomp()", "OCI runtime-spec, config-linux.md"),
        _HEAD + "allow: read\n    - notify: [write, mount]\n",
        _HEAD + "allow: [read, write]\n    - notify: mount\n",
        policy=_notify,
        profile=_notify,
    ),
    Check(
        "unfilterable-call",
        "A rule for a call that the kernel never filters",
        Severity.NOTE,
        "On x86_64 the kernel itself puts uretprobe (335) and uprobe (336) into programs that "
        "are being traced, and lets them past every filter, because a denied one would crash "
        "the program. They do nothing outside of a probe's trampoline.",
        ("Linux, kernel/seccomp.c: seccomp_uprobe_exception()",),
        _HEAD + "allow: [read, write]\n    - deny: uretprobe\n",
        _HEAD + "allow: [read, write]\n    - deny: ptrace\n",
        policy=_unfilterable,
        profile=_unfilterable,
    ),
)
