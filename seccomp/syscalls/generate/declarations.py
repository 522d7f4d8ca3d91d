"""C declarations of the kernel's entry points, and what their types mean in a register."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .debs import Roots
from .errors import GenerateError

# What a C type is on a 64-bit kernel: p a pointer, l/L a signed/unsigned long, and s/u with a
# number of bits. A test compares the result with the types that a running kernel reports.
TYPES: Mapping[str, str] = {
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
"""Of each parameter the name (may be empty) and the kind, a value of `TYPES`."""


def parameters(text: str) -> Parameters:
    """Reads a C parameter list.

    Raises:
        GenerateError: a type that `TYPES` does not have.
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
    if item in TYPES:
        return "", TYPES[item]
    kind, _, name = item.rpartition(" ")
    if kind not in TYPES:
        raise GenerateError(f"unknown type in the parameter {item!r}")
    return name, TYPES[kind]


def declarations(roots: Roots) -> dict[str, Parameters]:
    """Every declared entry point by its name (`sys_read`, `compat_sys_ioctl`)."""
    result: dict[str, Parameters] = {}
    for path in _DECLARED_IN:
        text = roots.file("common", f"usr/src/*/{path}").read_text()
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
        for name, body in _DECLARATION.findall(text):
            result.setdefault(name, parameters(body))
    return result
