"""Mounts in all their spellings."""

from __future__ import annotations

from typing import Any

import pytest

from stockade.authz.denied import Denied
from stockade.authz.normalize import tmpfs
from stockade.authz.normalize.mounts import (
    bind,
    driver_options,
    mount,
    mount_object,
    mounts,
    volumes_from,
)

ANY = {"type": "bind", "create_source": True}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("/a:/b", {**ANY, "source": "/a", "target": "/b"}),
        ("/a:/b:ro", {**ANY, "source": "/a", "target": "/b", "read_only": True}),
        ("/a:/b:rw", {**ANY, "source": "/a", "target": "/b"}),
        ("/a:/b:", {**ANY, "source": "/a", "target": "/b"}),
        ("//:/h", {**ANY, "source": "/", "target": "/h"}),
        ("/tmp/..:/h", {**ANY, "source": "/", "target": "/h"}),
        ("/tmp/../etc/.:/h/", {**ANY, "source": "/etc", "target": "/h"}),
        ("/..:/h/../i", {**ANY, "source": "/", "target": "/i"}),
        (
            "/a:/b:ro,Z,rslave",
            {
                **ANY,
                "source": "/a",
                "target": "/b",
                "read_only": True,
                "selinux": "Z",
                "propagation": "rslave",
            },
        ),
        ("/a:/b:z,cached", {**ANY, "source": "/a", "target": "/b", "selinux": "z"}),
        ("/b", {"target": "/b", "driver": "d"}),
        ("vol:/b:ro", {"source": "vol", "target": "/b", "driver": "d", "read_only": True}),
        ("vol:/b:nocopy", {"source": "vol", "target": "/b", "driver": "d", "no_copy": True}),
    ],
)
def test_binds(said: str, expected: dict[str, Any]) -> None:
    assert bind(said, "d") == mount(**expected)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("", "bad-mount"),
        (":/b", "bad-mount"),
        ("/a:", "bad-mount"),
        ("/a:ro", "bad-mount"),
        ("/a:rw,z", "bad-mount"),
        ("/a:/b:rw:x", "bad-mount"),
        ("/a:/b:RO", "bad-mount"),
        ("/a:/b:ro,rw", "bad-mount"),
        ("/a:/b:ro,ro", "bad-mount"),
        ("/a:/b:z,Z", "bad-mount"),
        ("/a:/b:ro,", "bad-mount"),
        ("/a:/b:nocopy", "bad-mount"),
        ("/a:/b:exec", "bad-mount"),
        ("vol:/b:shared", "bad-mount"),
        ("/a:/", "bad-mount"),
        ("/a:/b/..", "bad-mount"),
        ("/a:b", "relative-path"),
        ("b", "relative-path"),
        ("./a:/b", "bad-name"),
        ("../a:/b", "bad-name"),
        ("a/b:/c", "bad-name"),
        ("v:/c", "bad-name"),
        ("~:/c", "bad-name"),
        ("C:\\x:/c", "bad-mount"),
        ("/a\\..:/c", "windows-path"),
        ("/a:\\c", "relative-path"),
        ("/a:/b\\c", "windows-path"),
        ("/a\n:/b", "bad-value"),
        ("/a\x00:/b", "bad-value"),
    ],
)
def test_binds_denied(said: str, code: str) -> None:
    with pytest.raises(Denied) as caught:
        bind(said, "")
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"Type": "bind", "Source": "/a/../b", "Target": "/t"},
            {"type": "bind", "source": "/b", "target": "/t"},
        ),
        (
            {"Type": "BIND", "Source": "/b", "Target": "/t", "ReadOnly": True},
            {"type": "bind", "source": "/b", "target": "/t", "read_only": True},
        ),
        (
            {
                "Type": "bind",
                "Source": "/b",
                "Target": "/t",
                "ReadOnly": True,
                "BindOptions": {
                    "Propagation": "RShared",
                    "NonRecursive": True,
                    "CreateMountpoint": True,
                    "ReadOnlyNonRecursive": True,
                },
            },
            {
                "type": "bind",
                "source": "/b",
                "target": "/t",
                "read_only": True,
                "propagation": "rshared",
                "recursive": False,
                "create_source": True,
            },
        ),
        (
            # What is mounted below stays writable.
            {
                "Type": "bind",
                "Source": "/b",
                "Target": "/t",
                "ReadOnly": True,
                "BindOptions": {"ReadOnlyNonRecursive": True},
            },
            {"type": "bind", "source": "/b", "target": "/t"},
        ),
        ({"Type": "volume", "Target": "/t"}, {"target": "/t", "driver": ""}),
        (
            {
                "Type": "volume",
                "Source": "vol",
                "Target": "/t",
                "VolumeOptions": {
                    "NoCopy": True,
                    "Labels": {"a": "b"},
                    "Subpath": "x/./y",
                    "DriverConfig": {"Name": "local", "Options": {"type": "nfs"}},
                },
            },
            {
                "source": "vol",
                "target": "/t",
                "driver": "local",
                "driver_options": {"type": "nfs"},
                "labels": {"a": "b"},
                "no_copy": True,
                "subpath": "x/y",
            },
        ),
        (
            {
                "Type": "tmpfs",
                "Target": "/t",
                "TmpfsOptions": {"SizeBytes": 9, "Mode": 511, "Options": [["exec"], ["noexec"]]},
            },
            {"type": "tmpfs", "target": "/t", "size": 9, "mode": 511, "tmpfs_options": ["exec"]},
        ),
        (
            {"Type": "image", "Source": "a", "Target": "/t", "ImageOptions": {"Subpath": "b"}},
            {"type": "image", "source": "a", "target": "/t", "subpath": "b"},
        ),
        (
            {"Type": "cluster", "Source": "group:g", "Target": "/t"},
            {"type": "cluster", "source": "group:g", "target": "/t"},
        ),
        (
            {"Type": "bind", "Source": "/b", "Target": "/t", "VolumeOptions": None},
            {"type": "bind", "source": "/b", "target": "/t"},
        ),
    ],
)
def test_mount_objects(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert mount_object(given) == mount(**expected)


@pytest.mark.parametrize(
    "given",
    [
        {"Source": "/a", "Target": "/t"},
        {"Type": "npipe", "Source": "x", "Target": "/t"},
        {"Type": "bind", "Target": "/t"},
        {"Type": "bind", "Source": "a", "Target": "/t"},
        {"Type": "bind", "Source": "/a", "Target": "t"},
        {"Type": "bind", "Source": "/a", "Target": "/"},
        {"Type": "bind", "Source": "/a", "Target": "/t", "VolumeOptions": {"NoCopy": True}},
        {"Type": "bind", "Source": "/a", "Target": "/t", "BindOptions": {"Propagation": "x"}},
        {"Type": "bind", "Source": "/a", "Target": "/t", "Consistency": "x"},
        {"Type": "bind", "Source": "/a", "Target": "/t", "Novel": 1},
        {"Type": "bind", "Source": "/a", "Target": "/t", "BindOptions": {"Novel": 1}},
        {"Type": "volume", "Source": "/a", "Target": "/t"},
        {"Type": "volume", "Source": "vol", "Target": "/t", "BindOptions": {"NonRecursive": True}},
        {"Type": "volume", "Source": "vol", "Target": "/t", "VolumeOptions": {"Subpath": "../x"}},
        {
            "Type": "volume",
            "Target": "/t",
            "VolumeOptions": {"DriverConfig": {"Options": {"o": "lowerdir=/a/../b"}}},
        },
        {"Type": "tmpfs", "Source": "x", "Target": "/t"},
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"Options": [["novel"]]}},
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"Options": [[]]}},
        {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": -1}},
        {"Type": "image", "Target": "/t"},
        {"Type": "cluster", "Target": "/t"},
    ],
)
def test_mount_objects_denied(given: dict[str, Any]) -> None:
    with pytest.raises(Denied):
        mount_object(given)


@pytest.mark.parametrize(
    ("said", "options", "size", "mode", "read_only"),
    [
        ("", [], None, None, False),
        ("noexec,nosuid,nodev,uid=1000", [], None, None, False),
        ("size=64m,mode=1777", [], 64 << 20, 0o1777, False),
        ("size=1G", [], 1 << 30, None, False),
        ("size=4096", [], 4096, None, False),
        ("size=50%", [], None, None, False),
        ("size=0", [], None, None, False),
        ("size=0x10", [], None, None, False),
        ("size=64m,nr_blocks=9", ["nr_blocks=9"], None, None, False),
        ("ro", [], None, None, True),
        ("ro,rw", [], None, None, False),
        ("exec,suid,dev", ["dev", "exec", "suid"], None, None, False),
        ("exec,noexec", ["exec"], None, None, False),
        ("rshared", ["rshared"], None, None, False),
    ],
)
def test_tmpfs(
    said: str, options: list[str], size: int | None, mode: int | None, read_only: bool
) -> None:
    found = tmpfs.options(said, "x")
    assert found["tmpfs_options"] == options
    assert (found["size"], found["mode"], found["read_only"]) == (size, mode, read_only)


@pytest.mark.parametrize(
    "said", ["novel", "EXEC", "size=1,size=2", "mode=8", "a=b", "exec=1", ",", "nr_blocks=1,size=2"]
)
def test_tmpfs_denied(said: str) -> None:
    with pytest.raises(Denied):
        tmpfs.options(said, "x")


@pytest.mark.parametrize("value", ["..", "/a/..", "a/../b", "lowerdir=/a:../b", "x,/b=../c"])
def test_driver_options_do_not_climb(value: str) -> None:
    with pytest.raises(Denied):
        driver_options({"o": value}, "x")


def test_dots_in_driver_options_may_be_something_else() -> None:
    assert driver_options({"o": "addr=1..2,a=b..c"}, "x") == {"o": "addr=1..2,a=b..c"}


@pytest.mark.parametrize(
    ("config", "host"),
    [
        ({}, {"Binds": ["/a:/t", "/b:/t/"]}),
        ({}, {"Binds": ["/a:/t"], "Tmpfs": {"/x/../t": ""}}),
        ({}, {"Binds": ["/a:/t"], "Mounts": [{"Type": "tmpfs", "Target": "/t"}]}),
        ({"Volumes": {"/a:/b": {}}}, {}),
        ({"Volumes": {"a": {}}}, {}),
        ({"Volumes": {"/": {}}}, {}),
    ],
)
def test_mounts_denied(config: dict[str, Any], host: dict[str, Any]) -> None:
    with pytest.raises(Denied):
        mounts(config, host)


def test_an_anonymous_volume_gives_way() -> None:
    found = mounts({"Volumes": {"/t": {}, "/u": {}, "/u/": {}}}, {"Binds": ["/a:/t"]})
    assert [(one["type"], one["target"]) for one in found] == [("bind", "/t"), ("volume", "/u")]


@pytest.mark.parametrize(
    ("host", "drivers"),
    [
        ({"VolumeDriver": "x"}, ["x"]),
        ({"VolumeDriver": "x", "Binds": ["vol:/t"]}, ["x"]),
        ({"VolumeDriver": "x", "Binds": ["/a:/t"]}, [None, "x"]),
        ({"VolumeDriver": "local"}, []),
        ({}, []),
    ],
)
def test_a_volume_driver_is_always_seen(host: dict[str, Any], drivers: list[str | None]) -> None:
    assert [one["driver"] for one in mounts({}, host)] == drivers


def test_volumes_from() -> None:
    assert volumes_from(["a", "b:ro", "c:rw,z", "d:"]) == [
        {"container": "a", "read_only": False},
        {"container": "b", "read_only": True},
        {"container": "c", "read_only": False},
        {"container": "d", "read_only": False},
    ]


@pytest.mark.parametrize("said", ["", ":ro", "a:x", "a:shared", "a:nocopy", "a:ro:rw"])
def test_volumes_from_denied(said: str) -> None:
    with pytest.raises(Denied):
        volumes_from([said])
