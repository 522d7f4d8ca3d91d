"""What a bind is on this host: where it leads, and whether read-only holds for all of it."""

import os
from pathlib import Path

import pytest

from stockade.authz import this_host
from stockade.authz.denied import Denied
from stockade.authz.normalize.container import harmless
from stockade.authz.normalize.mounts import mount
from stockade.authz.this_host import mounted, on_this_host, partly_writable, refuse_links

KERNEL = tuple(map(int, os.uname().release.split("-")[0].split(".")[:2]))


def bind(source: object, **stated: object) -> dict[str, object]:
    mounts = [mount(type="bind", source=str(source), target="/m", read_only=True, **stated)]
    return {**harmless(), "mounts": mounts}


def found(spec: dict[str, object], version: str | None) -> dict[str, object]:
    made = on_this_host(spec, version)
    (one,) = made["mounts"]
    return one


@pytest.mark.parametrize("version", [None, "1.24", "1.41", "1.43"])
def test_read_only_is_not_for_what_is_mounted_below(version):
    """Engine 20.10 writes through `-v /:/host:ro` into /proc, or into a disk below it."""
    asked = bind("/")
    assert found(asked, version)["read_only"] is False
    assert partly_writable(asked, on_this_host(asked, version)) == ["/"]
    assert asked["mounts"][0]["read_only"] is True


def test_read_only_holds_where_nothing_is_below(tmp_path):
    assert found(bind(tmp_path), "1.41")["read_only"] is True
    assert found(bind("/", recursive=False), "1.41")["read_only"] is True
    asked = bind(tmp_path)
    assert partly_writable(asked, on_this_host(asked, "1.41")) == []


@pytest.mark.skipif(KERNEL < (5, 12), reason="a kernel without mount_setattr")
@pytest.mark.parametrize("version", ["1.44", "1.55", "2.0"])
def test_newer_engines_make_all_of_it_read_only(version):
    assert found(bind("/"), version)["read_only"] is True


def test_where_nobody_says_what_is_mounted_nothing_counts_as_read_only(tmp_path, monkeypatch):
    monkeypatch.setattr(this_host, "mounted", lambda: None)
    assert found(bind(tmp_path), "1.41")["read_only"] is False


def test_links_are_followed(tmp_path):
    (tmp_path / "link").symlink_to("/")
    made = found(bind(tmp_path / "link"), "1.41")
    assert (made["resolved"], made["read_only"]) == ("/", False)


def test_mountinfo(tmp_path: Path):
    file = tmp_path / "mountinfo"
    file.write_text("26 1 8:1 / / rw - ext4 x rw\n27 26 8:2 / /a\\040b\x0c rw - ext4 x rw\n")
    assert mounted([tmp_path / "none", file]) == ("/", "/a b\x0c")
    assert mounted([tmp_path / "none"]) is None


def with_options(options: dict[str, str]) -> list[dict[str, object]]:
    """A volume of its own, and one that a container's mount makes."""
    volume = {"name": "v", "driver": "", "driver_options": options, "labels": {}, "cluster": False}
    mounts = [mount(source="v", target="/m", driver="", driver_options=options)]
    return [
        {"spec": None, "volume": volume},
        {"spec": {**harmless(), "mounts": mounts}, "volume": None},
    ]


def test_options_of_volumes_lead_where_they_say(tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "folder").mkdir()
    for path in (
        f"{tmp_path}/link",
        f"{tmp_path}/li\\nk",
        f"{tmp_path}/link/docker",
        str(tmp_path)[1:] + "/link",
    ):
        for options in ({"o": "bind", "device": path}, {"o": f"lowerdir=/x:{path}"}):
            for details in with_options(options):
                with pytest.raises(Denied, match="leads to '/etc") as caught:
                    refuse_links(details)
                assert caught.value.code == "unclear-path"
    for device in (f"{tmp_path}/folder", f"{tmp_path}/missing/x", ":/export", "tmpfs", "//host/a"):
        for details in with_options({"o": "addr=10.0.0.1,rw", "device": device}):
            refuse_links(details)
