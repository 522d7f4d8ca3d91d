"""What the master and its workers tell each other without a word: a page of shared memory."""

from __future__ import annotations

import mmap
import time

STARTING, READY, SWAPPING = 0.0, 1.0, 2.0
"""States of a worker."""


class Shared:
    """Memory that the master and its workers share: the generation of the policy, and for each
    worker its sign of life, its state and the generation it decides by."""

    _EACH = 3

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, 8 * (1 + self._EACH * workers))
        self._cells = memoryview(self._memory).cast("d")

    @property
    def generation(self) -> int:
        """Of the policy in force."""
        return int(self._cells[0])

    @generation.setter
    def generation(self, value: int) -> None:
        self._cells[0] = float(value)

    def beat(self, worker: int) -> None:
        """The worker is alive now."""
        self._cells[1 + self._EACH * worker] = time.monotonic()

    def last_beat(self, worker: int) -> float:
        """A time.monotonic()."""
        return self._cells[1 + self._EACH * worker]

    def set_state(self, worker: int, state: float) -> None:
        """STARTING, READY or SWAPPING."""
        self._cells[2 + self._EACH * worker] = state

    def state(self, worker: int) -> float:
        """STARTING, READY or SWAPPING."""
        return self._cells[2 + self._EACH * worker]
