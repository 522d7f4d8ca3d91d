"""The admin listener: `/healthz` for monitors and `/metrics` for Prometheus.

A process of its own, so that nothing that is asked there can hold up a decision.
"""

from __future__ import annotations

import signal
import socket
import sys
import time

import gevent
from flask import Flask, Response, jsonify
from gevent.pywsgi import WSGIServer

from .metrics import Totals, receive

SILENCE = 5.0
"""Seconds without a word of the master after which the service counts as gone."""


def make_admin(totals: Totals) -> Flask:
    """The admin application."""
    app = Flask("stockade.authz.admin", static_folder=None, template_folder=None)

    @app.get("/healthz")
    def healthz() -> tuple[Response, int]:
        status = totals.status
        heard = bool(status) and time.monotonic() - status["time"] < SILENCE
        if not heard or not status["workers"]:
            return jsonify(status="failed", reason="no worker answers"), 503
        word = "degraded" if status["problems"] else "ok"
        return jsonify(
            status=word,
            policy=status["policy"],
            revision=status["revision"],
            last_log_hash=totals.log_hash,
            reload_problems=status["problems"],
            workers=status["workers"],
            dry_run=status["dry_run"],
        ), 200

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(totals.text(), content_type="text/plain; version=0.0.4; charset=utf-8")

    return app


def administer(listener: socket.socket, channel: socket.socket) -> int:
    """Serves until SIGTERM; gives the exit status."""
    totals = Totals()

    def listen() -> None:
        while True:
            totals.add(receive(channel))

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    channel.setblocking(True)  # waits in gevent's loop
    listening = gevent.spawn(listen)
    server = WSGIServer(listener, make_admin(totals), log=None, error_log=sys.stderr)
    server.start()
    listening.join()
    return 1
