"""The table of routes, data/routes.tsv, and which of them a request is for.

Docker's router (gorilla/mux) matches anchored patterns in the order of registration, and
`{name:.*}` takes slashes too. Here only images, plugins and repositories may have a slash in their
name; a path has then one route at most, whatever the order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import NamedTuple

from .denied import Denied
from .model import BodyKind, Route

_WITH_SLASHES = frozenset(("images", "plugins", "distribution"))
"""First parts of paths whose names may contain slashes."""
_PARAMETER = re.compile(r"\{(\w+)\}")


class _Pattern(NamedTuple):
    route: Route
    parameters: tuple[tuple[int, str], ...]
    """Of each parameter its place among the path's parts, and its name."""


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request, and the parameters in its path.

    `path` is decoded and has no version. A route with several operations has them all, as in the
    table: `image.pull,image.import`.

    Raises:
        Denied: there is no such route.
    """
    exact = _EXACT.get(f"{method} {path}")
    if exact is not None:
        return exact, {}
    parts = path.split("/")
    count = len(parts)
    if count > 2:
        if parts[1] in _WITH_SLASHES:
            parts = _join_name(method, parts)
            count = len(parts)
        head = f"{method} /{parts[1]}/"
        pattern = _PATTERNS.get(head + "/".join(("*", *parts[3:])))
        if pattern is None and count == 4:
            pattern = _PATTERNS.get(f"{head}{parts[2]}/*")
        elif pattern is None and count == 5:
            pattern = _PATTERNS.get(f"{head}*/{parts[3]}/*")
        if pattern is not None:
            parameters = {name: parts[place] for place, name in pattern.parameters}
            if all(parameters.values()):
                return pattern.route, parameters
    if method == "OPTIONS" and path.startswith("/"):
        return _PATTERNS["OPTIONS /*"].route, {"any": path[1:]}
    raise Denied("unknown-route", f"the API has no {method} {path}")


def _join_name(method: str, parts: list[str]) -> list[str]:
    """The path's parts with a name that contains slashes put together."""
    if f"{method} /{parts[1]}/*" in _PATTERNS:
        return ["", parts[1], "/".join(parts[2:])]
    if len(parts) > 3:
        return ["", parts[1], "/".join(parts[2:-1]), parts[-1]]
    return parts


def _read() -> tuple[tuple[Route, ...], Mapping[Route, frozenset[str]]]:
    text = resources.files(__package__).joinpath("data/routes.tsv").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found, repeatable = [], {}
    for line in lines[1:]:
        method, path, operation, body, schema, kind, risk, query = line.split("\t")
        keys = [] if query == "-" else query.split(",")
        route = Route(
            method,
            path,
            operation,
            BodyKind(body),
            None if schema == "-" else schema,
            None if kind == "-" else kind,
            risk,
            frozenset(key.removesuffix("*") for key in keys),
        )
        found.append(route)
        repeatable[route] = frozenset(key[:-1] for key in keys if key.endswith("*"))
    return tuple(found), repeatable


def _patterns() -> dict[str, _Pattern]:
    result = {}
    for route in ROUTES:
        if "{" in route.path:
            parts = route.path.split("/")
            places = tuple(
                (place, part[1:-1]) for place, part in enumerate(parts) if part.startswith("{")
            )
            key = f"{route.method} {_PARAMETER.sub('*', route.path)}"
            result[key] = _Pattern(route, places)
    return result


ROUTES, _REPEATABLE = _read()
"""Every route of the API that some supported engine registers."""
OPERATIONS: frozenset[str] = frozenset(
    operation for route in ROUTES for operation in route.operation.split(",")
)
"""Their operations."""
RISKS: Mapping[str, str] = {
    operation: route.risk for route in ROUTES for operation in route.operation.split(",")
}
"""By operation, the risk."""

_EXACT = {f"{route.method} {route.path}": route for route in ROUTES if "{" not in route.path}
_PATTERNS = _patterns()


def repeatable(route: Route) -> frozenset[str]:
    """The query keys of which the route's handler reads all values."""
    return _REPEATABLE[route]
