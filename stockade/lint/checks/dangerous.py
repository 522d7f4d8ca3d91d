"""Calls and arguments that no container should have without a reason."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...policies.findings import Severity
from ...policies.problems import listed
from ...seccomp.filter import Member
from ...seccomp.syscalls import arguments, constant
from ..answers import Answer
from ..check import Check, Found
from ..subjects import Place, PolicySubject, ProfileSubject, Subject


@dataclass(frozen=True, slots=True)
class Danger:
    """Why a call is dangerous."""

    does: str
    """What it does, to end a sentence with."""
    capability: str = ""
    """What a container needs for an honest use of it; empty: none guards it."""
    safe_from: tuple[int, int] = (999, 999)
    """The kernel from which on a rule that asks for it is fine."""


_TRACING = "it reads and changes other processes of the same user"
_MOUNT = "it changes what is mounted where"
_MODULE = "it changes the code of the running kernel"
_KEXEC = "it replaces the running kernel"
_KEYRING = "the kernel's keyrings are not namespaced"
_URING = "its operations are I/O that no filter sees, and it has a long history of kernel bugs"
_NAMESPACES = "it enters or makes namespaces, where more of the kernel can be reached"

DANGERS: Mapping[str, Danger] = MappingProxyType(
    {
        "bpf": Danger("it loads programs into the kernel", "CAP_BPF"),
        # Before 4.8 a tracer could change a call after the filter had seen it; moby asks for 4.8.
        "ptrace": Danger(_TRACING, "CAP_SYS_PTRACE", (4, 8)),
        "process_vm_readv": Danger(_TRACING, "CAP_SYS_PTRACE", (4, 8)),
        "process_vm_writev": Danger(_TRACING, "CAP_SYS_PTRACE", (4, 8)),
        **{
            name: Danger(_MOUNT, "CAP_SYS_ADMIN")
            for name in (
                "mount", "umount", "umount2", "pivot_root", "open_tree", "open_tree_attr",
                "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
            )
        },
        **dict.fromkeys(("unshare", "setns"), Danger(_NAMESPACES, "CAP_SYS_ADMIN")),
        **dict.fromkeys(("keyctl", "add_key", "request_key"), Danger(_KEYRING)),
        "userfaultfd": Danger("it stops the kernel at a moment that an exploit chooses"),
        **dict.fromkeys(("io_uring_setup", "io_uring_enter", "io_uring_register"), Danger(_URING)),
        "perf_event_open": Danger("it watches the kernel and other processes", "CAP_PERFMON"),
        **dict.fromkeys(("kexec_load", "kexec_file_load"), Danger(_KEXEC, "CAP_SYS_BOOT")),
        **dict.fromkeys(
            ("init_module", "finit_module", "delete_module"), Danger(_MODULE, "CAP_SYS_MODULE")
        ),
        "open_by_handle_at": Danger(
            "it opens files of the host by number, past every mount", "CAP_DAC_READ_SEARCH"
        ),
        "personality": Danger("it turns off address randomisation and makes data executable"),
    }
)  # fmt: skip
"""By name, in the order in which they are listed to people."""


def _dangerous_call(subject: Subject) -> Iterator[Found]:
    groups: dict[Place, dict[str, None]] = {}
    for name, danger in DANGERS.items():
        for each in subject.answers(name):
            clause = each.running()
            if clause is None or not each.always_runs:
                continue
            if subject.kernel_from(clause.rule) >= danger.safe_from:
                continue
            groups.setdefault(subject.place(clause.rule, name), {})[name] = None
    for place, names in groups.items():
        yield _dangerous(subject, place, list(names))


def _dangerous(subject: Subject, place: Place, names: list[str]) -> Found:
    first = DANGERS[names[0]]
    wanted = sorted({DANGERS[name].capability for name in names} - {""})
    if len(names) == 1:
        message = f"`{names[0]}` is allowed to every container: {first.does}"
    else:
        shown = listed(names[:6]) + (f" and {len(names) - 6} more" if names[6:] else "")
        message = f"{shown} are allowed to every container"
    fix = "leave it out" if len(names) == 1 else "leave them out"
    if len(wanted) == 1:
        key = "`includes.caps`" if isinstance(subject, ProfileSubject) else "`needs:`"
        fix += f", or allow it only with {wanted[0]} ({key})"
    elif wanted:
        key = "includes.caps" if isinstance(subject, ProfileSubject) else "needs"
        fix += f", or allow each only with its capability (`{key}`)"
    return Found(message, place, fix)


def _families(subject: Subject) -> Iterator[Found]:
    yield from _probe(
        subject,
        "socket",
        0,
        ("AF_ALG", "AF_VSOCK"),
        "sockets of {} are allowed: they reach the kernel's crypto code or the hypervisor",
        "family not in {AF_ALG, AF_VSOCK}",
        "compare argument 0 and leave 38 (AF_ALG) and 40 (AF_VSOCK) out",
    )


def _terminals(subject: Subject) -> Iterator[Found]:
    yield from _probe(
        subject,
        "ioctl",
        1,
        ("TIOCSTI", "TIOCLINUX"),
        "ioctl with {} is allowed: it types into the terminal as if its user did",
        "cmd not in {TIOCSTI, TIOCLINUX}",
        "fine where every container has a terminal of its own (docker run -t); otherwise "
        "compare argument 1",
    )


def _user_namespaces(subject: Subject) -> Iterator[Found]:
    found = _where_it_runs(subject, "clone", "flags", ("CLONE_NEWUSER",), bits=True)
    yield from _probed(
        subject,
        found,
        "clone with {} is allowed: in a user namespace a process has all capabilities",
        "flags & CLONE_NEWUSER == 0",
        "allow clone only where its flags, masked with 0x7e020000, are 0, as Docker does",
    )
    guarded = (answer for answer in subject.answers("unshare") if not answer.always_runs)
    names = {answer.filter.abi.name for answer in guarded}  # the others are dangerous calls
    found = _where_it_runs(subject, "unshare", "flags", ("CLONE_NEWUSER",), bits=True, only=names)
    yield from _probed(
        subject,
        found,
        "unshare with {} is allowed: in a user namespace a process has all capabilities",
        "flags & CLONE_NEWUSER == 0",
        "allow unshare only with CAP_SYS_ADMIN (`includes.caps`)",
    )


def _probe(
    subject: Subject,
    call: str,
    argument: int | str,
    constants: tuple[str, ...],
    message: str,
    condition: str,
    in_profiles: str,
) -> Iterator[Found]:
    """Where a rule lets a call run with one of these constants as an argument."""
    found = _where_it_runs(subject, call, argument, constants)
    yield from _probed(subject, found, message, condition, in_profiles)


def _where_it_runs(
    subject: Subject,
    call: str,
    argument: int | str,
    constants: tuple[str, ...],
    *,
    bits: bool = False,
    only: Container[str] | None = None,
) -> dict[Place, dict[str, None]]:
    """The rules that let the call run with a constant as the argument, or with all its bits."""
    open_: dict[Place, dict[str, None]] = {}
    for each in subject.answers(call):
        index = _index(each, argument)
        if only is not None and each.filter.abi.name not in only:
            continue
        for name in constants:
            value = constant(name, each.filter.abi)
            if index is None or value is None or not each.decided:
                continue
            mask = value if bits else (1 << 64) - 1  # junk above it is wide-comparison's
            registers = each.running_example(Member(index, 64, mask, ((value, value),)))
            if registers is not None:
                clause = each.deciding(registers) or each.running()
                place = subject.default if clause is None else subject.place(clause.rule, call)
                open_.setdefault(place, {})[name] = None
    return open_


def _probed(
    subject: Subject,
    open_: dict[Place, dict[str, None]],
    message: str,
    condition: str,
    in_profiles: str,
) -> Iterator[Found]:
    fix = f"add `when: {condition}`" if isinstance(subject, PolicySubject) else in_profiles
    for place, names in open_.items():
        yield Found(message.format(" or ".join(names)), place, fix)


def _index(answer: Answer, argument: int | str) -> int | None:
    if isinstance(argument, int):
        return argument
    names = [each.name for each in arguments(answer.name, answer.filter.abi) or ()]
    return names.index(argument) if argument in names else None


_BARE = "stockade: 1\nname: web\nseccomp:\n  default: deny\n  rules:\n    - "

CHECKS = (
    Check(
        "dangerous-call",
        "A dangerous call is allowed to every container",
        Severity.WARNING,
        "These calls change the kernel, the mounts or other processes, or have been the way into "
        "the kernel time and again. Programs that need one need a capability too, and a "
        "container that has it can be given the call by the same word. ptrace and "
        "process_vm_readv are fine from Linux 4.8 on, where a tracer can no longer change a "
        "call after the filter has seen it.",
        (
            "Docker manual, Seccomp security profiles: significant calls that are blocked",
            "capabilities(7), bpf(2), keyrings(7), io_uring(7), userfaultfd(2)",
            "CVE-2016-0728 (keyrings); `shocker`, 2014 (open_by_handle_at)",
        ),
        _BARE + "allow: [read, write, bpf]\n",
        _BARE + "allow: [read, write]\n    - allow: bpf\n      needs: CAP_BPF\n",
        policy=_dangerous_call,
        profile=_dangerous_call,
    ),
    Check(
        "dangerous-socket",
        "Sockets of a family that reaches beyond the container",
        Severity.WARNING,
        "AF_ALG sockets hand data to the kernel's crypto code, which has had bugs that any user "
        "could reach. AF_VSOCK is not namespaced: it connects to the hypervisor and to the "
        "other machines on it. Docker's default denies both.",
        (
            "vsock(7)",
            "moby, profiles/seccomp/default.json",
            "Linux, Documentation/crypto/userspace-if.rst",
        ),
        _BARE + "allow: [socket, connect]\n",
        _BARE + "allow: connect\n    - allow: socket\n      when: family in {AF_UNIX, AF_INET, "
        "AF_INET6}\n",
        policy=_families,
        profile=_families,
    ),
    Check(
        "new-user-namespace",
        "clone may make user namespaces",
        Severity.WARNING,
        "In a user namespace of its own a process holds every capability, and with it reaches "
        "code of the kernel that was written for root: netfilter, mounts, network devices. Most "
        "local privilege escalations of recent years began there. Docker masks the namespace "
        "bits of clone's flags; unshare, setns and clone3 have to be closed with it.",
        ("user_namespaces(7)", "clone(2)", "moby, profiles/seccomp/default.json: 0x7e020000"),
        _BARE + "allow: [clone, read]\n    - deny: clone3\n      with: ENOSYS\n",
        _BARE + "allow: read\n    - allow: clone\n      when: flags & 0x7e020000 == 0\n"
        "    - deny: clone3\n      with: ENOSYS\n",
        policy=_user_namespaces,
        profile=_user_namespaces,
    ),
    Check(
        "terminal-injection",
        "ioctl may type into the terminal",
        Severity.NOTE,
        "TIOCSTI and, on a console, TIOCLINUX put characters into the terminal's input as if its "
        "user had typed them: whoever shares a terminal with the program, as with `stockade "
        "run`, bubblewrap or su, runs what it typed when it ends. A container with a terminal "
        "of its own is not concerned. From Linux 6.2 on the host can turn TIOCSTI off "
        "(dev.tty.legacy_tiocsti).",
        ("ioctl_tty(2), TIOCSTI(2const)", "CVE-2017-5226 (bubblewrap), CVE-2019-7303 (snapd)"),
        _BARE + "allow: [read, write, ioctl]\n",
        _BARE + "allow: [read, write]\n    - allow: ioctl\n      when: cmd not in {TIOCSTI, "
        "TIOCLINUX}\n",
        policy=_terminals,
        profile=_terminals,
    ),
)
