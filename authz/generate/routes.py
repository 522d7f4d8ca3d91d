"""The route table: what routers register, joined with operations and query keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .api import Api, shape
from .errors import GenerateError
from .handmade import Row

_COVERED = {
    f"GET /debug/pprof/{name}": "GET /debug/pprof/*"
    for name in ("cmdline", "profile", "symbol", "trace")
}
"""Routes that need no line of their own."""


def read_routes(paths: Iterable[Path]) -> set[str]:
    """The shapes of all routes in the files.

    Raises:
        GenerateError: a line is no route.
    """
    found = set()
    for path in paths:
        for line in path.read_text().splitlines():
            method, _, route = line.partition(" ")
            if not method.isalpha() or not route.startswith("/"):
                raise GenerateError(f"{path.name}: {line!r} is no route")
            key = shape(method, route)
            found.add(_COVERED.get(key, key))
    return found


def joined(
    operations: Sequence[Row], registered: set[str], api: Api, additions: Sequence[Row]
) -> list[Row]:
    """The rows of routes.tsv: those of operations.tsv with the query keys as a last column.

    Raises:
        GenerateError: routes and operations do not match, or an addition to the query keys is for
            no route or changes nothing.
    """
    by_route = {shape(row[0], row[1]): row for row in operations}
    if len(by_route) != len(operations):
        raise GenerateError("operations.tsv: a route stands twice")
    for what, names in (
        ("routes without an operation", registered - by_route.keys()),
        ("operations without a route", by_route.keys() - registered),
        ("described, but no route", api.query.keys() - registered),
    ):
        if names:
            raise GenerateError(f"{what}: {', '.join(sorted(names))}")
    keys = {route: dict.fromkeys(api.query.get(route, ())) for route in by_route}
    _add(keys, additions)
    return [(*row, ",".join(sorted(keys[route])) or "-") for route, row in by_route.items()]


def _add(keys: Mapping[str, dict[str, None]], additions: Sequence[Row]) -> None:
    for method, path, names, _ in additions:
        known = keys.get(shape(method, path))
        if known is None:
            raise GenerateError(f"query.tsv: no route {method} {path}")
        for name in names.split(","):
            if name in known:
                raise GenerateError(f"query.tsv: {method} {path} has {name} already")
            if name.endswith("*"):
                known.pop(name[:-1], None)
            known[name] = None
