"""What a docker command line becomes: requests to the API, in the order the client sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode

Json = Any


class Machine(Protocol):
    """The client's side of a command line: its files, variables and current directory."""

    def read(self, path: str) -> str:
        """The text of a file; raises InputError."""

    def variable(self, name: str) -> str | None:
        """An environment variable."""

    def absolute(self, path: str) -> str:
        """The path from the root, cleaned, links not followed."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to the engine's API."""

    method: str
    target: str
    """With version and query, as on the wire: `/v1.44/containers/create?name=web`."""
    body: Json = None
    """Sent as application/json; None for none. A text is sent as it is."""
    note: str = ""
    """When it is sent, if not always: `when the image is not there yet`."""
    creates: tuple[str, str] | None = None
    """(kind, the id by which later requests call what it makes)."""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        """The body on the wire."""
        if self.body is None:
            return b""
        if isinstance(self.body, str):
            return self.body.encode()
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def all_headers(self) -> dict[str, str]:
        """Those of the request, the media type added where there is a body."""
        typed = {"Content-Type": "application/json"} if self.body is not None else {}
        return {**typed, **self.headers}


@dataclass(frozen=True, slots=True)
class Api:
    """Makes requests of one API version; remembers nothing."""

    version: str
    """`1.44`; empty for none."""
    client: int = 28
    """The major version of the client that is imitated, 20 to 29."""

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, Json] | None = None,
        body: Json = None,
        note: str = "",
        creates: tuple[str, str] | None = None,
    ) -> ApiRequest:
        """A request; of the query None, "" and False are left out, True is written 1, and a
        list gives its key several times."""
        target = f"/v{self.version}{path}" if self.version else path
        given = [
            (key, _text(value))
            for key, each in sorted((query or {}).items())
            for value in (each if isinstance(each, list) else [each])
        ]
        text = urlencode([(key, value) for key, value in given if value])
        return ApiRequest(method, f"{target}?{text}" if text else target, body, note, creates)


def segment(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="~-._:@")


def filters(values: Mapping[str, list[str]]) -> str | None:
    """The `filters` of a query: {"label": {"a": true}}."""
    if not values:
        return None
    document = {key: dict.fromkeys(sorted(found), True) for key, found in sorted(values.items())}
    return json.dumps(document, separators=(",", ":"))


def pruned(value: Json) -> Json:
    """The value without what is empty in it: null, "", 0, false, [] and {}.

    Go's zero values mean the same as nothing; where they do not, keep the value out of this.
    """
    if isinstance(value, dict):
        kept = {key: pruned(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in (None, "", 0, [], {})}
    return value


def _text(value: Json) -> str:
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)
