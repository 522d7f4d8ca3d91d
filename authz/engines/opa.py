"""An OPA server that decides, asked through opa-python-client.

Whatever happens is an answer in time or a denial: no proxy of the environment, no redirects, and
a deadline that holds also against a server that sends byte by byte.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from opa_client.opa import OpaClient

from ...policies.errors import InputError
from ..compile import shipped_modules
from ..denied import Denied
from ..model import Json, Verdict
from . import encode, verdict
from .deadline import DeadlineAdapter

PACKAGE, RULE = "stockade.authz", "decision"
STRICT = {"strict-builtin-errors": "true"}
"""An error in a module is an error of the query, not `undefined`."""
ATTEMPTS = 2
"""A kept connection may have been closed by the server; the second one is new."""
KEPT = 32
"""Connections kept for later."""


class Server:
    """Decides by asking an OPA server, which has the same modules and data.

    Threads and greenlets may share it: each request has a connection of its own.
    """

    name = "opa"

    def __init__(
        self,
        url: str,
        *,
        revision: str,
        token: str | None = None,
        authority: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        timeout: float = 1.0,
    ) -> None:
        """`revision` is that of our policy: rules of another are not heard. `token` is a bearer
        token, `authority` checks the server's certificate (None: the system's), `timeout` is in
        seconds, for the whole of a request. Raises InputError for a URL that is none.
        """
        self._scheme, self._host, self._port = _parts(url)
        self._revision, self._token, self._timeout = revision, token, timeout
        self._authority, self._certificate, self._key = authority, certificate, key
        self._idle: list[_Connection] = []
        self._closed = False

    def decide(self, document: Mapping[str, Json]) -> Verdict:
        """What the server's rules say. Raises Denied when that is not known in time."""
        shown = json.loads(encode(document))
        answer = self._ask(
            lambda client: client.query_rule(shown, PACKAGE, RULE, query_params=STRICT)
        )
        if not isinstance(answer, dict) or "result" not in answer:
            raise Denied("engine-undefined", "the OPA server has no decision: are its rules ours?")
        return verdict(answer["result"], self._revision)

    def health(self) -> bool:
        """Whether the server says that it is well."""
        try:
            return self._ask(lambda client: client.check_health()) is True
        except Denied:
            return False

    def push(self, policy: Mapping[str, Json], extra: Sequence[tuple[str, str]] = ()) -> None:
        """Give the server modules and data, the data last: until then its revision is another
        one and nothing is allowed. Raises Denied.
        """
        modules = {f"stockade/{name}": text for name, text in shipped_modules().items()}
        modules.update({f"stockade/extra/{i:03}": text for i, (_, text) in enumerate(extra)})
        wanted = {name.removesuffix(".rego") for name in modules}

        def put(client: Any) -> None:
            for name in client.get_policies_list():
                if name.startswith("stockade/") and name not in wanted:
                    client.delete_policy(name)
            for name, text in modules.items():
                client.update_policy_from_string(text, name.removesuffix(".rego"), False)
            client.update_or_create_data(dict(policy), "stockade/policy")

        # Each of its requests has the deadline; there are some twenty.
        self._ask(put, self._timeout * (len(modules) + ATTEMPTS))

    def close(self) -> None:
        """Close the connections."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _ask(self, question: Any, timeout: float | None = None) -> Any:
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        attempt = 0
        while True:
            attempt += 1
            connection = self._connection(fresh=attempt > 1)
            try:
                answer = connection.ask(question, deadline)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                connection.close()
                if time.monotonic() >= deadline:
                    message = "the OPA server did not answer in time"
                    raise Denied("engine-timeout", message) from None
                if attempt < ATTEMPTS and _was_dropped(error):
                    continue
                if not isinstance(error, Exception):
                    raise
                raise Denied("engine-failed", f"the OPA server: {_what(error)}") from None
            if len(self._idle) < KEPT and not self._closed:
                self._idle.append(connection)
            else:
                connection.close()
            return answer

    def _connection(self, fresh: bool) -> _Connection:
        if self._closed:
            raise Denied("engine-failed", "the engine is closed")
        try:
            if not fresh:
                return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._new()
        except (OSError, ValueError) as error:
            raise Denied("engine-failed", f"the OPA server: {_what(error)}") from None

    def _new(self) -> _Connection:
        secure = self._scheme == "https"
        certificate = self._certificate and (
            (str(self._certificate), str(self._key)) if self._key else str(self._certificate)
        )
        client = OpaClient(
            host=self._host,
            port=self._port,
            ssl=secure,
            cert=certificate,
            token=self._token,
            retries=0,
            timeout=self._timeout,
        )
        return _Connection(client, str(self._authority) if self._authority else True)


class _Connection:
    """A client of one connection, used by one request at a time."""

    def __init__(self, client: Any, verify: str | bool) -> None:
        self._client = client
        self._adapter = DeadlineAdapter()
        session: requests.Session = client._session
        session.trust_env = False  # neither a proxy, nor a password from a .netrc
        session.max_redirects = 0
        session.verify = verify
        session.mount("http://", self._adapter)
        session.mount("https://", self._adapter)

    def ask(self, question: Any, deadline: float) -> Any:
        """What the question makes of the client's answers; raises whatever it raises."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._client.timeout = left  # of connecting, and of each time data is waited for
        timer = threading.Timer(left, self._adapter.abort)
        timer.daemon = True
        timer.start()
        try:
            answer = question(self._client)
        finally:
            timer.cancel()
        if time.monotonic() >= deadline:
            raise TimeoutError
        return answer

    def close(self) -> None:
        self._client.close_connection()


def _parts(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a server's URL. Raises InputError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError.of(f"`{url}` is no URL: {error}") from None
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        hint = "write it like https://opa.example.org:8181"
        raise InputError.of(f"`{url}` is not the URL of an OPA server", hint=hint)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parts.scheme, host, port or 8181


def _was_dropped(error: BaseException) -> bool:
    return isinstance(error, requests.ConnectionError) and not isinstance(
        error, requests.exceptions.SSLError | requests.Timeout
    )


def _what(error: BaseException) -> str:
    """In one line; of an answer that is an error, what OPA says."""
    response = getattr(error, "response", None)
    if response is not None:
        try:
            said = response.json()
            first = said.get("errors") or [{}]
            return f"{response.status_code}: {first[0].get('message') or said.get('message')}"
        except (ValueError, AttributeError, LookupError, TypeError):
            return f"status {response.status_code}"
    return (str(error).splitlines() or [""])[0][:300] or type(error).__name__
