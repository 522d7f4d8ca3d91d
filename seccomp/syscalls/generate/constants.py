"""Named constants and error numbers: which names the headers have, and which are kept."""

from __future__ import annotations

import re

from ..abi import Abi
from .debs import Roots
from .errors import GenerateError
from .gcc import evaluate, gcc, gcc_flags

_LINUX_HEADERS = """
types posix_types fcntl openat2 stat errno signal signalfd mman socket sockios net in in6
netlink if_packet vm_sockets if_alg un uio wait sched sched/types time timerfd mount fs fiemap
fscrypt fsverity ioctl tty vt kd prctl ptrace seccomp audit bpf keyctl capability futex
personality perf_event io_uring kcmp reboot kexec ipc sem msg shm mqueue if_tun userfaultfd
landlock nsfs pidfd quota mempolicy membarrier rseq resource eventpoll eventfd inotify fanotify
memfd random ioprio falloc xattr lsm securebits timex aio_abi close_range fadvise utime acct
module watch_queue loop elf-em if icmp udp tcp termios fd dma-buf udmabuf
"""
_ASM_HEADERS = """
errno fcntl ioctls ioctl mman poll ptrace resource signal socket sockios stat termbits prctl ldt
hwprobe cachectl sysmips siginfo
"""
HEADERS: tuple[str, ...] = (
    *(f"linux/{name}.h" for name in _LINUX_HEADERS.split()),
    *(f"asm/{name}.h" for name in _ASM_HEADERS.split()),
)
"""What is looked for; a header that an ABI does not have is left out."""

PREFIXES = re.compile(
    r"(?:AF|PF|SOCK|SOL|SO|SCM|MSG|IPPROTO|IP|IPV6|TCP|UDP|NETLINK|PACKET|ALG|VMADDR|CLONE|O|AT"
    r"|F|FD|DN|LOCK|SEEK|S|PROT|MAP|MADV|MS|MCL|MREMAP|MLOCK|PKEY|MNT|UMOUNT|OPEN_TREE|MOVE_MOUNT"
    r"|FSOPEN|FSMOUNT|FSPICK|FSCONFIG|MOUNT|MOUNT_ATTR|LSMT|STATMOUNT|STATX|RESOLVE|PR|PTRACE|SA"
    r"|SI|SS|SFD|FUTEX|FUTEX2|PER|ADDR|UNAME26|BPF|KEYCTL|KEY|SECCOMP|RLIMIT|RLIM|RLIM64|RUSAGE"
    r"|PRIO|CLOCK|TIMER|TFD|ADJ|STA|SCHED|EPOLL|EFD|IN|FAN|GRND|MFD|RENAME|SPLICE|FALLOC|IORING"
    r"|IOSQE|IO_URING|KCMP|LINUX_REBOOT|KEXEC|SYS|SEM|SHM|IPC|ARCH|CLOSE_RANGE|FS|TUN|UFFD"
    r"|USERFAULTFD|UFFDIO|LANDLOCK|NS|PIDFD|Q|SWAP|ITIMER|POSIX_FADV|MPOL|MEMBARRIER|RWF|RSEQ"
    r"|XATTR|PERF|IOPRIO|LSM|SECBIT|MODULE_INIT|VT|KD|LOOP|CAP|P|AUDIT_ARCH|RISCV_HWPROBE"
    r"|GETPID|DMA_BUF|UDMABUF|IOCB|MQ|EM)_\w+"
    r"|EPOLL[A-Z]+|TUN[A-Z]+|RND[A-Z]+|EPIOC[SG]PARAMS"
    r"|SIG[A-Z0-9]+|TC[A-Z][A-Z0-9]+|TIO[A-Z][A-Z0-9_]+|FIO[A-Z]+"
    r"|SIOC[A-Z0-9_]+|FI(?:BMAP|GETBSZ|FREEZE|THAW|TRIM|CLONE|CLONERANGE|DEDUPERANGE)|W[A-Z]{5,9}"
    r"|(?:SEM|MSG|SHM)[A-Z]{2,9}|[GS]ET(?:ALL|NCNT|PID|VAL|ZCNT)|READ_IMPLIES_EXEC|WHOLE_SECONDS"
    r"|SHORT_INODE|STICKY_TIMEOUTS|MMAP_PAGE_ZERO|FDPIC_FUNCPTRS|UNAME26|POLL[A-Z]+"
    r"|KD[A-Z]+|[GP]IO_\w+|BLK[A-Z0-9]+|N_[A-Z0-9_]+|[ILD]CACHE|BCACHE"
)
"""The families of names that are kept."""

_HIDDEN = re.compile(
    r"(?:PERF_(?:MEM|REG|BR|SAMPLE|RECORD|BRANCH)_\w+|BPF_(?:REG|LINE|PSEUDO)_\w+"
    r"|\w+_H|_\w+|\w*__\w*|N_TTY_BUF_SIZE)$"
)
"""Names of those families that no system call argument holds."""

_ENUM = re.compile(r"\benum\b[^{;()]*\{([^}]*)\}")
_ENUMERATOR = re.compile(r"(?:^|,)\s*([A-Za-z_]\w*)\s*(?==|,|$)")

_KERNEL_ONLY = re.compile(r"(AF|PF|SOL|MSG|SCM|SOCK|UMOUNT|SWAP_FLAG)_|MNT_(FORCE|DETACH|EXPIRE)$")


def _kernel_only(roots: Roots, abi: Abi) -> str:
    """What user programs get from libc, and the kernel defines in headers that it keeps."""
    sources = [
        roots.file("common", f"usr/src/*/include/linux/{name}.h")
        for name in ("socket", "fs", "swap")
    ]
    if abi.name.startswith("mips"):
        sources.append(roots.file("common-mips", "usr/src/*/arch/mips/include/asm/socket.h"))
    else:
        sources.append(roots.file("common", "usr/src/*/include/linux/net.h"))
    lines = []
    for source in sources:
        text = source.read_text().replace("\\\n", " ")
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        for name, value in re.findall(r"^#\s*define\s+(\w+)[ \t]+(\S.*)$", text, re.MULTILINE):
            if _KERNEL_ONLY.match(name):
                lines.append(f"#ifndef {name}\n#define {name} {value}\n#endif")
        lines += re.findall(r"enum sock_type \{[^}]*\};", text)
    return "\n".join(lines)


def constants(roots: Roots, abi: Abi) -> dict[str, int]:
    """Every named constant of an ABI.

    Raises:
        GenerateError: gcc is missing, or cannot read the headers.
    """
    unit = "#include <linux/stddef.h>\n"
    for header in HEADERS:
        unit += f"#if __has_include(<{header}>)\n#include <{header}>\n#endif\n"
    unit += _kernel_only(roots, abi) + "\n"
    flags = gcc_flags(roots, abi)
    macros = gcc(["-E", "-dM", *flags], unit)
    plain = gcc(["-E", "-P", *flags], unit)
    check = gcc(["-fsyntax-only", *flags], unit)
    for result in (macros, plain, check):
        if result.returncode:
            raise GenerateError(f"gcc, the headers of {abi.name}:\n{result.stderr[:4000]}")
    names = set(re.findall(r"^#define (\w+) +\S", macros.stdout, re.MULTILINE))
    for body in _ENUM.findall(plain.stdout):
        before = ""
        while before != body:
            before, body = body, re.sub(r"\([^()]*\)", "", body)
        names.update(_ENUMERATOR.findall(body))
    wanted = sorted(n for n in names if PREFIXES.fullmatch(n) and not _HIDDEN.match(n))
    return evaluate(unit, wanted, flags, abi)


def errnos(roots: Roots, abi: Abi) -> dict[str, int]:
    """The error numbers of an ABI."""
    flags, unit = gcc_flags(roots, abi), "#include <asm/errno.h>\n"
    macros = gcc(["-E", "-dM", *flags], unit)
    names = re.findall(r"^#define (E[A-Z0-9]+) +\S", macros.stdout, re.MULTILINE)
    return evaluate(unit, sorted(names), flags, abi)
