"""Generates numbers.tsv, prototypes.tsv, constants.tsv and errno.tsv in data/ from kernel headers.

    python -m stockade.seccomp.syscalls.generate --fetch        # writes data/
    python -m stockade.seccomp.syscalls.generate --debs DIR     # the same, from files at hand
    python -m stockade.seccomp.syscalls.generate --debs DIR --check   # only compares

The source is a fixed set of Debian packages, `PINS`: exact file names, verified by SHA256. They
lie in a Debian archive under `pool/main/l/linux/`. `--fetch` takes the mirror that apt is
configured with (what `apt-get --print-uris download linux-libc-dev` prints) and keeps the files
in a cache directory outside the repository. A mirror drops a version once it is superseded; then
name an archive that still has it with `--mirror URL` (the part before `pool/`; a snapshot of the
Debian archive has every version), or move the pins to newer packages.

What each output is made of:

numbers
    `__NR_…` of asm/unistd*.h in linux-libc-dev, per ABI.
prototypes
    For each number the kernel's own entry point, from the generated system call table in
    linux-headers-*-FLAVOUR (asm/syscalls_32.h, asm/syscall_table_64.h, …), and the entry point's
    declaration in linux/syscalls.h, linux/compat.h and asm/syscalls.h of linux-headers-*-common.
    What those do not say comes from data/overlay.tsv, with the source in each line:
    `sig SYSCALL ABIS PARAMETERS SOURCE`, `names SYSCALL ABIS NAMES SOURCE`,
    `narrow SYSCALL ARGUMENT TYPE SOURCE`. A line that changes nothing is an error.
constants
    Macros and enumerators with a prefix of `PREFIXES` in the headers `HEADERS`, evaluated by the
    host's gcc for each ABI: no system include directory, the ABI's asm/ headers, its predefined
    macros, and its sizes (`-m64`, `-m32`, `-mx32`, `-malign-double`) for `sizeof` in `_IOR` and
    the like. No cross compiler: only integer constant expressions are evaluated.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .abi import ABIS, X32_BIT, Abi
from .prototypes import resolve

DATA = Path(__file__).parent / "data"
POOL = "pool/main/l/linux/"
KERNEL = "7.2.13"
"""The version of everything that is not said to come from elsewhere."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A Debian package file that the tables are made from."""

    key: str
    """The directory that it is unpacked to."""
    file: str
    """Its name in the pool."""
    sha256: str
    """Of the file."""
    why: str
    """What it is needed for; goes into the headers of the generated files."""

    @property
    def label(self) -> str:
        """`package version`, as dpkg would say it."""
        package, version, _ = self.file.split("_")
        return f"{package} {version}"


def _flavour(key: str, flavour: str, arch: str, sha256: str, why: str) -> Pin:
    file = f"linux-headers-{KERNEL}+deb14-{flavour}_{KERNEL}-1_{arch}.deb"
    return Pin(key, file, sha256, why)


PINS: tuple[Pin, ...] = (
    Pin(
        "libc",
        f"linux-libc-dev_{KERNEL}-1_all.deb",
        "8b33c2a408bbab537e753102dce181dc211007f64c1e2516065bc677f60d5d99",
        "numbers and constants",
    ),
    Pin(
        "libc-s390",
        "linux-libc-dev_6.18.15-1_all.deb",
        "f3c7b9389d68876795c6bea2bdd7d088b9e5d03a3dcd16f226ab7ddde363ce8d",
        "s390: numbers and asm/ constants; later kernels have no 31-bit interface",
    ),
    Pin(
        "common",
        f"linux-headers-{KERNEL}+deb14-common_{KERNEL}-1_all.deb",
        "5067c68cf803b385f72e6ea530cfbb9226f5eb91bfb7e256b6fcb4f87fd6279c",
        "declarations of the entry points; AF_*, SOCK_*, SOL_*, MSG_*, UMOUNT_*",
    ),
    Pin(
        "common-mips",
        "linux-headers-6.1.0-50-common_6.1.176-1_all.deb",
        "7f6f7bee50efbc36dc02c976be5982b96cf36abe544f03f09368e98cfcc5ac3b",
        "mips: SOCK_*; Debian stopped building mips kernels",
    ),
    _flavour(
        "amd64",
        "amd64",
        "amd64",
        "ca62a68d18f87235d0c32b1a3e129f9cb7859ac5e6a0c95574081f02faed8573",
        "entry points of x86_64, x86, x32",
    ),
    _flavour(
        "arm64",
        "arm64",
        "arm64",
        "13e730015bcb43fd34aa9686295c2dff52f7e5ac30ed9975d282275afdf11546",
        "entry points of aarch64, arm",
    ),
    _flavour(
        "ppc64el",
        "powerpc64le",
        "ppc64el",
        "5f50d695bdc9d81d6b4d55befd1e89999fd161175cc28bf287295e9eb8f9ec5d",
        "entry points of ppc64le",
    ),
    _flavour(
        "s390x",
        "s390x",
        "s390x",
        "94484281a3c22345f644b6a031bf90ab3ca06a6fd1167a405f000c28e9237bfa",
        "entry points of s390x",
    ),
    _flavour(
        "riscv64",
        "riscv64",
        "riscv64",
        "569eff98d9d6e7fc5977ef44430223965406b9a461ca4e388a08f9963aa655d6",
        "entry points of riscv64",
    ),
    _flavour(
        "loong64",
        "loong64",
        "loong64",
        "4ad3ca94caaf6d884ec7b79f0d0848a349dcd992ce8227a7a7cf7ad0f6777e18",
        "entry points of loongarch64",
    ),
    Pin(
        "s390",
        "linux-headers-6.12.107+deb13-s390x_6.12.107-1_s390x.deb",
        "664be9931fa4ba513ef726fe5c2a2fb5dc9444c14a1defcbfb4d456bd7951385",
        "entry points of s390",
    ),
    Pin(
        "mips",
        "linux-headers-6.1.0-50-mips64r2el_6.1.176-1_mips64el.deb",
        "387d2eefcd7f79e37028d9bab163151982cd05ab665cbc44182e03f4229ae86e",
        "entry points of the mips ABIs",
    ),
)


class GenerateError(Exception):
    """The packages, or the overlay, are not what this script expects."""


# -- Packages ------------------------------------------------------------------------------------


def cache_directory() -> Path:
    """Where fetched packages are kept: `$STOCKADE_DEBS`, else under the user's cache."""
    given = os.environ.get("STOCKADE_DEBS")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "stockade" / "debs"


def apt_mirrors() -> list[str]:
    """The archives that apt is configured with, each ending in `/`.

    Raises:
        GenerateError: no apt here, or it knows no source for linux-libc-dev.
    """
    command = ["apt-get", "--print-uris", "download", "linux-libc-dev"]
    try:
        with tempfile.TemporaryDirectory() as scratch:
            result = subprocess.run(
                command, capture_output=True, text=True, check=True, cwd=scratch, timeout=60
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise GenerateError(f"{' '.join(command)}: {error}") from error
    found = re.findall(r"^'(.+?/)pool/", result.stdout, re.MULTILINE)
    # The security archive carries the last update only; the main one lies beside it.
    bases = [base.replace("-security/", "/") for base in found] + found
    if not bases:
        raise GenerateError(f"{' '.join(command)} names no archive; run apt-get update first")
    return list(dict.fromkeys(bases))


def fetch(directory: Path, mirrors: Iterable[str] = ()) -> None:
    """Downloads what is missing in a directory, and verifies all of it.

    Raises:
        GenerateError: a file cannot be had, or is not the pinned one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    bases = [base.rstrip("/") + "/" for base in mirrors]
    for pin in PINS:
        target = directory / pin.file
        if target.exists():
            verify(pin, target.read_bytes())
            continue
        bases = bases or apt_mirrors()
        tried = []
        for base in bases:
            url = base + POOL + pin.file.replace("+", "%2B").replace("~", "%7E")
            try:
                with urllib.request.urlopen(url, timeout=120) as response:
                    content: bytes = response.read()
            except (OSError, urllib.error.URLError) as error:
                tried.append(f"{url}: {error}")
                continue
            verify(pin, content)
            part = target.with_suffix(f".{os.getpid()}.part")
            part.write_bytes(content)
            part.replace(target)
            break
        else:
            raise GenerateError(f"cannot fetch {pin.file}\n  " + "\n  ".join(tried))


def verify(pin: Pin, content: bytes) -> None:
    """Raises GenerateError unless these bytes are the pinned package."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != pin.sha256:
        raise GenerateError(f"{pin.file}: SHA256 is {digest}, pinned is {pin.sha256}")


_WANTED = re.compile(
    r"\./usr/(include/(linux|asm-generic)/|lib/linux/uapi/"
    r"|src/[^/]+/(include/(linux|asm-generic)/\w+\.h"
    r"|arch/\w+/include/asm/\w+\.h|arch/\w+/include/generated/asm/sys\w+\.h))"
)


def unpack(pin: Pin, content: bytes, directory: Path) -> None:
    """Unpacks the headers of a package: an ar archive with data.tar inside."""
    view = io.BytesIO(content)
    if view.read(8) != b"!<arch>\n":
        raise GenerateError(f"{pin.file}: not a Debian package")
    while header := view.read(60):
        name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        body = view.read(size + size % 2)[:size]
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                for member in tar:
                    if member.isfile() and _WANTED.match(member.name):
                        tar.extract(member, directory, filter="data")
            return
    raise GenerateError(f"{pin.file}: no data.tar in it")


@dataclass(frozen=True, slots=True)
class Roots:
    """The unpacked packages."""

    path: Path

    def file(self, key: str, pattern: str) -> Path:
        """The only file of a package that matches.

        Raises:
            GenerateError: none or several match.
        """
        found = sorted((self.path / key).glob(pattern))
        if len(found) != 1:
            raise GenerateError(f"{len(found)} files match {pattern} in the package {key!r}")
        return found[0]

    def uapi(self, abi: Abi) -> Path:
        """The directory with the ABI's asm/ headers."""
        key = "libc-s390" if abi.name == "s390" else "libc"
        return self.path / key / "usr/lib/linux/uapi" / _SOURCES[abi.name].uapi


@dataclass(frozen=True, slots=True)
class Source:
    """Where an ABI's facts lie in the packages, and how gcc is made to see them."""

    uapi: str
    unistd: str
    base: int
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


_SOURCES: Mapping[str, Source] = {
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


# -- Numbers -------------------------------------------------------------------------------------

_NUMBER = re.compile(r"^#define\s+__(?:ARM_)?NR_(\w+)\s+(.+?)\s*$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"(unused|reserved)\d+$")


def numbers(roots: Roots, abi: Abi) -> tuple[dict[str, int], set[str]]:
    """The system calls of an ABI by name, and which of those names are second names."""
    source = _SOURCES[abi.name]
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
    return result, aliases


def render_numbers(roots: Roots) -> str:
    """data/numbers.tsv."""
    per_abi = {abi.name: numbers(roots, abi) for abi in ABIS.values()}
    names = sorted({name for table, _ in per_abi.values() for name in table})
    lines = _header("System call numbers", ("libc", "libc-s390"))
    lines += [
        "# One row per name, one column per ABI; empty: the ABI has no such call; ~: a second name",
        "# for a number. x32 includes bit 30, mips its base. The s390 column comes from",
        f"# {_pin('libc-s390').label}, the last of Debian's packages that has it.",
        "name\t" + "\t".join(per_abi),
    ]
    for name in names:
        cells = []
        for table, aliases in per_abi.values():
            cell = str(table[name]) if name in table else ""
            cells.append("~" + cell if name in aliases else cell)
        lines.append("\t".join([name, *cells]).rstrip("\t"))
    return "\n".join(lines) + "\n"


_ENTRY_KEYS = ("amd64", "arm64", "ppc64el", "s390x", "riscv64", "loong64", "s390", "mips")


def _pin(key: str) -> Pin:
    return next(pin for pin in PINS if pin.key == key)


def _header(title: str, keys: Iterable[str]) -> list[str]:
    lines = [f"# {title}. Generated by seccomp/syscalls/generate.py from Debian's packages"]
    lines += [f"#   {_pin(key).label}: {_pin(key).why}" for key in keys]
    return [*lines, "# Do not edit."]


# -- Prototypes ----------------------------------------------------------------------------------

# What a C type is on a 64-bit kernel: p a pointer, l/L a signed/unsigned long, and s/u with a
# number of bits. A test compares the result with the types that a running kernel reports.
_TYPES: Mapping[str, str] = {
    "int": "s32",
    "unsigned": "u32",
    "unsigned int": "u32",
    "uint": "u32",
    "u32": "u32",
    "__u32": "u32",
    "uint32_t": "u32",
    "s32": "s32",
    "__s32": "s32",
    "u64": "u64",
    "loff_t": "s64",
    "long": "l",
    "unsigned long": "L",
    "uintptr_t": "L",
    "size_t": "L",
    "ssize_t": "l",
    "off_t": "l",
    "aio_context_t": "L",
    "old_sigset_t": "L",
    "umode_t": "u16",
    "old_uid_t": "u16",
    "old_gid_t": "u16",
    "pid_t": "s32",
    "uid_t": "u32",
    "gid_t": "u32",
    "qid_t": "u32",
    "key_t": "s32",
    "key_serial_t": "s32",
    "clockid_t": "s32",
    "timer_t": "s32",
    "mqd_t": "s32",
    "rwf_t": "s32",
    "enum landlock_rule_type": "u32",
    "cap_user_header_t": "p",
    "cap_user_data_t": "p",
    "__sighandler_t": "p",
    "compat_aio_context_t": "u32",
    "compat_int_t": "s32",
    "compat_uint_t": "u32",
    "compat_long_t": "s32",
    "compat_ulong_t": "u32",
    "compat_size_t": "u32",
    "compat_ssize_t": "s32",
    "compat_off_t": "s32",
    "compat_pid_t": "s32",
    "compat_mode_t": "u32",
    "compat_uptr_t": "p",
    "compat_old_sigset_t": "u32",
}
_QUALIFIERS = re.compile(r"\b(const|__user|__force|volatile)\b")
_DECLARATION = re.compile(
    r"^(?:asmlinkage\s+)?(?:long|int|ssize_t)\s+((?:compat_)?sys_\w+)\s*\(([^;]*)\)\s*;",
    re.MULTILINE | re.DOTALL,
)
_DECLARED_IN = (
    "include/linux/syscalls.h",
    "include/linux/compat.h",
    "include/asm-generic/syscalls.h",
    "arch/powerpc/include/asm/syscalls.h",
    "arch/arm/include/asm/syscalls.h",
    "arch/riscv/include/asm/syscall.h",
)

Parameters = tuple[tuple[str, str], ...]
"""Of each parameter the name (may be empty) and the kind, a value of `_TYPES`."""


def parameters(text: str) -> Parameters:
    """Reads a C parameter list.

    Raises:
        GenerateError: a type that `_TYPES` does not have.
    """
    text = re.sub(r"\bcompat_arg_u64\((\w+)\)", r"u64 \1", text)
    items = [" ".join(_QUALIFIERS.sub(" ", item).split()) for item in text.split(",")]
    if items in (["void"], [""], ["struct pt_regs *regs"]):
        return ()
    return tuple(_parameter(item) for item in items)


def _parameter(item: str) -> tuple[str, str]:
    if "*" in item:
        name = item.rsplit("*", 1)[1].strip()
        return name, "p"
    if item in _TYPES:
        return "", _TYPES[item]
    kind, _, name = item.rpartition(" ")
    if kind not in _TYPES:
        raise GenerateError(f"unknown type in the parameter {item!r}")
    return name, _TYPES[kind]


def declarations(roots: Roots) -> dict[str, Parameters]:
    """Every declared entry point by its name (`sys_read`, `compat_sys_ioctl`)."""
    result: dict[str, Parameters] = {}
    for path in _DECLARED_IN:
        text = roots.file("common", f"usr/src/*/{path}").read_text()
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
        for name, body in _DECLARATION.findall(text):
            result.setdefault(name, parameters(body))
    return result


_ENTRY = re.compile(r"^(?:__)?SYSCALL\w*\((?:(\d+), *)?(\w+)(?:, *(\w+))?\)", re.MULTILINE)


def entries(roots: Roots, abi: Abi) -> dict[int, str]:
    """The kernel's entry point for each number of an ABI."""
    source = _SOURCES[abi.name]
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


@dataclass(slots=True)
class Overlay:
    """data/overlay.tsv."""

    lines: list[tuple[str, str, str, str]]
    used: set[int]

    def apply(self, kind: str, name: str, abi: Abi, before: Parameters | None) -> Parameters | None:
        """What the lines of one kind make of a system call's parameters."""
        result = before
        for index, (a_kind, a_name, where, what) in enumerate(self.lines):
            if (a_kind, a_name) != (kind, name):
                continue
            if kind == "narrow":
                after = _narrowed(result, where, _TYPES[what])
            elif not {"*", str(abi.registers), abi.name} & set(where.split(",")):
                continue
            elif kind == "names":
                after = _renamed(result, what.split(","))
            else:
                after = parameters(what)
            if after != result:
                self.used.add(index)
                result = after
        return result


def _renamed(before: Parameters | None, names: list[str]) -> Parameters | None:
    if before is None or len(names) != len(before):
        return before
    return tuple((name, kind) for name, (_, kind) in zip(names, before, strict=True))


def _narrowed(before: Parameters | None, argument: str, narrow: str) -> Parameters | None:
    if before is None:
        return None
    return tuple((name, narrow if name == argument else kind) for name, kind in before)


def read_overlay(path: Path = DATA / "overlay.tsv") -> Overlay:
    """Reads the overlay.

    Raises:
        GenerateError: a line without its five fields, or naming an ABI that there is not.
    """
    lines = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 5 or not all(fields):
            raise GenerateError(f"{path.name}:{number}: five fields are wanted")
        kind, name, where, what, _ = fields
        if kind not in ("sig", "names", "narrow"):
            raise GenerateError(f"{path.name}:{number}: unknown kind {kind!r}")
        if kind != "narrow" and (bad := set(where.split(",")) - {*ABIS, "*", "32", "64"}):
            raise GenerateError(f"{path.name}:{number}: unknown ABI {min(bad)!r}")
        lines.append((kind, name, where, what))
    return Overlay(lines, set())


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


def render_prototypes(roots: Roots) -> str:
    """data/prototypes.tsv."""
    found, overlay = declarations(roots), read_overlay()
    per_name: dict[str, dict[str, str]] = defaultdict(dict)
    for abi in ABIS.values():
        table, _ = numbers(roots, abi)
        calls = entries(roots, abi)
        for name, number in table.items():
            entry = calls.get(number, f"sys_{name}")
            listed = prototype(name, abi, entry, found, overlay)
            if listed is not None:
                per_name[name][abi.name] = ",".join(f"{own}:{kind}" for own, kind in listed)
    for index, (kind, name, where, _) in enumerate(overlay.lines):
        if index not in overlay.used:
            raise GenerateError(f"overlay.tsv: {kind} {name} {where} changes nothing")
    lines = _header("Arguments of system calls", ["common", *_ENTRY_KEYS])
    lines += [
        "# Columns: name, ABIs (* every other), arguments as NAME:KIND. Kinds: s32, u16, ...;",
        "# l and L a signed and an unsigned long, p a pointer, of the ABI's register width. A",
        "# 64-bit kind takes two registers on a 32-bit ABI: prototypes.py says how. No line:",
        "# nothing is known.",
    ]
    for name in sorted(per_name):
        lines += _rows(name, per_name[name])
    return "\n".join(lines) + "\n"


def _rows(name: str, texts: Mapping[str, str]) -> Iterator[str]:
    """The default line, and a line for each group of ABIs that it is not true for."""
    default = Counter(texts.values()).most_common(1)[0][0]
    yield f"{name}\t*\t{default}"
    groups: dict[str, list[str]] = defaultdict(list)
    for abi, text in texts.items():
        if resolve(text, ABIS[abi]) != resolve(default, ABIS[abi]):
            groups[text].append(abi)
    for text, abis in groups.items():
        yield f"{name}\t{','.join(abis)}\t{text}"


# -- Constants -----------------------------------------------------------------------------------

_LINUX_HEADERS = """
types posix_types fcntl openat2 stat errno signal signalfd mman socket sockios net in in6
netlink if_packet vm_sockets if_alg un uio wait sched sched/types time timerfd mount fs fiemap
fscrypt fsverity ioctl tty vt kd prctl ptrace seccomp audit bpf keyctl capability futex
personality perf_event io_uring kcmp reboot kexec ipc sem msg shm mqueue if_tun userfaultfd
landlock nsfs pidfd quota mempolicy membarrier rseq resource eventpoll eventfd inotify fanotify
memfd random ioprio falloc xattr lsm securebits timex aio_abi close_range fadvise utime acct
module watch_queue loop elf-em if icmp udp tcp termios fd dma-buf udmabuf
"""
_ASM_HEADERS = """
errno fcntl ioctls ioctl mman poll ptrace resource signal socket sockios stat termbits prctl ldt
hwprobe cachectl sysmips siginfo
"""
HEADERS: tuple[str, ...] = (
    *(f"linux/{name}.h" for name in _LINUX_HEADERS.split()),
    *(f"asm/{name}.h" for name in _ASM_HEADERS.split()),
)
"""What is looked for; a header that an ABI does not have is left out."""

PREFIXES = re.compile(
    r"(?:AF|PF|SOCK|SOL|SO|SCM|MSG|IPPROTO|IP|IPV6|TCP|UDP|NETLINK|PACKET|ALG|VMADDR|CLONE|O|AT"
    r"|F|FD|DN|LOCK|SEEK|S|PROT|MAP|MADV|MS|MCL|MREMAP|MLOCK|PKEY|MNT|UMOUNT|OPEN_TREE|MOVE_MOUNT"
    r"|FSOPEN|FSMOUNT|FSPICK|FSCONFIG|MOUNT|MOUNT_ATTR|LSMT|STATMOUNT|STATX|RESOLVE|PR|PTRACE|SA"
    r"|SI|SS|SFD|FUTEX|FUTEX2|PER|ADDR|UNAME26|BPF|KEYCTL|KEY|SECCOMP|RLIMIT|RLIM|RLIM64|RUSAGE"
    r"|PRIO|CLOCK|TIMER|TFD|ADJ|STA|SCHED|EPOLL|EFD|IN|FAN|GRND|MFD|RENAME|SPLICE|FALLOC|IORING"
    r"|IOSQE|IO_URING|KCMP|LINUX_REBOOT|KEXEC|SYS|SEM|SHM|IPC|ARCH|CLOSE_RANGE|FS|TUN|UFFD"
    r"|USERFAULTFD|UFFDIO|LANDLOCK|NS|PIDFD|Q|SWAP|ITIMER|POSIX_FADV|MPOL|MEMBARRIER|RWF|RSEQ"
    r"|XATTR|PERF|IOPRIO|LSM|SECBIT|MODULE_INIT|VT|KD|LOOP|CAP|P|AUDIT_ARCH|RISCV_HWPROBE"
    r"|GETPID|DMA_BUF|UDMABUF|IOCB|MQ|EM)_\w+"
    r"|EPOLL[A-Z]+|TUN[A-Z]+|RND[A-Z]+|EPIOC[SG]PARAMS"
    r"|SIG[A-Z0-9]+|TC[A-Z][A-Z0-9]+|TIO[A-Z][A-Z0-9_]+|FIO[A-Z]+"
    r"|SIOC[A-Z0-9_]+|FI(?:BMAP|GETBSZ|FREEZE|THAW|TRIM|CLONE|CLONERANGE|DEDUPERANGE)|W[A-Z]{5,9}"
    r"|(?:SEM|MSG|SHM)[A-Z]{2,9}|[GS]ET(?:ALL|NCNT|PID|VAL|ZCNT)|READ_IMPLIES_EXEC|WHOLE_SECONDS"
    r"|SHORT_INODE|STICKY_TIMEOUTS|MMAP_PAGE_ZERO|FDPIC_FUNCPTRS|UNAME26|POLL[A-Z]+"
    r"|KD[A-Z]+|[GP]IO_\w+|BLK[A-Z0-9]+|N_[A-Z0-9_]+|[ILD]CACHE|BCACHE"
)
"""The families of names that are kept."""

_HIDDEN = re.compile(
    r"(?:PERF_(?:MEM|REG|BR|SAMPLE|RECORD|BRANCH)_\w+|BPF_(?:REG|LINE|PSEUDO)_\w+"
    r"|\w+_H|_\w+|\w*__\w*|N_TTY_BUF_SIZE)$"
)
"""Names of those families that no system call argument holds."""

_ENUM = re.compile(r"\benum\b[^{;()]*\{([^}]*)\}")
_ENUMERATOR = re.compile(r"(?:^|,)\s*([A-Za-z_]\w*)\s*(?==|,|$)")


def _gcc(arguments: Iterable[str], text: str = "") -> subprocess.CompletedProcess[str]:
    command = ["gcc", *arguments]
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        return subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, env=environment
        )
    except OSError as error:
        raise GenerateError(f"gcc is needed: {error}") from error


def _flags(roots: Roots, abi: Abi) -> list[str]:
    host = "x86_64 __x86_64 i386 __i386 __i386__ __x86_64__ __amd64 __amd64__ __ILP32__ __LP64__"
    return [
        *("-xc", "-std=gnu11", "-w", "-nostdinc", "-fmax-errors=0", "-fno-diagnostics-show-caret"),
        *(f"-U{name}" for name in host.split()),
        *_SOURCES[abi.name].flags,
        *("-D__LP64__",) * (abi.bits == 64),
        f"-isystem{roots.uapi(abi)}",
        f"-isystem{roots.path / 'libc/usr/include'}",
        f"-isystem{roots.path / 'stub'}",
        "-",
    ]


_KERNEL_ONLY = re.compile(r"(AF|PF|SOL|MSG|SCM|SOCK|UMOUNT|SWAP_FLAG)_|MNT_(FORCE|DETACH|EXPIRE)$")


def _kernel_only(roots: Roots, abi: Abi) -> str:
    """What user programs get from libc, and the kernel defines in headers that it keeps."""
    sources = [
        roots.file("common", f"usr/src/*/include/linux/{name}.h")
        for name in ("socket", "fs", "swap")
    ]
    if abi.name.startswith("mips"):
        sources.append(roots.file("common-mips", "usr/src/*/arch/mips/include/asm/socket.h"))
    else:
        sources.append(roots.file("common", "usr/src/*/include/linux/net.h"))
    lines = []
    for source in sources:
        text = source.read_text().replace("\\\n", " ")
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        for name, value in re.findall(r"^#\s*define\s+(\w+)[ \t]+(\S.*)$", text, re.MULTILINE):
            if _KERNEL_ONLY.match(name):
                lines.append(f"#ifndef {name}\n#define {name} {value}\n#endif")
        lines += re.findall(r"enum sock_type \{[^}]*\};", text)
    return "\n".join(lines)


def constants(roots: Roots, abi: Abi) -> dict[str, int]:
    """Every named constant of an ABI."""
    unit = "#include <linux/stddef.h>\n"
    for header in HEADERS:
        unit += f"#if __has_include(<{header}>)\n#include <{header}>\n#endif\n"
    unit += _kernel_only(roots, abi) + "\n"
    flags = _flags(roots, abi)
    macros = _gcc(["-E", "-dM", *flags], unit)
    plain = _gcc(["-E", "-P", *flags], unit)
    check = _gcc(["-fsyntax-only", *flags], unit)
    for result in (macros, plain, check):
        if result.returncode:
            raise GenerateError(f"gcc, the headers of {abi.name}:\n{result.stderr[:4000]}")
    names = set(re.findall(r"^#define (\w+) +\S", macros.stdout, re.MULTILINE))
    for body in _ENUM.findall(plain.stdout):
        before = ""
        while before != body:
            before, body = body, re.sub(r"\([^()]*\)", "", body)
        names.update(_ENUMERATOR.findall(body))
    wanted = sorted(n for n in names if PREFIXES.fullmatch(n) and not _HIDDEN.match(n))
    return _values(unit, wanted, flags, abi)


def errnos(roots: Roots, abi: Abi) -> dict[str, int]:
    """The error numbers of an ABI."""
    flags, unit = _flags(roots, abi), "#include <asm/errno.h>\n"
    macros = _gcc(["-E", "-dM", *flags], unit)
    names = re.findall(r"^#define (E[A-Z0-9]+) +\S", macros.stdout, re.MULTILINE)
    return _values(unit, sorted(names), flags, abi)


def _values(unit: str, wanted: list[str], flags: list[str], abi: Abi) -> dict[str, int]:
    """What the names are worth after the includes of `unit`; those worth no integer left out."""
    # First what is an integer constant expression at all: one line each, errors name the line.
    asserts = "".join(
        f'#line {number} "stockade"\n_Static_assert(((({name}) | 0) == 0) || 1, "");\n'
        for number, name in enumerate(wanted, 1)
    )
    result = _gcc(["-fsyntax-only", *flags], unit + asserts)
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
    result = _gcc(["-S", "-O0", "-o-", *flags], f"{unit}void stockade(void) {{\n{body}}}\n")
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


def render_constants(
    roots: Roots,
    title: str,
    keys: Iterable[str],
    what: Callable[[Roots, Abi], dict[str, int]],
) -> str:
    """data/constants.tsv and data/errno.tsv."""
    # A few kernel headers ask for libc's struct sockaddr outside the kernel.
    stub = roots.path / "stub" / "sys" / "socket.h"
    stub.parent.mkdir(parents=True, exist_ok=True)
    stub.write_text(
        "#pragma once\ntypedef unsigned short sa_family_t;\n"
        "struct sockaddr { sa_family_t sa_family; char sa_data[14]; };\n"
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda abi: what(roots, abi), ABIS.values()))
    per_abi = dict(zip(ABIS, found, strict=True))
    lines = _header(title, keys)
    lines += [
        "# Columns: name, value on every ABI that is not named, then ABI,ABI=VALUE where it",
        "# differs; nothing after the = or in the second column: the name is not defined there.",
    ]
    for name in sorted({name for values in found for name in values}):
        cells = {abi: str(values.get(name, "")) for abi, values in per_abi.items()}
        default = Counter(cells.values()).most_common(1)[0][0]
        groups: dict[str, list[str]] = defaultdict(list)
        for abi, cell in cells.items():
            if cell != default:
                groups[cell].append(abi)
        others = [f"{','.join(abis)}={cell}" for cell, abis in groups.items()]
        lines.append("\t".join([name, default, *others]))
    return "\n".join(lines) + "\n"


# -- Command -------------------------------------------------------------------------------------


def generate(debs: Path) -> dict[str, str]:
    """The files by name, made from the pinned packages in a directory.

    Raises:
        GenerateError: a package is missing or not the pinned one, or gcc is missing.
    """
    with tempfile.TemporaryDirectory(prefix="stockade-") as scratch:
        roots = Roots(Path(scratch))
        for pin in PINS:
            try:
                content = (debs / pin.file).read_bytes()
            except OSError as error:
                raise GenerateError(f"{error}; --fetch gets it") from error
            verify(pin, content)
            unpack(pin, content, roots.path / pin.key)
        return {
            "numbers.tsv": render_numbers(roots),
            "prototypes.tsv": render_prototypes(roots),
            "constants.tsv": render_constants(
                roots, "Named constants", ("libc", "libc-s390", "common", "common-mips"), constants
            ),
            "errno.tsv": render_constants(roots, "Error numbers", ("libc", "libc-s390"), errnos),
        }


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m stockade.seccomp.syscalls.generate", description="See the module's text."
    )
    parser.add_argument("--debs", type=Path, default=cache_directory(), metavar="DIR")
    parser.add_argument("--fetch", action="store_true", help="download what DIR lacks")
    parser.add_argument("--mirror", action="append", default=[], metavar="URL")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if different")
    options = parser.parse_args(argv)
    try:
        if options.fetch:
            fetch(options.debs, options.mirror)
        files = generate(options.debs)
    except GenerateError as error:
        print(error, file=sys.stderr)
        return 2
    changed = [name for name, text in files.items() if _current(name) != text]
    for name in changed:
        print(f"{name} {'differs' if options.check else 'written'}")
        if not options.check:
            (DATA / name).write_text(files[name])
    return 1 if changed and options.check else 0


def _current(name: str) -> str | None:
    try:
        return (DATA / name).read_text()
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
