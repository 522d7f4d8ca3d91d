"""The host's gcc, made to see the headers of an ABI, and what it makes of names."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable

from ..abi import Abi
from .debs import Roots
from .errors import GenerateError
from .sources import SOURCES


def gcc(arguments: Iterable[str], text: str = "") -> subprocess.CompletedProcess[str]:
    """Runs gcc on a text; the caller looks at the exit code.

    Raises:
        GenerateError: there is no gcc.
    """
    command = ["gcc", *arguments]
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, env=environment
        )
    except OSError as error:
        raise GenerateError(f"gcc is needed: {error}") from error


def write_stub(roots: Roots) -> None:
    """Writes the header of libc's that kernel headers ask for outside the kernel."""
    stub = roots.path / "stub" / "sys" / "socket.h"
    stub.parent.mkdir(parents=True, exist_ok=True)
    stub.write_text(
        "#pragma once\ntypedef unsigned short sa_family_t;\n"
        "struct sockaddr { sa_family_t sa_family; char sa_data[14]; };\n"
    )


def gcc_flags(roots: Roots, abi: Abi) -> list[str]:
    """The options that show gcc an ABI's headers, sizes and macros, and none of the host's."""
    host = "x86_64 __x86_64 i386 __i386 __i386__ __x86_64__ __amd64 __amd64__ __ILP32__ __LP64__"
    return [
        *("-xc", "-std=gnu11", "-w", "-nostdinc", "-fmax-errors=0", "-fno-diagnostics-show-caret"),
        *(f"-U{name}" for name in host.split()),
        *SOURCES[abi.name].flags,
        *("-D__LP64__",) * (abi.bits == 64),
        f"-isystem{roots.uapi(abi)}",
        f"-isystem{roots.path / 'libc/usr/include'}",
        f"-isystem{roots.path / 'stub'}",
        "-",
    ]


def evaluate(unit: str, wanted: list[str], flags: list[str], abi: Abi) -> dict[str, int]:
    """What the names are worth after the includes of `unit`; those worth no integer left out.

    Raises:
        GenerateError: gcc refuses a name that it took for a constant, or loses one.
    """
    # First what is an integer constant expression at all: one line each, errors name the line.
    asserts = "".join(
        f'#line {number} "stockade"\n_Static_assert(((({name}) | 0) == 0) || 1, "");\n'
        for number, name in enumerate(wanted, 1)
    )
    result = gcc(["-fsyntax-only", *flags], unit + asserts)
    bad = {int(n) for n in re.findall(r"^stockade:(\d+)", result.stderr, re.MULTILINE)}
    wanted = [name for number, name in enumerate(wanted, 1) if number not in bad]
    # Then the values, as comments in the assembly: the sign, and four times sixteen bits, which
    # gcc prints alike for every size.
    quarters = ", ".join(
        f'"i"((int)(((unsigned long long)({{0}}) >> {shift}) & 0xffff))'
        for shift in (48, 32, 16, 0)
    )
    body = "".join(
        f'asm("#@ {name} %c0 %c1 %c2 %c3 %c4" : : "i"((int)({name} < 0)), '
        f"{quarters.format(name)});\n"
        for name in wanted
    )
    result = gcc(["-S", "-O0", "-o-", *flags], f"{unit}void stockade(void) {{\n{body}}}\n")
    if result.returncode:
        raise GenerateError(f"gcc, the values of {abi.name}:\n{result.stderr[:4000]}")
    values = {}
    for line in re.findall(r"#@ (\w+(?: \d+){5})", result.stdout):
        name, negative, *words = line.split()
        value = 0
        for word in words:
            value = value << 16 | int(word)
        values[name] = value - (1 << 64) if int(negative) else value
    if set(values) != set(wanted):
        raise GenerateError(f"{abi.name}: {len(wanted)} constants in, {len(values)} out")
    return values
