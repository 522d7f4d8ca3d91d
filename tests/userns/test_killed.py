"""SIGKILL before each system call of a commit: what comes next finds all or nothing, never half.

A child takes the locks and commits under ptrace(2), and is killed as it enters its n-th system
call, for every n: from before the first lock to after the last unlock.
"""

import ctypes
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from userns_trees import host_files, section, tree

from stockade.userns.commit import interrupted, session
from stockade.userns.host import REGISTRY, SUBGID, SUBUID
from stockade.userns.outlook import allocation, removal
from stockade.userns.registry import read

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_TRACEME, PTRACE_SYSCALL, PTRACE_SETOPTIONS, PTRACE_O_EXITKILL = 0, 24, 0x4200, 0x100000

NAMES = (SUBUID, SUBGID, REGISTRY)
FOREIGN = b"eve:100000:65536\n# kept\n\nold entry without a line feed"
ASKED = section({"ci": 2, "dockremap": 1, "web": 1})
#: What may be left of a lock that was being made: shadow's own name for it.
LEFT = re.compile(r"sub[ug]id\.[0-9]+|\.pwd\.lock|subuid|subgid|passwd")


def contents(root):
    return tuple(
        path.read_bytes() if path.exists() else None for path in (root / name for name in NAMES)
    )


def host(number):
    """The files of a host, and what is to become of them."""
    if number == 0:  # no state yet, no subgid, a last line without a line feed
        files = host_files(subuid=FOREIGN)
        return files, allocation(files, ASKED).changes
    files = host_files(subuid=FOREIGN, subgid=FOREIGN)
    made = {each.name: each.content for each in allocation(files, ASKED).changes}
    files = host_files(subuid=made[SUBUID], subgid=made[SUBGID], registry=made[REGISTRY])
    if number == 1:  # one tenant more
        more = section({"ci": 2, "dockremap": 1, "web": 1, "new": 1})
        return files, allocation(files, more).changes
    return files, removal(files, ["ci"], []).changes  # one tenant less


class Traced:
    """A child that commits, stopped as it enters each system call."""

    def __init__(self, root, made):
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                libc.ptrace(PTRACE_TRACEME, 0, None, None)
                os.kill(os.getpid(), signal.SIGSTOP)
                with session(root) as held:
                    held.commit({each.name: each.content for each in made})
                code = 0
            finally:
                os._exit(code)
        os.waitpid(self.pid, 0)
        options = ctypes.c_void_p(PTRACE_O_EXITKILL)
        self.traced = libc.ptrace(PTRACE_SETOPTIONS, self.pid, None, options) == 0

    def enter(self, calls):
        """Lets it run until it enters its system call of this number; whether it came so far."""
        for _ in range(2 * calls - 1):  # it stops when it enters one and when it leaves it
            assert libc.ptrace(PTRACE_SYSCALL, self.pid, None, None) == 0
            _, status = os.waitpid(self.pid, 0)
            if not os.WIFSTOPPED(status):
                assert os.WIFEXITED(status)
                assert os.WEXITSTATUS(status) == 0
                return False
        return True

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        assert os.WIFSIGNALED(status)


@pytest.fixture
def memory(tmp_path):
    """A directory in memory, where there is one: a thousand commits wait for no disk."""
    shared = Path("/dev/shm")
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared) as directory:
        yield Path(directory)


@pytest.mark.parametrize("which", [0, 1, 2], ids=["first", "grown", "released"])
def test_killed_at_every_call(memory, which, require):
    files, made = host(which)
    given = {
        each: getattr(files, each) for each in ("subuid", "subgid", "registry")
        if getattr(files, each) is not None
    }  # fmt: skip
    before = tuple(given.get(each) for each in ("subuid", "subgid", "registry"))
    after = tuple(next(each.content for each in made if each.name == name) for name in NAMES)
    outcomes = set()
    for number in range(1, 2000):
        root = tree(memory / str(number), **given)
        child = Traced(root, made)
        require(child.traced, "needs ptrace(2)")
        if not child.enter(number):
            assert contents(root) == after
            break
        child.kill()
        # Each file by itself is whole at any time.
        for now, old, new in zip(contents(root), before, after, strict=True):
            assert now in (old, new), number
        begun = interrupted(root)
        with session(root, timeout=1) as held:
            found = held.files
        assert contents(root) in (before, after), number
        assert not begun or contents(root) == after, number
        outcomes.add((begun, contents(root) == after))
        check(root, found)
        shutil.rmtree(root)
    assert number > 150
    # Before the record, with it, and after it.
    assert outcomes == {(False, False), (True, True), (False, True)}


def check(root: Path, files) -> None:
    """Both files say of the tenants what the registry does, and nothing is left lying about."""
    registry = read(files.registry, REGISTRY)
    wanted = {b"%b:%d:%d" % (n.encode(), b.first, b.count) for n, b in registry.blocks.items()}
    for data in (files.subuid, files.subgid):
        lines = set((data or b"").split(b"\n"))
        assert {each for each in lines if re.match(rb"(ci|dockremap|web|new):", each)} == wanted
    assert not interrupted(root)
    assert all(LEFT.fullmatch(each.name) for each in (root / "etc").iterdir())
    state = root / "var/lib/stockade"
    assert not state.exists() or {each.name for each in state.iterdir()} <= {"userns.json"}
