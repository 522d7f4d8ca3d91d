"""Classic BPF as seccomp accepts it: instructions, and programs as bytes.

Opcodes: linux/bpf_common.h and linux/filter.h; what seccomp allows of them:
kernel/seccomp.c, seccomp_check_filter().
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ..policies.errors import InputError

LOAD = 0x20
"""BPF_LD | BPF_W | BPF_ABS: A = 32-bit word of seccomp_data at byte offset k."""
AND = 0x54
"""BPF_ALU | BPF_AND | BPF_K: A &= k."""
JUMP = 0x05
"""BPF_JMP | BPF_JA: skip k instructions."""
JEQ = 0x15
JGT = 0x25
JGE = 0x35
JSET = 0x45
"""BPF_JMP | … | BPF_K: compare A with k unsigned (JSET: A & k), skip jt or jf."""
DIVIDE_BY_X = 0x3C
RET = 0x06
"""BPF_RET | BPF_K: the answer is k."""

CONDITIONAL_JUMPS = frozenset({JEQ, JGT, JGE, JSET})
LONGEST_CONDITIONAL_JUMP = 255
"""jt and jf are one byte each."""
MAXIMAL_LENGTH = 4096
"""BPF_MAXINSNS, linux/bpf_common.h."""

OFFSET_NUMBER = 0
OFFSET_ARCH = 4
OFFSET_INSTRUCTION_POINTER = 8
OFFSET_ARGUMENTS = 16
DATA_SIZE = 64
"""struct seccomp_data, linux/seccomp.h: int nr; u32 arch; u64 ip; u64 args[6]."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One struct sock_filter."""

    code: int
    jt: int = 0
    jf: int = 0
    k: int = 0


Program = tuple[Instruction, ...]


def word_offset(argument: int, *, high: bool, big_endian: bool) -> int:
    """The offset in seccomp_data of one half of an argument's 64-bit register."""
    return OFFSET_ARGUMENTS + 8 * argument + (4 if high != big_endian else 0)


def encode(program: Sequence[Instruction], *, big_endian: bool) -> bytes:
    """The program as an array of struct sock_filter in the target's byte order."""
    form = struct.Struct(">HBBI" if big_endian else "<HBBI")
    return b"".join(form.pack(i.code, i.jt, i.jf, i.k) for i in program)


def decode(raw: bytes, name: str = "<bpf>", *, big_endian: bool = False) -> Program:
    """The program in an array of struct sock_filter; jumps are checked to stay inside.

    Raises InputError when it is no program the kernel could be given.
    """
    if not raw or len(raw) % 8:
        raise InputError.of(
            f"{name}: a BPF program is a whole number of 8-byte instructions, this has "
            f"{len(raw)} bytes"
        )
    if len(raw) // 8 > MAXIMAL_LENGTH:
        raise InputError.of(
            f"{name}: {len(raw) // 8} instructions; the kernel takes at most {MAXIMAL_LENGTH}"
        )
    form = struct.Struct(">HBBI" if big_endian else "<HBBI")
    program = tuple(Instruction(*fields) for fields in form.iter_unpack(raw))
    for position, instruction in enumerate(program):
        problem = _fault(instruction, len(program) - position - 1)
        if problem:
            raise InputError.of(f"{name}: instruction {position}: {problem}")
    if program[-1].code not in _RETURNS:
        raise InputError.of(f"{name}: the last instruction is no return")
    return program


_RETURNS = frozenset({RET, 0x16})
"""RET K and RET A."""

# kernel/seccomp.c, seccomp_check_filter(), with BPF_LDX_LEN and friends.
_ACCEPTED = frozenset(
    [LOAD, 0x80, 0x87, 0x81]  # LD ABS; LD LEN, LDX LEN; LDX W IMM
    + [0x06, 0x16]  # RET K, RET A
    + [op | source for op in (0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0xA4)
       for source in (0x00, 0x08)]  # ADD SUB MUL DIV OR AND LSH RSH XOR, by K and by X
    + [0x84, 0x00, 0x01, 0x07, 0x87, 0x60, 0x61, 0x02, 0x03]  # NEG, LD/LDX IMM, TAX, TXA, MEM, ST
    + [JUMP]
    + [op | source for op in (JEQ, JGT, JGE, JSET) for source in (0x00, 0x08)]
)  # fmt: skip


def _fault(instruction: Instruction, after: int) -> str:
    """Why the kernel would refuse this instruction, with `after` more behind it; or ''."""
    code, k = instruction.code, instruction.k
    if code not in _ACCEPTED:
        return f"opcode {code:#06x} is none that seccomp accepts"
    if code == LOAD and (k % 4 or k >= DATA_SIZE):
        return f"loads offset {k}, which is no word of struct seccomp_data"
    if code == JUMP and k >= after:
        return f"jumps {k} instructions ahead, past the end"
    if code & 0x07 == 0x05 and code != JUMP and max(instruction.jt, instruction.jf) >= after:
        return "jumps past the end"
    if code in (0x60, 0x61, 0x02, 0x03) and k >= 16:
        return f"uses scratch word {k}; there are 16"
    if code == 0x34 and k == 0:
        return "divides by zero"
    if code in (0x64, 0x74) and k >= 32:
        return f"shifts by {k}"
    return ""
