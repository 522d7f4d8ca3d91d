"""The plugin as a Flask application: dockerd's three calls, each answered whatever happens.

dockerd asks again with an EMPTY body when a connection closes without an answer, and takes
anything but a 200 for a fault of the plugin. So every call is answered with a 200 and JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from typing import IO, Any, Protocol

from flask import Flask, Request, Response, request
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.exceptions import HTTPException

from .model import Phase

CONTENT_TYPE = "application/vnd.docker.plugins.v1.2+json"
MAXIMAL_BODY = 8 << 20
"""Bytes; of a longer body one byte more is read, by which the wire format's parser denies it."""
DRAINED = 64 << 20
"""Bytes beyond the limit that are still read, so that the connection stays usable."""
HEAVY = 256 << 10
"""Bytes from which a body is one of the few that a worker holds at a time."""
HEAVY_AT_ONCE = 4
ARRIVED = "stockade.arrived"
"""In the WSGI environment: when the request arrived, a time.monotonic()."""

_ACTIVATED = b'{"Implements": ["authz"]}'


def _denial(message: str) -> bytes:
    return json.dumps({"Allow": False, "Msg": message, "Err": ""}).encode()


FAULT = _denial("a fault of the authorization plugin")
"""The answer when nothing else can be given."""


class Answering(Protocol):
    """What decides."""

    def answer(self, phase: Phase, raw: bytes, arrived: float | None = None) -> bytes:
        """The answer's JSON to a call's raw document; never raises."""


Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def make_app(decider: Answering, deadline: float) -> Flask:
    """The application; `deadline` in seconds bounds the wait of large bodies for their turn."""
    app = Flask("stockade.authz", static_folder=None, template_folder=None)
    app.url_map.merge_slashes = False
    app.session_interface = _NoSession()
    turn = threading.BoundedSemaphore(HEAVY_AT_ONCE)

    def call() -> Response:
        try:
            environ = request.environ  # straight from WSGI: Flask's own reading costs much more
            phase = Phase(environ["PATH_INFO"])
            stream: IO[bytes] = environ["wsgi.input"]
            arrived: float = environ.get(ARRIVED) or time.monotonic()
            length = environ.get("CONTENT_LENGTH")
            if length and int(length) <= HEAVY:
                answer = decider.answer(phase, _read(stream), arrived)
            elif turn.acquire(timeout=max(0.0, arrived + deadline - time.monotonic())):
                try:
                    answer = decider.answer(phase, _read(stream), arrived)
                finally:
                    turn.release()
            else:  # too late, whatever it says
                _drain(stream)
                answer = decider.answer(phase, b"", arrived)
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            answer = FAULT
        return _reply(answer)

    def activate() -> Response:
        return _reply(_ACTIVATED)

    def unknown(error: HTTPException) -> Response:
        return _reply(_denial(f"no such call: {error.name}"), error.code or 404)

    def failed(error: Exception) -> Response:
        traceback.print_exception(error, file=sys.stderr)
        return _reply(FAULT)

    for phase in Phase:
        _route(app, phase.value, call)
    _route(app, "/Plugin.Activate", activate)
    app.register_error_handler(HTTPException, unknown)
    app.register_error_handler(Exception, failed)
    app.wsgi_app = _guarded(app.wsgi_app)  # type: ignore[method-assign, assignment]
    return app


class _NoSession(SessionInterface):
    """dockerd keeps no session."""

    def open_session(self, app: Flask, request: Request) -> SessionMixin:
        return _NO_SESSION

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        return None


_NO_SESSION = NullSession()


def _route(app: Flask, path: str, view: Callable[[], Response]) -> None:
    app.add_url_rule(path, path, view, methods=["POST"], provide_automatic_options=False)


def _reply(answer: bytes, status: int = 200) -> Response:
    return Response(answer, status, content_type=CONTENT_TYPE)


def _read(stream: IO[bytes]) -> bytes:
    """The body, or one byte more than a body may have; empty when it did not arrive whole."""
    try:
        raw = stream.read(MAXIMAL_BODY + 1)
        if len(raw) > MAXIMAL_BODY:
            _drain(stream)
    except OSError:  # the client went away or took too long; an empty document is denied
        return b""
    return raw


def _drain(stream: IO[bytes]) -> None:
    left = DRAINED
    try:
        while left > 0 and (piece := stream.read(min(left, 1 << 16))):
            left -= len(piece)
    except OSError:
        return


def _guarded(application: Wsgi) -> Wsgi:
    """Answers what not even Flask catches: a BaseException outside of the view."""

    def guard(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        try:
            return application(environ, start)
        except BaseException:
            traceback.print_exc(file=sys.stderr)
            headers = [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(FAULT)))]
            start("200 OK", headers, sys.exc_info())
            return [FAULT]

    return guard
