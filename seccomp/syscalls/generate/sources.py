"""Where the facts of each ABI lie in the packages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..abi import X32_BIT


@dataclass(frozen=True, slots=True)
class Source:
    """Where an ABI's facts lie in the packages, and how gcc is made to see them."""

    uapi: str
    """The directory of the kernel's name for the architecture."""
    unistd: str
    """The header with the numbers, in asm/."""
    base: int
    """What the ABI adds to every number."""
    table: tuple[str, str]
    """Package and file of the entry points."""
    column: int
    """Which of two entry points, `native` or `compat`, is the ABI's."""
    flags: tuple[str, ...]
    """For gcc: sizes and predefined macros."""


_X86_64 = ("-m64", "-D__x86_64__")
_O32 = ("-m32", "-malign-double", "-D__mips__", "-D__mips=32", "-D_MIPS_SIM=1", "-D_MIPS_SZLONG=32")
_N32 = ("-mx32", "-D__mips__", "-D__mips=64", "-D_MIPS_SIM=2", "-D_MIPS_SZLONG=32")
_N64 = ("-m64", "-D__mips__", "-D__mips=64", "-D_MIPS_SIM=3", "-D_MIPS_SZLONG=64")
_EB, _EL = ("-D__MIPSEB__",), ("-D__MIPSEL__",)


def _mips(unistd: str, base: int, flags: tuple[str, ...]) -> Source:
    table = ("mips", f"**/syscall_table_{unistd}.h")
    return Source("mips", f"unistd_{unistd}.h", base, table, 0, flags)


SOURCES: Mapping[str, Source] = {
    "x86_64": Source("x86", "unistd_64.h", 0, ("amd64", "**/syscalls_64.h"), 0, _X86_64),
    "x86": Source(
        "x86", "unistd_32.h", 0, ("amd64", "**/syscalls_32.h"), 0, ("-m32", "-D__i386__")
    ),
    "x32": Source(
        "x86",
        "unistd_x32.h",
        X32_BIT,
        ("amd64", "**/syscalls_x32.h"),
        0,
        ("-mx32", "-D__x86_64__", "-D__ILP32__"),
    ),
    "aarch64": Source(
        "arm64",
        "unistd_64.h",
        0,
        ("arm64", "**/syscall_table_64.h"),
        0,
        ("-m64", "-D__aarch64__", "-D__AARCH64EL__"),
    ),
    "arm": Source(
        "arm",
        "unistd-eabi.h",
        0,
        ("arm64", "**/syscall_table_32.h"),
        0,
        ("-m32", "-malign-double", "-D__arm__", "-D__ARM_EABI__"),
    ),
    "ppc64le": Source(
        "powerpc",
        "unistd_64.h",
        0,
        ("ppc64el", "**/syscall_table_64.h"),
        0,
        ("-m64", "-D__powerpc__", "-D__powerpc64__", "-D__LITTLE_ENDIAN__"),
    ),
    "s390": Source(
        "s390",
        "unistd_32.h",
        0,
        ("s390", "**/syscall_table.h"),
        1,
        ("-m32", "-malign-double", "-D__s390__"),
    ),
    "s390x": Source(
        "s390",
        "unistd_64.h",
        0,
        ("s390x", "**/syscall_table.h"),
        0,
        ("-m64", "-D__s390__", "-D__s390x__"),
    ),
    "riscv64": Source(
        "riscv",
        "unistd_64.h",
        0,
        ("riscv64", "**/syscall_table_64.h"),
        0,
        ("-m64", "-D__riscv", "-D__riscv_xlen=64"),
    ),
    "mips": _mips("o32", 4000, _O32 + _EB),
    "mips64": _mips("n64", 5000, _N64 + _EB),
    "mips64n32": _mips("n32", 6000, _N32 + _EB),
    "mipsel": _mips("o32", 4000, _O32 + _EL),
    "mipsel64": _mips("n64", 5000, _N64 + _EL),
    "mipsel64n32": _mips("n32", 6000, _N32 + _EL),
    "loongarch64": Source(
        "loongarch",
        "unistd_64.h",
        0,
        ("loong64", "**/syscall_table_64.h"),
        0,
        ("-m64", "-D__loongarch__", "-D__loongarch_lp64"),
    ),
}
