"""Calls that do the same under several names."""

from __future__ import annotations

from collections.abc import Iterator

from ...policies.findings import Severity
from ...policies.source import Location
from ..answers import Answer, answers
from ..check import Check, Found
from ..subjects import Subject

SIBLINGS: tuple[tuple[str, ...], ...] = (
    ("open", "openat", "openat2"),
    ("execve", "execveat"),
    ("fork", "vfork", "clone"),
    ("chmod", "fchmodat", "fchmodat2"),
    ("chown", "fchownat"),
    ("rename", "renameat", "renameat2"),
    ("link", "linkat"),
    ("symlink", "symlinkat"),
    ("unlink", "unlinkat"),
    ("mkdir", "mkdirat"),
    ("mknod", "mknodat"),
    ("readlink", "readlinkat"),
    ("access", "faccessat", "faccessat2"),
    ("getdents", "getdents64"),
    ("accept", "accept4"),
    ("sendmsg", "sendmmsg"),
    ("recvmsg", "recvmmsg"),
    ("dup2", "dup3"),
    ("pipe", "pipe2"),
    ("poll", "ppoll"),
    ("select", "pselect6"),
    ("epoll_wait", "epoll_pwait", "epoll_pwait2"),
    ("epoll_create", "epoll_create1"),
    ("eventfd", "eventfd2"),
    ("signalfd", "signalfd4"),
    ("inotify_init", "inotify_init1"),
    ("preadv", "preadv2"),
    ("pwritev", "pwritev2"),
)
"""Each group does one thing; clone3 has a check of its own."""


def _siblings(subject: Subject) -> Iterator[Found]:
    for group in SIBLINGS:
        for filter_ in subject.filters:
            here = [a for name in group for a in answers([filter_], name, subject.budget)]
            free = [each for each in here if each.decided and each.always_runs]
            closed = [each for each in here if each.never_runs and not each.says_not_there]
            if free and closed:
                yield _found(subject, free, closed)
                break


def _found(subject: Subject, free: list[Answer], closed: list[Answer]) -> Found:
    def names(members: list[Answer]) -> str:
        return " and ".join(f"`{each.name}`" for each in members)

    clause = free[0].running()
    assert clause is not None  # it is decided, and runs
    place = subject.place(clause.rule, free[0].name)
    related: tuple[tuple[str, Location], ...] = ()
    for each in closed:
        if each.clauses and not related:
            other = subject.place(each.clauses[0].rule, each.name)
            if other.at is not None:
                related = ((f"`{each.name}` is denied here", other.at),)
    verb = "are" if len(free) > 1 else "is"
    says = "are not" if len(closed) > 1 else "is not"
    return Found(
        f"{names(free)} {verb} allowed and {names(closed)} {says}, though they do the same",
        place,
        "treat them alike, or answer ENOSYS for those that programs should not use",
        related,
    )


CHECKS = (
    Check(
        "siblings-disagree",
        "One of several calls for the same thing is denied",
        Severity.NOTE,
        "Which of open, openat and openat2 a program calls is its C library's choice and "
        "changes with its version and the architecture. Denying one of them stops nobody who "
        "wants round it, and breaks programs that happen to use it. An answer of ENOSYS is "
        "fine: programs then take the other one.",
        ("syscalls(2)", "measured: musl and glibc differ by 13 names for the same program"),
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - allow: openat\n",
        "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - allow: [open, "
        "openat]\n    - deny: openat2\n      with: ENOSYS\n",
        policy=_siblings,
        profile=_siblings,
    ),
)
