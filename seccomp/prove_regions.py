"""Where two functions differ, in the words of the language: by architecture, call and arguments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..policies.errors import TooComplexError
from . import numbers
from .diagram import ARCHITECTURE, BITS, LEAF, NUMBER, Cube, Diagrams, masks, variable
from .explain import argument_name
from .prove import freedom
from .syscalls import ABIS, Abi, arguments, table
from .syscalls.abi import X32_BIT

MAXIMAL_PIECES = 20_000
"""Intervals of numbers that are told apart."""
_MOST_RANGES = 8
"""Intervals of one argument that are listed; more are told by masks."""
_SIZE = 32

Piece = tuple[int, int, int]
"""First and last value, and the function for them."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of some calls of one architecture."""

    arch: int
    """AUDIT_ARCH_*; every one that no ABI has counts as one, the lowest."""
    abi: Abi | None
    """None: an architecture that Stockade does not know, or any other."""
    first: int
    last: int
    """The numbers."""
    before: int
    after: int
    """The SECCOMP_RET_* values."""
    conditions: tuple[str, ...]
    """Where the arguments are any of these; empty: whatever they are."""

    @property
    def kind(self) -> str:
        """`widened`, `narrowed`, or `changed` when it lets the call run as far as before."""
        gain = freedom(self.after) - freedom(self.before)
        return "changed" if gain == 0 else "widened" if gain > 0 else "narrowed"

    @property
    def names(self) -> tuple[str, ...]:
        """The calls with these numbers; numbers that have no call as `#467..0x3fffffff`."""
        known = table(self.abi).by_number if self.abi is not None else {}
        here = sorted(nr for nr in known if self.first <= nr <= self.last)
        found: list[str] = []
        start = self.first
        for nr in here:
            found += _numbers(start, nr - 1)
            found.append(known[nr])
            start = nr + 1
        return (*found, *_numbers(start, self.last))


def _numbers(first: int, last: int) -> list[str]:
    if first > last:
        return []
    return [f"#{_number(first)}" if first == last else f"#{_number(first)}..{_number(last)}"]


def _number(value: int) -> str:
    return str(value) if value < 10_000 else f"{value:#x}"


def changes(diagrams: Diagrams, before: int, after: int) -> Iterator[Change]:
    """Every difference, by architecture in the order of the ABIs, then by number.

    Raises TooComplexError where there are too many to tell apart.
    """
    known = {each.audit_arch: None for each in ABIS.values()}
    others: tuple[int, int, int] | None = None
    found: dict[int, tuple[int, int]] = {}
    for first, last, old, new in _pairs(diagrams, ARCHITECTURE, before, after):
        if old == new:
            continue
        inside = [arch for arch in known if first <= arch <= last]
        found.update(dict.fromkeys(inside, (old, new)))
        if len(inside) <= last - first and others is None:
            others = first, old, new
    for arch in known:
        if arch in found:
            yield from _in_architecture(diagrams, arch, *found[arch])
    if others is not None:
        yield from _in_architecture(diagrams, *others)


def _in_architecture(diagrams: Diagrams, arch: int, before: int, after: int) -> Iterator[Change]:
    here = [each for each in ABIS.values() if each.audit_arch == arch]
    for first, last, old, new in _pairs(diagrams, NUMBER, before, after):
        if old == new:
            continue
        plain = diagrams.is_leaf(old) and diagrams.is_leaf(new)
        for low, high in _by_abi(first, last, here, one_by_one=not plain):
            abi = numbers.abi_of(arch, low, here)
            for one in diagrams.values(old):
                for other in diagrams.values(new):
                    if one == other:
                        continue
                    where = diagrams.both(diagrams.where(old, one), diagrams.where(new, other))
                    if where != diagrams.false:
                        words = tuple(_words(diagrams, where, abi, low))
                        yield Change(arch, abi, low, high, one, other, words)


def _by_abi(
    first: int, last: int, here: Sequence[Abi], *, one_by_one: bool
) -> Iterator[tuple[int, int]]:
    """The interval, cut where x32 begins or ends, and at every call whose arguments count."""
    if one_by_one and here:
        calls = {nr for each in here for nr in table(each).by_number if first <= nr <= last}
        for nr in sorted(calls):
            if first < nr:
                yield first, nr - 1
            yield nr, nr
            first = nr + 1
    cuts = [X32_BIT, 1 << 31, 1 << 31 | X32_BIT] if len(here) > 1 else []
    for cut in cuts:
        if first < cut <= last:
            yield first, cut - 1
            first = cut
    if first <= last:
        yield first, last


def _pairs(
    diagrams: Diagrams, argument: int, left: int, right: int
) -> Iterator[tuple[int, int, int, int]]:
    """Intervals of a 32-bit argument on which both functions depend on it no further."""
    ones, others = pieces(diagrams, argument, left), pieces(diagrams, argument, right)
    at = other_at = start = 0
    while at < len(ones):
        last = min(ones[at][1], others[other_at][1])
        yield start, last, ones[at][2], others[other_at][2]
        start = last + 1
        at += ones[at][1] == last
        other_at += others[other_at][1] == last


def pieces(diagrams: Diagrams, argument: int, function: int, bits: int = _SIZE) -> list[Piece]:
    """The function by intervals of the argument's low bits, on which it depends first of all.

    Raises TooComplexError when there are too many.
    """
    found: list[Piece] = []

    def visit(number: int, low: int, left: int) -> None:
        at, zero, one = diagrams.parts(number)
        if left == 0 or at > variable(argument, 0):
            if found and found[-1][2] == number:
                found[-1] = (found[-1][0], low + (1 << left) - 1, number)
                return
            found.append((low, low + (1 << left) - 1, number))
            if len(found) > MAXIMAL_PIECES:
                raise TooComplexError
            return
        if at != variable(argument, left - 1):
            zero = one = number
        visit(zero, low, left - 1)
        visit(one, low + (1 << (left - 1)), left - 1)

    visit(function, 0, bits)
    return found


def _words(diagrams: Diagrams, where: int, abi: Abi | None, nr: int) -> Iterator[str]:
    """The conditions under which it is true; none at all when it always is."""
    if where == diagrams.true:
        return
    asked = _asked(diagrams, where)
    name = table(abi).by_number.get(nr, "") if abi is not None else ""
    if len(asked) == 1:
        argument, bits = asked.popitem()
        width = 32 if max(bits) < 32 else 64
        if 0 <= argument <= 5:
            try:
                ranges = _ranges(diagrams, where, argument, width)
            except TooComplexError:
                ranges = []
            if 0 < len(ranges) <= _MOST_RANGES:
                yield _member(_operand(name, abi, argument, width), ranges)
                return
    cubes = diagrams.cover(where)
    others = diagrams.cover(diagrams.choose(where, diagrams.false, diagrams.true))

    def written(cube: Cube) -> str:
        return " and ".join(
            _masked(_operand(name, abi, argument, 32 if mask < 1 << 32 else 64), mask, value)
            for argument, mask, value in masks(cube)
        )

    if len(others) < len(cubes):
        yield " and ".join(f"not ({written(cube)})" for cube in others)
    else:
        yield from map(written, cubes)


def _asked(diagrams: Diagrams, function: int) -> dict[int, set[int]]:
    """By argument: the bits on which the function depends."""
    found: dict[int, set[int]] = {}
    seen, stack = set(), [function]
    while stack:
        number = stack.pop()
        at, low, high = diagrams.parts(number)
        if number in seen or at == LEAF:
            continue
        seen.add(number)
        found.setdefault(at // BITS, set()).add(BITS - 1 - at % BITS)
        stack += (low, high)
    return found


def _ranges(diagrams: Diagrams, where: int, argument: int, width: int) -> list[tuple[int, int]]:
    return [
        (low, high)
        for low, high, function in pieces(diagrams, argument, where, width)
        if function == diagrams.true
    ]


def _operand(name: str, abi: Abi | None, argument: int, width: int) -> str:
    """The argument's name, or u64(...) of it where more is looked at than the kernel does."""
    if argument == 6:
        return "instruction_pointer"
    if abi is None or not name:
        return f"arg{argument}"
    prototype = arguments(name, abi)
    word = argument_name(name, abi, argument)
    if prototype is None or argument >= len(prototype):
        return f"u64({word})"
    known = prototype[argument]
    return f"u64({word})" if known.pointer or width > known.bits else word


def _member(operand: str, ranges: Sequence[tuple[int, int]]) -> str:
    words = [
        _value(low) if low == high else f"{_value(low)}..{_value(high)}" for low, high in ranges
    ]
    if len(words) == 1:
        return f"{operand} == {words[0]}" if ".." not in words[0] else f"{operand} in {words[0]}"
    return f"{operand} in {{{', '.join(words)}}}"


def _masked(operand: str, mask: int, value: int) -> str:
    if mask in (0xFFFFFFFF, (1 << BITS) - 1):
        return f"{operand} == {_value(value)}"
    return f"{operand} & {mask:#x} == {_value(value)}"


def _value(value: int) -> str:
    return str(value) if value < 10 else f"{value:#x}"
