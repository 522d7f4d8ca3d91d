"""The stages of a request on its way to a decision, from untrusted wire to answer.

PluginRequest ─canonicalize─► CanonicalRequest ─+ facts─► input document
─engine─► Verdict ─► Decision

Documents (`Json`) are what Rego reads; their keys are described in docs/authz.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

Json = Any
"""What json.loads returns: dict, list, str, int, float, bool, None."""


class Phase(Enum):
    """Which of the two calls of the plugin protocol; the value is its path."""

    REQUEST = "/AuthZPlugin.AuthZReq"
    RESPONSE = "/AuthZPlugin.AuthZRes"


@dataclass(frozen=True, slots=True)
class PluginRequest:
    """What dockerd sent: every field as it stood on the wire, nothing trusted but its types."""

    phase: Phase
    method: str
    uri: str
    """Raw and undecoded; may be in absolute form."""
    body: bytes
    """Empty when there was none, or when dockerd did not pass it on."""
    headers: Mapping[str, str]
    """As dockerd canonicalised their names; of duplicates the last one. All can be forged."""
    user: str
    """The common name of the client certificate; empty on the unix socket."""
    authentication: str
    """`TLS`, or empty."""
    certificates: tuple[str, ...]
    """PEM, the client's own first, then its issuers."""
    status: int | None = None
    """Of the response phase, like the next two."""
    response_headers: Mapping[str, str] = field(default_factory=dict)
    response_body: bytes = b""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: a verified client certificate, or whoever reaches the unix socket."""

    method: str
    """`tls` or `local`."""
    principal: str
    """RFC 4514 text of the certificate's subject, or `local`."""
    cn: str | None = None
    ou: tuple[str, ...] = ()
    sans: tuple[str, ...] = ()
    """`DNS:…`, `URI:…`, `email:…`, `IP:…`."""

    def document(self) -> dict[str, Json]:
        """For Rego and for facts."""
        return {
            "method": self.method,
            "principal": self.principal,
            "cn": self.cn,
            "ou": list(self.ou),
            "sans": list(self.sans),
        }


LOCAL = Identity("local", "local")


@dataclass(frozen=True, slots=True)
class Target:
    """A request target, parsed and decoded once."""

    path: str
    """Decoded, without the version: `/containers/create`."""
    version: str | None
    """`1.41`, or None when the target names none."""
    query: Mapping[str, Any]
    """Decoded; no key twice. A str each, but lists for the keys that Go reads in full
    (`authz/repeatable.py`)."""


class BodyKind(Enum):
    """What the route's handler does with a body; the value is the word of the table."""

    NONE = "none"
    REQUIRED = "required"
    OPTIONAL = "optional"
    STREAM = "stream"
    """Not JSON and never seen by a plugin: an archive."""
    HIJACK = "hijack"
    """The connection becomes a stream."""
    OPAQUE = "opaque"
    """JSON that dockerd keeps from plugins (credentials)."""


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the route table."""

    method: str
    path: str
    """`/containers/{name}/start`."""
    operation: str
    """`container.start`."""
    body: BodyKind
    schema: str | None
    """The type of the body in the schema table."""
    object_kind: str | None
    """What the first path parameter names: `container`, `image`, …"""
    risk: str
    """root, high, disclosure, destructive or low."""
    query: frozenset[str]
    """The query keys that the route knows."""


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """A thing that exists, as the request names it: by name, id or prefix of an id."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class CanonicalRequest:
    """A request that was understood completely."""

    operation: str
    method: str
    path: str
    version: str | None
    identity: Identity
    parameters: Mapping[str, str]
    query: Mapping[str, Any]
    """See Target."""
    risk: str
    object: ObjectReference | None
    """What is acted upon."""
    container_object: ObjectReference | None
    """network.connect and network.disconnect: the container."""
    references: tuple[ObjectReference, ...]
    """Containers, volumes and networks that the body names."""
    details: Mapping[str, Json]
    """The keys `spec`, `exec`, `volume`, `network`, `connect`, `build`, `images`, `service` and
    `other` of the input document."""
    redacted_body: Callable[[], Json] = field(default=lambda: None, compare=False)
    """Gives the body without its secrets, for the log; few records need it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a thing that exists."""

    kind: str
    id: str
    name: str | None
    owner: Mapping[str, Json] | None
    """An Identity's document; None when the plugin did not see it being created."""
    labels: Mapping[str, str] = field(default_factory=dict)
    image: Json = None
    spec: Json = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say."""

    allow: bool
    rule: str | None
    """The deciding rule: `authz.rules[3]`."""
    reasons: tuple[str, ...]
    subjects: tuple[str, ...] = ()


@dataclass(slots=True)
class Mould:
    """The text of the log's record that equal decisions share, around what is each one's own."""

    pieces: tuple[bytes, bytes] | None = None
    """From after the timestamp to before the duration, and from after the duration on; None until
    the first of them was written."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request, with all that the log says of it."""

    id: str
    allow: bool
    code: str
    """`allowed`, `rule-denied`, or a Denied's code."""
    reason: str
    """For the person who asked."""
    phase: Phase
    timestamp: str
    """RFC 3339, UTC, microseconds."""
    duration: float
    """Seconds."""
    revision: str
    """Of the policy that decided."""
    request: CanonicalRequest | None
    verdict: Verdict | None
    method: str = ""
    uri: str = ""
    input: Json = None
    identity: Identity | None = None
    """None when it could not be established."""
    status: int | None = None
    """Response phase: the daemon's HTTP status."""
    wire: PluginRequest | None = None
    """What came in, where it could be read at all."""
    mould: Mould | None = field(default=None, compare=False, repr=False)
    """Shared by all that differ in nothing but id, timestamp and duration."""

    def with_mould(self, mould: Mould) -> Decision:
        """The same decision as the first of many."""
        return replace(self, mould=mould)

    def again(self, id_: str, timestamp: str, duration: float) -> Decision:
        """The same decision on another call of the same bytes."""
        return replace(self, id=id_, timestamp=timestamp, duration=duration)
