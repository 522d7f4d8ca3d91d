"""The commit: nothing but the three files changes, all or none, and never through a link."""

import contextlib
import errno
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from userns_trees import tree

from stockade.policies.errors import InputError
from stockade.userns.commit import interrupted, session
from stockade.userns.host import REGISTRY, SUBGID, SUBUID
from stockade.userns.intent import INTENT

NEW = {SUBUID: b"a:65536:65536\n", SUBGID: b"a:65536:65536\n", REGISTRY: b'{"a": 1}\n'}


def snapshot(root):
    """Everything below: type, mode, owner, inode and content."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        found[str(path.relative_to(root))] = (status.st_mode, status.st_ino, content)
    # Locking makes this file, as useradd does.
    return {name: each for name, each in found.items() if not name.endswith("etc/.pwd.lock")}


def test_all_three_are_written(tmp_path):
    root = tree(tmp_path / "r", subuid=b"old\n", subgid=b"old\n")
    (root / "etc/subuid").chmod(0o640)
    if os.geteuid() == 0:
        os.chown(root / "etc/subuid", 7, 8)
    os.setxattr(root / "etc/subuid", "user.note", b"kept")
    with session(root) as held:
        assert held.commit(NEW) == (REGISTRY, SUBUID, SUBGID)
        assert held.files.subuid == NEW[SUBUID]
    for name, content in NEW.items():
        assert (root / name).read_bytes() == content
    status = (root / "etc/subuid").stat()
    assert status.st_mode & 0o7777 == 0o640
    assert os.geteuid() or (status.st_uid, status.st_gid) == (7, 8)
    assert os.getxattr(root / "etc/subuid", "user.note") == b"kept"
    assert (root / "etc/subgid").stat().st_mode & 0o7777 == 0o644
    assert (root / "var/lib/stockade").stat().st_mode & 0o7777 == 0o700
    assert sorted(each.name for each in (root / "etc").iterdir()) == [
        ".pwd.lock", "subgid", "subuid",
    ]  # fmt: skip
    assert [each.name for each in (root / "var/lib/stockade").iterdir()] == ["userns.json"]


def test_nothing_to_do_touches_nothing(tmp_path):
    root = tree(tmp_path / "r", subuid=NEW[SUBUID], subgid=NEW[SUBGID], registry=NEW[REGISTRY])
    before = snapshot(root)
    with session(root) as held:
        assert held.commit(NEW) == ()
    assert snapshot(root) == before


@pytest.mark.parametrize("name", ["etc/subuid", "etc/subgid", REGISTRY])
@pytest.mark.parametrize("kind", ["link", "dangling", "directory", "fifo"])
def test_something_in_the_place_of_a_file(tmp_path, name, kind):
    root = tree(tmp_path / "r", subuid=b"old\n", subgid=b"old\n", registry=b"old\n")
    path = root / name
    path.unlink()
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        target = root / "etc/elsewhere"
        if kind == "link":
            target.write_bytes(b"precious")
        path.symlink_to("/etc/elsewhere")
    before = snapshot(root)
    with pytest.raises(InputError), session(root) as held:
        held.commit(NEW)
    assert snapshot(root) == before


@pytest.mark.parametrize("name", ["etc", "var", "var/lib", "var/lib/stockade"])
def test_a_directory_that_is_a_link(tmp_path, name):
    root = tree(tmp_path / "r", subuid=b"old\n", subgid=b"old\n", registry=b"old\n")
    elsewhere = tmp_path / "elsewhere"
    (root / name).rename(elsewhere)
    (root / name).symlink_to(elsewhere)
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="symbolic link"), session(root) as held:
        held.commit(NEW)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("name", [".pwd.lock", "subuid.lock", ".subuid.stockade", "subuid.{pid}"])
def test_a_link_where_stockade_makes_a_file(tmp_path, name):
    root = tree(tmp_path / "r", subuid=b"old\n", subgid=b"old\n")
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (root / "etc" / name.format(pid=os.getpid())).symlink_to(precious)
    with contextlib.suppress(InputError), session(root, timeout=0.1) as held:
        held.commit(NEW)
    assert (root / "etc/subuid").read_bytes() in (b"old\n", NEW[SUBUID])
    assert precious.read_bytes() == b"precious"


def test_a_root_that_is_none(tmp_path):
    for root, message in ((tmp_path / "none", "no directory"), (tmp_path, "does not exist")):
        with pytest.raises(InputError, match=message), session(root):
            pass


def test_an_editor_without_locks(tmp_path):
    root = tree(tmp_path / "r", subuid=b"old\n", subgid=b"old\n")
    with session(root) as held:
        (root / "etc/subgid").write_bytes(b"edited\n")
        with pytest.raises(InputError, match="takes no lock"):
            held.commit(NEW)
    assert (root / "etc/subuid").read_bytes() == b"old\n"
    assert (root / "etc/subgid").read_bytes() == b"edited\n"
    assert not interrupted(root)


# --- an interrupted commit -----------------------------------------------------------------


def interrupt(root, monkeypatch, after):
    """A commit that fails at the rename of a file, counted from the record's (0)."""
    real, count = os.rename, iter(range(99))

    def rename(*words, **named):
        if next(count) > after:
            raise OSError(errno.EIO, "input/output error")
        real(*words, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", rename)
        with pytest.raises(InputError, match="the last steps"), session(root) as held:
            held.commit(NEW)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_the_next_session_finishes(tmp_path, monkeypatch, after):
    root = tree(tmp_path / "r", subuid=b"old\n")
    interrupt(root, monkeypatch, after)
    assert interrupted(root)
    with session(root) as held:
        assert held.finished == (REGISTRY, SUBUID, SUBGID)[after:]
        assert held.files.subuid == held.files.subgid == NEW[SUBUID]
    assert not interrupted(root)


def test_a_file_changed_since_stops_that(tmp_path, monkeypatch):
    root = tree(tmp_path / "r", subuid=b"old\n")
    interrupt(root, monkeypatch, 1)
    (root / "etc/subuid").write_bytes(b"old\neve:1:1\n")
    before = snapshot(root)
    with (
        pytest.raises(InputError, match=r"subuid. has been changed since") as raised,
        session(root),
    ):
        pass
    assert "--drop-interrupted" in str(raised.value)
    assert snapshot(root) == before
    with session(root, drop=True) as held:
        assert held.files.subuid == b"old\neve:1:1\n"
        assert held.files.registry == NEW[REGISTRY]
    assert not interrupted(root)
    assert not list((root / "etc").glob(".*.stockade"))


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"{}", b'{"version": 1, "files": {}}', b"\xff", b"9" * 5000, b"[" * 3000,
        b'{"version": 1, "files": {"etc/shadow": {"old": null, "new": "' + b"0" * 64 + b'"}}}',
        b'{"version": 1, "files": {"etc/subuid": {"old": 5, "new": "' + b"0" * 64 + b'"}}}',
    ],
)  # fmt: skip
def test_a_record_that_is_none(tmp_path, text):
    root = tree(tmp_path / "r", subuid=b"old\n", registry=b"old\n")
    (root / INTENT).write_bytes(text)
    before = snapshot(root)
    with pytest.raises(InputError, match="no record of a commit"), session(root, drop=True):
        pass
    assert snapshot(root) == before


def test_a_full_disk(tmp_path, require):
    require(os.geteuid() == 0, "needs root: mounts a tmpfs")
    script = f"""
import os, sys
from pathlib import Path
from stockade.policies.errors import InputError
from stockade.userns.commit import interrupted, session
from stockade.userns.host import REGISTRY, SUBGID, SUBUID
for size in range(8, 80, 8):
    assert os.system(f"mount -t tmpfs -o size={{size}}k none {tmp_path}") == 0
    root = Path({str(tmp_path)!r})
    (root / "etc").mkdir()
    (root / "etc/subuid").write_bytes(b"old")
    new = b"x" * 9000
    try:
        with session(root) as held:
            held.commit({{SUBUID: new, SUBGID: new, REGISTRY: new}})
        print("done", size)
    except InputError as error:
        assert "No space left" in str(error), error
        assert (root / "etc/subuid").read_bytes() == b"old"
        assert not (root / "etc/subgid").exists() and not interrupted(root)
        left = sorted(each.name for each in (root / "etc").iterdir())
        assert left == [".pwd.lock", "subuid"], left
        print("full", size)
    assert os.system("umount {tmp_path}") == 0
"""
    done = subprocess.run(
        ["unshare", "--mount", os.sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert "full" in words
    assert "done" in words


def test_a_mount_point_is_refused(tmp_path, require):
    require(os.geteuid() == 0, "needs root: mounts over a file")
    root = tree(tmp_path / "r", subuid=b"old\n", subgid=b"old\n")
    script = f"""
import os
from pathlib import Path
from stockade.policies.errors import InputError
from stockade.userns.commit import interrupted, session
from stockade.userns.host import SUBGID, SUBUID
root = Path({str(root)!r})
(root / "other").write_bytes(b"old\\n")
assert os.system(f"mount --bind {{root}}/other {{root}}/etc/subgid") == 0
try:
    with session(root) as held:
        held.commit({{SUBUID: b"new", SUBGID: b"new"}})
except InputError as error:
    assert "subgid` is a mount point" in str(error), error
    assert not interrupted(root) and (root / "etc/subuid").read_bytes() == b"old\\n"
else:
    raise SystemExit("was written")
"""
    done = subprocess.run(
        ["unshare", "--mount", os.sys.executable, "-c", script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_an_immutable_file_is_refused(tmp_path):
    root = tree(tmp_path / "r", subuid=b"old\n", subgid=b"old\n")
    done = subprocess.run(["chattr", "+a", root / "etc/subgid"], capture_output=True)
    if done.returncode:
        pytest.skip("this file system, or this user, makes no file immutable")
    try:
        with session(root) as held, pytest.raises(InputError, match="append-only"):
            held.commit(NEW)
    finally:
        subprocess.run(["chattr", "-a", root / "etc/subgid"], check=True)
    assert (root / "etc/subuid").read_bytes() == b"old\n"
    assert not interrupted(root)


# --- locks -----------------------------------------------------------------------------------


def test_the_locks_are_shadows(tmp_path):
    root = tree(tmp_path / "r")
    with session(root):
        for name in ("subuid.lock", "subgid.lock"):
            assert (root / "etc" / name).read_bytes() == b"%d\0" % os.getpid()
            assert (root / "etc" / name).stat().st_nlink == 1
        with pytest.raises(BlockingIOError):
            probe(root / "etc/.pwd.lock")
    assert not list((root / "etc").glob("sub*"))
    probe(root / "etc/.pwd.lock")


def probe(path: Path) -> None:
    """Takes and drops the write lock in another process; raises BlockingIOError when it is held."""
    script = (
        "import fcntl, sys\n"
        "with open(sys.argv[1], 'w') as file:\n"
        "    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    )
    done = subprocess.run([os.sys.executable, "-c", script, path], capture_output=True)
    if done.returncode:
        raise BlockingIOError


def test_no_second_session_in_one_process(tmp_path):
    root = tree(tmp_path / "r")
    with session(root):
        with pytest.raises(InputError, match="this process holds"), session(root):
            pass
        assert (root / "etc/subuid.lock").exists()
    with session(root):
        pass


@pytest.mark.parametrize("content", [b"%d\0", b"%d", b"%d\n"])
def test_a_dead_process_lock_is_stolen(tmp_path, content):
    dead = subprocess.Popen(["true"])
    dead.wait()
    root = tree(tmp_path / "r", subuid_lock=content % dead.pid)
    with session(root, timeout=0.1):
        assert (root / "etc/subuid.lock").read_bytes() == b"%d\0" % os.getpid()
    assert not (root / "etc/subuid.lock").exists()


@pytest.mark.parametrize("content", [b"", b"0", b"-1", b"x", b"1 2", b"99999999999999999999"])
def test_a_lock_of_nobody_is_left_alone(tmp_path, content):
    root = tree(tmp_path / "r", subgid_lock=content)
    with pytest.raises(InputError, match="holds no process id"), session(root, timeout=0.1):
        pass
    assert (root / "etc/subgid.lock").read_bytes() == content
    assert not (root / "etc/subuid.lock").exists()


def test_a_living_process_lock_is_waited_for(tmp_path):
    holder = subprocess.Popen(["sleep", "60"])
    try:
        root = tree(tmp_path / "r", subuid_lock=b"%d" % holder.pid)
        with (
            pytest.raises(InputError, match=rf"process {holder.pid} \(sleep\)"),
            session(root, timeout=0.1),
        ):
            pass
        begun = time.monotonic()
        timer = threading.Timer(0.3, (root / "etc/subuid.lock").unlink)
        timer.start()
        with session(root):
            assert time.monotonic() - begun >= 0.29
        timer.join()
    finally:
        holder.kill()
        holder.wait()
