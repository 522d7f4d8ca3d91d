"""The program that runc would load for an OCI profile, made with the installed libseccomp.

It goes the way of runc 1.1 (libcontainer/seccomp: InitSeccomp; patchbpf: the stub that
answers ENOSYS to numbers newer than the profile), through pyseccomp. libseccomp is a
consumer to be checked here, never an authority.
"""

from __future__ import annotations

import tempfile
from typing import Any

from ..policies.errors import InputError
from . import actions, bpf, libseccomp
from .bpf import Instruction
from .profile import Check, Profile
from .syscalls import ABIS, Abi
from .syscalls.abi import X32_BIT


def compile_profile(
    profile: Profile, native: Abi, *, stub: bool = True, optimize: int = 1
) -> bpf.Program:
    """The program for an OCI profile (architectures, no conditions) on this machine.

    `native` is the machine's ABI; `optimize` is libseccomp's SCMP_FLTATR_CTL_OPTIMIZE, 2 for a
    binary tree. Without `stub` it is libseccomp's program alone. Raises InputError when
    libseccomp is missing or refuses the profile.
    """
    try:
        import pyseccomp
    except (ImportError, RuntimeError) as error:
        raise InputError.of(f"libseccomp is needed: {error}", hint="apt install libseccomp2") from (
            error
        )
    numbers = _Numbers(pyseccomp)
    filter_ = pyseccomp.SyscallFilter(profile.default)
    if optimize != 1:
        filter_.set_attr(pyseccomp.Attr.CTL_OPTIMIZE, optimize)
    by_scmp = {each.scmp: each for each in ABIS.values()}
    abis = [by_scmp[name] for name in profile.architectures]
    for abi in abis:
        if abi.name != native.name:
            filter_.add_arch(getattr(pyseccomp.Arch, abi.name.upper()))
    for entry in profile.entries:
        if entry.value == profile.default:
            continue
        for name in entry.names:
            number = numbers.of(name, native)
            if number is None:
                continue
            for checks in _together(entry.checks):
                arguments = [_argument(pyseccomp, check) for check in checks]
                try:
                    filter_.add_rule(entry.value, number, *arguments)
                except OSError as error:
                    raise InputError.of(f"libseccomp refuses {name}: {error}") from error
    with tempfile.TemporaryFile() as file:
        filter_.export_bpf(file)
        file.seek(0)
        program = bpf.decode(file.read(), "libseccomp", big_endian=native.big_endian)
    return _stub(profile, abis, numbers) + program if stub else program


class _Numbers:
    """Names to numbers as the installed libseccomp knows them."""

    def __init__(self, pyseccomp: Any) -> None:
        self._pyseccomp = pyseccomp

    def of(self, name: str, abi: Abi) -> int | None:
        """The number, negative for a call that exists on other ABIs only; None: unknown."""
        try:
            arch = getattr(self._pyseccomp.Arch, abi.name.upper())
            number = int(self._pyseccomp.resolve_syscall(arch, name))
        except (ValueError, OSError, RuntimeError):
            return None
        return None if number == -1 else number


def _together(checks: tuple[Check, ...]) -> list[tuple[Check, ...]]:
    """runc: checks that repeat an argument become a rule each."""
    if len({check.index for check in checks}) < len(checks):
        return [(check,) for check in checks]
    return [checks]


def _argument(pyseccomp: Any, check: Check) -> Any:
    name = check.op.removeprefix("SCMP_CMP_")
    return pyseccomp.Arg(check.index, getattr(pyseccomp, name), check.value, check.value_two)


def _stub(profile: Profile, abis: list[Abi], numbers: _Numbers) -> bpf.Program:
    """The instructions that runc puts in front; their meaning, not their exact layout."""
    if actions.kind_of(profile.default) in actions.PERMISSIVE:
        return ()
    stub: list[Instruction] = []
    for abi in abis:
        known = (numbers.of(name, abi) for entry in profile.entries for name in entry.names)
        last = max((number for number in known if number is not None), default=0)
        if last <= 0:
            continue
        enosys = Instruction(bpf.RET, k=actions.ERRNO | libseccomp.enosys(abi))
        checks = [Instruction(bpf.JGT, 0, 1, last), enosys]
        if abi.name in ("x86_64", "x32"):
            if abi.name == "x32":
                checks.insert(0, Instruction(bpf.JSET, 0, 2, X32_BIT))
            else:
                checks.insert(0, Instruction(bpf.JSET, 2, 0, X32_BIT))
        if abi.name in ("s390", "s390x"):
            checks = [Instruction(bpf.JEQ, 0, 1, 0), enosys, *checks]
        section = [Instruction(bpf.LOAD, k=bpf.OFFSET_NUMBER), *checks]
        stub += [
            Instruction(bpf.LOAD, k=bpf.OFFSET_ARCH),
            Instruction(bpf.JEQ, 0, len(section), abi.audit_arch),
            *section,
        ]
    return tuple(stub)
