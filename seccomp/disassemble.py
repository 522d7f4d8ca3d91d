"""Program -> text that says what each instruction means where that is certain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import actions, bpf
from .syscalls import ABIS, table
from .syscalls.abi import X32_BIT


@dataclass(frozen=True, slots=True)
class _Known:
    """What is certain before an instruction, whichever way it was reached."""

    holds: str = ""
    """What A is: `nr`, `arch`, `arg0`, `arg0 >> 32`; empty when it differs or is computed."""
    arch: int | None = None
    """seccomp_data.arch, once it was compared."""


def disassemble(program: Sequence[bpf.Instruction], *, big_endian: bool = False) -> str:
    """One line an instruction: position, the four fields, the meaning."""
    known = _flow(program, big_endian)
    lines = [
        f" {position:04}: {i.code:#04x} {i.jt:#04x} {i.jf:#04x} {i.k:#010x}  "
        + _meaning(i, position, known[position], big_endian)
        for position, i in enumerate(program)
    ]
    header = " line  CODE JT   JF   K           meaning\n" + "=" * 70
    return "\n".join([header, *lines]) + "\n"


def _flow(program: Sequence[bpf.Instruction], big_endian: bool) -> list[_Known | None]:
    """What is known before every instruction; jumps lead forward, so one pass does."""
    known: list[_Known | None] = [None] * len(program)
    known[0] = _Known()

    def reach(position: int, state: _Known) -> None:
        if position >= len(program):
            return
        before = known[position]
        if before is None:
            known[position] = state
        elif before != state:
            known[position] = _Known(
                before.holds if before.holds == state.holds else "",
                before.arch if before.arch == state.arch else None,
            )

    for position, instruction in enumerate(program):
        state = known[position]
        if state is None:
            continue
        code = instruction.code
        if code & 0x07 == 0x06:
            continue
        if code == bpf.JUMP:
            reach(position + 1 + instruction.k, state)
        elif code & 0x07 == 0x05:
            equal = state
            if code == bpf.JEQ and state.holds == "arch":
                equal = replace(state, arch=instruction.k)
            reach(position + 1 + instruction.jt, equal)
            reach(position + 1 + instruction.jf, state)
        elif code == bpf.LOAD:
            reach(position + 1, replace(state, holds=_word(instruction.k, big_endian)))
        elif code == bpf.AND and state.holds:
            reach(position + 1, replace(state, holds=f"{state.holds} & {instruction.k:#x}"))
        else:
            reach(position + 1, replace(state, holds=""))
    return known


def _word(offset: int, big_endian: bool) -> str:
    """The name of a word of seccomp_data."""
    if offset == bpf.OFFSET_NUMBER:
        return "nr"
    if offset == bpf.OFFSET_ARCH:
        return "arch"
    high = (offset % 8 == 4) is not big_endian
    what = "ip" if offset < bpf.OFFSET_ARGUMENTS else f"arg{(offset - 16) // 8}"
    return f"{what} >> 32" if high else what


def _meaning(
    instruction: bpf.Instruction, position: int, known: _Known | None, big_endian: bool
) -> str:
    code, k = instruction.code, instruction.k
    if code == bpf.LOAD:
        return f"A = {_word(k, big_endian)}"
    if code == bpf.AND:
        return f"A &= {k:#x}"
    if code == bpf.RET:
        return f"return {actions.describe(k)}"
    if code == bpf.JUMP:
        return f"goto {position + 1 + k:04}"
    if code in bpf.CONDITIONAL_JUMPS:
        return _branch(instruction, position, known or _Known())
    return _RARE.get(code, "?").format(k=k)


_COMPARISONS = {
    bpf.JEQ: ("==", "!="),
    bpf.JGT: (">", "<="),
    bpf.JGE: (">=", "<"),
    bpf.JSET: ("&", "!&"),
}
_RARE = {
    0x00: "A = {k:#x}", 0x80: "A = 64", 0x01: "X = {k:#x}", 0x81: "X = 64",
    0x07: "X = A", 0x87: "A = X", 0x60: "A = M[{k}]", 0x61: "X = M[{k}]",
    0x02: "M[{k}] = A", 0x03: "M[{k}] = X", 0x16: "return A", 0x84: "A = -A",
    0x04: "A += {k:#x}", 0x14: "A -= {k:#x}", 0x24: "A *= {k:#x}", 0x34: "A /= {k:#x}",
    0x44: "A |= {k:#x}", 0x64: "A <<= {k}", 0x74: "A >>= {k}", 0xA4: "A ^= {k:#x}",
    0x0C: "A += X", 0x1C: "A -= X", 0x2C: "A *= X", 0x3C: "A /= X", 0x4C: "A |= X",
    0x5C: "A &= X", 0x6C: "A <<= X", 0x7C: "A >>= X", 0xAC: "A ^= X",
    0x1D: "if (A == X)", 0x2D: "if (A > X)", 0x3D: "if (A >= X)", 0x4D: "if (A & X)",
}  # fmt: skip


def _branch(instruction: bpf.Instruction, position: int, known: _Known) -> str:
    """`if (A == read) goto 0007`; what falls through needs no mention."""
    holds, fails = _COMPARISONS[instruction.code]
    operand, name = _operand(instruction, known)
    left = "A" if not known.holds else known.holds.split(" & ")[0]
    if "&" in known.holds:
        left = f"({known.holds})"
    note = f"  # {name}" if name else ""
    target = f"goto {position + 1 + instruction.jt:04}"
    other = f"goto {position + 1 + instruction.jf:04}"
    if instruction.jt == 0:
        condition = f"{left} {fails} {operand}" if fails != "!&" else f"!({left} & {operand})"
        return f"if ({condition}) {other}{note}"
    if instruction.jf == 0:
        return f"if ({left} {holds} {operand}) {target}{note}"
    return f"if ({left} {holds} {operand}) {target} else {other}{note}"


def _operand(instruction: bpf.Instruction, known: _Known) -> tuple[str, str]:
    """The constant as written, and what it stands for where that is certain."""
    k = instruction.k
    if known.holds == "arch":
        names = [each.name for each in ABIS.values() if each.audit_arch == k]
        return f"{k:#x}", "/".join(names)
    if known.holds == "nr":
        for each in ABIS.values():
            is_x32 = known.arch == each.audit_arch and bool(k & X32_BIT) == (each.name == "x32")
            if is_x32 and k in table(each).by_number:
                return f"{k:#x}" if k >= X32_BIT else str(k), table(each).by_number[k]
        return f"{k:#x}" if k >= X32_BIT else str(k), ""
    return f"{k:#x}", ""
