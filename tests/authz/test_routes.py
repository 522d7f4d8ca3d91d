"""The table of routes, and that a path has one meaning for any router."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockade.authz import routes
from stockade.authz.denied import Denied
from stockade.authz.model import BodyKind, Route

# Docker registers these with {name:.*}, which takes slashes and even nothing.
GREEDY = ("containers", "exec", "images", "plugins", "distribution", "networks", "volumes")


def pattern(route: Route) -> re.Pattern[str]:
    """As gorilla/mux compiles the route."""
    greedy = route.path.split("/")[1] in GREEDY and "{checkpoint}" not in route.path
    if route.path == "/{any}":
        return re.compile("/.*")
    parts = re.split(r"\{\w+\}", route.path)
    return re.compile((".*" if greedy else "[^/]+").join(map(re.escape, parts)), re.DOTALL)


PATTERNS = [(route, pattern(route)) for route in routes.ROUTES]


def matching(method: str, path: str) -> list[Route]:
    return [r for r, compiled in PATTERNS if r.method == method and compiled.fullmatch(path)]


@pytest.mark.parametrize("route", routes.ROUTES, ids=lambda r: f"{r.method} {r.path}")
def test_every_route_finds_itself(route: Route) -> None:
    names = iter("abc")
    expected: dict[str, str] = {}

    def fill(matched: re.Match[str]) -> str:
        expected[matched[1]] = next(names)
        return expected[matched[1]]

    path = re.sub(r"\{(\w+)\}", fill, route.path)
    assert routes.find(route.method, path) == (route, expected)


@pytest.mark.parametrize(
    ("method", "path", "operation", "parameters"),
    [
        ("GET", "/images/a/b/json", "image.inspect", {"name": "a/b"}),
        ("GET", "/images/json/json", "image.inspect", {"name": "json"}),
        ("GET", "/images/r:5000/a/get/history", "image.history", {"name": "r:5000/a/get"}),
        ("GET", "/images/get", "image.save", {}),
        ("POST", "/images/a/json/push", "image.push", {"name": "a/json"}),
        ("DELETE", "/images/a/json", "image.remove", {"name": "a/json"}),
        ("POST", "/plugins/a/b:c/enable", "plugin.enable", {"name": "a/b:c"}),
        ("DELETE", "/plugins/a/b/enable", "plugin.remove", {"name": "a/b/enable"}),
        ("GET", "/distribution/a/b/json", "image.distribution", {"name": "a/b"}),
        ("POST", "/containers/create/start", "container.start", {"name": "create"}),
        ("GET", "/containers/json/json", "container.inspect", {"name": "json"}),
        ("DELETE", "/containers/a/checkpoints/b", "checkpoint.remove",
         {"name": "a", "checkpoint": "b"}),
        ("GET", "/networks/", "network.list", {}),
        ("GET", "/debug/pprof/trace", "system.debug", {"name": "trace"}),
        ("GET", "/debug/pprof/", "system.debug", {}),
        ("OPTIONS", "/containers/create", "system.options", {"any": "containers/create"}),
        ("HEAD", "/_ping", "system.ping", {}),
    ],
)  # fmt: skip
def test_names(method: str, path: str, operation: str, parameters: dict[str, str]) -> None:
    route, found = routes.find(method, path)
    assert (route.operation, found) == (operation, parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/_ping"),
        ("Get", "/_ping"),
        ("POST", "/_ping"),
        ("PATCH", "/containers/a"),
        ("CONNECT", "/_ping"),
        ("GET", "/Containers/json"),
        ("GET", "/containers/JSON"),
        ("GET", "/containers"),
        ("GET", "/containers/a"),
        ("HEAD", "/containers/json"),
        ("HEAD", "/images/a/json"),
        ("POST", "/containers/a/b/start"),
        ("GET", "/containers/a/b/json"),
        ("DELETE", "/containers/a/b"),
        ("DELETE", "/volumes/a/b"),
        ("GET", "/networks/a/b"),
        ("POST", "/exec/a/b/start"),
        ("POST", "/containers/a/copy"),
        ("POST", "/containers/a/archive"),
        ("GET", "/containers//json"),
        ("GET", "/images//json"),
        ("DELETE", "/images/"),
        ("DELETE", "/containers/"),
        ("GET", "/debug/pprof"),
        ("GET", "/debug/pprof/a/b"),
        ("GET", "/debug/"),
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/*"),
        ("POST", "/v1.41/containers/create"),
        ("GET", "/libpod/info"),
    ],
)
def test_what_is_no_route(method: str, path: str) -> None:
    with pytest.raises(Denied) as caught:
        routes.find(method, path)
    assert caught.value.code == "unknown-route"


WORDS = sorted({part for r in routes.ROUTES for part in r.path.split("/") if "{" not in part})
PARTS = st.one_of(st.sampled_from([*WORDS, "a", ".", "*", "{name}", ""]), st.text(max_size=2))


@given(st.sampled_from(sorted({r.method for r in routes.ROUTES})), st.lists(PARTS, max_size=6))
def test_no_path_has_two_meanings(method: str, parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    try:
        route, _ = routes.find(method, path)
    except Denied:
        return
    could_be = matching(method, path)
    assert route in could_be
    if route.operation == "checkpoint.remove":
        # moby registers the checkpoints' routes before those of containers for that very reason.
        could_be = [one for one in could_be if one.operation != "container.remove"]
    assert {one.operation for one in could_be} == {route.operation}


def test_operations_and_risks() -> None:
    assert {"image.pull", "image.import", "container.create"} <= routes.OPERATIONS
    assert not any("," in operation for operation in routes.OPERATIONS)
    assert routes.RISKS.keys() == routes.OPERATIONS
    assert set(routes.RISKS.values()) == {"root", "high", "disclosure", "destructive", "low"}


def test_what_makes_root_of_its_caller_is_said_to() -> None:
    for operation in (
        "container.create exec.create exec.start container.copy-to service.create service.update"
        " swarm.init plugin.set plugin.pull volume.create session.grpc session.open"
    ).split():
        assert routes.RISKS[operation] == "root", operation


def test_a_type_belongs_to_a_body() -> None:
    for route in routes.ROUTES:
        with_type = route.body in (BodyKind.REQUIRED, BodyKind.OPTIONAL, BodyKind.OPAQUE)
        assert (route.schema is not None) == with_type, route


def test_query_keys() -> None:
    build, _ = routes.find("POST", "/build")
    assert {"networkmode", "securityopt", "cgroupparent", "remote", "session"} <= build.query
    assert routes.repeatable(build) == {"t", "extrahosts", "securityopt"}
    create, _ = routes.find("POST", "/containers/create")
    assert create.query == {"name", "platform"}
    assert not routes.repeatable(create)
