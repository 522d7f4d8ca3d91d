"""Which ranges of a file have ids in common: columns of a million lines in under a second.

Sort, then sweep; `Holders.disjoint` tells the ordinary file, in which nothing overlaps. Not every
pair is named (n equal ranges make n²/2 of them): every range that overlaps one before it is
named once, with the one that reaches furthest.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import accumulate, islice
from operator import add, le
from typing import NamedTuple

Order = Sequence[int]
"""Indexes of ranges, by their first id."""


class Overlap(NamedTuple):
    """Two ranges, by index; `later` does not begin before `earlier`."""

    earlier: int
    later: int


def by_start(starts: Sequence[int]) -> Order:
    """The indexes in the order of their first ids; costs nothing where they are in order."""
    if all(map(le, starts, islice(starts, 1, None))):
        return range(len(starts))
    return sorted(range(len(starts)), key=starts.__getitem__)


def between_owners(
    starts: Sequence[int], counts: Sequence[int], owners: Sequence[Hashable], order: Order
) -> Iterator[Overlap]:
    """Ranges with an id that another owner has too."""
    # The range that reaches furthest, and the one that does so of all other owners.
    first = second = -1
    first_end = second_end = -1
    for index in order:
        start, owner = starts[index], owners[index]
        if first >= 0 and owners[first] != owner:
            if first_end > start:
                yield Overlap(first, index)
        elif second >= 0 and second_end > start:
            yield Overlap(second, index)
        end = start + counts[index]
        if first < 0 or owners[first] == owner:
            if end > first_end:
                first, first_end = index, end
        elif end > first_end:
            second, second_end = first, first_end
            first, first_end = index, end
        elif end > second_end:
            second, second_end = index, end


def within(starts: Sequence[int], counts: Sequence[int], order: Order) -> Iterator[Overlap]:
    """Ranges with an id that one before them has; `order` may be that of one owner only."""
    furthest = -1
    reach = -1
    for index in order:
        if furthest >= 0 and reach > starts[index]:
            yield Overlap(furthest, index)
        end = starts[index] + counts[index]
        if end > reach:
            furthest, reach = index, end


def _column(numbers: Callable[[], Iterator[int]]) -> Sequence[int]:
    try:
        return array("Q", numbers())
    except OverflowError:  # some readers take numbers of 64 bits, and their sums are larger
        return [*numbers()]


class Holders:
    """Finds a range that holds an id."""

    def __init__(self, starts: Sequence[int], counts: Sequence[int], order: Order) -> None:
        self._order = order
        if not isinstance(order, range):
            first, amount = starts.__getitem__, counts.__getitem__
            starts = _column(lambda: map(first, order))
            counts = _column(lambda: map(amount, order))
        self._starts = starts
        self._ends = _column(lambda: map(add, self._starts, counts))
        self.disjoint = all(map(le, self._ends, islice(starts, 1, None)))
        """Whether no id is in two ranges."""
        # The furthest end of all ranges up to each: where it is not beyond an id, none holds it.
        self._reach = self._ends if self.disjoint else _column(lambda: accumulate(self._ends, max))

    @property
    def end(self) -> int:
        """The id after the last that a range holds; 0 when there is none."""
        return self._reach[-1] if len(self._reach) else 0

    def of(self, number: int) -> int | None:
        """The index of a range with this id in it; None when there is none."""
        return self.touching(number, number)

    def touching(self, first: int, last: int) -> int | None:
        """The index of a range with an id of `first..last` in it; None when there is none."""
        position = bisect_right(self._starts, last) - 1
        while position >= 0 and self._reach[position] > first:
            if self._ends[position] > first:
                return self._order[position]
            position -= 1
        return None
