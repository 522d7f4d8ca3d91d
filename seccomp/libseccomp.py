"""What libseccomp and runc make of a profile's rules, as far as it differs from their words.

Read in libseccomp 2.5.4 (db.c, gen_bpf.c, arch.c: abi_rule_add) and runc 1.1.5
(libcontainer/seccomp); the tests hold this module to the installed libseccomp.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..policies.errors import InternalError
from .diagram import BITS, Diagrams, variable
from .filter import AbiFilter
from .profile import Check, Entry
from .syscalls import Abi, errno_number, table

ARGUMENTS_COMPARED_RIGHT = 2
"""Equalities and masked equalities on up to so many arguments were never found wrong."""

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


def most_instructions(entries: Iterable[Entry], abis: Sequence[Abi], default: int) -> int:
    """An upper bound for the program that libseccomp makes of entries, with runc's stub.

    Per ABI: one comparison for a call; for an entry with checks three instructions for each
    32-bit word compared (load, mask, jump) and two around them; some 30 for the frame. An
    eighth more for jumps that do not reach. Entries that do what the default does are dropped.
    """
    total = 0
    for abi in abis:
        numbers = table(abi).by_name
        for entry in entries:
            known = sum(name in numbers for name in entry.names) if entry.value != default else 0
            words = sum(_words(check, abi) for check in entry.checks)
            total += known * (3 * words + 2 if words else 1)
    return total + total // 8 + 30 * (1 + len(abis))


def _words(check: Check, abi: Abi) -> int:
    """How many halves of a register an equality looks at on the ABI."""
    mask = check.value if check.op == "SCMP_CMP_MASKED_EQ" else (1 << BITS) - 1
    return (mask & 0xFFFFFFFF != 0) + (mask >> 32 != 0 and abi.bits == 64)


def reading(
    diagrams: Diagrams, answers: Iterable[tuple[int, tuple[Check, ...]]], filter_: AbiFilter
) -> int:
    """What equalities and masked equalities mean on one ABI, as a diagram."""
    top = (1 << filter_.abi.bits) - 1  # x32 and n32 count as 32-bit ABIs there
    result = diagrams.leaf(filter_.default)
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
        result = diagrams.choose(condition, diagrams.leaf(value), result)
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
