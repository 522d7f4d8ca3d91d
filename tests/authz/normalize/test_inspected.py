"""Containers that exist, as engines describe them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from stockade.authz.denied import Denied
from stockade.authz.normalize import spec_of_inspect
from stockade.authz.normalize.security import MASKED_20_10, READ_ONLY


class Reader:
    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        raise Denied("bad-profile", "none of ours")


ANSWER: dict[str, Any] = {
    "Id": "1" * 64,
    "Image": "sha256:" + "2" * 64,
    "Name": "/web",
    "Mounts": [
        {
            "Type": "volume",
            "Name": "3" * 64,
            "Source": "/var/lib/docker/volumes/x/_data",
            "Destination": "/var/cache",
            "Driver": "local",
            "Mode": "",
            "RW": True,
            "Propagation": "",
        },
        {
            "Type": "bind",
            "Source": "/srv",
            "Destination": "/from-another",
            "Mode": "",
            "RW": False,
            "Propagation": "rprivate",
        },
        {
            "Type": "bind",
            "Source": "/a",
            "Destination": "/b",
            "RW": True,
            "Propagation": "rprivate",
        },
    ],
    "HostConfig": {
        "Binds": ["/a:/b"],
        "NetworkMode": "web",
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "CapAdd": ["CAP_NET_ADMIN"],
        "Runtime": "runc",
        "ShmSize": 67108864,
        "ConsoleSize": [0, 0],
        "PidsLimit": None,
        "OomKillDisable": None,
        "KernelMemory": 0,
        "DiskQuota": 0,
        "LogConfig": {"Type": "json-file", "Config": {}},
        "MaskedPaths": sorted(MASKED_20_10),
        "ReadonlyPaths": sorted(READ_ONLY),
    },
    "Config": {
        "Image": "nginx:1",
        "User": "1000",
        "Env": ["PATH=/bin"],
        "Cmd": ["nginx"],
        "Labels": {"a": "b"},
        "ArgsEscaped": True,
        "Volumes": {"/var/cache": {}},
    },
    "NetworkSettings": {
        "Networks": {
            "web": {
                "IPAMConfig": None,
                "Aliases": ["111111111111"],
                "NetworkID": "4" * 64,
                "EndpointID": "5" * 64,
                "Gateway": "10.0.0.1",
                "IPAddress": "10.0.0.2",
                "MacAddress": "02:00:00:00:00:01",
                "DNSNames": ["web"],
            }
        }
    },
}


def answer(**host: Any) -> dict[str, Any]:
    found = copy.deepcopy(ANSWER)
    found["HostConfig"].update(host)
    return found


def test_a_container() -> None:
    spec, labels, image = spec_of_inspect(ANSWER, Reader())
    assert labels == {"a": "b"}
    assert (image["repository"], image["tag"]) == ("library/nginx", "1")
    assert spec["image"] == image
    assert spec["name"] == "web"
    assert spec["user"]["root"] is False
    assert spec["capabilities"]["add"] == ["NET_ADMIN"]
    assert spec["runtime"] == ""
    assert spec["paths"] == {"masked": "default", "read_only": "default"}
    assert spec["namespaces"]["network"] == {"mode": "named", "target": "web"}
    (network,) = spec["networks"]
    assert (network["name"], network["ipv4"], network["mac"]) == ("web", None, None)


def test_mounts_that_only_the_answer_shows_are_inherited() -> None:
    spec, _, _ = spec_of_inspect(ANSWER, Reader())
    found = [
        (one["type"], one["source"], one["target"], one["inherited"]) for one in spec["mounts"]
    ]
    assert found == [
        ("bind", "/a", "/b", False),
        ("volume", "", "/var/cache", False),
        ("bind", "/srv", "/from-another", True),
    ]
    assert spec["mounts"][2]["read_only"] is True


def test_a_network_mode_that_is_an_id_is_the_network_of_that_id() -> None:
    spec, _, _ = spec_of_inspect(answer(NetworkMode="4" * 64), Reader())
    assert spec["namespaces"]["network"] == {"mode": "named", "target": "web"}
    assert [one["name"] for one in spec["networks"]] == ["web"]


def test_a_privileged_container() -> None:
    given = answer(
        Privileged=True, SecurityOpt=["label=disable"], MaskedPaths=None, ReadonlyPaths=None
    )
    spec, _, _ = spec_of_inspect(given, Reader())
    assert spec["privileged"] is True
    assert spec["selinux"] == []


@pytest.mark.parametrize(
    "host",
    [
        {"Novel": 1},
        {"PidMode": "novel"},
        {"SecurityOpt": ["seccomp={}"]},
        {"CapAdd": "ALL"},
        {"Binds": [1]},
        {"LogConfig": []},
    ],
)
def test_what_is_not_understood_makes_the_spec_unknown(host: dict[str, Any]) -> None:
    spec, labels, image = spec_of_inspect(answer(**host), Reader())
    assert spec is None
    assert labels == {"a": "b"}
    assert image["tag"] == "1"


@pytest.mark.parametrize("masked", [[], ["/proc/kcore"]])
def test_unmasked_paths_are_seen(masked: list[str]) -> None:
    spec, _, _ = spec_of_inspect(answer(MaskedPaths=masked), Reader())
    assert spec["paths"]["masked"] in ("none", "custom")


def test_an_image_that_is_no_reference() -> None:
    given = answer()
    given["Config"]["Image"] = "Not a reference"
    spec, _, image = spec_of_inspect(given, Reader())
    assert image is None
    assert spec["image"] is None


@pytest.mark.parametrize("given", [[], "x", {"Config": []}, {"Config": {"Labels": {"a": 1}}}])
def test_no_answer_at_all(given: Any) -> None:
    with pytest.raises(Denied):
        spec_of_inspect(given, Reader())
