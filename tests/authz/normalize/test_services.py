"""Services: their tasks' containers, and what is around them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from stockade.authz import documents, routes
from stockade.authz.denied import Denied
from stockade.authz.model import ObjectReference, Route
from stockade.authz.normalize import details

BY_OPERATION: dict[str, Route] = {route.operation: route for route in routes.ROUTES}


class Reader:
    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        return ("web",) if profile_text == "{}" else ()


def read(name: str, /, body: Any = None, query: Any = None, **parameters: str) -> Any:
    return details(BY_OPERATION[name], parameters, query or {}, body, Reader())


def shown(name: str, /, body: Any = None) -> Any:
    return read(name, body)[0]


def code(name: str, body: Any) -> str:
    with pytest.raises(Denied) as caught:
        read(name, body)
    return caught.value.code


def service(**container: Any) -> Any:
    return shown("service.create", {"TaskTemplate": {"ContainerSpec": {"Image": "a", **container}}})


SERVICES: list[tuple[dict[str, Any], list[str], Any]] = [
    ({"CapabilityAdd": ["sys_admin"]}, ["capabilities", "add"], ["SYS_ADMIN"]),
    ({"Privileges": {"Seccomp": {"Mode": "unconfined"}}}, ["seccomp", "kind"], "unconfined"),
    (
        {"Privileges": {"Seccomp": {"Mode": "custom", "Profile": "e30="}}},
        ["seccomp", "policies"],
        ["web"],
    ),
    ({"Privileges": {"Seccomp": {"Mode": "default"}}}, ["seccomp", "kind"], "default"),
    ({"Privileges": {"AppArmor": {"Mode": "disabled"}}}, ["apparmor"], "unconfined"),
    ({"Privileges": {"NoNewPrivileges": True}}, ["no_new_privileges"], True),
    (
        {"Privileges": {"SELinuxContext": {"Disable": True, "Type": "t"}}},
        ["selinux"],
        ["disable", "type:t"],
    ),
    (
        {"Privileges": {"CredentialSpec": {"Config": "x"}}},
        ["service", "credential_spec"],
        "config://x",
    ),
    ({"Command": ["a"], "Args": ["b"]}, ["entrypoint"], ["a"]),
    ({"Groups": ["0"]}, ["group_add"], ["0"]),
    ({"ReadOnly": True}, ["read_only"], True),
    ({"OomScoreAdj": -5}, ["resources", "oom_score_adj"], -5),
    ({"Healthcheck": {"Test": ["CMD", "x"]}}, ["healthcheck"], True),
    (
        {"Configs": [{"ConfigID": "i", "ConfigName": "n", "File": {"Name": "/etc/../a"}}]},
        ["service", "configs"],
        [{"id": "i", "name": "n", "target": "/a"}],
    ),
    (
        {"Secrets": [{"SecretID": "i", "SecretName": "n"}]},
        ["service", "secrets"],
        [{"id": "i", "name": "n", "target": None}],
    ),
]


@pytest.mark.parametrize(("container", "route", "expected"), SERVICES)
def test_service_containers(container: dict[str, Any], route: list[str], expected: Any) -> None:
    found = service(**container)["spec"]
    for step in route:
        found = found[step]
    assert found == expected


def test_a_service() -> None:
    body = {
        "Name": "s",
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": "a",
                "Mounts": [{"Type": "bind", "Source": "/", "Target": "/h"}],
            },
            "Resources": {"Limits": {"NanoCPUs": 5, "MemoryBytes": 6, "Pids": 7}, "SwapBytes": 1},
            "RestartPolicy": {"Condition": "any", "MaxAttempts": 2},
            "Placement": {"Constraints": ["node.role==worker"]},
            "Networks": [{"Target": "web"}],
            "LogDriver": {"Name": "syslog"},
        },
        "Mode": {"Global": {}},
        "Networks": [{"Target": "host"}],
        "EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishedPort": 8080}]},
    }
    found, references, _ = read("service.create", body)
    spec = found["spec"]
    assert spec["service"] == found["service"]
    assert set(found["service"]) == set(documents.Service.__annotations__)
    assert set(spec) == set(documents.Spec.__annotations__)
    assert spec["mounts"][0]["source"] == "/"
    assert (spec["resources"]["nano_cpus"], spec["resources"]["pids"]) == (5, 7)
    assert (spec["resources"]["memory"], spec["resources"]["memory_swap"]) == (6, 7)
    assert spec["namespaces"]["network"]["mode"] == "host"
    assert [one["name"] for one in spec["networks"]] == ["web", "host"]
    assert spec["ports"][0]["host_port"] == 8080
    assert spec["restart"] == {"policy": "always", "retries": 2}
    assert spec["log"]["driver"] == "syslog"
    assert (found["service"]["mode"], found["service"]["replicas"]) == ("global", None)
    assert found["service"]["constraints"] == ["node.role==worker"]
    assert references == (ObjectReference("network", "web"),)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (None, ("replicated", 1)),
        ({"Replicated": {}}, ("replicated", 1)),
        ({"Replicated": {"Replicas": 0}}, ("replicated", 0)),
        ({"ReplicatedJob": {"TotalCompletions": 4}}, ("replicated-job", 4)),
        ({"GlobalJob": {}}, ("global-job", None)),
    ],
)
def test_service_modes(mode: Any, expected: tuple[str, int | None]) -> None:
    body = {"TaskTemplate": {"ContainerSpec": {"Image": "a"}}, "Mode": mode}
    found = shown("service.create", body)["service"]
    assert (found["mode"], found["replicas"]) == expected


SERVICES_DENIED: list[tuple[dict[str, Any], str]] = [
    ({"TaskTemplate": {}}, "missing-field"),
    ({"TaskTemplate": {"Runtime": "plugin"}}, "refused-field"),
    ({"TaskTemplate": {"Runtime": "attachment"}}, "refused-field"),
    ({"TaskTemplate": {"PluginSpec": {"Name": "x"}}}, "refused-field"),
    ({"TaskTemplate": {"NetworkAttachmentSpec": {"ContainerID": "x"}}}, "refused-field"),
    ({"Mode": {"Global": {}, "Replicated": {}}}, "conflict"),
    ({"Networks": [{"Target": "HOST"}]}, "unclear-namespace"),
    ({"Networks": [{"Target": ""}]}, "unclear-namespace"),
    ({"EndpointSpec": {"Ports": [{"TargetPort": 0}]}}, "bad-port"),
    ({"Novel": 1}, "unknown-field"),
]


@pytest.mark.parametrize(("body", "expected"), SERVICES_DENIED)
def test_services_denied(body: dict[str, Any], expected: str) -> None:
    container = {"TaskTemplate": {"ContainerSpec": {"Image": "a"}}}
    assert code("service.create", {**container, **body}) == expected


@pytest.mark.parametrize(
    "privileges",
    [
        {"Seccomp": {"Mode": "CUSTOM"}},
        {"Seccomp": {"Mode": "default", "Profile": "e30="}},
        {"Seccomp": {"Mode": "custom", "Profile": "e30"}},
        {"Seccomp": {"Mode": "custom", "Profile": base64.b64encode(b"\xff").decode()}},
        {"Seccomp": {"Mode": "custom", "Profile": base64.b64encode(b"x").decode()}},
        {"AppArmor": {"Mode": "unconfined"}},
        {"Novel": 1},
    ],
)
def test_service_privileges_denied(privileges: dict[str, Any]) -> None:
    with pytest.raises(Denied):
        service(Privileges=privileges)


def test_two_mounts_of_a_service_on_one_target() -> None:
    mount = {"Type": "tmpfs", "Target": "/t"}
    with pytest.raises(Denied):
        service(Mounts=[mount, mount])
