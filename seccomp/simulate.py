"""A classic BPF machine as the kernel runs seccomp filters on, counting what it executes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..policies.errors import InternalError
from . import bpf

WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class SeccompData:
    """What a filter sees of a call: struct seccomp_data, linux/seccomp.h."""

    number: int
    """32 bits, unsigned: -1 is 0xffffffff."""
    arch: int
    """AUDIT_ARCH_* of the entry that was used."""
    arguments: tuple[int, ...] = ()
    """Up to six 64-bit registers, unsigned; missing ones are 0."""
    instruction_pointer: int = 0

    def words(self, *, big_endian: bool) -> tuple[int, ...]:
        """The structure as its sixteen 32-bit words."""
        wide = [self.instruction_pointer, *self.arguments, *[0] * (6 - len(self.arguments))]
        halves: list[int] = []
        for value in wide:
            low, high = value & WORD, value >> 32 & WORD
            halves += (high, low) if big_endian else (low, high)
        return (self.number & WORD, self.arch, *halves)


@dataclass(frozen=True, slots=True)
class Execution:
    """How a program answered one call."""

    value: int
    """The SECCOMP_RET_* value."""
    instructions: int
    """How many instructions were executed."""
    last: int
    """The position of the return that answered."""


def simulate(
    program: Sequence[bpf.Instruction],
    data: SeccompData,
    *,
    big_endian: bool = False,
    trail: list[int] | None = None,
) -> Execution:
    """Run the program on one call; the positions executed are appended to `trail`.

    Raises InternalError for an opcode that seccomp does not accept; bpf.decode() refuses
    such programs before they get here.
    """
    words = data.words(big_endian=big_endian)
    accumulator = index = position = executed = 0
    scratch = [0] * 16
    while True:
        instruction = program[position]
        code, k = instruction.code, instruction.k
        if trail is not None:
            trail.append(position)
        position += 1
        executed += 1
        kind = code & 0x07
        if code == bpf.LOAD:
            accumulator = words[k >> 2]
        elif kind == 0x05:
            if code == bpf.JUMP:
                position += k
            else:
                other = index if code & 0x08 else k
                holds = _compare(code & 0xF0, accumulator, other)
                position += instruction.jt if holds else instruction.jf
        elif kind == 0x06:
            answer = accumulator if code & 0x10 else k
            return Execution(answer, executed, position - 1)
        elif kind == 0x04:
            other = index if code & 0x08 else k
            if code & 0xF0 == 0x30 and other == 0:
                return Execution(0, executed, position - 1)  # the kernel ends with 0
            accumulator = _calculate(code & 0xF0, accumulator, other)
        elif code == 0x07:
            index = accumulator
        elif code == 0x87:
            accumulator = index
        elif code in (0x00, 0x80):
            accumulator = k if code == 0x00 else bpf.DATA_SIZE
        elif code in (0x01, 0x81):
            index = k if code == 0x01 else bpf.DATA_SIZE
        elif code in (0x60, 0x61):
            accumulator, index = (scratch[k], index) if code == 0x60 else (accumulator, scratch[k])
        elif code in (0x02, 0x03):
            scratch[k] = accumulator if code == 0x02 else index
        else:
            raise InternalError(f"simulator: opcode {code:#x} at {position - 1}")


def _compare(operation: int, left: int, right: int) -> bool:
    if operation == 0x10:
        return left == right
    if operation == 0x20:
        return left > right
    if operation == 0x30:
        return left >= right
    return left & right != 0


def _calculate(operation: int, left: int, right: int) -> int:
    match operation:
        case 0x00:
            result = left + right
        case 0x10:
            result = left - right
        case 0x20:
            result = left * right
        case 0x30:
            result = left // right
        case 0x40:
            result = left | right
        case 0x50:
            result = left & right
        case 0x60:
            result = left << (right & 31)
        case 0x70:
            result = left >> (right & 31)
        case 0x80:
            result = -left
        case _:
            result = left ^ right
    return result & WORD
