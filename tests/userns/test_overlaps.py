"""The sweep finds what comparing all with all finds."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from stockade.userns.overlaps import Holders, between_owners, by_start, within

RANGES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from("abc")), max_size=12
)
Ranges = list[tuple[int, int, str]]


def columns(ranges: Ranges) -> tuple[list[int], list[int], list[str]]:
    return [r[0] for r in ranges], [r[1] for r in ranges], [r[2] for r in ranges]


def share(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    return one[0] < other[0] + other[1] and other[0] < one[0] + one[1]


@given(RANGES)
def test_between_owners(ranges: Ranges) -> None:
    starts, counts, owners = columns(ranges)
    order = by_start(starts)
    found = list(between_owners(starts, counts, owners, order))
    for earlier, later in found:
        assert owners[earlier] != owners[later]
        assert share(ranges[earlier], ranges[later])
    rank = {index: place for place, index in enumerate(order)}
    wanted = {
        max(i, j, key=rank.__getitem__)
        for i, j in combinations(range(len(ranges)), 2)
        if owners[i] != owners[j] and share(ranges[i], ranges[j])
    }
    assert {later for _, later in found} == wanted
    assert len(found) == len(wanted)


@given(RANGES)
def test_within(ranges: Ranges) -> None:
    starts, counts, _ = columns(ranges)
    order = by_start(starts)
    found = list(within(starts, counts, order))
    assert all(share(ranges[i], ranges[j]) for i, j in found)
    rank = {index: place for place, index in enumerate(order)}
    wanted = {
        max(i, j, key=rank.__getitem__)
        for i, j in combinations(range(len(ranges)), 2)
        if share(ranges[i], ranges[j])
    }
    assert {later for _, later in found} == wanted
    assert Holders(starts, counts, order).disjoint == (not wanted)


@given(RANGES, st.integers(0, 60), st.integers(0, 10))
def test_holders(ranges: Ranges, number: int, more: int) -> None:
    starts, counts, _ = columns(ranges)
    found = Holders(starts, counts, by_start(starts)).touching(number, number + more)
    asked = (number, more + 1, "")
    if found is None:
        assert not any(share(each, asked) for each in ranges)
    else:
        assert share(ranges[found], asked)


def test_numbers_beyond_64_bits():
    starts, counts = [65536, 2**64 - 10, 100_000], [10, 2**64 - 65536, 1]
    found = Holders(starts, counts, by_start(starts))
    assert found.of(65545) == 0
    assert found.of(2**64) == 1
    assert found.end == 2**65 - 65546
