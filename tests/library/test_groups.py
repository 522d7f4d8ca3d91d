"""The groups of the library: complete, tidy, and closed under calls that do the same work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stockade.policies.catalog import LIBRARY, Group, groups
from stockade.policies.group_pages import render
from stockade.seccomp.syscalls import known_names

ROOT = Path(__file__).resolve().parents[2]
TEXT = (LIBRARY / "groups.yaml").read_text()

#: Measured lists: what one runtime calls, not a kind of work.
MEASURED = {"@runtime-base"}

#: Calls that do the same work, as far as their names do not say so.
SIBLINGS = (
    "open openat openat2 creat",
    "execve execveat",
    "fork vfork clone clone3",
    "exit exit_group",
    "wait4 waitid waitpid",
    "kill tkill tgkill pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo",
    "select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64",
    "epoll_wait epoll_pwait epoll_pwait2 epoll_wait_old",
    "stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx oldstat oldlstat oldfstat",
    "statfs statfs64 fstatfs fstatfs64",
    "access faccessat faccessat2",
    "chmod fchmod fchmodat fchmodat2",
    "chown chown32 lchown lchown32 fchown fchown32 fchownat",
    "truncate truncate64 ftruncate ftruncate64",
    "utime utimes futimesat utimensat utimensat_time64",
    "getdents getdents64 readdir",
    "getxattr lgetxattr fgetxattr getxattrat",
    "setxattr lsetxattr fsetxattr setxattrat",
    "listxattr llistxattr flistxattr listxattrat",
    "removexattr lremovexattr fremovexattr removexattrat",
    "read readv pread64 preadv preadv2",
    "write writev pwrite64 pwritev pwritev2",
    "lseek _llseek",
    "fadvise64 fadvise64_64 arm_fadvise64_64",
    "sync_file_range sync_file_range2 arm_sync_file_range",
    "recv recvfrom recvmsg recvmmsg recvmmsg_time64",
    "send sendto sendmsg sendmmsg",
    "mlock mlock2 mlockall",
    "munlock munlockall",
    "futex futex_time64 futex_wait futex_waitv futex_wake futex_requeue",
    "sigaction rt_sigaction signal",
    "sigprocmask rt_sigprocmask",
    "sigreturn rt_sigreturn",
    "getrlimit ugetrlimit",
    "uname olduname oldolduname",
    "setuid setreuid setresuid setfsuid",
    "setgid setregid setresgid setfsgid",
    "stime settimeofday clock_settime clock_settime64",
    "adjtimex clock_adjtime clock_adjtime64",
    "nanosleep clock_nanosleep clock_nanosleep_time64",
    "mount fsopen fsconfig fsmount fspick move_mount open_tree open_tree_attr mount_setattr",
    "umount umount2",
    "pivot_root chroot",
    "init_module finit_module",
    "kexec_load kexec_file_load",
    "unshare setns",
    "ptrace process_vm_readv process_vm_writev",
)

#: `dup2` is a later `dup`, `stat64` and `futex_time64` are 32-bit forms, `unlinkat` is `unlink`.
SUFFIXES = [
    kind + number + old
    for kind in ("", "at", "v")
    for number in ("", "1", "2", "3", "4", "6", "32", "64", "_time64")
    for old in ("", "_old")
]


def members(group: Group) -> list[str]:
    """What the text names in the group, in its order."""
    body = re.search(rf'"{group.name}":\n.*?calls:\s*\[(.*?)\]', TEXT, re.DOTALL)
    assert body is not None
    return [word.strip(' "\n') for word in body[1].split(",") if word.strip()]


def test_every_call_is_in_some_group() -> None:
    grouped = {call for group in groups().values() for call in group.calls}
    assert known_names() - grouped == set()


def test_every_name_is_known() -> None:
    grouped = {call for group in groups().values() for call in group.calls}
    assert grouped - known_names() == set()


@pytest.mark.parametrize("name", list(groups()))
def test_a_group_is_tidy(name: str) -> None:
    group = groups()[name]
    assert group.calls
    assert group.why
    assert not group.why.endswith(".")
    listed = members(group)
    assert listed == sorted(listed)


def later_forms() -> set[tuple[str, str]]:
    """(call, a later or wider form of it), found by their names."""
    known = known_names()
    pairs = ((name, name + suffix) for name in known for suffix in SUFFIXES if suffix)
    return {pair for pair in pairs if pair[1] in known}


def test_later_forms_are_found() -> None:
    found = later_forms()
    assert {("dup", "dup2"), ("stat", "stat64"), ("futex", "futex_time64")} <= found
    assert {("unlink", "unlinkat"), ("clone", "clone3"), ("read", "readv")} <= found


@pytest.mark.parametrize("name", [name for name in groups() if name not in MEASURED])
def test_siblings_are_together(name: str) -> None:
    """A group that closes one way and leaves the other closes nothing."""
    calls = set(groups()[name].calls)
    known = known_names()
    for family in [set(line.split()) for line in SIBLINGS] + [set(pair) for pair in later_forms()]:
        assert family <= known
        assert not family & calls or family <= calls, f"{sorted(family - calls)} is missing"


def test_systemd_names_are_there() -> None:
    """Who comes from systemd.exec(5) finds the names of that page."""
    expected = """@aio @basic-io @chown @clock @cpu-emulation @debug @file-system @io-event @ipc
        @keyring @memlock @module @mount @obsolete @pkey @privileged @process @raw-io @reboot
        @resources @sandbox @setuid @signal @swap @sync @timer @network-io""".split()
    assert set(expected) <= set(groups())


def test_the_page_is_current() -> None:
    page = ROOT / "docs" / "groups.md"
    hint = "python -m stockade.policies.group_pages > docs/groups.md"
    assert page.read_text() == render(groups()), f"out of date: {hint}"
    assert all(f"### {name}\n" in page.read_text() for name in groups())
