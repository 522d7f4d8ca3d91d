"""A worker process: gevent's WSGI server on the shared sockets, and the plugin behind it.

`gevent.monkey.patch_all()` has been called before this module is imported (see serve).
"""

from __future__ import annotations

import contextlib
import io
import select
import signal
import socket
import ssl
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import gevent
from gevent.event import Event
from gevent.pywsgi import WSGIHandler, WSGIServer

from . import goform
from .app import ARRIVED, FAULT, Answering, make_app
from .denied import Denied
from .metrics import Meter
from .model import Phase
from .reading import AT_ONCE, Nothing, Reading, Timed
from .reload import Bundle, read_bundle
from .settings import Settings, Tls
from .shared import FREE, READY, SWAPPING, WAITING, Shared

if TYPE_CHECKING:
    from .decide import Rules

TICK = 0.2
"""Seconds between two signs of life."""
ACCEPTED_AT_ONCE = 4
"""Connections taken in a row; more at once would leave the other workers idle."""
HANDSHAKE = 5.0
"""Seconds for a TLS handshake."""
UPKEEP = 300.0
"""Seconds between two rounds of upkeep."""
LATE = 1.2
"""Seconds beyond the deadline after which a call that still waits is given up. Each step of a
decision has the deadline itself; what comes then is the log, which may wait for its lock."""
_LONG_WAIT = 0.0005
_DRAINING = 0.1
_RETRY = 5.0


class Decider(Protocol):
    """What answers calls: `decide.Decider`."""

    def answer(self, phase: Phase, raw: bytes, arrived: float | None = None) -> bytes:
        """The answer's JSON to a call's raw document; never raises."""

    def swap(self, rules: Rules) -> None:
        """Decide by these rules from the next call on."""


@dataclass(frozen=True, slots=True)
class Parts:
    """How the plugin is put together; given by who composes the packages."""

    load: Callable[[Settings], Bundle]
    """Compiles and validates the policy. Raises InputError. Runs in a process of its own."""
    rules: Callable[[Settings, Bundle], Rules]
    """Runs in each worker, at its start and after a reload."""
    decider: Callable[[Settings, Rules, Meter], Decider]
    """Runs once in each worker."""
    begin: Callable[[Settings], None] = lambda settings: None
    """Runs once in the master, which holds the state directory, before anything is answered."""
    upkeep: Callable[[Any], None] = lambda decider: None
    """Runs in one worker at its start and every UPKEEP seconds, beside the calls."""


class Current:
    """The decider with the policy of the newest generation, looked at before each call."""

    def __init__(
        self, settings: Settings, parts: Parts, shared: Shared, worker: int, meter: Meter
    ) -> None:
        """Raises whatever the parts raise; then the worker ends and the master starts another."""
        self._settings, self._parts, self._shared = settings, parts, shared
        self._worker, self._meter = worker, meter
        self._retry = 0.0
        self._renewal: Any = None
        self._generation, bundle = read_bundle(settings.state)
        self._decider = parts.decider(settings, parts.rules(settings, bundle), meter)

    @property
    def decider(self) -> Decider:
        """What decides."""
        return self._decider

    def answer(self, phase: Phase, raw: bytes, arrived: float | None = None) -> bytes:
        """See Decider. Nobody is allowed anything by an old policy: without the new one it is
        denied, as what comes too late."""
        self._shared.beat(self._worker)
        self._meter.in_flight += 1
        now = time.monotonic()
        since = now if arrived is None else arrived
        left = max(0.0, since + self._settings.deadline - now)
        late = Denied("deadline", "the decision took too long")
        try:
            with gevent.Timeout(left + LATE, late):
                if not self.renewed(left):
                    arrived = now - self._settings.deadline - LATE
                return self._decider.answer(phase, raw, arrived)
        finally:
            self._meter.in_flight -= 1
            self._shared.beat(self._worker)

    def renewed(self, limit: float) -> bool:
        """Whether the newest policy decides here; waits for it for so many seconds."""
        if self._shared.generation > self._generation:
            # Of its own, because whoever waits for it may give up.
            if not self._renewal and time.monotonic() >= self._retry:
                self._renewal = gevent.spawn(self._renew)
            gevent.joinall([self._renewal], limit)
        return self._shared.generation <= self._generation

    def _renew(self) -> None:
        """Takes the newest policy; when it cannot, it is not tried again for some seconds."""
        self._shared.set_state(self._worker, SWAPPING)
        try:
            generation, bundle = read_bundle(self._settings.state)
            self._decider.swap(self._parts.rules(self._settings, bundle))
            self._generation = generation
        except BaseException:
            self._retry = time.monotonic() + _RETRY
            traceback.print_exc(file=sys.stderr)
        finally:
            self._shared.beat(self._worker)
            self._shared.set_state(self._worker, READY)


class Polls:
    """When the event loop last looked for events, to say when one of them happened at the latest.

    An event that a poll gives had not happened at the poll before. While the process computes,
    requests wait unseen; that wait counts against their deadline too.
    """

    def __init__(self) -> None:
        loop = gevent.get_hub().loop
        self._begun = self._ended = self._ended_before = time.monotonic()
        self._prepare = loop.prepare()
        self._prepare.priority = loop.MINPRI  # after gevent has run what was scheduled
        self._prepare.start(self._before)
        self._check = loop.check()
        self._check.priority = loop.MAXPRI
        self._check.start(self._after)

    def _before(self) -> None:
        self._begun = time.monotonic()

    def _after(self) -> None:
        self._ended_before, self._ended = self._ended, time.monotonic()

    def arrival(self) -> float:
        """The earliest that an event seen now may have happened."""
        waited = self._ended - self._begun > _LONG_WAIT
        return self._ended if waited else self._ended_before


class Handler(WSGIHandler):  # type: ignore[misc]
    """A connection: says when each request arrived, and ends without cutting one off."""

    server: Server
    waiting = False
    """Whether it waits for a request, and nothing of one has come."""
    answered = False
    """Whether a request came before."""
    arrived = 0.0

    def __init__(self, sock: socket.socket, address: Any, server: Server) -> None:
        self._reading = None if server.ssl_enabled else Reading(sock, server.mark)
        rfile = None if self._reading is None else io.BufferedReader(self._reading)
        super().__init__(sock, address, server, rfile)

    def handle(self) -> None:
        self.server.handlers.add(self)
        descriptor = self.socket.fileno()
        try:
            super().handle()
        finally:
            self.server.mark(descriptor, FREE)
            self.server.handlers.discard(self)

    def handle_one_request(self) -> Any:
        """A call in dockerd's own form is answered here, any other by pywsgi and Flask."""
        try:
            seen = self._next()
        except OSError:
            return None
        form = goform.read(seen)
        if form is None:
            return super().handle_one_request()
        phase, begin, end = form
        raw = self.rfile.read(end)[begin:]
        try:
            answer = self.server.answer(phase, raw, self.arrived)
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            answer = FAULT
        try:
            self.socket.sendall(goform.answer(answer))
        except OSError:
            return None
        return True

    def _next(self) -> bytes:
        """Waits for a request; gives as much of it as has come. Raises OSError."""
        if self.server.ending:
            self.end_reading()
        if self._reading is not None:
            self._reading.begin()
        since = time.monotonic()
        # The others' turn, also of those who have only just asked: a busy connection would never
        # wait by itself, and `gevent.sleep(0)` looks for events every 50th time only.
        hub = gevent.get_hub()
        hub.wait(hub.loop.timer(0))
        self.waiting = True
        try:
            seen: bytes = self.rfile.peek()
        finally:
            self.waiting = False
        # Nobody asks before the last answer: Go's client sends one request at a time.
        self.arrived = max(self.server.polls.arrival(), since if self.answered else 0.0)
        self.answered = True
        self.server.beat()
        return seen

    def get_environ(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environ()
        environ[ARRIVED] = self.arrived
        if self.content_length is None or self.content_length > AT_ONCE:
            environ["wsgi.input"] = Timed(self, self.arrived + self.server.deadline)
        return environ

    def _write_with_headers(self, data: bytes) -> None:
        """Head and body in one write; the client wakes up once."""
        pieces: list[bytes] = []
        self._sendall = pieces.append
        try:
            super()._write_with_headers(data)
        finally:
            del self._sendall
        self._sendall(b"".join(pieces))

    def abandon_body(self) -> None:
        """After this answer the connection ends: nobody knows where the next request begins."""
        self.close_connection = True
        self.wsgi_input = Nothing()

    def end_reading(self) -> None:
        """What has come is still answered; the client's next write fails at once, before any
        byte is taken, so that it can send all of it again to somebody else."""
        with contextlib.suppress(OSError):
            # Below gevent, which would end a wait with an error, whatever has come meanwhile.
            self.socket._sock.shutdown(socket.SHUT_RD)

    def end_if_waiting(self) -> None:
        """Ends reading unless a request is just coming in."""
        if self.waiting and not select.select([self.socket.fileno()], [], [], 0)[0]:
            self.end_reading()


class Server(WSGIServer):  # type: ignore[misc]
    """Connections without end: no idle timeout, no limit on requests."""

    ending = False

    def __init__(
        self,
        listener: socket.socket,
        application: Any,
        decider: Answering,
        polls: Polls,
        post: Post,
        deadline: float,
        **tls: ssl.SSLContext,
    ) -> None:
        super().__init__(
            listener,
            application,
            log=None,
            error_log=sys.stderr,
            handler_class=Handler,
            environ={"wsgi.multiprocess": True, "SERVER_NAME": "stockade"},
            **tls,
        )
        self.max_accept = ACCEPTED_AT_ONCE
        self.polls, self.deadline, self._post = polls, deadline, post
        self.answer = decider.answer
        self.handlers: set[Handler] = set()

    def beat(self) -> None:
        """A sign of life."""
        self._post.shared.beat(self._post.number)

    def mark(self, descriptor: int, state: int) -> None:
        """What is owed on a connection, for the master; nobody else could answer with TLS."""
        if not self.ssl_enabled:
            self._post.shared.mark(self._post.number, descriptor, state)

    def do_handle(self, client: socket.socket, address: Any) -> None:
        """Each connection has a state from its first moment."""
        self.mark(client.fileno(), WAITING)
        super().do_handle(client, address)

    def wrap_socket_and_handle(self, client: socket.socket, address: Any) -> None:
        """TLS: the handshake has its own limit, then the connection has none."""
        try:
            with gevent.Timeout(HANDSHAKE, TimeoutError("the TLS handshake took too long")):
                wrapped = self.wrap_socket(client, **self.ssl_args)
        except OSError as error:
            client.close()
            print(f"stockade: TLS with {address[0]}: {error}", file=sys.stderr)
            return
        with contextlib.closing(wrapped):
            self.handle(wrapped, address)

    def end(self) -> None:
        """Takes no more connections, and of those there are, no more requests."""
        self.ending = True
        self.stop_accepting()
        for handler in list(self.handlers):
            handler.end_if_waiting()


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Only who holds a certificate of the daemons' authority gets an answer. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certificate, tls.key)
    context.load_verify_locations(tls.clients)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@dataclass(frozen=True, slots=True)
class Post:
    """Where a worker works."""

    number: int
    listeners: tuple[socket.socket, ...]
    tls_listener: socket.socket | None
    shared: Shared
    channel: socket.socket | None
    """To the admin process."""
    drain: bool
    """Whether connections not yet accepted are lost when this worker ends: the socket is ours."""


def work(settings: Settings, parts: Parts, post: Post, kept: Sequence[int] = ()) -> int:
    """Serves until SIGTERM; gives the exit status.

    `kept` are connections that another worker had before, waiting for their next request.
    """
    ended = Event()
    gevent.signal_handler(signal.SIGTERM, ended.set)
    meter = Meter(post.number)
    current = Current(settings, parts, post.shared, post.number, meter)
    servers = _servers(settings, post, current)
    for server in servers:
        server.start()
    for descriptor in kept:
        servers[0].do_handle(socket.socket(fileno=descriptor), "")
    post.shared.beat(post.number)
    post.shared.set_state(post.number, READY)
    if post.number == 0:
        gevent.spawn(_keep_up, parts, current)
    sent = time.monotonic()
    while not ended.wait(TICK):
        post.shared.beat(post.number)
        current.renewed(0.0)
        if post.channel is not None and time.monotonic() - sent >= 1.0:
            sent = time.monotonic()
            meter.send(post.channel)
    _end(settings, servers, lambda: post.shared.beat(post.number), post.drain)
    if post.channel is not None:
        meter.send(post.channel)
    return 0


def _servers(settings: Settings, post: Post, decider: Answering) -> list[Server]:
    app = make_app(decider, settings.deadline)
    common = (app, decider, Polls(), post, settings.deadline)
    servers = [Server(listener, *common) for listener in post.listeners]
    if settings.tls is not None and post.tls_listener is not None:
        context = tls_context(settings.tls)
        servers.append(Server(post.tls_listener, *common, ssl_context=context))
    return servers


def _end(settings: Settings, servers: list[Server], beat: Callable[[], None], drain: bool) -> None:
    limit = time.monotonic() + settings.stop_limit
    if drain:  # the socket's name is gone; who connected before is still served
        gevent.sleep(_DRAINING)
    for server in servers:
        server.end()
    while any(server.handlers for server in servers) and time.monotonic() < limit:
        beat()
        gevent.sleep(0.01)


def _keep_up(parts: Parts, current: Current) -> None:
    while True:
        _try(lambda: parts.upkeep(current.decider))
        gevent.sleep(UPKEEP)


def _try(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception:
        traceback.print_exc(file=sys.stderr)
