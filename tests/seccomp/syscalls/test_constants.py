"""Named constants, against what Python was compiled with and facts per ABI."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import re
import signal
import socket
import sys
import termios
from types import ModuleType

import pytest

from stockade.seccomp.syscalls import (
    ABIS,
    abi,
    constant,
    constant_names,
    errno_names,
    errno_number,
    native_abi,
)

# What glibc gives another value than the kernel: nothing to ask for where off_t has 64 bits, and
# two real-time signals that it keeps for itself.
_OTHER = {"O_LARGEFILE", "F_SETLK64", "F_GETLK64", "F_SETLKW64", "SIGRTMIN"}


def _compare(module: ModuleType, pattern: str, at_least: int) -> None:
    native = native_abi(os.uname().machine)
    compared = 0
    for name in dir(module):
        if not re.fullmatch(pattern, name) or name in _OTHER:
            continue
        own = constant(name, native)
        if own is None:
            continue  # a name of libc's
        value = int(getattr(module, name))
        assert own & 0xFFFFFFFF == value & 0xFFFFFFFF, name
        compared += 1
    assert compared >= at_least


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="compares with Linux's values")


def test_socket() -> None:
    _compare(socket, r"(AF|PF|SOCK|SOL|SO|MSG|IPPROTO)_\w+", 120)
    native = native_abi(os.uname().machine)
    for name in ("AF_UNIX", "AF_INET", "AF_ALG", "AF_VSOCK", "SOCK_STREAM", "SOCK_CLOEXEC"):
        assert constant(name, native) == int(getattr(socket, name))


def test_every_errno_of_python_is_known() -> None:
    native = native_abi(os.uname().machine)
    names = {name for name in dir(errno) if re.fullmatch(r"E[A-Z0-9]+", name)}
    for name in names - {"ENOTSUP", "ENOTCAPABLE", "EQFULL"}:
        assert errno_number(name, native) == getattr(errno, name), name
        assert constant(name, native) == getattr(errno, name)
    assert len(names) > 120


def test_an_errno_is_no_other_constant_with_an_e() -> None:
    x86_64 = abi("x86_64")
    for name in ("EPOLLIN", "EFD_CLOEXEC", "ECHO", "EM_386", "AF_UNIX", "", "EPERM\t1"):
        assert errno_number(name, x86_64) is None
    assert constant("EPOLLIN", x86_64) == 1
    assert errno_number("E2BIG", x86_64) == 7
    assert all(0 < (errno_number(name, x86_64) or 1) < 4096 for name in errno_names())
    assert errno_names() <= constant_names()


def test_os_and_fcntl() -> None:
    pattern = r"(O|P|W|SEEK|SCHED|CLONE|GRND|MFD|EFD|SPLICE|RWF|PRIO|PIDFD|F|DN|LOCK|FD|TFD)_?\w+"
    _compare(os, pattern, 60)
    _compare(fcntl, r"(F|DN|LOCK|FD|I)_\w+|FIC\w+", 30)


def test_signal_mmap_and_termios() -> None:
    _compare(signal, r"SIG[A-Z0-9]+|SIG_(BLOCK|UNBLOCK|SETMASK)|ITIMER_\w+", 30)
    _compare(mmap, r"(MAP|PROT|MADV)_\w+", 25)
    _compare(termios, r"TIOC\w+|TC[A-Z]{3,}|FIO\w+", 50)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ENOSYS", {"x86_64": 38, "mips": 89, "mips64n32": 89, "s390x": 38}),
        ("EPERM", {"x86_64": 1, "mips": 1}),
        ("SOCK_STREAM", {"x86_64": 1, "mips": 2, "mipsel64": 2, "arm": 1}),
        ("SOCK_DGRAM", {"x86_64": 2, "mips": 1}),
        ("SOCK_TYPE_MASK", {"x86_64": 15, "mips": 15}),
        ("SOCK_NONBLOCK", {"x86_64": 0o4000, "mips": 0x80}),
        ("AF_UNIX", {"x86_64": 1, "mips": 1}),
        ("PF_VSOCK", {"x86_64": 40}),
        ("SOL_SOCKET", {"x86_64": 1, "mips": 0xFFFF}),
        ("SO_PEERCRED", {"x86_64": 17, "ppc64le": 21, "mips": 18}),
        ("O_DIRECTORY", {"x86_64": 0o200000, "arm": 0o40000, "aarch64": 0o40000}),
        ("O_CREAT", {"x86_64": 0o100, "mips": 0x100}),
        ("MAP_ANONYMOUS", {"x86_64": 0x20, "mips": 0x800}),
        ("AT_FDCWD", {"x86_64": -100, "mips": -100}),
        ("F_SETLK64", {"x86_64": None, "x86": 13, "mips": 34}),
        ("SIGCHLD", {"x86_64": 17, "mips": 18}),
        ("RLIMIT_NOFILE", {"x86_64": 7, "mips": 5}),
        ("CLONE_NEWUSER", {"x86_64": 0x10000000, "s390": 0x10000000}),
        ("TIOCSTI", {"x86_64": 0x5412, "x32": 0x5412, "s390x": 0x5412, "mips": 0x5472,
                     "ppc64le": 0x5412}),
        ("TIOCLINUX", {"x86_64": 0x541C, "mips": 0x5483, "ppc64le": 0x541C}),
        # The size of a long is in the number: _IOR('f', 1, long).
        ("FS_IOC_GETFLAGS", {"x86_64": 0x80086601, "x86": 0x80046601, "x32": 0x80046601,
                             "mips": 0x40046601, "ppc64le": 0x40086601}),
        # And of a struct with a pointer, where the pointer's and u64's alignment count.
        ("TUNATTACHFILTER", {"x86_64": 0x401054D5, "x86": 0x400854D5, "arm": 0x400854D5}),
        ("TIOCGPTN", {"x86_64": 0x80045430, "ppc64le": 0x40045430}),
        ("PTRACE_GETREGS", {"x86_64": 12, "aarch64": None}),
        ("PTRACE_SYSEMU", {"x86_64": 31, "ppc64le": 29}),
        ("ARCH_SET_FS", {"x86_64": 0x1002, "x86": 0x1002, "aarch64": None}),
        ("POSIX_FADV_DONTNEED", {"x86_64": 4, "s390x": 6, "s390": 4}),
        ("PER_LINUX32", {"x86_64": 8}),
        ("ADDR_NO_RANDOMIZE", {"x86_64": 0x40000}),
        ("UNAME26", {"x86_64": 0x20000}),
        ("LINUX_REBOOT_MAGIC1", {"x86_64": 0xFEE1DEAD}),
        # Enumerators, not macros.
        ("BPF_PROG_LOAD", {"x86_64": 5, "s390x": 5}),
        ("BPF_BTF_LOAD", {"x86_64": 18}),
        ("KCMP_FILE", {"x86_64": 0}),
        ("MEMBARRIER_CMD_GLOBAL_EXPEDITED", {"x86_64": 2}),
        ("MPOL_INTERLEAVE", {"x86_64": 3}),
        ("IORING_OP_READ", {"x86_64": 22}),
        ("IPPROTO_TCP", {"x86_64": 6}),
        ("LANDLOCK_RULE_PATH_BENEATH", {"x86_64": 1}),
        ("FSCONFIG_SET_STRING", {"x86_64": 1}),
        ("SYS_SOCKET", {"x86": 1}),
        ("SEMTIMEDOP", {"x86": 4}),
        ("KEYCTL_SET_REQKEY_KEYRING", {"x86_64": 14}),
        ("SECCOMP_SET_MODE_FILTER", {"x86_64": 1}),
        ("FUTEX_WAIT_BITSET", {"x86_64": 9}),
        ("RENAME_NOREPLACE", {"x86_64": 1}),
        ("MOVE_MOUNT_F_EMPTY_PATH", {"x86_64": 4}),
        ("UFFD_USER_MODE_ONLY", {"x86_64": 1}),
        ("Q_QUOTAON", {"x86_64": 0x800002}),
        ("ITIMER_PROF", {"x86_64": 2}),
        ("RSEQ_FLAG_UNREGISTER", {"x86_64": 1}),
        ("NS_GET_USERNS", {"x86_64": 0xB701, "mips": 0x2000B701}),
        ("UMOUNT_NOFOLLOW", {"x86_64": 8}),
        ("MNT_DETACH", {"x86_64": 2}),
        ("TUNSETIFF", {"x86_64": 0x400454CA, "mips": 0x800454CA}),
        ("PIDFD_NONBLOCK", {"x86_64": 0o4000, "mips": 0x80}),
        ("CAP_SYS_ADMIN", {"x86_64": 21}),
        ("S_ISUID", {"x86_64": 0o4000}),
        ("NETLINK_AUDIT", {"x86_64": 9}),
        ("PRIO_PROCESS", {"x86_64": 0}),
        ("SHM_RDONLY", {"x86_64": 0o10000}),
        ("IPC_RMID", {"x86_64": 0}),
    ],
)  # fmt: skip
def test_values(name: str, values: dict[str, int | None]) -> None:
    assert {each: constant(name, abi(each)) for each in values} == values


def test_names_that_are_none() -> None:
    x86_64 = abi("x86_64")
    for name in ("", "NO_SUCH_NAME", "AF_UNIX\t1", "\n", "# Named", "AF_UNI", "F_UNIX", "1"):
        assert constant(name, x86_64) is None


def test_every_name_has_a_value_somewhere() -> None:
    names = constant_names()
    assert len(names) > 4000
    for name in names:
        values = [constant(name, each) for each in ABIS.values()]
        assert any(value is not None for value in values), name


def test_families_are_there() -> None:
    names = constant_names()
    for prefix in (
        "AF_ PF_ SOCK_ SOL_ SO_ IPPROTO_ CLONE_ O_ AT_ F_ S_I PROT_ MAP_ MADV_ MS_ MNT_ UMOUNT_ "
        "OPEN_TREE_ MOVE_MOUNT_ FSOPEN_ FSMOUNT_ MOUNT_ATTR_ PR_ PTRACE_ SIG FUTEX_ PER_ ADDR_ "
        "BPF_ KEYCTL_ SECCOMP_ RLIMIT_ CLOCK_ SCHED_ EPOLL EPOLL_ GRND_ MFD_ RENAME_ SPLICE_F_ "
        "FALLOC_FL_ IORING_ KCMP_ LINUX_REBOOT_ SYS_ ARCH_ TIOC TC FIO FS_IOC_ TUN SIOC UFFD_ "
        "USERFAULTFD_ LANDLOCK_ NS_ PIDFD_ Q_ SWAP_ ITIMER_ POSIX_FADV_ MPOL_ MEMBARRIER_CMD_ "
        "RWF_ RSEQ_ SHM_ IPC_ GETPID PKEY_ MLOCK_ MREMAP_ MCL_ STATX_ RESOLVE_ CLOSE_RANGE_"
    ).split():
        assert any(name.startswith(prefix) for name in names), prefix
