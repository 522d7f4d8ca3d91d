"""What ties the service's processes together: some shared memory, and a common end."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import time

STARTING, READY, SWAPPING = 0.0, 1.0, 2.0
"""States of a worker."""
FREE, WAITING, ASKED = 0, 1, 2
"""States of a worker's descriptor: no connection, one without a request, one that waits for an
answer."""
DESCRIPTORS = 8192
"""Descriptors with a state; connections beyond have none."""
_PR_SET_PDEATHSIG = 1


def die_with(master: int) -> None:
    """The kernel kills this process when its master dies: nobody would replace it any more."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != master:
        os._exit(1)


class Shared:
    """Memory that the master and its workers share: the generation of the policy, and for each
    worker its sign of life, its state and those of its connections."""

    _EACH = 2

    def __init__(self, workers: int) -> None:
        cells = 8 * (1 + self._EACH * workers)
        self._memory = memoryview(mmap.mmap(-1, cells + DESCRIPTORS * workers))
        self._cells = self._memory[:cells].cast("d")
        self._descriptors = self._memory[cells:]

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

    def mark(self, worker: int, descriptor: int, state: int) -> None:
        """The state of a worker's connection: FREE, WAITING or ASKED."""
        if 0 <= descriptor < DESCRIPTORS:
            self._descriptors[worker * DESCRIPTORS + descriptor] = state

    def descriptors(self, worker: int) -> bytes:
        """The state of each of its descriptors."""
        return bytes(self._descriptors[worker * DESCRIPTORS : (worker + 1) * DESCRIPTORS])

    def renew(self, worker: int) -> None:
        """Another process takes the worker's place: it begins now, without connections."""
        begin = worker * DESCRIPTORS
        self._descriptors[begin : begin + DESCRIPTORS] = bytes(DESCRIPTORS)
        self.set_state(worker, STARTING)
        self.beat(worker)
