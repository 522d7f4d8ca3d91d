"""What libseccomp and runc make of a profile's rules, as far as it differs from their words.

Read in libseccomp 2.5.4 (db.c, gen_bpf.c, arch.c: abi_rule_add) and runc 1.1.5
(libcontainer/seccomp); the tests hold this module to the installed libseccomp.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..policies.errors import InternalError
from .diagram import BITS, Diagrams, variable
from .filter import AbiFilter
from .profile import Check
from .syscalls import Abi, errno_number

ARGUMENTS_COMPARED_RIGHT = 2
"""Equalities and masked equalities on up to so many arguments were never found wrong."""

FIRST_SHARED_NUMBER = 424
"""pidfd_send_signal: from here on a call has the same number everywhere (but for the base on
mips and x32). Every libseccomp since 2.4.2 knows all calls below it and some from it on."""

MULTIPLEXING_ABIS = frozenset({"x86", "s390", "s390x", "ppc64le", "mips", "mipsel"})
"""Where a rule for a socket or ipc call also becomes one for socketcall or ipc."""

MUX_NUMBERS = {
    # linux/net.h: SYS_SOCKET and the others, the first argument of socketcall
    "socket": 1, "bind": 2, "connect": 3, "listen": 4, "accept": 5, "getsockname": 6,
    "getpeername": 7, "socketpair": 8, "send": 9, "recv": 10, "sendto": 11, "recvfrom": 12,
    "shutdown": 13, "setsockopt": 14, "getsockopt": 15, "sendmsg": 16, "recvmsg": 17,
    "accept4": 18, "recvmmsg": 19, "sendmmsg": 20,
    # linux/ipc.h: SEMOP and the others, the first argument of ipc
    "semop": 1, "semget": 2, "semctl": 3, "semtimedop": 4, "msgsnd": 11, "msgrcv": 12,
    "msgget": 13, "msgctl": 14, "shmat": 21, "shmdt": 22, "shmget": 23, "shmctl": 24,
}  # fmt: skip
"""The number by which socketcall and ipc know the calls they hide."""

_SOCKET_CALLS = 20
MULTIPLEXED = {
    "socketcall": tuple(MUX_NUMBERS)[:_SOCKET_CALLS],
    "ipc": tuple(MUX_NUMBERS)[_SOCKET_CALLS:],
}
"""The call that hides others behind a number and a pointer, and the ones it hides."""


def enosys(abi: Abi) -> int:
    """The errno that runc's stub answers to numbers above the profile's last."""
    number = errno_number("ENOSYS", abi)
    if number is None:
        raise InternalError(f"no ENOSYS on {abi.name}")
    return number


def reading(
    diagrams: Diagrams, answers: Iterable[tuple[int, tuple[Check, ...]]], filter_: AbiFilter
) -> int | None:
    """What equalities and masked equalities mean on one ABI, as a diagram.

    None when two of them match the same call and answer differently: cut to low words, checks
    that exclude one another may not do so any more, and then libseccomp's order decides.
    """
    top = (1 << filter_.abi.bits) - 1  # x32 and n32 count as 32-bit ABIs there
    matched: dict[int, int] = {}
    for value, checks in answers:
        condition = diagrams.true
        for check in checks:
            mask, wanted = (
                (check.value, check.value_two)
                if check.op == "SCMP_CMP_MASKED_EQ"
                else ((1 << BITS) - 1, check.value)
            )
            equal = _equal(diagrams, check.index, mask & top, wanted & top)
            condition = diagrams.choose(condition, equal, diagrams.false)
        earlier = matched.get(value, diagrams.false)
        matched[value] = diagrams.choose(condition, diagrams.true, earlier)
    result, anywhere = diagrams.leaf(filter_.default), diagrams.false
    for value, where in matched.items():
        if diagrams.choose(where, anywhere, diagrams.false) != diagrams.false:
            return None
        anywhere = diagrams.choose(where, diagrams.true, anywhere)
        result = diagrams.choose(where, diagrams.leaf(value), result)
    return result


def _equal(diagrams: Diagrams, argument: int, mask: int, value: int) -> int:
    """Where `register & mask == value`; a mask of 0 is skipped, so it holds everywhere."""
    result = diagrams.true
    for bit in range(BITS):
        if mask >> bit & 1:
            at, wanted = variable(argument, bit), value >> bit & 1
            result = (
                diagrams.node(at, diagrams.false, result)
                if wanted
                else diagrams.node(at, result, diagrams.false)
            )
    return result
