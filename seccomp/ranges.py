"""Sets of unsigned integers as ascending, disjoint, inclusive intervals."""

from __future__ import annotations

from collections.abc import Iterable

from .filter import Ranges


def normalize(intervals: Iterable[tuple[int, int]]) -> Ranges:
    """The union of intervals in the canonical form; empty ones (low > high) vanish."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pair for pair in intervals if pair[0] <= pair[1]):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(ranges: Ranges, top: int) -> Ranges:
    """Everything in 0..top outside the ranges."""
    gaps, start = [], 0
    for low, high in ranges:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= top:
        gaps.append((start, top))
    return tuple(gaps)


def wrap(low: int, high: int, bits: int) -> Ranges:
    """A possibly negative interval of a signed value, as unsigned two's complement."""
    size = 1 << bits
    below = (low + size, min(high, -1) + size) if low < 0 else (1, 0)
    return normalize([below, (max(low, 0), high)])
