"""Arithmetic on 32-bit words whose every bit is a diagram."""

from __future__ import annotations

from ..policies.errors import TooComplexError
from .diagram import Diagrams, variable

Bits = tuple[int, ...]
"""32 nodes of a store, each true or false for every call; the lowest bit first."""

SIZE = 32


class Arithmetic:
    """The instructions of a BPF machine, over all calls at once."""

    def __init__(self, diagrams: Diagrams) -> None:
        self._diagrams = diagrams
        self._false, self._true = diagrams.false, diagrams.true
        self._words: dict[tuple[int, int], Bits] = {}

    def number(self, value: int) -> Bits:
        """A word that is the same for every call."""
        return tuple(self._true if value >> bit & 1 else self._false for bit in range(SIZE))

    def word(self, argument: int, lowest: int) -> Bits:
        """32 bits of an argument, from this one on."""
        key = argument, lowest
        if key not in self._words:
            self._words[key] = tuple(
                self._diagrams.node(variable(argument, lowest + bit), self._false, self._true)
                for bit in range(SIZE)
            )
        return self._words[key]

    # --- single bits -----------------------------------------------------------------------

    def no(self, bit: int) -> int:
        """Where it is not set."""
        return self._diagrams.choose(bit, self._false, self._true)

    def both(self, left: int, right: int) -> int:
        """Where both are set."""
        return self._diagrams.choose(left, right, self._false)

    def either(self, left: int, right: int) -> int:
        """Where at least one is set."""
        return self._diagrams.choose(left, self._true, right)

    def differ(self, left: int, right: int) -> int:
        """Where exactly one is set."""
        return self._diagrams.choose(left, self.no(right), right)

    def _if(self, bit: int, then: int, otherwise: int) -> int:
        """choose(), at once where the bit is one of the call that comes before all others."""
        parts = self._diagrams.parts
        at, low, high = parts(bit)
        first = at < parts(then)[0] and at < parts(otherwise)[0]
        if first and low == self._false and high == self._true:
            return self._diagrams.node(at, otherwise, then)
        return self._diagrams.choose(bit, then, otherwise)

    # --- comparisons -----------------------------------------------------------------------

    def equal(self, left: Bits, right: Bits) -> int:
        """Where two words are equal."""
        result = self._true
        for one, other in zip(left, right, strict=True):  # lowest first: the last are asked first
            if other == self._true:
                result = self._if(one, result, self._false)
            elif other == self._false:
                result = self._if(one, self._false, result)
            else:
                result = self.both(self.no(self.differ(one, other)), result)
        return result

    def above(self, left: Bits, right: Bits, *, or_equal: bool) -> int:
        """Where the left word is greater, both unsigned."""
        choose = self._diagrams.choose
        result = self._true if or_equal else self._false
        for one, other in zip(left, right, strict=True):
            if other == self._true:
                result = self._if(one, result, self._false)
            elif other == self._false:
                result = self._if(one, self._true, result)
            else:
                result = choose(
                    one, choose(other, result, self._true), choose(other, self._false, result)
                )
        return result

    def overlap(self, left: Bits, right: Bits) -> int:
        """Where some bit is set in both."""
        result = self._false
        for one, other in zip(left, right, strict=True):
            result = self.either(self.both(one, other), result)
        return result

    # --- calculations ----------------------------------------------------------------------

    def calculate(self, operation: int, left: Bits, right: Bits) -> Bits:
        """What an ALU instruction leaves in A.

        Raises TooComplexError for divisions by anything but a known power of two.
        """
        pairs = zip(left, right, strict=True)
        match operation:
            case 0x00:
                return self._sum(left, right, self._false)
            case 0x10:
                return self._sum(left, self._inverted(right), self._true)
            case 0x20:
                return self._product(left, right)
            case 0x30:
                return self._quotient(left, right)
            case 0x40:
                return tuple(self.either(one, other) for one, other in pairs)
            case 0x50:
                return tuple(self.both(one, other) for one, other in pairs)
            case 0x60 | 0x70:
                return self._shifted(left, right, 1 if operation == 0x60 else -1)
            case 0x80:
                return self._sum(self.number(0), self._inverted(left), self._true)
            case _:
                return tuple(self.differ(one, other) for one, other in pairs)

    def _inverted(self, word: Bits) -> Bits:
        return tuple(self.no(bit) for bit in word)

    def _sum(self, left: Bits, right: Bits, carry: int) -> Bits:
        result = []
        for one, other in zip(left, right, strict=True):
            half = self.differ(one, other)
            result.append(self.differ(half, carry))
            carry = self._diagrams.choose(half, carry, one)
        return tuple(result)

    def _product(self, left: Bits, right: Bits) -> Bits:
        result = self.number(0)
        for position, factor in enumerate(right):
            if factor != self._false:
                moved = (self._false,) * position + left[: SIZE - position]
                added = tuple(self.both(bit, factor) for bit in moved)
                result = self._sum(result, added, self._false)
        return result

    def _quotient(self, left: Bits, right: Bits) -> Bits:
        ones = [position for position, bit in enumerate(right) if bit == self._true]
        if len(ones) != 1 or any(bit not in (self._true, self._false) for bit in right):
            raise TooComplexError
        return left[ones[0] :] + (self._false,) * ones[0]

    def _shifted(self, word: Bits, by: Bits, direction: int) -> Bits:
        """Moved up (1) or down (-1) by the lowest five bits of `by`, as the kernel does."""
        for stage in range(5):
            distance = 1 << stage
            if direction > 0:
                moved = (self._false,) * distance + word[: SIZE - distance]
            else:
                moved = word[distance:] + (self._false,) * distance
            word = tuple(
                self._diagrams.choose(by[stage], far, near)
                for far, near in zip(moved, word, strict=True)
            )
        return word
