"""Actions as the kernel writes them: SECCOMP_RET_* values of 32 bits.

linux/seccomp.h: the action stands in the upper 16 bits, its number in the lower 16.
"""

from __future__ import annotations

import errno

from ..policies.model import ActionKind

ALLOW = 0x7FFF0000
LOG = 0x7FFC0000
TRACE = 0x7FF00000
NOTIFY = 0x7FC00000
ERRNO = 0x00050000
TRAP = 0x00030000
KILL_THREAD = 0x00000000
KILL_PROCESS = 0x80000000

ACTION_MASK = 0xFFFF0000
NUMBER_MASK = 0x0000FFFF

_VALUES = {
    ActionKind.ALLOW: ALLOW,
    ActionKind.DENY: ERRNO,
    ActionKind.KILL_PROCESS: KILL_PROCESS,
    ActionKind.KILL_THREAD: KILL_THREAD,
    ActionKind.TRAP: TRAP,
    ActionKind.LOG: LOG,
    ActionKind.TRACE: TRACE,
    ActionKind.NOTIFY: NOTIFY,
}
_KINDS = {value: kind for kind, value in _VALUES.items()}

PERMISSIVE = frozenset({ActionKind.ALLOW, ActionKind.LOG, ActionKind.TRACE})
"""Kinds that let a call run, or may: what runc calls allow actions (patchbpf)."""


def return_value(kind: ActionKind, number: int = 0) -> int:
    """The SECCOMP_RET_* value of an action whose number is known."""
    return _VALUES[kind] | number


def kind_of(value: int) -> ActionKind | None:
    """The kind that the kernel takes a return value for; None: it kills the process.

    seccomp_run_filters() keeps the upper 16 bits, __seccomp_filter() kills for unknown ones.
    """
    return _KINDS.get(value & ACTION_MASK)


def lets_run(value: int) -> bool:
    """Whether the call is executed, or may be at a tracer's or listener's word."""
    kind = kind_of(value)
    return kind in PERMISSIVE or kind is ActionKind.NOTIFY


def describe(value: int) -> str:
    """A return value in the words of the language: `allow`, `deny EPERM`, `trace 7`."""
    kind, number = kind_of(value), value & NUMBER_MASK
    if kind is None:
        return f"kill (unknown action {value:#010x})"
    if kind is ActionKind.DENY:
        return f"deny {errno.errorcode.get(number, str(number))}"
    word: str = kind.value
    return f"{word} {number}" if kind is ActionKind.TRACE or number else word
