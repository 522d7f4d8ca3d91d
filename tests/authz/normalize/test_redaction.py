"""What is secret is in no log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stockade.authz import routes
from stockade.authz.model import Route
from stockade.authz.normalize import details, redact, redact_query

BY_OPERATION: dict[str, Route] = {route.operation: route for route in routes.ROUTES}


class Reader:
    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        return ("web",) if profile_text == "{}" else ()


def read(name: str, /, body: Any = None, query: Any = None, **parameters: str) -> Any:
    return details(BY_OPERATION[name], parameters, query or {}, body, Reader())


SECRET = "hunter2"

SECRETS: list[tuple[str, Any, dict[str, Any], dict[str, str]]] = [
    ("container.create", {"Image": "a", "Env": [f"A={SECRET}"]}, {}, {}),
    (
        "container.create",
        {
            "Image": "a",
            "HostConfig": {"LogConfig": {"Type": "splunk", "Config": {"splunk-token": SECRET}}},
        },
        {},
        {},
    ),
    ("exec.create", {"Env": [f"A={SECRET}"]}, {}, {"name": "a"}),
    ("volume.create", {"DriverOpts": {"o": f"user=a,password={SECRET},ro"}}, {}, {}),
    ("volume.create", {"DriverOpts": {"o": f"pass={SECRET}"}}, {}, {}),
    ("volume.create", {"DriverOpts": {"password": SECRET}}, {}, {}),
    ("volume.create", {"DriverOpts": {"device": f"https://u:{SECRET}@example.org/x"}}, {}, {}),
    ("secret.create", {"Name": "a", "Data": SECRET}, {}, {}),
    ("config.update", {"Name": "a", "Data": SECRET}, {}, {"id": "a"}),
    ("swarm.init", {"Spec": {"CAConfig": {"SigningCAKey": SECRET}}}, {}, {}),
    ("swarm.join", {"JoinToken": SECRET}, {}, {}),
    ("swarm.unlock", {"UnlockKey": SECRET}, {}, {}),
    ("plugin.set", [f"A={SECRET}"], {}, {"name": "p"}),
    ("plugin.set", [SECRET], {}, {"name": "p"}),
    ("container.create", {"Image": "a", "Cmd": ["x", "--password", SECRET]}, {}, {}),
    (
        "container.create",
        {"Image": "a", "Healthcheck": {"Test": ["CMD", "x", "-p", SECRET]}},
        {},
        {},
    ),
    ("image.commit", {"OnBuild": [f"ENV A={SECRET}"]}, {"container": "c"}, {}),
    ("image.commit", {"Env": [f"A={SECRET}"]}, {"container": "c"}, {}),
    ("image.push", {"username": "a", "password": SECRET}, {}, {"name": "a"}),
    ("image.build", None, {"buildargs": f'{{"A":"{SECRET}"}}'}, {}),
]


@pytest.mark.parametrize(("name", "body", "query", "parameters"), SECRETS)
def test_secrets_are_not_in_the_redacted_body(
    name: str, body: Any, query: dict[str, Any], parameters: dict[str, str]
) -> None:
    found, _, redacted = read(name, body, query, **parameters)
    assert SECRET not in json.dumps(redacted())
    if found["other"]:
        assert SECRET not in json.dumps(found["other"])


def test_redaction_leaves_what_is_no_secret() -> None:
    body = {
        "Labels": {"token": "x", "a": "password=y"},
        "Image": "a:1",
        "Env": ["A", None],
        "Secrets": [{"SecretID": "i", "SecretName": "n"}],
        "Cmd": ["echo", "a=b"],
        "Number": 3,
    }
    assert redact(body) == body


def test_queries_are_redacted() -> None:
    query = {
        "buildargs": f'{{"A":"{SECRET}"}}',
        "remote": f"https://u:{SECRET}@example.org/x.git",
        "t": ("a", "b"),
        "name": "web",
    }
    assert redact_query(query) == {
        "buildargs": ["A"],
        "remote": "https://REDACTED@example.org/x.git",
        "t": ["a", "b"],
        "name": "web",
    }
