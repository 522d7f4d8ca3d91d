"""Program -> forms in which others load it as it is: crun, bubblewrap, C.

All are exact, because they hold the very program of the bpf target. What they cannot do is
answer for a listener: a program that notifies is refused where nobody would answer.
"""

from __future__ import annotations

import base64
import json
import re
import textwrap

from ..policies.errors import TargetError
from ..policies.model import ActionKind, Policy
from . import actions, bpf
from .bpf import Program
from .syscalls import Abi

CRUN_PROGRAM = "run.oci.seccomp_bpf_data"
CRUN_LISTENER = "run.oci.seccomp.receiver"
"""Annotations of crun (crun(1), since 0.21), which replace the section `seccomp`."""

# Predefined macros of gcc and clang for a target that makes calls of the ABI.
_MACROS = {
    "x86_64": "__x86_64__", "x32": "__x86_64__", "x86": "__i386__", "aarch64": "__aarch64__",
    "arm": "__arm__", "ppc64le": "__powerpc64__", "s390": "__s390__", "s390x": "__s390x__",
    "riscv64": "__riscv", "loongarch64": "__loongarch__",
    "mips": "__mips__", "mips64": "__mips__", "mips64n32": "__mips__", "mipsel": "__mips__",
    "mipsel64": "__mips__", "mipsel64n32": "__mips__",
}  # fmt: skip


def notifies(program: Program) -> bool:
    """Whether some call is left to a listener."""
    return any(
        each.code == bpf.RET and actions.kind_of(each.k) is ActionKind.NOTIFY for each in program
    )


def crun_annotations(policy: Policy, program: Program, native: Abi, listener_path: str = "") -> str:
    """A piece of config.json with the annotations by which crun loads the program.

    Raises TargetError for a program that notifies without a listener.
    """
    raw = bpf.encode(program, big_endian=native.big_endian)
    annotations = {CRUN_PROGRAM: base64.b64encode(raw).decode()}
    if notifies(program):
        if not listener_path:
            raise TargetError.of(
                "crun: notify needs the socket of the agent that answers",
                policy.at,
                "pass --listener PATH",
            )
        if not listener_path.startswith("/"):
            raise TargetError.of(
                f"crun: the listener `{listener_path}` is no absolute path", policy.at
            )
        annotations[CRUN_LISTENER] = listener_path
    return json.dumps({"annotations": annotations}, indent=2) + "\n"


def bwrap_script(policy: Policy, program: Program, native: Abi) -> str:
    """A shell script that starts bubblewrap with the program on a descriptor of its own.

    --add-seccomp-fd, unlike --seccomp, is not replaced by another one further on (bwrap(1)).
    Raises TargetError for a program that notifies.
    """
    if notifies(program):
        raise TargetError.of(
            "bwrap: bubblewrap has no listener, and a notified call fails with ENOSYS",
            policy.at,
            "use the c target, whose loader gives you the listener, or decide without notify",
        )
    return bwrap_text(policy.name, program, native)


def bwrap_text(name: str, program: Program, native: Abi) -> str:
    """The script with a program in it, of a policy with this name."""
    raw = bpf.encode(program, big_endian=native.big_endian)
    lines = "\n".join(textwrap.wrap(base64.b64encode(raw).decode(), 96))
    return f"""\
#!/bin/sh
# bubblewrap with the policy {name}, compiled by Stockade for {native.name}:
#   sh {name}.bwrap.sh --ro-bind / / --dev /dev COMMAND
# Takes bwrap's arguments; another --seccomp among them is an error, not a replacement.
set -eu
program='
{lines}
'
# Standard input stays the command's; the program comes through descriptor 9.
exec 8<&0
printf '%s' "$program" | base64 -d | {{
    exec 9<&0 0<&8 8<&-
    exec bwrap --add-seccomp-fd 9 "$@"
}}
"""


def c_header(policy: Policy, program: Program, abis: tuple[Abi, ...]) -> str:
    """A header with the program and a loader."""
    return c_text(policy.name, program, abis)


def c_text(policy: str, program: Program, abis: tuple[Abi, ...]) -> str:
    """The header with a program in it, of a policy with this name."""
    name = re.sub(r"\W", "_", policy)
    name = f"_{name}" if name[0].isdigit() else name
    guard = f"STOCKADE_{name.upper()}_H"
    macros = sorted({f"defined({_MACROS[each.name]})" for each in abis})
    instructions = "\n".join(
        f"    {{ 0x{i.code:02x}, {i.jt}, {i.jf}, 0x{i.k:08x} }}," for i in program
    )
    listens = _LISTENER if notifies(program) else ""
    return _HEADER.format(
        policy=policy,
        abis=", ".join(each.name for each in abis),
        guard=guard,
        macros=" || ".join(macros),
        name=name,
        count=len(program),
        instructions=instructions,
        listens=listens,
    )


_LISTENER = """\
    if (!(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)) {
        errno = EINVAL; /* the policy notifies: without a listener such a call only fails */
        return -1;
    }
"""

_HEADER = """\
/*
 * The policy {policy} for {abis}, compiled by Stockade. Generated: do not edit.
 *
 * {name}_load(0) sets no_new_privs and confines the calling thread from then on; call it before
 * other threads start, or pass SECCOMP_FILTER_FLAG_TSYNC to confine them all. It returns 0 (with
 * SECCOMP_FILTER_FLAG_NEW_LISTENER the listener's descriptor), or -1 and errno. On -1 nothing is
 * confined: end the program. Flags: seccomp(2).
 */
#ifndef {guard}
#define {guard}

#if !({macros})
#error "compiled by Stockade for another architecture"
#endif

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __cplusplus
extern long syscall(long, ...); /* hidden by unistd.h in strict modes */
#endif

static const struct sock_filter {name}_program[{count}] = {{
{instructions}
}};

static inline int {name}_load(unsigned int flags)
{{
    struct sock_fprog program = {{
        (unsigned short)(sizeof {name}_program / sizeof {name}_program[0]),
        (struct sock_filter *){name}_program,
    }};
    long result;

{listens}    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
        return -1;
    result = syscall(SYS_seccomp, (unsigned long)SECCOMP_SET_MODE_FILTER, (unsigned long)flags,
                     &program);
    if (result > 0 && !(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)) {{
        errno = ESRCH; /* the id of a thread that TSYNC could not confine */
        return -1;
    }}
    return (int)result;
}}

#endif
"""
