"""Asking the engine what a name stands for, on its unix socket.

The engine asks the plugin about this request too, and waits for the answer: it is known by its
nonce (`nonces.py`) and answered at once. One connection a request, plain sockets, so that other
greenlets run meanwhile; the deadline holds for the whole of it, however slowly bytes come.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .denied import Denied
from .facts import Facts
from .model import Json
from .nonces import HEADER

MOST = 8 << 20
"""Bytes of an answer about one thing."""
MOST_OF_LIST = 64 << 20
"""Bytes of a list."""

_PATHS = {
    "container": "/containers/{}/json",
    "exec": "/exec/{}/json",
    "volume": "/volumes/{}",
    "network": "/networks/{}",
    "service": "/services/{}",
    "secret": "/secrets/{}",
    "config": "/configs/{}",
}
_LISTS = {
    "container": "/containers/json?all=1",
    "volume": "/volumes",
    "network": "/networks",
    "service": "/services",
    "secret": "/secrets",
    "config": "/configs",
}
SWARM = frozenset({"service", "secret", "config"})
"""Kinds that only a swarm manager has; others answer 503 (or 406, before 1.24)."""


class _FailedError(Exception):
    """Why there is no usable answer."""


class Daemon:
    """The engine behind a socket. Holds no connection; safe to share."""

    def __init__(self, socket_path: Path, facts: Facts, timeout: float = 1.5) -> None:
        """`timeout` is in seconds, for a question without a deadline of its own."""
        self._path = str(socket_path)
        self._facts = facts
        self._timeout = timeout

    def container(self, reference: str, deadline: float | None = None) -> Json | None:
        """GET /containers/{reference}/json. None when there is none.

        `deadline` is a time.monotonic(). Raises Denied("facts-unavailable").
        """
        return self.inspect("container", reference, deadline)

    def exec(self, id_: str, deadline: float | None = None) -> Json | None:
        """GET /exec/{id}/json; like `container`."""
        return self.inspect("exec", id_, deadline)

    def inspect(self, kind: str, reference: str, deadline: float | None = None) -> Json | None:
        """What the engine says of a thing; None when there is none. Raises Denied."""
        if not reference or reference.strip("./") == "":
            return None
        target = _PATHS[kind].format(quote(reference, safe=""))
        try:
            status, document = self._get(target, deadline, MOST)
            if status == 404 or (kind in SWARM and status in (406, 503)):
                return None
            if status != 200 or not isinstance(document, dict):
                raise _FailedError(f"it answered {status}")
        except _FailedError as failed:
            raise _unavailable(kind, failed) from failed
        return document

    def list(
        self, kind: str, deadline: float | None = None, id_prefix: str | None = None
    ) -> list[dict[str, Any]] | None:
        """All things of a kind, or those whose id may begin so; None without a swarm.

        The engine's filter may let more through. Raises Denied.
        """
        target = _LISTS[kind]
        if id_prefix is not None:
            filters = quote(json.dumps({"id": {id_prefix: True}}), safe="")
            target += f"{'&' if '?' in target else '?'}filters={filters}"
        try:
            status, document = self._get(target, deadline, MOST_OF_LIST)
            if kind in SWARM and status in (406, 503):
                return None
            if kind == "volume" and isinstance(document, dict):
                document = document.get("Volumes") or []
            if status != 200 or not isinstance(document, list):
                raise _FailedError(f"it answered {status}")
            if not all(isinstance(each, dict) for each in document):
                raise _FailedError("its list has something else in it")
        except _FailedError as failed:
            raise _unavailable(kind, failed) from failed
        return document

    def _get(self, target: str, deadline: float | None, most: int) -> tuple[int, Json]:
        """Status and JSON. Raises _FailedError; Denied when the nonce cannot be kept."""
        end = time.monotonic() + self._timeout if deadline is None else deadline
        nonce = self._facts.issue("GET", target)
        head = (
            f"GET {target} HTTP/1.1\r\nHost: docker\r\nUser-Agent: stockade\r\n"
            f"{HEADER}: {nonce}\r\nConnection: close\r\n\r\n"
        )
        try:
            text = self._exchange(head.encode("ascii"), end, most)
            response = http.client.HTTPResponse(_Read(text), method="GET")  # type: ignore[arg-type]
            response.begin()
            body = response.read()
            return response.status, json.loads(body) if response.status == 200 else None
        except TimeoutError as error:
            raise _FailedError("it did not answer in time") from error
        except (http.client.HTTPException, ValueError, RecursionError) as error:
            raise _FailedError(f"its answer cannot be read ({type(error).__name__})") from error
        except OSError as error:
            raise _FailedError(error.strerror or str(error)) from error

    def _exchange(self, request: bytes, end: float, most: int) -> bytes:
        """All bytes that come back until the engine closes. Raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_left(end))
            connection.connect(self._path)
            connection.sendall(request)
            parts: list[bytes] = []
            length = 0
            while True:
                connection.settimeout(_left(end))
                part = connection.recv(1 << 16)
                if not part:
                    return b"".join(parts)
                parts.append(part)
                length += len(part)
                if length > most:
                    raise OSError(f"its answer has more than {most >> 20} MiB")


class _Read:
    """What http.client wants of a socket: bytes that were read already."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._text)


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _unavailable(kind: str, failed: _FailedError) -> Denied:
    return Denied("facts-unavailable", f"the engine was asked about the {kind}, but {failed}")
