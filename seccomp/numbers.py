"""Which ABI a system call number belongs to, and what numbers without a name get.

A table has gaps, and it ends. Both ends are where filters are bypassed: a deny list that
does not know a newer call lets it through, and one that forgets x32 lets everything through
a second time with bit 30 set. The meaning fixed here is also what runc and libseccomp make
of a Docker profile (runc: libcontainer/seccomp/patchbpf; libseccomp: gen_bpf.c), so that
profiles can be exact.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import actions
from .filter import AbiFilter
from .syscalls import Abi, abi, table
from .syscalls.abi import X32_BIT

NO_CALL = 0xFFFFFFFF
"""-1, which a tracer writes to skip a call (seccomp(2)): no ABI's number."""
FOREIGN = actions.KILL_THREAD
"""The answer to any ABI that a policy does not name: libseccomp's SCMP_FLTATR_ACT_BADARCH."""

_SIGN_BIT = 0x80000000


def last_number(abi_: Abi) -> int:
    """The highest number in the table, above which numbers are newer.

    On arm that is a private call at 0x0f0001 or above, far from the rest: runc takes the
    highest call that a profile mentions for the last one, and every arm program needs
    set_tls, so what lies between cannot be told from a gap.
    """
    return max(table(abi_).by_number)


def abi_of(arch: int, nr: int, named: Iterable[Abi]) -> Abi | None:
    """The ABI among those named that a call with this AUDIT_ARCH_* and number came through."""
    here = {each.name: each for each in named if each.audit_arch == arch}
    if arch != abi("x86_64").audit_arch:
        return next(iter(here.values()), None)
    if nr == NO_CALL:
        return here.get("x32") or here.get("x86_64")
    return here.get("x32" if nr & X32_BIT else "x86_64")


def nameless(filter_: AbiFilter, nr: int, *, x32_named: bool) -> int:
    """The answer to a number that the ABI's table does not have.

    Above the last number known it is `newer`, in a gap the default. Three numbers more
    need a word: on s390 and s390x 0 stands for any number that the kernel does not know, so
    it is newer; -1 is no call and gets the default where x32 is closed; and where x32 is
    closed and `newer` would let calls run, numbers from 2^31 up are as closed as x32.
    """
    if filter_.abi.name == "x86_64" and not x32_named:
        if nr == NO_CALL:
            return filter_.default
        if nr & _SIGN_BIT and actions.lets_run(filter_.newer):
            return FOREIGN
    if nr > filter_.last or (nr == 0 and filter_.abi.name in ("s390", "s390x")):
        return filter_.newer
    return filter_.default


def breakpoints(filter_: AbiFilter) -> tuple[int, ...]:
    """The numbers at which nameless() or abi_of() can change its answer, ascending."""
    edges = {0, 1, filter_.last + 1}
    if filter_.abi.name in ("x86_64", "x32"):
        edges |= {X32_BIT, _SIGN_BIT, _SIGN_BIT | X32_BIT, NO_CALL}
    return tuple(sorted(edge for edge in edges if edge <= NO_CALL))
