"""From what dockerd sent to a request that was understood completely.

Here is what needs route, headers and body together: which bodies may be there at all, and that the
body that the engine will read is the one that was seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import gojson, normalize, routes
from .denied import Denied
from .model import (
    BodyKind,
    CanonicalRequest,
    Identity,
    Json,
    ObjectReference,
    PluginRequest,
    Route,
)
from .profiles import SeccompReader
from .target import parse_target

_JSON = "application/json"
_WITH_FORM = frozenset(("POST", "PUT", "PATCH"))
"""Methods of which Go reads a form in the body, before the query."""
_UNSEEN = (BodyKind.STREAM, BodyKind.HIJACK, BodyKind.OPAQUE)
"""Bodies that dockerd does not show to plugins."""
_NOTHING = re.compile(rb"[ \t\r\n]*(?:null|\{[ \t\r\n]*\})[ \t\r\n]*")
_CHARSET = re.compile(r'charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)


def canonicalize(
    request: PluginRequest, identity: Identity, seccomp: SeccompReader
) -> CanonicalRequest:
    """What a request asks for.

    Raises:
        Denied: it is not understood completely, or could mean something else to the engine.
    """
    target = parse_target(request.uri)
    route, parameters = routes.find(request.method, target.path)
    query = _query(route, target.query)
    operation = normalize.operation(route, query)
    body = _body(request, route, operation)
    details, references, redacted = normalize.details(route, parameters, query, body, seccomp)
    return CanonicalRequest(
        operation=operation,
        method=request.method,
        path=target.path,
        version=target.version,
        identity=identity,
        parameters=parameters,
        query=query,
        risk=route.risk,
        object=_object(route, parameters, query),
        container_object=_container(route, body),
        references=tuple(references),
        details=details,
        redacted_body=redacted,
    )


def _query(route: Route, query: Mapping[str, Any]) -> dict[str, Any]:
    """The query of a route: a list of texts for each key that it reads all of, else one text."""
    if unknown := query.keys() - route.query:
        raise Denied(
            "unknown-query",
            f"{route.method} {route.path} has no query key {', '.join(map(repr, sorted(unknown)))}",
        )
    lists = routes.repeatable(route)
    result: dict[str, Any] = {}
    for key, value in query.items():
        several = type(value) is tuple
        if key in lists:
            result[key] = list(value) if several else [value]
        elif several:
            # Another route may repeat it, this one reads the first.
            raise Denied("duplicate-query", f"the query has {key!r} twice")
        else:
            result[key] = value
    return result


def _body(request: PluginRequest, route: Route, operation: str) -> Json:
    """The canonical body, or None. Raises Denied."""
    media_type, charset = _media_type(request)
    if request.method in _WITH_FORM and ("form" in media_type or "multipart" in media_type):
        raise Denied("form-body", "forms are not accepted: their fields override the query")
    body = request.body
    if not body:
        return _without_body(request, route, operation)
    if media_type != _JSON:
        raise Denied("bad-media-type", f"the body is not said to be {_JSON}")
    if charset not in ("", "utf-8", "utf8"):
        raise Denied("bad-media-type", f"the body's charset is {charset!r}, not utf-8")
    nothing = len(body) < 64 and _NOTHING.fullmatch(body) is not None
    if route.schema is None:
        if nothing and operation != "container.start":
            return None
        raise Denied("unexpected-body", f"{route.method} {route.path} takes no body that is JSON")
    if nothing and route.body is BodyKind.OPTIONAL:
        # Older clients of Docker send null for no settings, docker-py {}.
        return None
    return gojson.decode(body, route.schema)


def _without_body(request: PluginRequest, route: Route, operation: str) -> None:
    """No body was seen; is there none? Raises Denied."""
    if route.body is BodyKind.REQUIRED:
        raise Denied("missing-body", f"{route.method} {route.path} needs a body, and none was seen")
    if route.body in _UNSEEN and operation != "image.pull":
        return
    length = _header(request, "Content-Length")
    if length not in ("", "0"):
        raise Denied("unseen-body", "the request has a body that the engine did not pass on")
    if request.method in _WITH_FORM and not length and _header(request, "Content-Type"):
        # Of several Content-Type headers a plugin sees the last, the engine goes by the first;
        # without a length there may be a form.
        raise Denied("unseen-body", "the request may have a body that the engine did not pass on")


def _header(request: PluginRequest, name: str) -> str:
    """A header as dockerd passed it on; its name is canonical there, unless a client is odd."""
    value = request.headers.get(name)
    if value is None:
        folded = name.lower()
        value = next((v for k, v in request.headers.items() if k.lower() == folded), "")
    return value.strip()


def _media_type(request: PluginRequest) -> tuple[str, str]:
    """The media type in lower case without parameters, and the charset in lower case."""
    text = _header(request, "Content-Type")
    media_type, _, parameters = text.partition(";")
    charset = _CHARSET.search(parameters)
    return media_type.strip().lower(), charset[1].lower() if charset else ""


def _object(
    route: Route, parameters: Mapping[str, str], query: Mapping[str, Any]
) -> ObjectReference | None:
    if route.object_kind is None:
        return None
    name = next(iter(parameters.values()), "")
    if route.operation == "image.commit":
        name = query.get("container", "")
        if not name:
            raise Denied("missing-field", "a commit names its container in the query")
    return ObjectReference(route.object_kind, name) if name else None


def _container(route: Route, body: Json) -> ObjectReference | None:
    if route.operation not in ("network.connect", "network.disconnect"):
        return None
    name = body.get("Container")
    if not name:
        raise Denied("missing-field", "the body does not say which container")
    return ObjectReference("container", name)
