"""The application binary interfaces that Stockade knows, and which of them one kernel serves.

An ABI is what a seccomp filter can tell apart: the audit architecture in
`seccomp_data.arch`, and for x32 a bit in `seccomp_data.nr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

X32_BIT = 0x40000000
"""Set in every x32 number (`__X32_SYSCALL_BIT`, asm/unistd.h); x32 shares x86_64's audit_arch."""

# AUDIT_ARCH_* is built from these (linux/audit.h); a test compares with the header's own values.
_64BIT = 0x80000000
_LE = 0x40000000
_N32 = 0x20000000


@dataclass(frozen=True, slots=True)
class Abi:
    """One system call interface: numbering, register width, and its names elsewhere."""

    name: str
    """Stockade's name, which is libseccomp's `SCMP_ARCH_…` in lower case."""
    audit_arch: int
    """`AUDIT_ARCH_…` of linux/audit.h: what `seccomp_data.arch` holds."""
    bits: int
    """32 or 64: the size that libseccomp gives the ABI (`arch_def.size`), which is how wide a
    pointer and a `long` of the *program* are. For x32 and n32 this is 32, although the kernel
    delivers 64-bit registers in `seccomp_data.args`; `registers` says that."""
    registers: int
    """32 or 64: how much of `seccomp_data.args[i]` the kernel looks at for the widest argument.
    64 for x32 and n32, whose calls enter a 64-bit kernel with full registers."""
    big_endian: bool
    """Decides at which offset the low word of an argument lies, and which half of a split
    64-bit argument comes first."""
    pairs: bool
    """A 64-bit argument of a 32-bit ABI starts at an even register, after padding (arm EABI,
    mips o32). x86 and s390 do not align."""
    scmp: str
    """libseccomp's and the OCI runtime specification's name."""
    docker: str
    """The name in Docker's `includes.arches` and `excludes.arches`: moby/profiles/seccomp
    v0.3.0 `goToNative`. Docker compares it with the *host's*, so for a compat ABI it is the name
    that the ABI has when the engine itself is built for it. `mips3l64n32` is Docker's spelling.
    `x32` and `mips` are no key of that table, so no Docker host ever has those names."""
    machines: tuple[str, ...]
    """`os.uname().machine` of a machine whose native ABI this is (`UTS_MACHINE`, and the
    variants that the kernel or a personality report)."""


def _abi(
    name: str,
    machine: int,
    *,
    bits: int = 64,
    registers: int | None = None,
    big_endian: bool = False,
    pairs: bool = False,
    n32: bool = False,
    docker: str | None = None,
    machines: tuple[str, ...] = (),
) -> Abi:
    width = bits if registers is None else registers
    flags = (_64BIT if width == 64 else 0) | (0 if big_endian else _LE) | (_N32 if n32 else 0)
    return Abi(
        name=name,
        audit_arch=machine | flags,
        bits=bits,
        registers=width,
        big_endian=big_endian,
        pairs=pairs,
        scmp=f"SCMP_ARCH_{name.upper()}",
        docker=name if docker is None else docker,
        machines=machines,
    )


# The second argument is the ELF machine, EM_… of linux/elf-em.h.
_ALL = (
    _abi("x86_64", 62, docker="amd64", machines=("x86_64", "amd64")),
    _abi("x86", 3, bits=32, machines=("i686", "i586", "i486", "i386")),
    _abi("x32", 62, bits=32, registers=64),
    _abi("aarch64", 183, docker="arm64", machines=("aarch64", "arm64")),
    _abi(
        "arm",
        40,
        bits=32,
        pairs=True,
        machines=("armv8l", "armv7l", "armv6l", "armv5tel", "armv5tejl", "arm"),
    ),
    _abi("ppc64le", 21, machines=("ppc64le",)),
    _abi("s390", 22, bits=32, big_endian=True, machines=("s390",)),
    _abi("s390x", 22, big_endian=True, machines=("s390x",)),
    _abi("riscv64", 243, machines=("riscv64",)),
    _abi("mips", 8, bits=32, big_endian=True, pairs=True, machines=("mips",)),
    _abi("mips64", 8, big_endian=True, machines=("mips64",)),
    _abi("mips64n32", 8, bits=32, registers=64, big_endian=True, n32=True),
    _abi("mipsel", 8, bits=32, pairs=True, machines=("mipsel",)),
    _abi("mipsel64", 8, machines=("mipsel64", "mips64el")),
    _abi("mipsel64n32", 8, bits=32, registers=64, n32=True, docker="mips3l64n32"),
    _abi("loongarch64", 258, machines=("loongarch64", "loong64")),
)

ABIS: Mapping[str, Abi] = MappingProxyType({each.name: each for each in _ALL})
"""Every ABI by name, in a fixed order."""


@dataclass(frozen=True, slots=True)
class Family:
    """The ABIs that one kernel serves."""

    native: Abi
    """The kernel's own."""
    compat: tuple[Abi, ...]
    """What else a program can enter it with; a filter without them is a filter with a hole."""

    @property
    def abis(self) -> tuple[Abi, ...]:
        """Native first."""
        return (self.native, *self.compat)


def _family(native: str, *compat: str) -> Family:
    return Family(ABIS[native], tuple(ABIS[name] for name in compat))


FAMILIES: tuple[Family, ...] = (
    # Docker's archMap, moby/profiles/seccomp v0.3.0 default.json, in its order …
    _family("x86_64", "x86", "x32"),
    _family("aarch64", "arm"),
    _family("mips64", "mips", "mips64n32"),
    _family("mips64n32", "mips", "mips64"),
    _family("mipsel64", "mipsel", "mipsel64n32"),
    _family("mipsel64n32", "mipsel", "mipsel64"),
    _family("s390x", "s390"),  # s390's 31-bit interface is gone since Linux 6.19
    _family("riscv64"),
    _family("loongarch64"),
    # … and what it leaves out: a little-endian ppc64 kernel has no 32-bit Linux ABI to offer that
    # libseccomp knows, and 32-bit kernels have only their own.
    _family("ppc64le"),
    _family("x86"),
    _family("arm"),
    _family("s390"),
    _family("mips"),
    _family("mipsel"),
)
"""One family for each ABI that can be a kernel's native one; x32 cannot."""

_BY_NATIVE = MappingProxyType({family.native.name: family for family in FAMILIES})
_BY_MACHINE = MappingProxyType({machine: each for each in _ALL for machine in each.machines})


def other_name(word: str) -> str | None:
    """Stockade's name for what Docker, Go, Debian or uname call an architecture."""
    word = word.lower()
    extra = {
        "i386": "x86",
        "386": "x86",
        "armhf": "arm",
        "ppc64el": "ppc64le",
        "mips64le": "mipsel64",
    }
    docker = {each.docker: each.name for each in _ALL}
    machine = _BY_MACHINE.get(word)
    return machine.name if machine else docker.get(word) or extra.get(word)


def abi(name: str) -> Abi:
    """The ABI of that name.

    Raises:
        KeyError: no such ABI.
    """
    return ABIS[name]


def family_of(native: Abi) -> Family:
    """The ABIs that a kernel with this native ABI serves.

    Raises:
        KeyError: no kernel has it as its native ABI (x32).
    """
    return _BY_NATIVE[native.name]


def native_abi(machine: str) -> Abi:
    """The native ABI of a machine, by what `os.uname().machine` says.

    Raises:
        KeyError: a machine that Stockade has no tables for.
    """
    return _BY_MACHINE[machine]
