"""Answers given in the place of a worker that hangs.

A worker that is held up by a call that never returns (a module of the user's, a file system that
does not answer) reads and writes nothing more, and dockerd would wait with it. At the deadline
the master takes the worker's connections out of it and kills it. A process of its own denies what
was asked on them, each with its line in the decision log; those on which nothing was asked go to
the next worker. A closed connection would make dockerd wait for another second and ask again.

The kernel allows it for a process of one's own, pidfd_getfd(2); where a seccomp filter does not,
or a kernel before 5.6, and of TLS connections, there is nothing to take: they close.
"""

from __future__ import annotations

import _socket
import contextlib
import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from .app import CONTENT_TYPE, FAULT
from .metrics import Meter
from .model import Phase
from .reload import read_bundle
from .settings import Settings
from .shared import ASKED, FREE
from .worker import Parts

LINGER = 1.0
"""Seconds for which what a client still sends is read: closing earlier could lose the answer."""
_PIDFD_GETFD = 438
_PAUSE = 0.01

Connection = _socket.socket
"""Not `socket.socket`, which gevent has replaced by one with an event loop."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The connections of a process."""

    owed: list[Connection] = field(default_factory=list)
    """Somebody waits for an answer."""
    idle: list[Connection] = field(default_factory=list)

    def close(self) -> None:
        """Gives these copies back."""
        for each in [*self.owed, *self.idle]:
            each.close()


def take(pid: int, states: bytes, names: Collection[object]) -> Taken:
    """Copies of the connections of a process, which is stopped, to be killed next.

    `states` has a state for each of its descriptors, `names` are the addresses that it serves.
    """
    taken = Taken()
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGSTOP)
        handle = os.pidfd_open(pid)
        try:
            for descriptor, state in enumerate(states):
                if state != FREE and (found := _copy(handle, descriptor, names)) is not None:
                    asked = state == ASKED or _unread(found)
                    (taken.owed if asked else taken.idle).append(found)
        finally:
            os.close(handle)
    return taken


def _copy(handle: int, descriptor: int, names: Collection[object]) -> Connection | None:
    copy = ctypes.CDLL(None).syscall(_PIDFD_GETFD, handle, descriptor, 0)
    if copy < 0:
        return None
    try:
        connection = Connection(fileno=copy)
    except OSError:
        os.close(copy)
        return None
    # The worker may have closed it and opened something else since it wrote the state.
    if connection.getsockname() in names:
        return connection
    connection.close()
    return None


def _unread(connection: Connection) -> bool:
    try:
        return bool(connection.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT))
    except OSError:
        return False


def rescue(settings: Settings, parts: Parts, meter: Meter, owed: Sequence[Connection]) -> int:
    """Denies on every connection, as a request that comes too late; gives the exit status."""
    answer_all(owed, _denial(settings, parts, meter))
    return 0


def _denial(settings: Settings, parts: Parts, meter: Meter) -> Callable[[], bytes]:
    try:
        _, bundle = read_bundle(settings.state)
        settings = replace(settings, opa=())  # nothing will be asked of an engine
        decider = parts.decider(settings, parts.rules(settings, bundle), meter)
    except BaseException:  # what made the worker hang may be in the way here too
        traceback.print_exc(file=sys.stderr)
        return lambda: FAULT
    # What was asked has gone with the worker; nothing is decided so long after its arrival.
    arrived = time.monotonic() - settings.deadline - 1.0
    return lambda: decider.answer(Phase.REQUEST, b"", arrived)


def answer_all(owed: Sequence[Connection], answer: Callable[[], bytes]) -> None:
    """Sends an answer on each connection and sees them closed."""
    left = [each for each in owed if _send(each, answer())]
    end = time.monotonic() + LINGER
    while left and time.monotonic() < end:
        left = [each for each in left if _goes_on(each)]
        time.sleep(_PAUSE)
    for each in owed:
        with contextlib.suppress(OSError):
            each.shutdown(_socket.SHUT_RDWR)  # whoever else has a copy of it
        each.close()


def _send(connection: Connection, answer: bytes) -> bool:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(answer)}\r\nConnection: close\r\n\r\n"
    )
    try:
        connection.setblocking(False)
        connection.sendall(head.encode() + answer)
        connection.shutdown(_socket.SHUT_WR)
    except OSError:
        return False
    return True


def _goes_on(connection: Connection) -> bool:
    """Whether the client has not closed it yet; what it sent is read away."""
    try:
        while connection.recv(1 << 20):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False
