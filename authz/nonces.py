"""How the service knows its own requests again when the engine asks about them.

To decide, the service sometimes inspects a container through the engine's socket, and the
engine asks it first. Such a request carries a nonce in a header. It is 256 random bits, good for
one method and request target, once for each phase, and ten seconds long; the database has only
its hash. Whoever sends such a header without having been given the nonce is denied.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from typing import TYPE_CHECKING

from .denied import Denied
from .model import Phase, PluginRequest

if TYPE_CHECKING:
    from .facts import Facts

HEADER = "X-Stockade-Nonce"
LIFE = 10.0
"""Seconds from issue to the last redemption."""
_LONGEST = 128
"""Characters of a header that is looked at at all."""


class Nonces:
    """The nonces in a database that somebody else keeps transactions for."""

    def issue(self, connection: sqlite3.Connection, method: str, uri: str) -> str:
        """A new nonce for a request."""
        token = secrets.token_urlsafe(32)
        now = _now()
        # A clock that began anew (a reboot) must not keep the old ones alive either.
        connection.execute("DELETE FROM nonces WHERE expires < ? OR expires > ?", (now, now + LIFE))
        connection.executemany(
            "INSERT INTO nonces(digest, expires) VALUES (?, ?)",
            [(_digest(token, method, uri, phase.value), now + LIFE) for phase in Phase],
        )
        return token

    def redeem(
        self, connection: sqlite3.Connection, text: str, method: str, uri: str, phase: str = ""
    ) -> bool:
        """Take the nonce out; False when it was not there or is too old."""
        if len(text) > _LONGEST:
            return False
        digest = _digest(text, method, uri, phase or Phase.REQUEST.value)
        rows = connection.execute(
            "DELETE FROM nonces WHERE digest = ? RETURNING expires", (digest,)
        ).fetchall()
        now = _now()
        return bool(rows) and now <= rows[0][0] <= now + LIFE


def recognise(request: PluginRequest, facts: Facts) -> bool:
    """Whether the request is the service's own inspect. False for one without a nonce.

    Raises Denied("bad-nonce") for a nonce that is forged, used, expired or for another request.
    """
    for name, value in request.headers.items():
        if name.lower() == "x-stockade-nonce":
            if request.body or request.authentication or request.certificates:
                break  # we ask on the unix socket, without a body
            if facts.redeem(value, request.method, request.uri, request.phase.value):
                return True
            break
    else:
        return False
    raise Denied("bad-nonce", f"the header {HEADER} is for the plugin's own requests only")


def _digest(token: str, method: str, uri: str, phase: str) -> bytes:
    parts = (part.encode("utf-8", "surrogatepass") for part in (token, method, uri, phase))
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def _now() -> float:
    """Of the whole machine, so that processes agree, and never set back."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
