"""The numbers of system calls, from asm/unistd*.h."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..abi import Abi
from .debs import Roots
from .errors import GenerateError
from .sources import SOURCES

_NUMBER = re.compile(r"^#define\s+__(?:ARM_)?NR_(\w+)\s+(.+?)\s*$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"(unused|reserved)\d+$")


@dataclass(frozen=True, slots=True)
class Numbers:
    """The system calls of one ABI."""

    by_name: Mapping[str, int]
    """The number of each name, with what the ABI adds to it."""
    aliases: frozenset[str]
    """Those names that are second names of a number."""


def numbers(roots: Roots, abi: Abi) -> Numbers:
    """Reads the numbers of an ABI.

    Raises:
        GenerateError: a definition that is not understood, or a number with two first names.
    """
    source = SOURCES[abi.name]
    directory = roots.uapi(abi) / "asm"
    text = (directory / source.unistd).read_text()
    private = 0
    if abi.name == "arm":
        # asm/unistd.h itself adds a second name and the private calls at __ARM_NR_BASE.
        text += (directory / "unistd.h").read_text()
        base = re.search(r"__ARM_NR_BASE\s+\(__NR_SYSCALL_BASE\+(0x\w+)\)", text)
        if base is None:
            raise GenerateError("asm/unistd.h of arm: no __ARM_NR_BASE")
        private = int(base[1], 0)
    known = {
        "__NR_Linux": source.base,
        "__X32_SYSCALL_BIT": source.base,
        "__NR_SYSCALL_BASE": source.base,
        "__ARM_NR_BASE": private,
    }
    skip = {"OABI_SYSCALL_BASE", "SYSCALL_MASK", "SYSCALL_BASE", "BASE"}
    result: dict[str, int] = {}
    aliases: set[str] = set()
    for name, value in _NUMBER.findall(text):
        if name in skip or _PLACEHOLDER.match(name):
            continue
        if match := re.fullmatch(r"(\d+)", value):
            result[name] = int(match[1])
        elif match := re.fullmatch(r"\((\w+)\s*\+\s*(\d+)\)", value):
            result[name] = known[match[1]] + int(match[2])
        elif match := re.fullmatch(r"__NR_(\w+)", value):
            result[name] = result[match[1]]
            aliases.add(name)
        else:
            raise GenerateError(f"asm/unistd*.h of {abi.name}: cannot read __NR_{name} = {value}")
    values = [number for name, number in result.items() if name not in aliases]
    if len(set(values)) != len(values):
        raise GenerateError(f"{abi.name}: two names have one number")
    return Numbers(result, frozenset(aliases))
