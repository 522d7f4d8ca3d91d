"""Programs nobody would write: drawn by hypothesis, and right ones with one instruction changed."""

import random
from collections.abc import Iterable

from hypothesis import strategies as st

from stockade.seccomp import bpf
from stockade.seccomp.bpf import Instruction, Program

CODES = [
    0x20, 0x20, 0x20, 0x80, 0x81, 0x06, 0x16, 0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x84,
    0xA4, 0x0C, 0x1C, 0x2C, 0x3C, 0x4C, 0x5C, 0x6C, 0x7C, 0xAC, 0x00, 0x01, 0x07, 0x87, 0x60, 0x61,
    0x02, 0x03, 0x05, 0x15, 0x25, 0x35, 0x45, 0x1D, 0x2D, 0x3D, 0x4D,
]  # fmt: skip
SMALL = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 20, 24, 28, 31, 32, 255])
INSTRUCTIONS = st.builds(
    Instruction,
    st.sampled_from(CODES),
    st.integers(0, 4),
    st.integers(0, 4),
    SMALL | st.integers(0, 0xFFFFFFFF),
)
WORDS = st.sampled_from([0, 1, 2, 3, 4, 5, 16, 255, 1 << 31, (1 << 32) - 1]) | st.integers(
    0, (1 << 32) - 1
)


def mutants(program: Program, dice: random.Random, count: int) -> Iterable[Program]:
    """The program with one instruction changed: a jump, a constant, a mask, an opcode."""
    made = 0
    while made < count:
        position = dice.randrange(len(program))
        old = program[position]
        change = dice.choice(["flip", "constant", "drop", "opcode", "answer"])
        new = old
        if old.code in bpf.CONDITIONAL_JUMPS:
            if change == "flip":
                new = Instruction(old.code, old.jf, old.jt, old.k)
            elif change == "constant":
                new = Instruction(
                    old.code, old.jt, old.jf, (old.k + dice.choice([-1, 1])) & 0xFFFFFFFF
                )
            elif change == "opcode":
                new = Instruction(
                    dice.choice(sorted(bpf.CONDITIONAL_JUMPS - {old.code})), old.jt, old.jf, old.k
                )
        elif old.code == bpf.AND and change in ("drop", "constant"):
            new = (
                Instruction(bpf.JUMP) if change == "drop" else Instruction(bpf.AND, 0, 0, old.k ^ 1)
            )
        elif old.code == bpf.LOAD and change == "constant":
            new = Instruction(bpf.LOAD, 0, 0, (old.k + 4) % 64)
        elif old.code == bpf.RET and change == "answer":
            new = Instruction(bpf.RET, 0, 0, old.k ^ 0x00070000)
        if new != old:
            made += 1
            yield (*program[:position], new, *program[position + 1 :])
