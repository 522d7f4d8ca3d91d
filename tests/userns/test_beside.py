"""Several writers at once: nothing is lost, nobody gets what another has."""

import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from userns_trees import section, tree

from stockade.userns.commit import session
from stockade.userns.host import REGISTRY, read_host
from stockade.userns.ids import IdRange
from stockade.userns.outlook import allocation
from stockade.userns.registry import read

POLICY = """\
stockade: 1
name: {name}
userns:
  span: 100000-20000000
  tenants: {{{tenants}}}
"""
LOGIN_DEFS = b"SUB_UID_MIN 100000\nSUB_UID_MAX 20000000\nSUB_GID_MIN 100000\nSUB_GID_MAX 20000000\n"


def apply(root, name, tenants):
    """The command in a process of its own; the exit code and what it said."""
    policy = root.parent / f"{name}.yaml"
    policy.write_text(
        POLICY.format(name=name, tenants=", ".join(f"{each}: {{}}" for each in tenants))
    )
    words = [sys.executable, "-m", "stockade", "userns", "apply", str(policy), "--root", str(root)]
    done = subprocess.run(words, capture_output=True, text=True)
    return done.returncode, done.stderr


def entries(data):
    """owner -> its range, each owner once."""
    found = {}
    for line in data.decode().splitlines():
        owner, first, count = line.split(":")
        assert owner not in found
        found[owner] = IdRange(int(first), int(count))
    return found


def judge(root, tenants, logins):
    """Everybody is in both files, the same in both, and alone."""
    files = read_host(root)
    uids, gids = entries(files.subuid), entries(files.subgid)
    assert uids.keys() == gids.keys() == {*tenants, *logins}
    assert read(files.registry, REGISTRY).blocks == {name: uids[name] for name in tenants}
    for ranges in (uids, gids):
        ordered = sorted(ranges.values())
        assert not [pair for pair in pairwise(ordered) if pair[0].overlaps(pair[1])]
    assert {name: uids[name] for name in tenants} == {name: gids[name] for name in tenants}
    left = {each.name for each in (root / "etc").iterdir()}
    assert not {each for each in left if re.search(r"lock$|stockade|[0-9]$", each)} - {".pwd.lock"}


def test_two_at_once(tmp_path):
    root = tree(tmp_path / "r", subuid=b"", subgid=b"")
    groups = [[f"a{at}" for at in range(40)], [f"b{at}" for at in range(40)]]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda at: apply(root, f"p{at}", groups[at]), range(2)))
    assert [code for code, _ in done] == [0, 0], done
    judge(root, [*groups[0], *groups[1]], [])


@pytest.mark.parametrize("option", ["--root", "--prefix"])
def test_beside_useradd(tmp_path, option, require):
    require(os.geteuid() == 0 and shutil.which("useradd"), "needs root and useradd (passwd)")
    root = tree(
        tmp_path / "r", subuid=b"", subgid=b"", shadow=b"", login_defs=LOGIN_DEFS,
        passwd=b"root:x:0:0::/root:/bin/sh\n", group=b"root:x:0:\n",
    )  # fmt: skip
    logins = [f"user{at}" for at in range(15 if option == "--root" else 3)]

    def useradd():
        for name in logins:
            words = ["useradd", option, str(root), name]
            done = subprocess.run(words, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr

    with ThreadPoolExecutor(2) as pool:
        adding = pool.submit(useradd)
        tenants = []
        while not adding.done():
            if len(tenants) < 100:
                tenants.append(f"t{len(tenants)}")
            with session(root) as held:
                asked = section(tenants, [(131072, 19999999)])
                made = allocation(held.files, asked).changes
                held.commit({each.name: each.content for each in made})
            # useradd --prefix tries for the locks once a second only.
            time.sleep(0.01 if option == "--root" else 0.1)
        adding.result()
    assert len(tenants) > 1
    judge(root, tenants, logins)
