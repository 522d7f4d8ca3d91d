"""HTTP to dockerd with every byte in our hands: nothing is tidied up on the way.

A request line, headers and a body go out as written; the answer is read with the standard
library. Each request has a connection of its own, except in a Session.
"""

import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certificates import Pair

HIJACKED = 101


@dataclass(frozen=True)
class Answer:
    """What came back. `status` is 0 when the connection ended without an answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """dockerd's words about an error, or the body."""
        with contextlib.suppress(ValueError):
            document = json.loads(self.body)
            if isinstance(document, dict) and isinstance(document.get("message"), str):
                return str(document["message"])
        return self.body.decode(errors="replace")


class Wire:
    """A way to a daemon: a unix socket, or TCP with TLS and a client certificate."""

    def __init__(
        self, address: Path | int, authority: Path | None = None, client: Pair | None = None
    ) -> None:
        self.address = address
        self._context: ssl.SSLContext | None = None
        if authority:
            self._context = ssl.create_default_context(cafile=str(authority))
            self._context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if client:
                self._context.load_cert_chain(client.certificate, client.key)

    def connect(self, timeout: float = 20) -> socket.socket:
        """A new connection, after the TLS handshake."""
        if isinstance(self.address, Path):
            plain = socket.socket(socket.AF_UNIX)
            plain.settimeout(timeout)
            plain.connect(str(self.address))
            return plain
        plain = socket.create_connection(("127.0.0.1", self.address), timeout)
        if self._context is None:
            return plain
        return self._context.wrap_socket(plain, server_hostname="localhost")

    def send(
        self, raw: bytes, *, method: str = "GET", timeout: float = 20, linger: float = 0.3
    ) -> Answer:
        """One request, byte for byte, and its answer.

        Of an endless stream (a hijacked connection, logs that follow) what comes within `linger`
        seconds is read.
        """
        with contextlib.closing(self.connect(timeout)) as connection:
            # A server may answer and close before it has read everything.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
                connection.sendall(raw)
            return read_answer(connection, method, linger)

    def ask(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        headers: Sequence[str] = (),
        timeout: float = 20,
    ) -> Answer:
        """An ordinary request with a JSON body, or with bytes as an archive."""
        return self.send(build(method, target, body, headers), method=method, timeout=timeout)


class Session:
    """One kept connection for many ordinary requests; opened again when the server closed it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._connection: socket.socket | None = None

    def ask(self, method: str, target: str, body: object = None) -> Answer:
        """Like Wire.ask."""
        raw = build(method, target, body, keep=True)
        for _ in range(2):
            fresh = self._connection is None
            if self._connection is None:
                self._connection = self._wire.connect()
            answer = Answer(0, b"")
            with contextlib.suppress(OSError):
                self._connection.sendall(raw)
                answer = read_answer(self._connection, method, 20)
            closing = ("connection", "close") in {
                (name.lower(), value.lower()) for name, value in answer.headers
            }
            if answer.status == 0 or closing:
                self.close()
            if answer.status or fresh:
                return answer
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def build(
    method: str,
    target: str,
    body: object = None,
    headers: Sequence[str] = (),
    *,
    keep: bool = False,
) -> bytes:
    """The bytes of an ordinary request. Bytes as body are an archive, text is JSON as it is."""
    lines = [f"{method} {target} HTTP/1.1", "Host: docker", *headers]
    if not keep:
        lines.append("Connection: close")
    if body is None:
        payload = b""
        if method in ("POST", "PUT"):
            lines.append("Content-Length: 0")
    else:
        archive = isinstance(body, bytes)
        payload = body if isinstance(body, bytes) else _text(body).encode()
        if not any(line.lower().startswith("content-type:") for line in headers):
            lines.append(f"Content-Type: application/{'x-tar' if archive else 'json'}")
        lines.append(f"Content-Length: {len(payload)}")
    return "\r\n".join([*lines, "", ""]).encode() + payload


def read_answer(connection: socket.socket, method: str, linger: float) -> Answer:
    """Read an answer: all of it, or what comes within `linger` seconds of an endless one."""
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
    except (http.client.HTTPException, ConnectionError, ssl.SSLError):
        return Answer(0, b"")
    headers = tuple(response.getheaders())
    body = b""
    endless = response.status == HIJACKED or response.length is None
    if endless:
        connection.settimeout(linger)
    with contextlib.suppress(TimeoutError, ConnectionError, http.client.HTTPException):
        if response.status == HIJACKED:
            # The standard library takes 101 for an answer without a body.
            body = response.fp.read(1 << 16) if response.fp else b""
        else:
            while part := response.read1(1 << 16):
                body += part
    return Answer(response.status, body, headers)


def _text(body: object) -> str:
    return body if isinstance(body, str) else json.dumps(body)


def split_request(raw: bytes) -> tuple[str, str, dict[str, str], bytes]:
    """Method, target, headers by Go's spelling, and the bytes behind them, chunks not undone."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target = first.rpartition(" ")[0].split(" ", 1)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers["-".join(part.capitalize() for part in name.split("-"))] = value.strip()
    return method, target, headers, body
