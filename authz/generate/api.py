"""The OpenAPI description: query keys of each route, and types of bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import GenerateError

Fields = dict[str, str]
"""Of a type, by field, the kind as schema.tsv writes it."""

EMBED = "*"
"""As a field: all fields of the type that stands as its kind."""
ALIAS = "="
"""As a field: the type is only another name for its kind."""


@dataclass(slots=True)
class Api:
    """What the description says."""

    query: dict[str, tuple[str, ...]]
    """By route (`GET /containers/*/json`); a key that may be repeated ends with `*`."""
    bodies: dict[str, Any]
    """By route, the body's schema as it stands in the description."""
    definitions: Mapping[str, Any]


def shape(method: str, path: str) -> str:
    """A route with its parameters' names and patterns left out."""
    return f"{method.upper()} {re.sub(r'{[^}]*}', '*', path)}"


def read_api(path: Path) -> Api:
    """Reads the description.

    Raises:
        GenerateError: it is not one.
    """
    try:
        document = yaml.safe_load(path.read_text())
        api = Api({}, {}, document["definitions"])
        for route, methods in document["paths"].items():
            for method, operation in methods.items():
                parameters = operation.get("parameters", [])
                key = shape(method, route)
                api.query[key] = tuple(
                    one["name"] + "*" * (one["type"] == "array")
                    for one in parameters
                    if one["in"] == "query"
                )
                for one in parameters:
                    if one["in"] == "body":
                        api.bodies[key] = one["schema"]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise GenerateError(f"{path.name} is no description of the API: {error!r}") from error
    return api


class Types:
    """Collects the types that bodies are made of."""

    def __init__(self, api: Api) -> None:
        self._definitions = api.definitions
        self.found: dict[str, Fields] = {}

    def add_body(self, name: str, schema: Any) -> None:
        """A body's type, under the name that operations.tsv has for it."""
        kind = self._kind(schema, name)
        if kind != name:
            self.found[name] = {ALIAS: kind}

    def _kind(self, schema: Any, name: str) -> str:
        """The kind of a value; `name` is for the type that an inline object becomes."""
        if "$ref" in schema:
            referred = schema["$ref"].removeprefix("#/definitions/")
            return self._kind(self._definitions[referred], referred)
        parts = [part for part in schema.get("allOf", ()) if part.keys() - {"type", "example"}]
        if len(parts) == 1:
            return self._kind(parts[0], name)
        if parts or schema.get("properties"):
            if name not in self.found:
                self.found[name] = {}
                self._fill(self.found[name], name, parts or [schema])
            return name
        return self._simple(schema, name)

    def _fill(self, fields: Fields, name: str, parts: list[Any]) -> None:
        for part in parts:
            if "$ref" in part:
                fields[EMBED] = self._kind(part, name)
            for field, schema in part.get("properties", {}).items():
                fields[field] = self._kind(schema, f"{name}.{field}")

    def _simple(self, schema: Any, name: str) -> str:
        match schema.get("type"):
            case "string":
                return "string"
            case "boolean":
                return "bool"
            case "number":
                return "float"
            case "integer":
                return str(schema.get("format", "int64"))
            case "array":
                return f"[{self._kind(schema['items'], name)}]"
            case "object" if "additionalProperties" in schema:
                return f"{{{self._kind(schema['additionalProperties'], name)}}}"
            case "object":
                return "empty"
        raise GenerateError(f"{name}: no type in {schema!r}")
