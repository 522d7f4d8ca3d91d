"""A BPF program as a term of z3: executed once, over all calls at the same time.

Jumps only lead forward, so every instruction is looked at once. Where ways meet, a register holds
what it has on whichever way was taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import bpf
from .smt import Meaning, Symbols, Term


@dataclass(frozen=True, slots=True)
class _Machine:
    """The registers on one way to an instruction."""

    taken: Term
    """When the way is taken."""
    words: tuple[Term, ...]
    """A, X, and sixteen words of scratch memory."""


def program_term(program: Sequence[bpf.Instruction], *, big_endian: bool = False) -> Meaning:
    """What the program answers."""
    return lambda known: _execute(program, known, big_endian)


def _execute(program: Sequence[bpf.Instruction], known: Symbols, big_endian: bool) -> Term:
    z3 = known.z3
    arriving: list[list[_Machine]] = [[] for _ in program]
    arriving[0].append(_Machine(z3.BoolVal(True), (known.number(0),) * 18))
    returned: list[tuple[Term, Term]] = []
    for position, instruction in enumerate(program):
        if not arriving[position]:
            continue
        here = _met(known, arriving[position])
        code, k = instruction.code, instruction.k
        a, x = here.words[:2]
        other = x if code & 0x08 else known.number(k)
        if code & 0x07 == 0x06:
            returned.append((here.taken, a if code & 0x10 else known.number(k)))
        elif code == bpf.JUMP:
            arriving[position + 1 + k].append(here)
        elif code & 0x07 == 0x05:
            condition = _compared(known, code & 0xF0, a, other)
            for skip, held in ((instruction.jt, condition), (instruction.jf, z3.Not(condition))):
                way = _Machine(z3.And(here.taken, held), here.words)
                arriving[position + 1 + skip].append(way)
        else:
            if code == bpf.DIVIDE_BY_X:  # by zero: the kernel ends the program with 0
                nought = x == known.number(0)
                returned.append((z3.And(here.taken, nought), known.number(0)))
                here = _Machine(z3.And(here.taken, z3.Not(nought)), here.words)
            words = _after(known, instruction, here.words, other, big_endian)
            arriving[position + 1].append(_Machine(here.taken, words))
    return known.chosen(returned[:-1], returned[-1][1])


def _met(known: Symbols, ways: Sequence[_Machine]) -> _Machine:
    if len(ways) == 1:
        return ways[0]
    words = []
    for held in zip(*(way.words for way in ways), strict=True):
        word = held[-1]
        for way, mine in zip(ways[:-1], held[:-1], strict=True):
            word = word if mine.eq(word) else known.z3.If(way.taken, mine, word)
        words.append(word)
    return _Machine(known.z3.Or(*(way.taken for way in ways)), tuple(words))


def _compared(known: Symbols, operation: int, left: Term, right: Term) -> Term:
    z3 = known.z3
    if operation == 0x10:
        return left == right
    if operation == 0x20:
        return z3.UGT(left, right)
    if operation == 0x30:
        return z3.UGE(left, right)
    return (left & right) != known.number(0)


def _after(
    known: Symbols,
    instruction: bpf.Instruction,
    words: tuple[Term, ...],
    other: Term,
    big_endian: bool,
) -> tuple[Term, ...]:
    """The registers after an instruction that is no jump and no return."""
    code, k = instruction.code, instruction.k
    a, x, scratch = words[0], words[1], words[2:]
    if code == bpf.LOAD:
        a = _loaded(known, k, big_endian)
    elif code & 0x07 == 0x04:
        a = _calculated(known, code & 0xF0, a, other)
    elif code == 0x07:
        x = a
    elif code == 0x87:
        a = x
    elif code in (0x00, 0x80):
        a = known.number(k if code == 0x00 else bpf.DATA_SIZE)
    elif code in (0x01, 0x81):
        x = known.number(k if code == 0x01 else bpf.DATA_SIZE)
    elif code == 0x60:
        a = scratch[k]
    elif code == 0x61:
        x = scratch[k]
    else:
        scratch = (*scratch[:k], a if code == 0x02 else x, *scratch[k + 1 :])
    return (a, x, *scratch)


def _loaded(known: Symbols, offset: int, big_endian: bool) -> Term:
    if offset == bpf.OFFSET_NUMBER:
        return known.nr
    if offset == bpf.OFFSET_ARCH:
        return known.arch
    wide = [known.instruction_pointer, *known.arguments][(offset - 8) // 8]
    upper = (offset % 8 == 4) is not big_endian
    return known.z3.Extract(63, 32, wide) if upper else known.z3.Extract(31, 0, wide)


def _calculated(known: Symbols, operation: int, left: Term, right: Term) -> Term:
    z3, lowest = known.z3, known.number(31)
    results = {
        0x00: lambda: left + right,
        0x10: lambda: left - right,
        0x20: lambda: left * right,
        0x30: lambda: z3.UDiv(left, right),
        0x40: lambda: left | right,
        0x50: lambda: left & right,
        0x60: lambda: left << (right & lowest),
        0x70: lambda: z3.LShR(left, right & lowest),
        0x80: lambda: -left,
        0xA0: lambda: left ^ right,
    }
    return results[operation]()
