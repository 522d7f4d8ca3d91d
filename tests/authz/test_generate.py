"""The generator of the route and schema tables, on a small API."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from stockade.authz.generate.__main__ import main
from stockade.authz.generate.api import Api, Types, read_api
from stockade.authz.generate.errors import GenerateError
from stockade.authz.generate.fields import corrected
from stockade.authz.generate.routes import joined, read_routes

API = """
definitions:
  Limit: {type: object, properties: {Bytes: {type: integer, format: int64}}}
  Size: {type: integer}
  Base: {type: object, properties: {Name: {type: string}, Enabled: {type: boolean}}}
paths:
  /things:
    get: {parameters: [{in: query, name: all, type: boolean}, {in: query, name: t, type: array}]}
  /things/{id}:
    post:
      parameters:
        - in: body
          schema:
            allOf:
              - $ref: "#/definitions/Base"
              - type: object
                properties:
                  Sizes: {type: array, items: {$ref: "#/definitions/Size"}}
                  Labels: {type: object, additionalProperties: {type: string}}
                  Ports: {type: object, additionalProperties: {type: object}}
                  Inner: {type: object, properties: {Limit: {$ref: "#/definitions/Limit"}}}
"""
LIST = ("GET", "/things", "thing.list", "none", "-", "-", "low")
EDIT = ("POST", "/things/{name}", "thing.edit", "required", "Thing", "thing", "high")
ROUTES = {"GET /things", "POST /things/*"}


@pytest.fixture
def api(tmp_path: Path) -> Api:
    path = tmp_path / "api.yaml"
    path.write_text(API)
    return read_api(path)


def test_routes_are_joined(api: Api) -> None:
    additions = [("GET", "/things", "before,all*", "somewhere")]
    assert joined([LIST, EDIT], ROUTES, api, additions) == [
        (*LIST, "all*,before,t*"),
        (*EDIT, "-"),
    ]


@pytest.mark.parametrize(
    ("operations", "registered", "additions", "message"),
    [
        ([LIST], ROUTES, [], "routes without an operation: POST /things"),
        ([LIST, EDIT], {"GET /things"}, [], "operations without a route: POST"),
        ([LIST, EDIT, EDIT], ROUTES, [], "stands twice"),
        ([LIST], {"GET /things"}, [], "described, but no route"),
        ([LIST, EDIT], ROUTES, [("GET", "/other", "a", "x")], "no route GET /other"),
        ([LIST, EDIT], ROUTES, [("GET", "/things", "all", "x")], "has all already"),
    ],
)
def test_routes_that_do_not_match(
    api: Api,
    operations: list[tuple[str, ...]],
    registered: set[str],
    additions: list[tuple[str, ...]],
    message: str,
) -> None:
    with pytest.raises(GenerateError, match=message):
        joined(operations, registered, api, additions)


def test_routers_lists(tmp_path: Path) -> None:
    path = tmp_path / "routes.txt"
    path.write_text("Get /things\nPost /things/{id:.*}\nGet /debug/pprof/trace\n")
    assert read_routes([path]) == ROUTES | {"GET /debug/pprof/*"}
    path.write_text("no route\n")
    with pytest.raises(GenerateError, match="is no route"):
        read_routes([path])


def test_types(api: Api) -> None:
    assert corrected(api, [LIST, EDIT], []) == {
        "Base": {"Name": "string", "Enabled": "bool"},
        "Limit": {"Bytes": "int64"},
        "Thing": {
            "*": "Base",
            "Sizes": "[int64]",
            "Labels": "{string}",
            "Ports": "{empty}",
            "Inner": "Thing.Inner",
        },
        "Thing.Inner": {"Limit": "Limit"},
    }


def test_corrections(api: Api) -> None:
    found = corrected(
        api,
        [EDIT],
        [
            ("Thing", "Sizes", "[uint16]", "x"),
            ("Thing", "Inner", "-", "x"),
            ("Thing", "Old", "Old", "x"),
            ("Old", "Path", "string", "x"),
        ],
    )
    assert found["Thing"] == {
        "*": "Base",
        "Sizes": "[uint16]",
        "Labels": "{string}",
        "Ports": "{empty}",
        "Old": "Old",
    }
    assert found["Old"] == {"Path": "string"}
    assert "Thing.Inner" not in found


@pytest.mark.parametrize(
    ("correction", "message"),
    [
        (("Base", "Name", "string", "x"), "changes nothing"),
        (("Base", "Other", "-", "x"), "changes nothing"),
        (("Base", "Other", "Missing", "x"), "Missing is not described"),
        (("Nowhere", "A", "string", "x"), "no body has Nowhere"),
        (("Base", "name", "string", "x"), "differ in case only"),
        (("Thing", "ENABLED", "bool", "x"), "differ in case only"),
    ],
)
def test_corrections_that_are_wrong(api: Api, correction: tuple[str, ...], message: str) -> None:
    with pytest.raises(GenerateError, match=message):
        corrected(api, [EDIT], [correction])


def test_a_type_that_nobody_describes(api: Api) -> None:
    with pytest.raises(GenerateError, match="no type"):
        Types(api).add_body("X", {"type": "file"})


def test_files_that_are_no_sources(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api = tmp_path / "api.yaml"
    api.write_text(yaml.safe_dump({"paths": {}}))
    assert main(["--api", str(api), "--routes", str(api), "--check"]) == 2
    assert "no description of the API" in capsys.readouterr().err
    assert main(["--api", str(tmp_path / "none"), "--routes", str(api), "--check"]) == 2
