"""config.json with a map: what is written, what is kept, what is refused."""

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stockade.policies.errors import InputError
from stockade.userns.bundle import (
    bind_mounts,
    idmapped,
    is_privileged,
    read_config,
    render_config,
    shared_namespaces,
    with_map,
)
from stockade.userns.ids import IdRange

BLOCK = IdRange(589824, 65536)
LINE = {"containerID": 0, "hostID": 589824, "size": 65536}
KINDS = ("pid", "network", "ipc", "uts", "mount")


def config(**changes: Any) -> dict[str, Any]:
    return {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 33, "gid": 33, "additionalGids": [4]}, "args": ["sh"]},
        "root": {"path": "rootfs"},
        "linux": {"namespaces": [{"type": kind} for kind in KINDS], "seccomp": {}, **changes},
        "x-of-mine": {"a": [1, 2.5, None]},
    }


def test_the_map_and_the_namespace_and_nothing_else() -> None:
    before = config()
    kept = copy.deepcopy(before)
    after = with_map(before, BLOCK)
    assert before == kept  # pure
    assert after["linux"].pop("uidMappings") == after["linux"].pop("gidMappings") == [LINE]
    assert after["linux"]["namespaces"].pop() == {"type": "user"}
    assert after == before
    assert list(after) == list(before)


def test_a_second_time_changes_nothing() -> None:
    once = with_map(config(), BLOCK)
    assert with_map(once, BLOCK) == once


def test_mappings_without_a_namespace_get_one() -> None:
    """Otherwise runc and crun run the container with the host's ids."""
    after = with_map(config(uidMappings=[LINE]), BLOCK)
    assert {"type": "user"} in after["linux"]["namespaces"]
    assert after["linux"]["gidMappings"] == [LINE]


def test_dockers_ping_range_fits_the_map() -> None:
    sysctl = {"net.ipv4.ping_group_range": "0 2147483647", "net.core.somaxconn": "128"}
    after = with_map(config(sysctl=sysctl), BLOCK)["linux"]["sysctl"]
    assert after == {**sysctl, "net.ipv4.ping_group_range": "0 65535"}


def user(**fields: Any) -> dict[str, Any]:
    return {**config(), "process": {"user": {"uid": 0, "gid": 0, **fields}}}


@pytest.mark.parametrize(
    ("given", "block", "reason"),
    [
        (config(uidMappings=[{**LINE, "hostID": 0}]), BLOCK, "other `linux.uidMappings`"),
        (config(gidMappings=[{**LINE, "hostID": 0}]), BLOCK, "other `linux.gidMappings`"),
        (config(uidMappings=[LINE, LINE]), BLOCK, "other `linux.uidMappings`"),
        (config(uidMappings={}), BLOCK, "is no list"),
        (
            config(namespaces=[{"type": "mount"}, {"type": "user", "path": "/proc/1/ns/user"}]),
            BLOCK,
            "joins the user namespace",
        ),
        (config(namespaces=[{"type": "user"}]), BLOCK, "no mount namespace of its own"),
        (config(namespaces=[{"type": "mount", "path": "/proc/1/ns/mnt"}]), BLOCK, "no mount"),
        (config(namespaces=[{"type": "mount"}, {"type": "mount"}]), BLOCK, "names one twice"),
        (config(namespaces=["mount"]), BLOCK, "no list of objects"),
        (user(uid=65536), BLOCK, "process.user.uid is 65536"),
        (user(gid=65536), BLOCK, "process.user.gid is 65536"),
        (user(additionalGids=[1, 65536]), BLOCK, "process.user.additionalGids is 65536"),
        (user(uid=-1), BLOCK, "process.user.uid is -1"),
        (user(uid="0"), BLOCK, 'process.user.uid is "0"'),
        (user(uid=True), BLOCK, "process.user.uid is true"),
        (user(uid=0.5), BLOCK, "process.user.uid is 0.5"),
        (config(), IdRange(0, 65536), "is no range for a container"),
        (config(), IdRange(65535, 65536), "is no range for a container"),
        (config(), IdRange(4294901760, 65536), "is no range for a container"),
        (config(), IdRange(1 << 32, 65536), "is no range for a container"),
    ],
)
def test_refused(given: dict[str, Any], block: IdRange, reason: str) -> None:
    with pytest.raises(InputError, match=".*" + reason.replace("(", "\\(")):
        with_map(given, block)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no JSON"),
        ("[]", "no JSON object"),
        ('{"linux": {}, "linux": {}}', "`linux` twice"),
        ('{"linux": {"a": 1, "a": 1}}', "`a` twice"),
        # Go, and so runc, reads these as `linux` and `uidMappings`, and the last one counts.
        ('{"linux": {}, "LINUX": {"uidMappings": []}}', "runc takes for `linux`"),
        ('{"linux": {"uidmappings": []}}', "runc takes for `uidMappings`"),
        ('{"linux": {"u\\u0131dMappings": [], "\\u017fize": 1}}', "runc takes for `size`"),
        ("[" * 100_000, "is no JSON"),
        ("\udcff", "is no JSON"),
    ],
)
def test_unreadable(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_config(text.encode("utf-8", "surrogateescape"), "config.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON), st.sampled_from([None, 2, "\t"]))
def test_what_is_read_is_written(document: dict[str, Any], indent: int | str | None) -> None:
    data = json.dumps(document, indent=indent).encode()
    try:
        read = read_config(data, "x")
    except InputError as error:  # hypothesis knows the names in the source
        assume("runc takes for" not in str(error))
        raise
    again = read_config(render_config(read, data), "x")
    assert again == document
    assert list(again) == list(document)


@given(st.dictionaries(st.sampled_from(["linux", "process", "mounts", "root", "a"]), JSON))
def test_whatever_it_holds_the_map_is_whole_or_it_is_refused(document: dict[str, Any]) -> None:
    try:
        after = with_map(document, BLOCK)
    except InputError:
        return
    assert after["linux"]["uidMappings"] == after["linux"]["gidMappings"] == [LINE]
    assert {"type": "user"} in [
        {key: value for key, value in each.items() if key in ("type", "path") and value}
        for each in after["linux"]["namespaces"]
    ]


def test_namespaces_that_are_shared_are_named() -> None:
    assert shared_namespaces(config()) == ""
    for kind in ("pid", "network", "ipc"):
        others = [{"type": each} for each in KINDS if each != kind]
        assert shared_namespaces(config(namespaces=others)).endswith("of the host")
    joined = [*config()["linux"]["namespaces"][1:], {"type": "pid", "path": "/proc/1/ns/pid"}]
    assert "another container" in shared_namespaces(config(namespaces=joined))


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([{"allow": False, "access": "rwm"}], False),
        ([{"allow": False, "access": "rwm"}, {"allow": True, "access": "rwm"}], True),
        ([{"allow": True, "type": "a", "access": "rwm"}], True),
        ([{"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}], False),
        ([], False),
    ],
)
def test_privileged(rules: list[dict[str, Any]], expected: bool) -> None:
    assert is_privileged(config(resources={"devices": rules})) is expected


def test_an_idmapped_mount_has_both_maps_and_no_setuid() -> None:
    entry = {"destination": "/d", "source": "/s", "options": ["rbind", "suid", "rw"]}
    assert [index for index, _ in bind_mounts({"mounts": [{"destination": "/p"}, entry]})] == [1]
    assert idmapped(entry, BLOCK) == {
        "destination": "/d",
        "source": "/s",
        "options": ["rbind", "rw", "ridmap", "nosuid", "rnosuid"],
        "uidMappings": [LINE],
        "gidMappings": [LINE],
    }
    once = idmapped({**entry, "options": ["bind"]}, BLOCK)
    assert once["options"] == ["bind", "idmap", "nosuid", "rnosuid"]
    assert idmapped(once, BLOCK) == once
