"""Docker releases, and the kinds of host that a policy can meet."""

from __future__ import annotations

from dataclasses import dataclass

from .filter import AbiFilter, Filter
from .syscalls import FAMILIES, Abi


@dataclass(frozen=True, slots=True)
class Engine:
    """What a Docker release reads of a profile (reference: moby release notes, source)."""

    name: str
    default_errno: bool
    """defaultErrnoRet is read; otherwise a denying default is always EPERM."""
    listener: bool
    """listenerPath is passed on, so NOTIFY can work."""


ENGINES = {
    "20.10": Engine("20.10", default_errno=False, listener=False),
    "23": Engine("23", default_errno=True, listener=True),
    "28": Engine("28", default_errno=True, listener=True),
    "29": Engine("29", default_errno=True, listener=True),
}


@dataclass(frozen=True, slots=True)
class Host:
    """The ABIs that one kind of host serves of those the policy names, its own first."""

    filters: tuple[AbiFilter, ...]

    @property
    def native(self) -> Abi:
        """The ABI that the engine itself runs in."""
        return self.filters[0].abi


def hosts_of(filter_: Filter) -> tuple[Host, ...]:
    """Every kind of host that the policy's ABIs make possible, its own ABI first.

    A 32-bit ABI makes two: the 64-bit host that also serves it, where that is named, and the
    host that knows nothing else.
    """
    by_name = {each.abi.name: each for each in filter_.abis}
    return tuple(
        Host(tuple(by_name[each.name] for each in family.abis if each.name in by_name))
        for family in FAMILIES
        if family.native.name in by_name
    )
