"""What comes on a worker's connections: what was read of it, and in what time it has to come."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent
import gevent.socket

from .shared import ASKED, WAITING


class Abandoning(Protocol):
    """Who reads a body."""

    wsgi_input: Any

    def abandon_body(self) -> None:
        """The rest of it never comes."""


class Reading(io.RawIOBase):
    """What comes on a connection. Whoever takes the connection over (rescue.py) must know whether
    anything of a request was read already: that is said before it is read.
    """

    def __init__(self, sock: Any, mark: Callable[[int, int], None]) -> None:
        self._socket, self._mark = sock, mark
        self._descriptor: int = sock.fileno()
        self._begun = False

    def begin(self) -> None:
        """From here on a new request is waited for."""
        self._begun = False
        self._mark(self._descriptor, WAITING)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            self._mark(self._descriptor, ASKED)
            try:
                count: int = self._socket._sock.recv_into(buffer)
            except BlockingIOError:
                if not self._begun:
                    self._mark(self._descriptor, WAITING)
                gevent.socket.wait_read(self._descriptor)
            else:
                self._begun = True
                return count


AT_ONCE = 16 << 10
"""Bytes that dockerd has sent before anybody could wait for them."""


class Timed:
    """A body that has to arrive before the deadline."""

    def __init__(self, handler: Abandoning, until: float) -> None:
        self._handler, self._stream, self._until = handler, handler.wsgi_input, until

    def read(self, size: int = -1) -> bytes:
        """Raises TimeoutError, once and for all."""
        left = max(0.05, self._until - time.monotonic())
        try:
            with gevent.Timeout(left, TimeoutError("the body did not arrive in time")):
                data: bytes = self._stream.read(size)
        except OSError:
            self._stream = Nothing()
            self._handler.abandon_body()
            raise
        return data


class Nothing:
    """A body of which nothing more is read."""

    def read(self, size: int = -1) -> bytes:
        return b""

    def _discard(self) -> None:
        return None
