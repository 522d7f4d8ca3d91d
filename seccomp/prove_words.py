"""Sets of arguments in the words of the language: conditions that a policy could have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..policies.errors import TooComplexError
from .diagram import BITS, INSTRUCTION_POINTER, LEAF, Cube, Diagrams, masks, variable
from .operands import SOMETIMES_CUT
from .syscalls import Abi, arguments, table

MAXIMAL_PIECES = 20_000
"""Intervals of one argument, or of numbers, that are told apart."""
LONGEST_CONDITION = 3_000
"""Characters: the language takes 4,096 in one `when`."""
_MOST_RANGES = 8
"""Intervals of one argument that are listed; more are told by masks."""

_HALF, _WORD = 32, 0xFFFFFFFF

Piece = tuple[int, int, int]
"""First and last value, and the function for them."""


def conditions(diagrams: Diagrams, where: int, abi: Abi | None, nr: int) -> tuple[str, ...]:
    """The alternatives under which a boolean function of the arguments is true.

    None of them when it is true whatever they are. Raises TooComplexError when there are too
    many to write.
    """
    if where == diagrams.true:
        return ()
    name = table(abi).by_number.get(nr, "") if abi is not None else ""
    asked = _asked(diagrams, where)
    operands = {
        argument: _operand(name, abi, argument, max(bits)) for argument, bits in asked.items()
    }
    if len(operands) == 1:
        ((argument, operand),) = operands.items()
        listed = _listed(diagrams, where, argument, operand)
        if listed:
            return (listed,)
        halves = _by_halves(diagrams, where, argument, operand, _operand(name, abi, argument, 31))
        if halves:
            return halves
    inside = diagrams.cover(where)
    outside = diagrams.cover(diagrams.choose(where, diagrams.false, diagrams.true))
    if len(outside) < len(inside):
        excluded = " and ".join(f"not ({_joined(cube, operands)})" for cube in outside)
        if len(excluded) <= LONGEST_CONDITION:
            return (excluded,)
    return tuple(_joined(cube, operands) for cube in inside)


@dataclass(frozen=True, slots=True)
class _Operand:
    """How an argument is written, and what of it is compared."""

    text: str
    bits: int
    signed: bool

    def value(self, unsigned: int) -> str:
        """A value as it is compared with the operand."""
        value = unsigned
        if self.signed and unsigned >> (self.bits - 1):
            value = unsigned - (1 << self.bits)
        return str(value) if value < 10 else hex(value)


def _operand(name: str, abi: Abi | None, argument: int, highest: int) -> _Operand:
    """The argument as the kernel takes it, or u64(...) of it where more is looked at."""
    if argument == INSTRUCTION_POINTER:
        return _Operand("instruction_pointer", BITS, False)
    prototype = arguments(name, abi) if abi is not None and name else None
    width = BITS if abi is None or highest >= abi.registers else abi.registers
    if prototype is None or argument >= len(prototype):
        return _Operand(f"u64(arg{argument})", width, False)
    known = prototype[argument]
    cut = known.name in SOMETIMES_CUT.get(name, ())
    if known.pointer or cut or highest >= known.bits:
        return _Operand(f"u64({known.name})", width, False)
    return _Operand(known.name, known.bits, known.signed)


def _asked(diagrams: Diagrams, function: int) -> dict[int, set[int]]:
    """By argument: the bits on which the function depends."""
    found: dict[int, set[int]] = {}
    seen: set[int] = set()
    stack = [function]
    while stack:
        number = stack.pop()
        at, low, high = diagrams.parts(number)
        if number in seen or at == LEAF:
            continue
        seen.add(number)
        found.setdefault(at // BITS, set()).add(BITS - 1 - at % BITS)
        stack += (low, high)
    return found


def _listed(diagrams: Diagrams, where: int, argument: int, operand: _Operand) -> str:
    """One argument by its values, or by those that it does not have; empty: there are too many."""
    try:
        all_pieces = pieces(diagrams, argument, where, operand.bits)
    except TooComplexError:
        return ""
    found: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    middle = 1 << (operand.bits - 1)
    for low, high, function in all_pieces:
        side = found[function == diagrams.true]
        if operand.signed and low < middle <= high:
            side += [(low, middle - 1), (middle, high)]
        else:
            side.append((low, high))
    inside, outside = found[True], found[False]
    if min(len(inside), len(outside)) > _MOST_RANGES:
        return ""
    ways = [_member(operand, inside, ("==", "in")), _member(operand, outside, ("!=", "not in"))]
    return min(ways, key=len)


def _by_halves(
    diagrams: Diagrams, where: int, argument: int, whole: _Operand, lower: _Operand
) -> tuple[str, ...]:
    """A 64-bit argument by intervals of its upper half, each with values of the lower one.

    Nothing where that takes too many. `lower` is the argument as far as its low word goes.
    """
    if whole.bits != BITS:
        return ()
    if lower.bits != _HALF:
        lower = _Operand(f"{whole.text} & {_WORD:#x}", _HALF, False)
    try:
        upper = pieces(diagrams, argument, where, _HALF, lowest=_HALF)
    except TooComplexError:
        return ()
    found: list[str] = []
    for first, last, function in upper:
        if function == diagrams.false:
            continue
        text = _span(whole, first << _HALF, last << _HALF | _WORD)
        if function != diagrams.true:
            below = _listed(diagrams, function, argument, lower)
            if not below:
                return ()
            text = f"{text} and {below}"
        found.append(text)
    return tuple(found) if len(found) <= _MOST_RANGES else ()


def _span(operand: _Operand, low: int, high: int) -> str:
    if low == 0:
        return f"{operand.text} <= {operand.value(high)}"
    if high == (1 << operand.bits) - 1:
        return f"{operand.text} >= {operand.value(low)}"
    return f"{operand.text} in {operand.value(low)}..{operand.value(high)}"


def _member(operand: _Operand, ranges: Sequence[tuple[int, int]], words: tuple[str, str]) -> str:
    """`family in {1, 2..5}`, or shorter where that is possible."""
    written: list[str] = []
    for low, high in ranges:
        ends = [operand.value(each) for each in dict.fromkeys((low, high))]
        written += ends if high - low < 2 else ["..".join(ends)]
    if len(written) > 1:
        return f"{operand.text} {words[1]} {{{', '.join(written)}}}"
    return f"{operand.text} {words['..' in written[0]]} {written[0]}"


def _joined(cube: Cube, operands: dict[int, _Operand]) -> str:
    return " and ".join(
        _masked(operands[argument], mask, value) for argument, mask, value in masks(cube)
    )


def _masked(operand: _Operand, mask: int, value: int) -> str:
    if mask == (1 << operand.bits) - 1:
        return f"{operand.text} == {operand.value(value)}"
    return f"{operand.text} & {mask:#x} == {value if value < 10 else hex(value)}"


def pieces(
    diagrams: Diagrams, argument: int, function: int, bits: int = 32, lowest: int = 0
) -> list[Piece]:
    """The function by intervals of some of the argument's bits, on which it depends first of all.

    They are `bits` from `lowest` on. Raises TooComplexError when there are too many.
    """
    found: list[Piece] = []

    def visit(number: int, low: int, left: int) -> None:
        at, zero, one = diagrams.parts(number)
        if left == 0 or at > variable(argument, lowest):
            if found and found[-1][2] == number:
                found[-1] = (found[-1][0], low + (1 << left) - 1, number)
                return
            found.append((low, low + (1 << left) - 1, number))
            if len(found) > MAXIMAL_PIECES:
                raise TooComplexError
            return
        if at != variable(argument, lowest + left - 1):
            zero = one = number
        visit(zero, low, left - 1)
        visit(one, low + (1 << (left - 1)), left - 1)

    visit(function, 0, bits)
    return found
