"""An adapter for requests whose connections can be cut off from another thread.

The timeouts of requests are about each single read: a server that sends a byte now and then
would hold a request for ever.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.retry import Retry


class DeadlineAdapter(HTTPAdapter):
    """Knows its connections; makes no second attempts."""

    def __init__(self) -> None:
        self._open: list[HTTPConnection] = []
        super().__init__(max_retries=Retry(total=0, redirect=0, raise_on_status=False))

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        """Pools whose connections tell us when they connect."""
        super().init_poolmanager(*arguments, **named)
        opened = self._open

        class Plain(HTTPConnection):
            def connect(self) -> None:
                opened[:] = [self]
                super().connect()

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                opened[:] = [self]
                super().connect()

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def abort(self) -> None:
        """Cut the connection: whoever reads from it sees its end at once."""
        for connection in list(self._open):
            found = getattr(connection, "sock", None)
            if found is not None:
                with contextlib.suppress(OSError, ValueError):
                    socket.socket.shutdown(found, socket.SHUT_RDWR)
