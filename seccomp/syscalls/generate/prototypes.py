"""The parameters of each system call: its entry point, the declaration of that, the overlay."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

from ..abi import ABIS, Abi
from .debs import Roots
from .declarations import Parameters, declarations
from .errors import GenerateError
from .numbers import Numbers
from .overlay import Overlay
from .sources import SOURCES

_ENTRY = re.compile(r"^(?:__)?SYSCALL\w*\((?:(\d+), *)?(\w+)(?:, *(\w+))?\)", re.MULTILINE)


def entries(roots: Roots, abi: Abi) -> dict[int, str]:
    """The kernel's entry point for each number of an ABI."""
    source = SOURCES[abi.name]
    text = roots.file(*source.table).read_text()
    # Up to Linux 6.18 s390 had no numbers in the table, but one line for each.
    text = re.sub(r"^NI_SYSCALL$", "SYSCALL(sys_ni_syscall)", text, flags=re.MULTILINE)
    result = {}
    for index, (number, native, compat) in enumerate(_ENTRY.findall(text)):
        entry = compat if source.column and compat else native
        if entry != "sys_ni_syscall":
            result[(int(number) if number else index) + source.base] = entry
    if len(result) < 300:
        raise GenerateError(f"{abi.name}: the table of entry points has {len(result)} lines")
    return result


_DECORATION = re.compile(
    r"^(compat_sys_(aarch32|s390|x32|ia32)_|compat_sys_|sys_(ia32|s390|mips|arm64)_|__sys_)"
)


def _declared(entry: str, name: str, found: Mapping[str, Parameters]) -> Parameters | None:
    """The parameters of an entry point, else of the generic one behind it."""
    for candidate in (entry, _DECORATION.sub("sys_", entry), f"sys_{name}"):
        if candidate in found:
            return found[candidate]
    return None


def prototype(
    name: str, abi: Abi, entry: str, found: Mapping[str, Parameters], overlay: Overlay
) -> Parameters | None:
    """One system call's parameters: declaration, then overlay."""
    declared = overlay.apply("sig", name, abi, _declared(entry, name, found))
    if declared is None:
        return None
    # A compat entry point has the generic one's names where both have the same shape.
    generic = found.get("sys_" + entry.removeprefix("compat_sys_"), ())
    if len(generic) == len(declared):
        pairs = zip(declared, generic, strict=True)
        declared = tuple((better or own, kind) for (own, kind), (better, _) in pairs)
    declared = overlay.apply("names", name, abi, declared)
    declared = overlay.apply("narrow", name, abi, declared) or ()
    if any(not own for own, _ in declared):
        raise GenerateError(f"{name} on {abi.name} ({entry}): an argument without a name")
    if len({own for own, _ in declared}) != len(declared):
        raise GenerateError(f"{name} on {abi.name} ({entry}): two arguments with one name")
    return declared


def prototypes(
    roots: Roots, tables: Mapping[str, Numbers], overlay: Overlay
) -> dict[str, dict[str, str]]:
    """Of each system call, by ABI, the arguments as data/prototypes.tsv writes them.

    Raises:
        GenerateError: an argument has no name of its own, or a line of the overlay changes nothing.
    """
    found = declarations(roots)
    result: dict[str, dict[str, str]] = defaultdict(dict)
    for abi in ABIS.values():
        calls = entries(roots, abi)
        for name, number in tables[abi.name].by_name.items():
            entry = calls.get(number, f"sys_{name}")
            listed = prototype(name, abi, entry, found, overlay)
            if listed is not None:
                result[name][abi.name] = ",".join(f"{own}:{kind}" for own, kind in listed)
    overlay.check_all_used()
    return result
