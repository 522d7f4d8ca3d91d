"""Any BPF program as one decision diagram: what it answers to every call there is.

The program is walked symbolically. Each register holds 32 bits, and each bit is itself a diagram
over the bits of struct seccomp_data; so every instruction that seccomp accepts has an exact
meaning here, arithmetic too. Jumps only lead forward: the states that can arrive at each
instruction are collected first, and then the answers are put together from the last instruction
to the first. What does not fit into the steps allowed is not decided at all (TooComplexError).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..policies.errors import TooComplexError
from . import bpf
from .diagram import ARCHITECTURE, INSTRUCTION_POINTER, NUMBER, Diagrams
from .prove_bits import Arithmetic, Bits

MAXIMAL_STATES = 30_000
"""Instructions with different register contents that are looked at."""
_MOST_ANSWER_BITS = 6
"""Unknown bits in the value of a RET A."""

_A, _X, _SCRATCH = 1, 2, 4
"""Bits of a set of registers; scratch word n is _SCRATCH << n."""


@dataclass(frozen=True, slots=True)
class _State:
    """What the registers hold; None where nobody will read it."""

    a: Bits | None
    x: Bits | None
    scratch: tuple[Bits | None, ...]


def meaning_of_program(
    program: Sequence[bpf.Instruction], diagrams: Diagrams, *, big_endian: bool = False
) -> int:
    """The diagram of the program's answers over architecture, number and arguments.

    Raises TooComplexError when it would take too long.
    """
    return _Walk(program, diagrams, big_endian).answers()


class _Walk:
    def __init__(
        self, program: Sequence[bpf.Instruction], diagrams: Diagrams, big_endian: bool
    ) -> None:
        self._program = program
        self._diagrams = diagrams
        self._bits = Arithmetic(diagrams)
        self._big_endian = big_endian
        self._live = _live_registers(program)

    def answers(self) -> int:
        """The diagram at the first instruction, where all registers are 0."""
        zero = self._bits.number(0)
        start = self._kept(0, _State(zero, zero, (zero,) * 16))
        arriving: list[dict[_State, None]] = [{} for _ in self._program]
        arriving[0][start] = None
        states = 0
        for position, here in enumerate(arriving):
            states += len(here)
            if states > MAXIMAL_STATES:
                raise TooComplexError
            for state in here:
                for target, after in self._after(position, state):
                    arriving[target][after] = None
        answers: list[dict[_State, int]] = [{} for _ in self._program]
        for position in reversed(range(len(self._program))):
            for state in arriving[position]:
                answers[position][state] = self._answer(position, state, answers)
        return answers[0][start]

    def _after(self, position: int, state: _State) -> list[tuple[int, _State]]:
        """The instructions that may come next, each with the registers as they are then."""
        instruction = self._program[position]
        kind = instruction.code & 0x07
        if kind == 0x06:
            return []
        if kind == 0x05:
            if instruction.code == bpf.JUMP:
                targets = {instruction.k: None}
            else:
                targets = dict.fromkeys((instruction.jt, instruction.jf))
            return [
                (position + 1 + skip, self._kept(position + 1 + skip, state)) for skip in targets
            ]
        return [(position + 1, self._kept(position + 1, self._executed(instruction, state)))]

    def _answer(self, position: int, state: _State, answers: list[dict[_State, int]]) -> int:
        """The answers from here on, where those of later instructions are known."""
        instruction = self._program[position]
        following = [answers[target][after] for target, after in self._after(position, state)]
        if not following:
            return self._returned(instruction, state)
        if len(following) == 2:
            return self._diagrams.choose(self._condition(instruction, state), *following)
        if instruction.code == bpf.DIVIDE_BY_X:  # the kernel ends the program with 0
            assert state.x is not None
            is_zero = self._bits.equal(state.x, self._bits.number(0))
            return self._diagrams.choose(is_zero, self._diagrams.leaf(0), following[0])
        return following[0]

    def _returned(self, instruction: bpf.Instruction, state: _State) -> int:
        if instruction.code == bpf.RET:
            return self._diagrams.leaf(instruction.k)
        assert state.a is not None
        values = {0: self._diagrams.true}  # every possible value, and where it is
        for position, bit in enumerate(state.a):
            if bit == self._diagrams.false:
                continue
            more: dict[int, int] = {}
            for value, where in values.items():
                for chosen, held in ((value, self._bits.no(bit)), (value | 1 << position, bit)):
                    both = self._bits.both(where, held)
                    if both != self._diagrams.false:
                        more[chosen] = both
            values = more
            if len(values) > 1 << _MOST_ANSWER_BITS:
                raise TooComplexError
        result = self._diagrams.leaf(0)
        for value, where in values.items():
            result = self._diagrams.choose(where, self._diagrams.leaf(value), result)
        return result

    def _condition(self, instruction: bpf.Instruction, state: _State) -> int:
        assert state.a is not None
        other = self._operand(instruction, state)
        operation = instruction.code & 0xF0
        if operation == 0x10:
            return self._bits.equal(state.a, other)
        if operation in (0x20, 0x30):
            return self._bits.above(state.a, other, or_equal=operation == 0x30)
        return self._bits.overlap(state.a, other)

    def _operand(self, instruction: bpf.Instruction, state: _State) -> Bits:
        if instruction.code & 0x08:
            assert state.x is not None
            return state.x
        return self._bits.number(instruction.k)

    def _executed(self, instruction: bpf.Instruction, state: _State) -> _State:
        """The registers after an instruction that is no jump and no return."""
        code, k = instruction.code, instruction.k
        a, x, scratch = state.a, state.x, state.scratch
        if code == bpf.LOAD:
            a = self._word(k)
        elif code & 0x07 == 0x04:
            if a is not None:
                a = self._bits.calculate(code & 0xF0, a, self._operand(instruction, state))
        elif code == 0x07:
            x = a
        elif code == 0x87:
            a = x
        elif code in (0x00, 0x80):
            a = self._bits.number(k if code == 0x00 else bpf.DATA_SIZE)
        elif code in (0x01, 0x81):
            x = self._bits.number(k if code == 0x01 else bpf.DATA_SIZE)
        elif code == 0x60:
            a = scratch[k]
        elif code == 0x61:
            x = scratch[k]
        else:  # 0x02, 0x03: decode() lets no other pass
            stored = a if code == 0x02 else x
            scratch = (*scratch[:k], stored, *scratch[k + 1 :])
        return _State(a, x, scratch)

    def _word(self, offset: int) -> Bits:
        """A word of struct seccomp_data."""
        if offset == bpf.OFFSET_NUMBER:
            return self._bits.word(NUMBER, 0)
        if offset == bpf.OFFSET_ARCH:
            return self._bits.word(ARCHITECTURE, 0)
        argument = (offset - bpf.OFFSET_ARGUMENTS) // 8
        if offset < bpf.OFFSET_ARGUMENTS:
            argument = INSTRUCTION_POINTER
        upper = (offset % 8 == 4) is not self._big_endian
        return self._bits.word(argument, 32 if upper else 0)

    def _kept(self, position: int, state: _State) -> _State:
        """The state without what nobody reads from this instruction on."""
        live = self._live[position]
        return _State(
            state.a if live & _A else None,
            state.x if live & _X else None,
            tuple(
                word if live & _SCRATCH << number else None
                for number, word in enumerate(state.scratch)
            ),
        )


def _live_registers(program: Sequence[bpf.Instruction]) -> list[int]:
    """By instruction: the registers that it or a later one reads before they are written."""
    live = [0] * len(program)
    for position in reversed(range(len(program))):
        instruction = program[position]
        code, k = instruction.code, instruction.k
        kind = code & 0x07
        if kind == 0x06:
            live[position] = _A if code & 0x10 else 0
        elif kind == 0x05:
            skips = [k] if code == bpf.JUMP else [instruction.jt, instruction.jf]
            after = 0
            for skip in skips:
                after |= live[position + 1 + skip]
            reads = 0 if code == bpf.JUMP else _A | (_X if code & 0x08 else 0)
            live[position] = after | reads
        else:
            reads, writes = _effect(code, k)
            live[position] = live[position + 1] & ~writes | reads
    return live


def _effect(code: int, k: int) -> tuple[int, int]:
    """The registers that an instruction reads and writes."""
    if code & 0x07 == 0x04:
        return _A | (_X if code & 0x08 and code != 0x84 else 0), _A
    return {
        0x07: (_A, _X),
        0x87: (_X, _A),
        0x01: (0, _X),
        0x81: (0, _X),
        0x60: (_SCRATCH << k, _A),
        0x61: (_SCRATCH << k, _X),
        0x02: (_A, _SCRATCH << k),
        0x03: (_X, _SCRATCH << k),
    }.get(code, (0, _A))
