"""`stockade userns plan`, `apply` and `release` in processes of their own."""

import json
import os
import subprocess
import sys

import pytest
from userns_trees import tree

POLICY = """\
stockade: 1
name: hosts
userns:
  span: 524288-1879048191
  tenants: {{{tenants}}}
"""


@pytest.fixture
def host(tmp_path):
    """A tree with somebody in it, and policies beside it."""
    policy(tmp_path, "ci: {blocks: 2}, web: {}")
    return tree(tmp_path / "r", subuid=b"eve:100000:65536", subgid=b"eve:100000:65536\n")


def policy(tmp_path, tenants):
    (tmp_path / "hosts.yaml").write_text(POLICY.format(tenants=tenants))


def state(root):
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != ".pwd.lock"
    }


def test_plan_then_apply_then_nothing(host, stockade):
    before = state(host)
    planned = stockade("userns", "plan", "hosts.yaml", "--root", "r")
    assert planned.returncode == 1, planned.stderr
    assert state(host) == before
    assert "+ (a line feed after what was the last line)" in planned.stdout
    assert all(len(line) <= 80 for line in planned.stdout.splitlines())
    document = json.loads(
        stockade("userns", "plan", "hosts.yaml", "--root", "r", "--format", "json").stdout
    )
    assert document["added"].keys() == {"ci", "web"}
    applied = stockade("userns", "apply", "hosts.yaml", "--root", "r")
    assert applied.returncode == 0, applied.stderr
    assert applied.stdout == planned.stdout
    added = [f"{name}:{ids}\n" for name, ids in sorted(document["added"].items())]
    for name in ("subuid", "subgid"):
        assert (host / "etc" / name).read_text() == "".join(["eve:100000:65536\n", *added])
    after = state(host)
    again = stockade("userns", "apply", "hosts.yaml", "--root", "r")
    assert (again.returncode, again.stdout) == (0, "")
    assert "nothing to change" in again.stderr
    assert stockade("userns", "plan", "hosts.yaml", "--root", "r").returncode == 0
    assert state(host) == after


def test_a_long_diff_is_cut(host, stockade, tmp_path):
    policy(tmp_path, ", ".join(f"t{at}: {{}}" for at in range(50)))
    shown = stockade("userns", "plan", "hosts.yaml", "--root", "r").stdout
    assert "+... 39 more lines" in shown
    assert len(shown.splitlines()) < 50


def test_release_and_forget(host, stockade, tmp_path):
    stockade("userns", "apply", "hosts.yaml", "--root", "r")
    released = stockade("userns", "release", "ci", "--root", "r")
    assert released.returncode == 0, released.stderr
    assert "ci" not in (host / "etc/subuid").read_text()
    bare = stockade("userns", "release", "--forget", "ci", "--root", "r")
    assert bare.returncode == 2
    assert "--scan" in bare.stderr
    registry = json.loads((host / "var/lib/stockade/userns.json").read_text())
    before = state(host)
    mixed = stockade("userns", "release", "web", "--forget", "eve", "--scan", ".", "--root", "r")
    assert mixed.returncode == 2
    assert state(host) == before
    (tmp_path / "files").mkdir()
    if os.geteuid() == 0:
        left = tmp_path / "files" / "left\nover"
        left.write_text("x")
        first = int(registry["tombstones"]["ci"].partition(":")[0])
        os.chown(left, first + 131071, 0)
        words = ["userns", "release", "--forget", "ci", "--scan", "files", "--root", "r"]
        found = stockade(*words)
        assert found.returncode == 1
        assert f"{first + 131071}:0 " in found.stdout
        assert "left\\nover" in found.stdout
        os.chown(left, first + 131072, first - 1)
    forgotten = stockade("userns", "release", "--forget", "ci", "--scan", "files", "--root", "r")
    assert forgotten.returncode == 0, forgotten.stderr
    registry = json.loads((host / "var/lib/stockade/userns.json").read_text())
    assert registry["tombstones"] == {}
    assert stockade("userns", "release", "web", "--confirm-unused", "--root", "r").returncode == 0
    assert (host / "etc/subuid").read_text() == "eve:100000:65536\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["release"], "TENANT"),
        (["release", "nobody"], "no tenant `nobody`"),
        (["release", "--forget", "ci", "--scan", "gone"], "gone"),
        (["plan", "docker-default"], "no `userns` section"),
        (["apply", "gone.yaml"], "does not exist"),
        (["apply", "hosts.yaml", "--root", "gone"], "no directory"),
    ],
)
def test_what_cannot_be_done(host, stockade, words, message):
    before = state(host)
    if "--root" not in words:
        words = [*words, "--root", "r"]
    done = stockade("userns", *words)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert state(host) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("var/lib/stockade/userns.json", b"{"),
        (
            "var/lib/stockade/userns.json",
            b'{"version": 1, "blocks": {"ci": "5"}, "tombstones": {}}',
        ),
        ("var/lib/stockade/userns.intent.json", b"\0"),
        ("etc/subuid", b"\0\xff\n" * 20_000),
        ("etc/subuid", b"ci:1:65536\n"),
        ("etc/subgid.lock", b"?"),
        ("etc/subuid", None),
    ],
)
def test_hostile_files(host, stockade, name, content, tmp_path):
    path = host / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        path.unlink()
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.write_bytes(content)
    before = state(host)
    done = stockade("userns", "apply", "hosts.yaml", "--root", "r")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(("error: ", "hosts.yaml:", "/var", "var"))
    assert state(host) == before
    assert not (tmp_path / "elsewhere").exists()


def test_an_interrupted_change_is_finished_first(host, stockade):
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from stockade.userns.commit import session\n"
        "from stockade.userns.host import SUBUID, SUBGID\n"
        "rename = os.rename\n"
        "def once(*words, **named):\n"
        "    rename(*words, **named)\n"
        "    os._exit(9)\n"
        "os.rename = once\n"
        "with session(Path('r')) as held:\n"
        "    held.commit({SUBUID: b'bob:65536:1\\n', SUBGID: b'bob:65536:1\\n'})\n"
    )
    done = subprocess.run([os.sys.executable, "-c", script], cwd=host.parent)
    assert done.returncode == 9
    assert (host / "etc/subuid").read_bytes() == b"eve:100000:65536"
    planned = stockade("userns", "plan", "hosts.yaml", "--root", "r")
    assert planned.returncode == 1
    assert "interrupted has been finished first: /etc/subuid" in planned.stderr
    assert (host / "etc/subuid").read_bytes() == b"bob:65536:1\n"
    assert (host / "etc/subgid").read_bytes() == b"bob:65536:1\n"


@pytest.mark.userns
def test_a_read_only_file_system(host, stockade, tmp_path, require):
    require(os.geteuid() == 0, "needs root")
    stockade("userns", "apply", "hosts.yaml", "--root", "r")
    policy(tmp_path, "ci: {blocks: 2}, web: {}, new: {}")
    before = state(host)
    script = (
        "mount --bind r/var/lib/stockade r/var/lib/stockade && "
        "mount -o remount,bind,ro r/var/lib/stockade && "
        f"exec {sys.executable} -m stockade userns apply hosts.yaml --root r"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "cannot write `r/var/lib/stockade/userns.json`" in done.stderr
    assert "it is mounted read-only" in done.stderr
    assert state(host) == before
