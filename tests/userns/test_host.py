"""Files of a tree: bounded, and never from outside of it."""

import os

import pytest

from stockade.policies.errors import InputError
from stockade.userns import host


@pytest.fixture
def root(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/subuid").write_text("outside\n")
    (tmp_path / "root/etc").mkdir(parents=True)
    return tmp_path / "root"


def test_an_empty_tree_has_no_files(root):
    found = host.read_host(root)
    assert {getattr(found, name) for name in found.__slots__} == {None, ()}


def test_files_are_read(root):
    (root / "etc/docker").mkdir()
    for name in (host.SUBUID, host.SUBGID, host.PASSWD, host.LOGIN_DEFS, host.DAEMON_JSON):
        (root / name).write_text(name)
    found = host.read_host(root)
    assert (found.subuid, found.subgid) == (b"etc/subuid", b"etc/subgid")
    assert (found.passwd, found.group) == (b"etc/passwd", None)
    assert (found.login_defs, found.daemon_json) == (b"etc/login.defs", b"etc/docker/daemon.json")


@pytest.mark.parametrize("target", ["/usr/ids", "../usr/ids", "../../../../usr/ids", "hop", "/hop"])
def test_links_stay_inside(root, target):
    (root / "usr").mkdir()
    (root / "usr/ids").write_text("inside\n")
    (root / "etc/hop").symlink_to("/usr/ids")
    (root / "hop").symlink_to("etc/../etc/hop")
    (root / "etc/subuid").symlink_to(target)
    assert host.read_host(root).subuid == b"inside\n"


@pytest.mark.parametrize("kind", ["absolute", "climbing", "directory"])
def test_links_do_not_lead_out(root, kind):
    outside = root.parent / "outside"
    if kind == "directory":
        (root / "etc").rmdir()
        (root / "etc").symlink_to(outside)
    elif kind == "absolute":
        (root / "etc/subuid").symlink_to(outside / "subuid")
    else:
        (root / "etc/subuid").symlink_to("../../outside/subuid")
    assert host.read_host(root).subuid is None


def test_what_is_no_file_is_refused(root):
    (root / "etc/subuid").mkdir()
    with pytest.raises(InputError, match="is a directory, not a file"):
        host.read_host(root)
    (root / "etc/subuid").rmdir()
    os.mkfifo(root / "etc/subuid")
    with pytest.raises(InputError, match="etc/subuid` is a named pipe"):
        host.read_host(root)
    (root / "etc/subuid").unlink()
    (root / "etc/subuid").symlink_to("subuid")
    with pytest.raises(InputError, match="too many levels"):
        host.read_host(root)


def test_too_many_lines(root, monkeypatch):
    monkeypatch.setattr(host, "MAXIMAL_LINES", 3)
    (root / "etc/subuid").write_text("a:1:1\n" * 3)
    assert host.read_host(root).subuid == b"a:1:1\n" * 3
    (root / "etc/subgid").write_text("a:1:1\n" * 4)
    with pytest.raises(InputError, match="has 4 lines; 3 are the limit"):
        host.read_host(root)


def test_other_refusals(root):
    (root / "etc/login.defs").write_bytes(b"#" * (host.MAXIMAL_SETTINGS + 1))
    with pytest.raises(InputError, match="too large"):
        host.read_host(root)
    (root / "etc/login.defs").unlink()
    (root / "etc/docker").write_text("no directory")
    with pytest.raises(InputError, match="not a directory"):
        host.read_host(root)
    with pytest.raises(InputError, match="is no directory"):
        host.read_host(root / "missing")
