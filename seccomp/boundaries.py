"""Where the answers of a filter can change: the calls that are worth trying.

Every test exposes the register values at its edges, so whatever can be written can also be
tried, in the simulator and in the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from .filter import Clause, Member, Test, members
from .operands import ARGUMENT_COUNT

REGISTER = (1 << 64) - 1
_JUNK = 0xDEADBEEF00000000
"""Upper halves that a 32-bit comparison must not notice, nor a 64-bit one overlook."""

MOST_PER_CALL = 400
"""Register sets tried for one call; beyond that a spread of them."""


def edges(test: Test) -> dict[int, set[int]]:
    """By argument: the 64-bit register values on both sides of every limit in the test."""
    found: dict[int, set[int]] = {}
    for member in members(test):
        found.setdefault(member.argument, set()).update(_edges(member))
    return found


def _edges(member: Member) -> Iterator[int]:
    near = {0, member.mask}
    for low, high in member.ranges:
        near |= {low - 1, low, high, high + 1}
    for value in near:
        inside = value & member.mask
        yield inside
        yield inside | (~member.mask & REGISTER)
        yield inside | _JUNK
        yield (inside | 0xFFFFFFFF00000000) & REGISTER
        for bit in (1, 1 << 31, 1 << 32, 1 << 63, member.mask & -member.mask):
            yield inside ^ bit


def calls_to_try(clauses: Sequence[Clause]) -> Iterator[tuple[int, ...]]:
    """Register sets that between them reach both sides of every test of one call."""
    found: dict[int, set[int]] = {}
    for clause in clauses:
        for argument, values in edges(clause.test).items():
            found.setdefault(argument, set()).update(values)
    arguments = sorted(found)
    yield (0,) * ARGUMENT_COUNT
    if not arguments:
        return
    yield (REGISTER,) * ARGUMENT_COUNT
    choices = [sorted(found[argument]) for argument in arguments]
    count = 1
    for each in choices:
        count *= len(each)
    step = max(1, count // MOST_PER_CALL) | 1  # odd, so that it visits every residue of powers of 2
    if count <= MOST_PER_CALL:
        step = 1
    for index, combination in enumerate(product(*choices)):
        if index % step == 0:
            registers = [0] * ARGUMENT_COUNT
            for argument, value in zip(arguments, combination, strict=True):
                registers[argument] = value
            yield tuple(registers)
