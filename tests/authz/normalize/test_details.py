"""From an operation, its query and its body to the keys of the input document."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from stockade.authz import documents, routes
from stockade.authz.denied import Denied
from stockade.authz.model import ObjectReference, Route
from stockade.authz.normalize import EMPTY, details, operation, processes
from stockade.authz.normalize.processes import ps_arguments

BY_OPERATION: dict[str, Route] = {route.operation: route for route in routes.ROUTES}
CREATE_IMAGE = next(route for route in routes.ROUTES if route.path == "/images/create")


class Reader:
    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        return ("web",) if profile_text == "{}" else ()


def read(name: str, /, body: Any = None, query: Any = None, **parameters: str) -> Any:
    route = BY_OPERATION.get(name, CREATE_IMAGE)
    return details(route, parameters, query or {}, body, Reader())


def shown(name: str, /, body: Any = None, query: Any = None, **parameters: str) -> Any:
    return read(name, body, query, **parameters)[0]


def code(name: str, /, body: Any = None, query: Any = None, **parameters: str) -> str:
    with pytest.raises(Denied) as caught:
        read(name, body, query, **parameters)
    return caught.value.code


def test_every_key_is_always_there() -> None:
    for found in (shown("system.info"), shown("volume.create", {}), shown("container.update", {})):
        assert set(found) == set(EMPTY)
        json.dumps(found)


def test_operations_without_a_body_have_none() -> None:
    found, references, redacted = read("container.list")
    assert (found, references) == ({**EMPTY, "images": [], "other": {}}, ())
    assert redacted() is None
    assert code("container.list", {"a": 1}) == "unexpected-body"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"fromImage": "a"}, "image.pull"),
        ({"fromSrc": "-"}, "image.import"),
        ({"fromImage": "a", "fromSrc": ""}, "image.pull"),
    ],
)
def test_images_create_is_two_operations(query: dict[str, str], expected: str) -> None:
    assert operation(CREATE_IMAGE, query) == expected


@pytest.mark.parametrize("query", [{}, {"fromImage": "a", "fromSrc": "b"}, {"repo": "a"}])
def test_images_create_of_neither_or_both(query: dict[str, str]) -> None:
    with pytest.raises(Denied):
        operation(CREATE_IMAGE, query)


def images(name: str, /, query: Any = None, body: Any = None, **parameters: str) -> list[Any]:
    found = shown(name, body, query, **parameters)["images"]
    return [(one["repository"], one["tag"]) for one in found]


IMAGES: list[tuple[str, dict[str, Any], dict[str, str], list[Any]]] = [
    ("image.pull", {"fromImage": "a", "tag": "1"}, {}, [("library/a", "1")]),
    ("image.pull", {"fromImage": "a"}, {}, [("library/a", None)]),
    ("image.import", {"fromSrc": "-", "repo": "a"}, {}, [("library/a", "latest")]),
    ("image.import", {"fromSrc": "-"}, {}, []),
    ("image.push", {"tag": "1"}, {"name": "a"}, [("library/a", "1")]),
    ("image.push", {}, {"name": "a"}, [("library/a", None)]),
    (
        "image.tag",
        {"repo": "x/y", "tag": "2"},
        {"name": "a:1"},
        [("library/a", "1"), ("x/y", "2")],
    ),
    ("image.remove", {}, {"name": "a"}, [("library/a", "latest")]),
    ("image.inspect", {}, {"name": "b/c:1"}, [("b/c", "1")]),
    ("image.build", {"t": ["a", "b:1"]}, {}, [("library/a", "latest"), ("library/b", "1")]),
    ("image.build", {"t": "a"}, {}, [("library/a", "latest")]),
    ("image.commit", {"container": "c", "repo": "a", "tag": "1"}, {}, [("library/a", "1")]),
]


@pytest.mark.parametrize(("name", "query", "parameters", "expected"), IMAGES)
def test_images(
    name: str, query: dict[str, Any], parameters: dict[str, str], expected: list[Any]
) -> None:
    assert images(name, query, **parameters) == expected


def test_images_to_save_are_in_the_path_or_the_query() -> None:
    one_of_path = next(r for r in routes.ROUTES if r.path == "/images/{name}/get")
    several = next(r for r in routes.ROUTES if r.path == "/images/get")
    found, _, _ = details(one_of_path, {"name": "a"}, {}, None, Reader())
    assert [one["text"] for one in found["images"]] == ["a"]
    found, _, _ = details(several, {}, {"names": ("a", "b")}, None, Reader())
    assert [one["text"] for one in found["images"]] == ["a", "b"]
    with pytest.raises(Denied):
        details(several, {}, {}, None, Reader())


def test_an_image_that_is_mounted_is_named() -> None:
    mount = {"Type": "image", "Source": "b:1", "Target": "/t"}
    body = {"Image": "a", "HostConfig": {"Mounts": [mount]}}
    assert images("container.create", body=body) == [("library/a", "latest"), ("library/b", "1")]


def test_references_of_a_create() -> None:
    body = {
        "Image": "a",
        "HostConfig": {
            "PidMode": "container:p",
            "NetworkMode": "web",
            "VolumesFrom": ["v:ro"],
            "Links": ["db:d", "/db:/me/e"],
            "Binds": ["vol:/a", "/host:/b", "/anonymous"],
            "Mounts": [{"Type": "volume", "Source": "vol", "Target": "/c"}],
        },
        "NetworkingConfig": {"EndpointsConfig": {"bridge": {"Links": ["x:y"]}, "own": {}}},
    }
    _, references, _ = read("container.create", body)
    assert references == (
        ObjectReference("container", "p"),
        ObjectReference("container", "v"),
        ObjectReference("container", "db"),
        ObjectReference("container", "x"),
        ObjectReference("volume", "vol"),
        ObjectReference("network", "web"),
        ObjectReference("network", "own"),
    )


def test_references_elsewhere() -> None:
    cases = [
        read("image.build", None, {"networkmode": "container:c"}),
        read("image.commit", None, {"container": "c"}),
        read("network.connect", {"Container": "o", "EndpointConfig": {"Links": ["c:x"]}}, id="n"),
    ]
    assert [references for _, references, _ in cases] == [(ObjectReference("container", "c"),)] * 3
    _, references, _ = read("network.create", {"Name": "a", "ConfigFrom": {"Network": "n"}})
    assert references == (ObjectReference("network", "n"),)


DENIED: list[tuple[str, Any, dict[str, Any], dict[str, str], str]] = [
    ("container.create", {"Image": "a"}, {"name": "a/b"}, {}, "bad-name"),
    ("container.rename", None, {"name": "0" * 64}, {"name": "a"}, "bad-name"),
    ("container.rename", None, {}, {"name": "a"}, "missing-field"),
    ("container.start", None, {"checkpoint-dir": "/x"}, {"name": "a"}, "refused-query"),
    # The engine would join it to the container's directory and leave that.
    ("container.start", None, {"checkpoint": "../../../x"}, {"name": "a"}, "bad-name"),
    ("container.start", None, {"checkpoint": "/x"}, {"name": "a"}, "bad-name"),
    ("checkpoint.create", {"CheckpointID": "../x"}, {}, {"name": "a"}, "bad-name"),
    ("checkpoint.create", {"CheckpointID": ".."}, {}, {"name": "a"}, "bad-name"),
    # The engine makes, lists and removes any directory of the host, as root.
    (
        "checkpoint.create",
        {"CheckpointID": "x", "CheckpointDir": "/etc"},
        {},
        {"name": "a"},
        "refused-field",
    ),
    ("checkpoint.list", None, {"dir": "/etc"}, {"name": "a"}, "refused-query"),
    (
        "checkpoint.remove",
        None,
        {"dir": "/etc"},
        {"name": "a", "checkpoint": "docker"},
        "refused-query",
    ),
    ("checkpoint.remove", None, {}, {"name": "a", "checkpoint": ".."}, "bad-name"),
    ("exec.create", {"Novel": 1}, {}, {"name": "a"}, "unknown-field"),
    ("exec.start", {"Privileged": True}, {}, {"name": "a"}, "unknown-field"),
    ("volume.create", {"Name": "../x"}, {}, {}, "bad-name"),
    ("volume.create", {"DriverOpts": {"device": "/srv/../etc"}}, {}, {}, "unclear-path"),
    ("volume.create", {"DriverOpts": {"o": "lowerdir=/srv/.\\./etc"}}, {}, {}, "unclear-path"),
    ("network.create", {}, {}, {}, "missing-field"),
    ("network.connect", {"Container": ""}, {}, {"id": "n"}, "missing-field"),
    ("image.tag", None, {}, {"name": "a"}, "missing-field"),
    ("image.tag", None, {"repo": "A"}, {"name": "a"}, "bad-image"),
    ("image.commit", None, {}, {}, "missing-field"),
    ("image.pull", None, {"fromImage": "a", "platform": ["x", "y"]}, {}, "repeated-query"),
    ("image.build", None, {"version": "3"}, {}, "bad-value"),
    ("image.build", None, {"networkmode": "HOST"}, {}, "unclear-namespace"),
    ("image.build", None, {"buildargs": '{"a":1,"a":2}'}, {}, "duplicate-key"),
    ("image.build", None, {"buildargs": "x"}, {}, "bad-json"),
    ("image.build", None, {"ulimits": '[{"Name":"a","name":"b"}]'}, {}, "duplicate-key"),
    ("image.build", None, {"outputs": '[{"Type":"local","Novel":""}]'}, {}, "unknown-field"),
    ("image.build", None, {"memory": "1g"}, {}, "bad-value"),
    ("image.build", None, {"cgroupparent": "../x"}, {}, "unclear-path"),
    ("image.build", None, {"t": ["a", "B"]}, {}, "bad-image"),
    ("service.update", {}, {"rollback": "later"}, {"id": "s"}, "bad-value"),
    ("swarm.init", {"Spec": {"Novel": 1}}, {}, {}, "unknown-field"),
    ("swarm.update", {"CAConfig": {"Novel": 1}}, {}, {}, "unknown-field"),
    ("secret.create", {"Driver": {"Novel": 1}}, {}, {}, "unknown-field"),
    ("plugin.pull", [{"Novel": 1}], {}, {}, "unknown-field"),
    ("plugin.set", {"a": 1}, {}, {"name": "p"}, "wrong-type"),
]


@pytest.mark.parametrize(("name", "body", "query", "parameters", "expected"), DENIED)
def test_denied(
    name: str, body: Any, query: dict[str, Any], parameters: dict[str, str], expected: str
) -> None:
    assert code(name, body, query, **parameters) == expected


def test_a_build() -> None:
    found = shown(
        "image.build",
        None,
        {
            "t": ("a",),
            "remote": "https://git.example.org/x.git",
            "networkmode": "host",
            "buildargs": '{"B":"secret","A":null}',
            "labels": '{"l":"m"}',
            "ulimits": '[{"Name":"nofile","Soft":1,"Hard":2}]',
            "outputs": '[{"type":"local","Attrs":{"dest":"x"}}]',
            "cachefrom": '["c"]',
            "extrahosts": ["h:1"],
            "cpuquota": "50000",
            "memory": "9",
            "pull": "1",
            "squash": "false",
            "version": "2",
        },
    )["build"]
    assert set(found) == set(documents.Build.__annotations__)
    assert found["args_names"] == ["A", "B"]
    assert found["network"] == "host"
    assert found["nano_cpus"] == 500_000_000
    assert found["memory"] == 9
    assert (found["pull"], found["squash"], found["version"]) == (True, False, "2")
    assert found["ulimits"] == [{"name": "nofile", "soft": 1, "hard": 2}]
    assert found["labels"] == {"l": "m"}
    assert found["extra_hosts"] == ["h:1"]
    assert [one["text"] for one in found["cache_from"]] == ["c"]
    assert "secret" not in json.dumps(found)


def test_a_network() -> None:
    body = {
        "Name": "n",
        "Internal": True,
        "IPAM": {"Driver": "d", "Config": [{"Subnet": "10.0.0.0/8"}], "Options": {"a": "b"}},
        "Options": {"c": "d"},
    }
    found = shown("network.create", body)["network"]
    assert set(found) == set(documents.Network.__annotations__)
    assert (found["internal"], found["subnets"]) == (True, ["10.0.0.0/8"])
    assert (found["ipam_driver"], found["ipam_options"]) == ("d", {"a": "b"})


def test_a_connection() -> None:
    body = {"Container": "c", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.0.0.2"}}}
    found = shown("network.connect", body, id="n")["connect"]
    assert (found["network"], found["container"]) == ("n", "c")
    assert found["endpoint"]["ipv4"] == "10.0.0.2"
    assert shown("network.disconnect", {"Container": "c"}, id="n")["connect"]["container"] == "c"


def test_a_volume() -> None:
    found = shown("volume.create", {"Name": "vol", "DriverOpts": {"o": "bind"}})["volume"]
    assert set(found) == set(documents.Volume.__annotations__)
    assert found["driver_options"] == {"o": "bind"}
    assert found["cluster"] is False
    assert shown("volume.create", {"ClusterVolumeSpec": {}})["volume"]["cluster"] is True
    assert shown("volume.update", {"Spec": {}}, name="v")["volume"]["cluster"] is True


@pytest.mark.parametrize(
    "said",
    [
        "", "-ef", "aux", "-aux", "-o pid,args", "-eo pid,ppid,%cpu,comm", "axo pid,cmd", "-eLf",
        "-o pid=,user", "faux",
    ],
)  # fmt: skip
def test_ps_may_show_processes(said: str) -> None:
    found, references, _ = read("container.top", None, {"ps_args": said}, name="a")
    assert (found["other"], references) == ({}, ())


@pytest.mark.parametrize(
    "said",
    [
        "auxe", "eww", "-ef e", "-auxe", "e", "-o environ", "-eo pid,environ", "-o pid e", "E",
        "-o", "-opid,environ", "-o pid,ENVIRON", "-ey", "--environ", "-o pid,environ=x", "-O pid",
        "-o e,pid,", "-aux -fe", "--forest -eT", "-T -efo pid,cmd", "-o pid -o cmd",
    ],
)  # fmt: skip
def test_ps_shows_no_environment(said: str) -> None:
    with pytest.raises(Denied) as caught:
        read("container.top", None, {"ps_args": said}, name="a")
    assert caught.value.code == "refused-query"


def test_ps_agrees() -> None:
    """Whatever is taken is shown to the real one, which has an environment to show."""
    path = {"PATH": os.environ["PATH"], "COLUMNS": "1000"}

    def shown(*words: str) -> str:
        done = subprocess.run(["ps", *words], capture_output=True, text=True, env=path, check=False)
        return done.stdout

    child = subprocess.Popen(["sleep", "60"], env={**path, "MARK": "s3cr3t"})
    try:
        assert "s3cr3t" in shown("auxe"), "ps shows no environment at all here"
        fields = ",".join(sorted(processes._FIELDS))
        for words in [[word] for word in processes._WORDS] + [
            [word, fields] for word in processes._FIELDS_FOLLOW
        ]:
            ps_arguments(" ".join(words))
            assert "s3cr3t" not in shown(*words), words
    finally:
        child.kill()
        child.wait()
