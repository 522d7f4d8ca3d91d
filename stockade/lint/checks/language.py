"""What the document itself gets wrong: refused, or read as if it were not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...policies.findings import Severity
from ...policies.model import ActionKind
from ...policies.nodes import Kind, MappingNode, Node, ScalarNode
from ...policies.source import Location, Problem
from ...seccomp import actions
from ...seccomp.profile import EPERM
from ..check import Check, Found
from ..subjects import Place, PolicySubject, ProfileSubject, find


def _from_problems(problems: Iterable[Problem]) -> Iterator[Found]:
    for each in problems:
        yield Found(each.message, Place("", each.at), each.hint, each.related)


def _policy_error(subject: PolicySubject) -> Iterator[Found]:
    return _from_problems(subject.problems)


def _profile_error(subject: ProfileSubject) -> Iterator[Found]:
    return _from_problems(subject.read.errors)


def _ignored_key(subject: ProfileSubject) -> Iterator[Found]:
    elsewhere = {at for _, at in useless_errnos(subject)}
    for each in subject.read.ignored:
        if each.at not in elsewhere:
            fix = each.hint or "correct its spelling, or delete it"
            yield Found(each.message, Place("", each.at), fix, each.related)


def useless_errnos(subject: ProfileSubject) -> Iterator[tuple[str, Location]]:
    """Route and place of every errno beside an action that takes none."""
    places: list[tuple[str, Node | None, str]] = [
        ("defaultErrnoRet", subject.root, "defaultAction")
    ]
    listing = find(subject.root, "syscalls")
    for index, item in enumerate(getattr(listing, "items", ())):
        places.append((f"syscalls[{index}].errnoRet", item, "action"))
    for route, node, action in places:
        number = find(node, route.rpartition(".")[2])
        word = find(node, action)
        if not isinstance(number, ScalarNode) or number.kind is Kind.NULL:
            continue
        if isinstance(word, ScalarNode) and word.text not in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
            yield route, number.at


def _engine_ignored_field(subject: ProfileSubject) -> Iterator[Found]:
    engine, profile = subject.engine, subject.profile
    if profile is None:
        return
    denies = actions.kind_of(profile.default) is ActionKind.DENY
    number = profile.default & actions.NUMBER_MASK
    at = subject.at("defaultErrnoRet")
    if at is not None and denies and number != EPERM and not engine.default_errno:
        yield Found(
            f"Docker {engine.name} ignores `defaultErrnoRet` and answers EPERM",
            Place("defaultErrnoRet", at),
            "make it 1 (EPERM), or use Docker 23 or newer",
        )
    for key, given in (("listenerPath", profile.listener_path), ("flags", profile.flags)):
        if given and not engine.listener:
            effect = (
                "a notified call then hangs" if key == "listenerPath" else "they have no effect"
            )
            yield Found(
                f"Docker {engine.name} ignores `{key}`: {effect}",
                Place(key, subject.at(key)),
                "use Docker 23 or newer",
            )


def is_profile(node: Node | None) -> bool:
    """Whether a JSON value has the keys of a Docker profile or an OCI section."""
    if not isinstance(node, MappingNode):
        return False
    keys = {entry.key.text.lower() for entry in node.entries}
    return bool(keys & {"defaultaction", "syscalls", "archmap", "defaulterrnoret"})


CHECKS = (
    Check(
        "policy-error",
        "The policy cannot be compiled",
        Severity.ERROR,
        "What the language does not know, it refuses: an unknown key or system call, a value of "
        "the wrong type, a condition that can never or must always hold, a name that an "
        "architecture does not have. Nothing else is checked until the policy compiles, because "
        "what it means is not settled before.",
        ("Stockade, policies/loader.py and seccomp/check.py",),
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - allow: [raed]\n",
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - allow: [read]\n",
        policy=_policy_error,
    ),
    Check(
        "profile-error",
        "An engine refuses the profile",
        Severity.ERROR,
        "Docker checks a profile only when a container starts. A wrong type, an unknown action "
        "or operator, an argument index above 5, `name` beside `names` or `archMap` beside "
        "`architectures` then stop the start. Nothing else is checked until they are mended.",
        (
            "moby, profiles/seccomp: setupSeccomp()",
            "runc, libcontainer/seccomp and specconv: createLibcontainer",
        ),
        '{\n  "defaultAction": "SCMP_ACT_ERROR",\n  "architectures": ["SCMP_ARCH_X86_64", '
        '"SCMP_ARCH_X86"],\n  "syscalls": []\n}\n',
        '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "architectures": ["SCMP_ARCH_X86_64", '
        '"SCMP_ARCH_X86"],\n  "syscalls": []\n}\n',
        profile=_profile_error,
    ),
    Check(
        "ignored-key",
        "A key that no engine reads",
        Severity.WARNING,
        "Docker decodes profiles with Go's encoding/json, which drops unknown keys without a "
        "word. A misspelt `args` leaves a rule that allows every argument; a misspelt "
        "`includes` leaves one that counts for every container.",
        ("Go, encoding/json: Unmarshal", "moby, profiles/seccomp/seccomp.go"),
        '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "architectures": ["SCMP_ARCH_X86_64", '
        '"SCMP_ARCH_X86"],\n  "syscalls": [\n    {"names": ["kill"], "action": "SCMP_ACT_ALLOW",\n'
        '     "arg": [{"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 4294967295, '
        '"valueTwo": 0}]}\n  ]\n}\n',
        '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "architectures": ["SCMP_ARCH_X86_64", '
        '"SCMP_ARCH_X86"],\n  "syscalls": [\n    {"names": ["kill"], "action": "SCMP_ACT_ALLOW",\n'
        '     "args": [{"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 4294967295, '
        '"valueTwo": 0}]}\n  ]\n}\n',
        profile=_ignored_key,
    ),
    Check(
        "engine-ignored-field",
        "A field that the chosen Docker release ignores",
        Severity.WARNING,
        "Docker 20.10 reads neither `defaultErrnoRet` nor `flags` nor `listenerPath`: the errno "
        "becomes EPERM, and without its listener a profile with SCMP_ACT_NOTIFY hangs the start "
        "of the container. Which release is meant is said with --engine.",
        ("measured with docker.io 20.10 and 28.5", "moby 23.0 release notes"),
        '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "defaultErrnoRet": 38,\n  "architectures": '
        '["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],\n  "syscalls": []\n}\n',
        '{\n  "defaultAction": "SCMP_ACT_ERRNO",\n  "defaultErrnoRet": 1,\n  "architectures": '
        '["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],\n  "syscalls": []\n}\n',
        profile=_engine_ignored_field,
    ),
)
