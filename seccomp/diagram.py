"""Decision diagrams over the bits of a call's arguments: meaning in a canonical form.

A reduced ordered decision diagram (Bryant 1986) with answers at its leaves: two functions
of the arguments are equal exactly when their diagrams are the same node. The variables are
the bits of argument 0, highest first, then of argument 1, and so on; where whole programs are
compared, those of the architecture and of the number come before them. On top of equality the
module offers covers: the cubes (`register & mask == value` on some arguments) whose union
is the set of calls with one answer, by Minato's and Morreale's irredundant sum of products.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..policies.errors import TooComplexError
from .filter import All, Any, Clause, Member, Test

BITS = 64
LEAF = 1 << 30
"""The variable of leaves: after every bit."""

ARCHITECTURE, NUMBER, INSTRUCTION_POINTER = -2, -1, 6
"""What else struct seccomp_data has, as arguments before the first and after the last."""

Literal = tuple[int, bool]
"""A bit and the value it must have."""
Cube = tuple[Literal, ...]
"""Bits that must have a value, ascending; the others may be anything."""


def variable(argument: int, bit: int) -> int:
    """The variable of one bit of an argument; bit 0 is the lowest."""
    return argument * BITS + (BITS - 1 - bit)


MAXIMAL_STEPS = 300_000
"""Nodes asked for before a store gives up: about a second. A diagram over several arguments
can grow exponentially with a hostile condition; sensible ones take some thousands."""


class Diagrams:
    """A store of nodes; equal functions are equal node numbers.

    Every operation raises TooComplexError once the steps are used up.
    """

    def __init__(self, steps: int = MAXIMAL_STEPS) -> None:
        self._left = steps
        self._nodes: list[tuple[int, int, int]] = []
        self._unique: dict[tuple[int, int, int], int] = {}
        self._choices: dict[tuple[int, int, int], int] = {}
        self.false = self.leaf(0)
        self.true = self.leaf(1)

    def leaf(self, value: int) -> int:
        """The function that has this value everywhere."""
        return self._number((LEAF, value, value))

    def node(self, bit: int, low: int, high: int) -> int:
        """`high` where the bit is set, `low` where it is not."""
        self._left -= 1
        if self._left < 0:
            raise TooComplexError
        return low if low == high else self._number((bit, low, high))

    def _number(self, node: tuple[int, int, int]) -> int:
        found = self._unique.get(node)
        if found is None:
            found = self._unique[node] = len(self._nodes)
            self._nodes.append(node)
        return found

    def parts(self, number: int) -> tuple[int, int, int]:
        """The variable (LEAF for a leaf), the low and the high successor of a node."""
        return self._nodes[number]

    def is_leaf(self, number: int) -> bool:
        """Whether the function is the same everywhere."""
        return self._nodes[number][0] == LEAF

    def value(self, leaf: int) -> int:
        """The value of a leaf."""
        return self._nodes[leaf][1]

    def choose(self, condition: int, then: int, otherwise: int) -> int:
        """`then` where the condition is true, `otherwise` where it is false."""
        if condition == self.true or then == otherwise:
            return then
        if condition == self.false:
            return otherwise
        key = (condition, then, otherwise)
        found = self._choices.get(key)
        if found is None:
            nodes = self._nodes
            first, condition0, condition1 = nodes[condition]
            second, then0, then1 = nodes[then]
            third, otherwise0, otherwise1 = nodes[otherwise]
            bit = min(first, second, third)
            if first != bit:
                condition0 = condition1 = condition
            if second != bit:
                then0 = then1 = then
            if third != bit:
                otherwise0 = otherwise1 = otherwise
            low = self.choose(condition0, then0, otherwise0)
            high = self.choose(condition1, then1, otherwise1)
            found = self._choices[key] = self.node(bit, low, high)
        return found

    def _branch(self, number: int, bit: int, value: bool) -> int:
        at, low, high = self._nodes[number]
        if at != bit:
            return number
        return high if value else low

    def both(self, left: int, right: int) -> int:
        """Where two conditions hold."""
        return self.choose(left, right, self.false)

    def compare(self, left: int, right: int, holds: Callable[[int, int], bool]) -> int:
        """Where a relation holds between the values of two functions."""
        known: dict[tuple[int, int], int] = {}

        def visit(one: int, other: int) -> int:
            found = known.get((one, other))
            if found is None:
                bit = min(self._nodes[one][0], self._nodes[other][0])
                if bit == LEAF:
                    is_so = holds(self._nodes[one][1], self._nodes[other][1])
                    found = self.true if is_so else self.false
                else:
                    low = visit(self._branch(one, bit, False), self._branch(other, bit, False))
                    high = visit(self._branch(one, bit, True), self._branch(other, bit, True))
                    found = self.node(bit, low, high)
                known[one, other] = found
            return found

        return visit(left, right)

    # --- from the filter ---------------------------------------------------------------

    def clauses(self, clauses: Sequence[Clause], default: int) -> int:
        """What resolved clauses answer: the first whose test holds, else the default."""
        result = self.leaf(default)
        for clause in reversed(clauses):
            result = self.choose(self.test(clause.test), self.leaf(clause.value), result)
        return result

    def test(self, test: Test) -> int:
        """Where a test holds."""
        match test:
            case All(parts):
                result = self.true
                for part in reversed(parts):
                    result = self.choose(self.test(part), result, self.false)
            case Any(parts):
                result = self.false
                for part in reversed(parts):
                    result = self.choose(self.test(part), self.true, result)
            case Member():
                result = self.false
                for low, high in test.ranges:
                    below = self._at_most(test, high)
                    if low > 0:
                        below = self.choose(self._at_most(test, low - 1), self.false, below)
                    result = self.choose(below, self.true, result)
        return result

    def _at_most(self, member: Member, limit: int) -> int:
        """Where `register & mask <= limit`, for a limit of at most the mask's width."""
        result = self.true
        for bit in range(BITS):  # from the lowest: the highest is asked first
            if not member.mask >> bit & 1:
                if limit >> bit & 1:
                    result = self.true  # a bit that is always 0 stays below the limit's 1
                continue
            at = variable(member.argument, bit)
            if limit >> bit & 1:
                result = self.node(at, self.true, result)
            else:
                result = self.node(at, result, self.false)
        return result

    # --- with some arguments known --------------------------------------------------------

    def restrict(self, function: int, argument: int, value: int) -> int:
        """The function where this argument has this 64-bit value."""
        known: dict[int, int] = {}

        def visit(number: int) -> int:
            if number not in known:
                at, low, high = self._nodes[number]
                if at == LEAF:
                    known[number] = number
                elif at // BITS == argument:
                    is_set = value >> (BITS - 1 - at % BITS) & 1
                    known[number] = visit(high if is_set else low)
                else:
                    known[number] = self.node(at, visit(low), visit(high))
            return known[number]

        return visit(function)

    def example(self, function: int, value: int) -> dict[int, int] | None:
        """Arguments for which the function has this value, as small as comes easily."""
        at, low, high = self._nodes[function]
        if at == LEAF:
            return {} if low == value else None
        for branch, is_set in ((low, 0), (high, 1)):
            found = self.example(branch, value)
            if found is not None:
                argument, bit = at // BITS, BITS - 1 - at % BITS
                found[argument] = found.get(argument, 0) | is_set << bit
                return found
        return None

    # --- covers ------------------------------------------------------------------------

    def where(self, function: int, value: int) -> int:
        """Where the function has this value."""
        known: dict[int, int] = {}

        def visit(number: int) -> int:
            if number not in known:
                bit, low, high = self._nodes[number]
                if bit == LEAF:
                    known[number] = self.true if low == value else self.false
                else:
                    known[number] = self.node(bit, visit(low), visit(high))
            return known[number]

        return visit(function)

    def values(self, function: int) -> list[int]:
        """The values that the function takes, ascending."""
        found: set[int] = set()
        seen: set[int] = set()
        stack = [function]
        while stack:
            number = stack.pop()
            if number not in seen:
                seen.add(number)
                bit, low, high = self._nodes[number]
                if bit == LEAF:
                    found.add(low)
                else:
                    stack += (low, high)
        return sorted(found)

    def cover(self, function: int) -> list[Cube]:
        """Cubes whose union is exactly where the function is true; none can be left out."""
        cubes, covered = self._irredundant(function, function, {})
        assert covered == function
        return sorted(cubes)

    def _irredundant(
        self, least: int, most: int, known: dict[tuple[int, int], tuple[list[Cube], int]]
    ) -> tuple[list[Cube], int]:
        """Cubes that cover `least` and stay within `most`, and what they cover."""
        if least == self.false:
            return [], self.false
        if most == self.true:
            return [()], self.true
        key = (least, most)
        if key in known:
            return known[key]
        bit = min(self._nodes[least][0], self._nodes[most][0])
        least0, least1 = self._branch(least, bit, False), self._branch(least, bit, True)
        most0, most1 = self._branch(most, bit, False), self._branch(most, bit, True)
        cubes0, covered0 = self._irredundant(self._minus(least0, most1), most0, known)
        cubes1, covered1 = self._irredundant(self._minus(least1, most0), most1, known)
        rest0, rest1 = self._minus(least0, covered0), self._minus(least1, covered1)
        rest = self.choose(rest0, self.true, rest1)
        both = self.choose(most0, most1, self.false)
        cubes, covered = self._irredundant(rest, both, known)
        result = (
            [((bit, False), *cube) for cube in cubes0]
            + [((bit, True), *cube) for cube in cubes1]
            + cubes,
            self.choose(covered, self.true, self.node(bit, covered0, covered1)),
        )
        known[key] = result
        return result

    def _minus(self, left: int, right: int) -> int:
        return self.choose(right, self.false, left)


def masks(cube: Iterable[Literal]) -> tuple[tuple[int, int, int], ...]:
    """The cube as (argument, mask, value), one for each argument it looks at."""
    found: dict[int, tuple[int, int]] = {}
    for at, is_set in cube:
        argument, bit = at // BITS, BITS - 1 - at % BITS
        mask, value = found.get(argument, (0, 0))
        found[argument] = (mask | 1 << bit, value | is_set << bit)
    return tuple((argument, *found[argument]) for argument in sorted(found))
