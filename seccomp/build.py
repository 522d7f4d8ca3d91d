"""What a build is for: ABIs, and the values that depend on them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ..policies.errors import InputError
from ..policies.model import Action, ActionKind, Seccomp
from ..policies.problems import did_you_mean, listed
from ..policies.source import Location
from . import actions
from .syscalls import ABIS, Abi, Family, abi, errno_number, family_of, native_abi, other_name


@dataclass(frozen=True, slots=True)
class Build:
    """The machine family that is compiled for, where the policy leaves it open."""

    family: Family
    """A native ABI and its compat ones; they serve policies without `architectures:`."""

    @classmethod
    def of_machine(cls) -> Build:
        """The build for the machine that Stockade runs on.

        Raises InputError when its architecture has no table.
        """
        return cls(family_of(native_abi(os.uname().machine)))


def abi_called(name: str, at: Location | None = None) -> Abi:
    """The ABI of that name.

    Raises InputError with the name that was probably meant: Docker, Debian and uname have
    others for the same architecture.
    """
    if name in ABIS:
        return ABIS[name]
    usual = other_name(name)
    guess = f"; did you mean `{usual}`?" if usual else did_you_mean(name, ABIS)
    raise InputError.of(f"unknown architecture `{name}`{guess}", at, f"known are {listed(ABIS)}")


def named_abis(seccomp: Seccomp, build: Build) -> tuple[Abi, ...]:
    """The ABIs that the policy is for, in the order it names them."""
    if seccomp.architectures is None:
        return (build.family.native, *build.family.compat)
    return tuple(abi(name.text) for name in seccomp.architectures)


def action_value(action: Action, abi_: Abi) -> int:
    """The SECCOMP_RET_* value of an action on an ABI; errno names differ between ABIs.

    Raises InputError for an errno name that the ABI does not have.
    """
    number = action.number
    if isinstance(number, str):
        resolved = errno_number(number, abi_)
        if resolved is None:
            raise InputError.of(f"errno {number} is not defined here")
        number = resolved
    if action.kind is ActionKind.DENY and number is None:
        number = errno_number("EPERM", abi_)
    return actions.return_value(action.kind, number or 0)


def running_kernel() -> tuple[int, int]:
    """Major and minor version of the kernel that Stockade runs on."""
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    if found is None:
        raise InputError.of(
            f"kernel release {os.uname().release!r} has no version", hint="pass --kernel"
        )
    return int(found[1]), int(found[2])


# moby, daemon/pkg/oci/caps/defaults.go: DefaultCapabilities().
DOCKER_CAPABILITIES = frozenset(
    "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FSETID CAP_FOWNER CAP_MKNOD CAP_NET_RAW CAP_SETGID "
    "CAP_SETUID CAP_SETFCAP CAP_SETPCAP CAP_NET_BIND_SERVICE CAP_SYS_CHROOT CAP_KILL "
    "CAP_AUDIT_WRITE".split()
)
"""The capabilities of a container that was started without --cap-add or --cap-drop."""
