"""An OPA server that decides, asked through opa-python-client.

Whatever happens is an answer in time or a denial: no proxy of the environment, no redirects, and
a deadline that holds also against a server that sends byte by byte.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
AGAIN = 5.0
"""Seconds between two attempts to give a server our policy."""
KEPT = 32
"""Connections kept for later."""


class Server:
    """Decides by asking an OPA server, which is given the same modules and data.

    A server that has lost them (they live in its memory) is given them again. Threads and
    greenlets may share it: each request has a connection of its own.
    """

    name = "opa"
    steady = False
    """It may be gone, or have been given other data."""

    def __init__(
        self,
        url: str,
        *,
        policy: Mapping[str, Json],
        modules: Sequence[tuple[str, str]] = (),
        token: str | None = None,
        authority: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        timeout: float = 1.0,
    ) -> None:
        """`policy` is data.stockade.policy: rules of another revision are not heard. `modules`
        are the user's own Rego: (file name, text). `token` is a bearer token, `authority` checks
        the server's certificate (None: the system's), `timeout` is in seconds, for the whole of
        a request. Raises InputError for a URL that is none.
        """
        self._scheme, self._host, self._port = _parts(url)
        self._policy, self._modules = policy, list(modules)
        self._revision = str(policy["revision"])
        self._token, self._timeout = token, timeout
        self._agreed = time.monotonic()
        self._pushed = self._agreed - AGAIN
        self._authority, self._certificate, self._key = authority, certificate, key
        self._idle: list[_Connection] = []
        self._closed = False

    def decide(self, document: Mapping[str, Json]) -> Verdict:
        """What the server's rules say. Raises Denied when that is not known in time."""
        shown = json.loads(encode(document))
        end = time.monotonic() + self._timeout
        try:
            found = self._decide(shown, end)
        except Denied as denied:
            if not self._lacks_our_policy(denied):
                raise
            self.push(end)
            found = self._decide(shown, end)
        self._agreed = time.monotonic()
        return found

    def _decide(self, shown: Json, end: float) -> Verdict:
        def question(client: Any) -> Any:
            return client.query_rule(shown, PACKAGE, RULE, query_params=STRICT)

        answer = self._ask(question, end)
        if not isinstance(answer, dict) or "result" not in answer:
            raise Denied("engine-undefined", "the OPA server has no decision: are its rules ours?")
        return verdict(answer["result"], self._revision)

    def _lacks_our_policy(self, denied: Denied) -> bool:
        """Whether to push: it has nothing, or for a while what is not ours.

        Just after a reload another process may still decide by the policy before.
        """
        now = time.monotonic()
        wait = {"engine-undefined": 0.0, "engine-revision": AGAIN}.get(denied.code)
        if wait is None or now - self._pushed < AGAIN or now - self._agreed < wait:
            return False
        self._pushed = now
        return True

    def prepare(self) -> None:
        """See to it that the server has our policy. Raises Denied when it cannot be given it."""
        try:
            self._decide({}, time.monotonic() + self._timeout)
        except Denied as denied:
            if denied.code in ("engine-undefined", "engine-revision"):
                # Each of its requests may take the whole time; there are some twenty.
                self.push(time.monotonic() + self._timeout * 20)
            else:
                raise

    def health(self) -> bool:
        """Whether the server says that it is well."""
        try:
            end = time.monotonic() + self._timeout
            return self._ask(lambda client: client.check_health(), end) is True
        except Denied:
            return False

    def push(self, end: float) -> None:
        """Give the server modules and data, the data last: until then its revision is another
        one and nothing is allowed. `end` is a time.monotonic(). Raises Denied.
        """
        modules = dict(_joined(shipped_modules().values()))
        modules |= {f"stockade/own/{i:03}": text for i, (_, text) in enumerate(self._modules)}

        def put(client: Any) -> None:
            for name in _policies(client):
                if name.startswith("stockade/") and name not in modules:
                    client.delete_policy(name)
            for name, text in modules.items():
                client.update_policy_from_string(text, name, False)
            client.update_or_create_data(dict(self._policy), "stockade/policy")

        self._ask(put, end)

    def close(self) -> None:
        """Close the connections."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _ask(self, question: Any, deadline: float) -> Any:
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


def _joined(modules: Iterable[str]) -> Iterator[tuple[str, str]]:
    """One module for each package: the server compiles each that it is given at once."""
    packages: dict[str, list[str]] = {}
    for text in modules:
        head, separator, rules = text.partition("\nimport rego.v1\n")
        name = head.rpartition("package ")[2].strip()
        packages.setdefault(name, [f"package {name}\n", separator]).append(rules)
    for name, parts in sorted(packages.items(), reverse=True):
        yield f"stockade/{name.rpartition('.')[2]}", "".join(parts)


def _policies(client: Any) -> list[str]:
    """The ids of the server's policies; the client's own function is redirected by OPA 1.22."""
    response = client._session.get(f"{client.root_url}/policies", timeout=client.timeout)
    response.raise_for_status()
    return [policy["id"] for policy in response.json()["result"]]


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
