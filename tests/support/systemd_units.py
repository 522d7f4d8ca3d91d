"""Reads a drop-in as systemd 252 does: the programs that it loads, and what they answer.

src/core/load-fragment.c: config_parse_syscall_filter, config_parse_syscall_errno,
config_parse_syscall_archs; src/shared/seccomp-util.c: seccomp_parse_syscall_filter,
seccomp_restrict_archs, seccomp_load_syscall_filter_set_raw.
"""

import errno
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from stockade.seccomp import actions, bpf
from stockade.seccomp.libseccomp import MUX_NUMBERS
from stockade.seccomp.simulate import SeccompData, simulate
from stockade.seccomp.syscalls import abi, table

ARCHITECTURES = {"x86-64": "x86_64", "x86": "x86", "x32": "x32"}
KILL = "kill"


@dataclass
class Unit:
    """What the settings of a unit come to."""

    allow_list: bool = False
    #: By name; None: what the kind of list stands for.
    filter: dict[str, int | str | None] | None = None
    errno: int | str = KILL
    architectures: set[str] = field(default_factory=set)

    @property
    def negative(self) -> int:
        return actions.KILL_PROCESS if self.errno == KILL else actions.ERRNO | int(self.errno)

    @property
    def default(self) -> int:
        return self.negative if self.allow_list else actions.ALLOW

    def rules(self) -> dict[str, int]:
        """The rule of every name in the filter."""
        listed = actions.ALLOW if self.allow_list else self.negative
        return {
            name: listed
            if number is None
            else (actions.KILL_PROCESS if number == KILL else actions.ERRNO | int(number))
            for name, number in (self.filter or {}).items()
        }


def read_unit(text: str, implied: Iterable[str], before: str = "") -> Unit:
    """The unit after `before`, an earlier fragment, and the text; `implied` is @default."""
    unit = Unit()
    for line in (before + text).splitlines():
        if not line or line[0] in "#[":
            continue
        key, _, value = line.partition("=")
        if key == "SystemCallFilter":
            _filter(unit, value, implied)
        elif key == "SystemCallErrorNumber":
            unit.errno = _number(value)
        else:
            assert key == "SystemCallArchitectures", line
            unit.architectures = unit.architectures | set(value.split()) if value else set()
    return unit


def _number(word: str) -> int | str:
    return KILL if word in ("", KILL) else int(word) if word.isdigit() else getattr(errno, word)


def _filter(unit: Unit, value: str, implied: Iterable[str]) -> None:
    if not value:
        unit.filter, unit.allow_list = None, False
        return
    invert, value = value[0] == "~", value.removeprefix("~")
    if unit.filter is None:
        unit.filter, unit.allow_list = {}, not invert
        if not invert:
            unit.filter.update(dict.fromkeys(implied))
    for word in value.split():
        name, colon, number = word.partition(":")
        assert name.replace("_", "").isalnum(), word
        assert invert or not colon, f"systemd ignores {word} in an allow list"
        if invert is not unit.allow_list or colon:
            unit.filter[name] = _number(number) if colon else None
        else:
            unit.filter.pop(name, None)


def programs(unit: Unit, native: str = "x86_64") -> list[bpf.Program]:
    """What is loaded one after the other, made with the installed libseccomp."""
    import pyseccomp

    named = {ARCHITECTURES[word] for word in unit.architectures} | {native}
    made = [pyseccomp.SyscallFilter(pyseccomp.ALLOW)]
    for name in sorted(named - {native}):
        made[0].add_arch(getattr(pyseccomp.Arch, name.upper()))
    for name in sorted(named):
        made.append(_for_architecture(pyseccomp, unit, name, native))
    return [_exported(each) for each in made]


def _for_architecture(pyseccomp: Any, unit: Unit, name: str, native: str) -> Any:
    made = pyseccomp.SyscallFilter(unit.default)
    if name != native:
        made.remove_arch(getattr(pyseccomp.Arch, native.upper()))
        made.add_arch(getattr(pyseccomp.Arch, name.upper()))
    made.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.ALLOW)
    for call, action in unit.rules().items():
        number = pyseccomp.resolve_syscall(getattr(pyseccomp.Arch, native.upper()), call)
        if number == -1:
            continue  # `Failed to parse system call, ignoring`
        try:
            made.add_rule_exactly(action, number)
        except OSError as error:
            if abs(error.errno or 0) != errno.EDOM:  # not on this architecture
                raise
    return made


def _exported(made: Any) -> bpf.Program:
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        return bpf.decode(file.read())


def answer(loaded: Sequence[bpf.Program], data: SeccompData) -> int:
    """The kernel's choice among several filters' answers: the least as a signed action."""

    def precedence(value: int) -> int:
        action = value & actions.ACTION_MASK
        return action - (1 << 32) if action >> 31 else action

    return min((simulate(each, data).value for each in loaded), key=precedence)


@cache
def unknown_calls(names: tuple[str, ...]) -> frozenset[tuple[int, int]]:
    """AUDIT_ARCH_* and number of the calls that the installed libseccomp has no name for."""
    import pyseccomp

    found = set()
    for each in map(abi, names):
        arch = getattr(pyseccomp.Arch, each.name.upper())
        for name, number in table(each).by_name.items():
            resolved = pyseccomp.resolve_syscall(arch, name)
            multiplexed = each.name == "x86" and name in MUX_NUMBERS and resolved < -1
            if resolved != number and not multiplexed:
                found.add((each.audit_arch, number))
    return frozenset(found)
