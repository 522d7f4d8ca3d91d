"""Asking Docker for the process of a container; nothing is changed."""

from __future__ import annotations

import http.client
import json
import socket
from urllib.parse import quote

from ...policies.errors import InputError
from ...policies.source import printable

SECONDS = 10.0
"""What the engine has for its answer."""
_MOST = 8 << 20


class _Connection(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def container_pid(path: str, reference: str) -> int:
    """The first process of a running container, by name or id; raises InputError."""
    shown = printable(reference)
    if not reference.strip("./"):
        raise InputError.of(f"`{shown}` is no container", hint="name one, or write its id")
    connection = _Connection(path)
    try:
        connection.request("GET", f"/containers/{quote(reference, safe='')}/json")
        response = connection.getresponse()
        status, body = response.status, response.read(_MOST)
        document = json.loads(body) if status == 200 else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError.of(
            f"the engine behind `{printable(path)}` does not answer: {printable(why)}",
            hint="is it running? --docker-socket names another socket",
        ) from error
    finally:
        connection.close()
    if status == 404:
        raise InputError.of(f"there is no container `{shown}`", hint="see: docker ps")
    state = document.get("State") if isinstance(document, dict) else None
    pid = state.get("Pid") if isinstance(state, dict) else None
    if not isinstance(pid, int):
        raise InputError.of(f"the engine did not say what process `{shown}` has ({status})")
    if pid <= 0:
        raise InputError.of(f"container `{shown}` is not running", hint=f"docker start {shown}")
    return pid
