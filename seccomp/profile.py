"""Docker and OCI seccomp profiles as typed values, and their JSON text.

moby: profiles/seccomp/seccomp.go; OCI: runtime-spec, config-linux.md, `seccomp`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..policies.model import ActionKind
from ..policies.source import Location
from . import actions

ACTION_NAMES: Mapping[ActionKind, str] = {
    ActionKind.ALLOW: "SCMP_ACT_ALLOW",
    ActionKind.DENY: "SCMP_ACT_ERRNO",
    ActionKind.KILL_PROCESS: "SCMP_ACT_KILL_PROCESS",
    ActionKind.KILL_THREAD: "SCMP_ACT_KILL_THREAD",
    ActionKind.TRAP: "SCMP_ACT_TRAP",
    ActionKind.LOG: "SCMP_ACT_LOG",
    ActionKind.TRACE: "SCMP_ACT_TRACE",
    ActionKind.NOTIFY: "SCMP_ACT_NOTIFY",
}
"""What each kind is called in JSON; `SCMP_ACT_KILL` is an old word for KILL_THREAD."""

KINDS: Mapping[str, ActionKind] = {
    **{name: kind for kind, name in ACTION_NAMES.items()},
    "SCMP_ACT_KILL": ActionKind.KILL_THREAD,
}

OPERATORS = frozenset(
    f"SCMP_CMP_{name}" for name in ("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ")
)

EPERM = 1
"""What runc and crun answer where a profile gives no errno; 1 on every architecture."""


@dataclass(frozen=True, slots=True, order=True)
class Check:
    """A comparison of one argument: an entry of `args`."""

    index: int
    op: str
    """SCMP_CMP_*."""
    value: int
    value_two: int = 0
    """The value compared with, for SCMP_CMP_MASKED_EQ, where `value` is the mask."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`includes` (all of it must hold) or `excludes` (any of it excludes)."""

    capabilities: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    """Docker's names of host architectures: amd64, arm64."""
    min_kernel: tuple[int, int] | None = None


EVERYWHERE = Condition()


@dataclass(frozen=True, slots=True)
class Entry:
    """One element of `syscalls`."""

    names: tuple[str, ...]
    value: int
    """The SECCOMP_RET_* value that action and errnoRet make."""
    checks: tuple[Check, ...] = ()
    """All must hold, but checks of one and the same argument are alternatives (runc)."""
    includes: Condition = EVERYWHERE
    excludes: Condition = EVERYWHERE
    comment: str = ""
    at: Location | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Profile:
    """A whole profile. Docker's has `arch_map` and conditions, OCI's `architectures`."""

    default: int
    """SECCOMP_RET_* value."""
    entries: tuple[Entry, ...]
    arch_map: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Native SCMP_ARCH_* and its sub-architectures."""
    architectures: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    listener_path: str = ""
    disabled: bool = False
    """`{}`: Docker takes a profile without default and entries as none at all."""


def render(profile: Profile, *, default_errno: bool = True) -> str:
    """The profile as JSON text; `default_errno` says whether the reader knows the field."""
    document: dict[str, object] = {"defaultAction": _action_name(profile.default)}
    if default_errno and _has_number(profile.default):
        document["defaultErrnoRet"] = profile.default & actions.NUMBER_MASK
    if profile.listener_path:
        document["listenerPath"] = profile.listener_path
    if profile.arch_map:
        document["archMap"] = [
            {"architecture": native, "subArchitectures": list(sub)}
            for native, sub in profile.arch_map
        ]
    if profile.architectures:
        document["architectures"] = list(profile.architectures)
    document["syscalls"] = [_entry(each) for each in profile.entries]
    return json.dumps(document, indent=2) + "\n"


def _action_name(value: int) -> str:
    kind = actions.kind_of(value)
    assert kind is not None
    return ACTION_NAMES[kind]


def _has_number(value: int) -> bool:
    return actions.kind_of(value) in (ActionKind.DENY, ActionKind.TRACE)


def _entry(entry: Entry) -> dict[str, object]:
    document: dict[str, object] = {
        "names": list(entry.names),
        "action": _action_name(entry.value),
    }
    if _has_number(entry.value):
        document["errnoRet"] = entry.value & actions.NUMBER_MASK
    if entry.checks:
        document["args"] = [
            {"index": each.index, "value": each.value, "valueTwo": each.value_two, "op": each.op}
            for each in entry.checks
        ]
    if entry.comment:
        document["comment"] = entry.comment
    for key, condition in (("includes", entry.includes), ("excludes", entry.excludes)):
        if condition != EVERYWHERE:
            document[key] = _condition(condition)
    return document


def _condition(condition: Condition) -> dict[str, object]:
    document: dict[str, object] = {}
    if condition.capabilities:
        document["caps"] = list(condition.capabilities)
    if condition.architectures:
        document["arches"] = list(condition.architectures)
    if condition.min_kernel:
        document["minKernel"] = "{}.{}".format(*condition.min_kernel)
    return document
