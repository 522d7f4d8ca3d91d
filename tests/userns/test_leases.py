"""Blocks of containers are claims: nobody else gets them, and they cost no tenant its own."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from userns_trees import section, tree

from stockade.policies.errors import InputError
from stockade.userns.claims import claims
from stockade.userns.commit import session
from stockade.userns.host import read_host
from stockade.userns.ids import IdRange
from stockade.userns.leases import LEASES, Leased, leased, read_name
from stockade.userns.outlook import allocation

ONLY = [(1048576, 1048576 + 2 * 65536 - 1)]
"""A span of two blocks."""


def host(root: Path, *names: str, **contents: bytes) -> Path:
    """A tree with these leases."""
    tree(root, **contents)
    (root / LEASES).mkdir(parents=True)
    for name in names:
        (root / LEASES / name).write_text("{}")
    return root


def test_names():
    assert read_name("1048576.65536.a.b") == Leased(IdRange(1048576, 65536), "a.b")
    assert leased([".4711", "2097152.1.b", "1048576.1.a"])[0].container == "a"


@pytest.mark.parametrize(
    "name",
    ["notes", "1.2", "0.65536.a", "1048576.0.a", "01048576.1.a", "4294967294.2.a", "1.1.",
     "99999999999.1.a", "-1.1.a", "\u0661048576.1.a"],
)  # fmt: skip
def test_what_is_no_lease_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="no lease of a container"):
        claims(read_host(host(tmp_path, name)))


def test_a_leased_block_is_not_given_out(tmp_path):
    root = host(tmp_path, "1048576.65536.c1")
    for tenant in ("a", "b", "c", "d"):  # whichever place its name begins at
        found = allocation(read_host(root), section([tenant], ONLY))
        assert found.plan.added[tenant] == IdRange(1114112, 65536)
    with pytest.raises(InputError, match="c1"):
        allocation(read_host(root), section(["a", "b"], ONLY))


def test_leases_of_a_tenants_block_do_not_dispute_it(tmp_path):
    registry = b'{"version": 1, "blocks": {"web": "1048576:65536"}, "tombstones": {}}'
    root = host(tmp_path, "1048576.65536.c1", registry=registry)
    found = allocation(read_host(root), section(["web"], ONLY))
    assert found.plan.kept
    assert not found.plan.drift


@pytest.mark.parametrize("make", [Path.write_text, lambda at, _: at.symlink_to("/nowhere/x")])
def test_a_directory_that_cannot_be_listed(tmp_path, make):
    root = tree(tmp_path, registry=b'{"version": 1, "blocks": {}, "tombstones": {}}')
    make(root / LEASES, "")
    if (root / LEASES).is_symlink():  # leads nowhere below the root
        assert read_host(root).leases == ()
        return
    with pytest.raises(InputError, match="no directory"):
        read_host(root)


def test_apply_waits_for_the_runtime(tmp_path):
    root = host(tmp_path)
    handle = os.open(root / LEASES, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(InputError, match="stockade-runtime has held"), session(root, timeout=0.1):
        pass
    os.close(handle)
    handle = os.open(root / LEASES, os.O_RDONLY)
    with session(root), pytest.raises(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


def test_what_a_container_has_is_not_forgotten(tmp_path):
    registry = b'{"version": 1, "blocks": {"web": "1048576:65536"}, "tombstones": {}}'
    root = host(tmp_path, "1048576.65536.c1", registry=registry)
    words = [sys.executable, "-m", "stockade", "userns", "release", "web", "--root", str(root)]
    done = subprocess.run([*words, "--confirm-unused"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "container c1 (stockade-runtime) has ids of `web`" in done.stderr
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0
    assert "container c1 (stockade-runtime) still has ids of `web`" in done.stderr
