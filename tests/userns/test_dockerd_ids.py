"""dockerd --userns-remap as its dialect says: a container's own uid_map is the evidence."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dockerd import BUSYBOX, DOCKERD, Docker, root_archive
from subid_rows import GROUP, PASSWD

from stockade.userns.accounts import Accounts
from stockade.userns.dialects import DIALECTS
from stockade.userns.idmap import problems, read_shown_map

pytestmark = [pytest.mark.userns, pytest.mark.docker]

ACCOUNTS = Accounts.read(PASSWD, GROUP)
DIALECT = DIALECTS["dockerd-20.10"]

#: A daemon starts with each of these; some of its containers do not.
STARTS = (
    b"# two ranges, after one that is not alice's\r\nbob:0x1:1\nalice:0200000:10\r\n"
    b" alice:100000:+65536 \t\n\xc2\xa0",
    b"alice:4294967296:65536\n",
    b"alice:100000:65536\n1000:300000:65536",
    b"alice:100000:65536\nalice:100000:65536\n",
)
#: With these it does not.
FAILS = (
    b"alice:0x186a0:65536\n",
    b"garbage\nalice:100000:65536\n",
    b"bob:100000:65536\n",
)


@pytest.fixture(scope="module")
def docker(require) -> Iterator[Docker]:
    require(os.geteuid() == 0, "dockerd needs root")
    require(DOCKERD.exists() and BUSYBOX.exists(), "needs Debian's docker.io and busybox-static")
    directory = Path(tempfile.mkdtemp(prefix="stockade-remap-"))
    directory.chmod(0o711)  # the remapped root has to get through
    files = {f"/etc/{name}": directory / name for name in ("subuid", "subgid", "passwd", "group")}
    (directory / "passwd").write_bytes(PASSWD)
    (directory / "group").write_bytes(GROUP)
    daemon = Docker(directory, options=["--userns-remap=alice"], instead=files)
    try:
        yield daemon
    finally:
        daemon.stop()


def put(docker: Docker, data: bytes) -> None:
    for name in ("subuid", "subgid"):
        (docker.directory / name).write_bytes(data)


@pytest.mark.parametrize("data", STARTS, ids=lambda data: repr(data[:40]))
def test_the_map_of_a_container(docker: Docker, data: bytes) -> None:
    wanted = DIALECT.of_owner(DIALECT.read(data, ACCOUNTS), "alice", ACCOUNTS)
    assert wanted
    put(docker, data)
    docker.start()
    try:
        imported = docker.command("import", "-", docker.image, stdin=root_archive({}, {}))
        assert imported.returncode == 0, imported.stderr
        done = docker.run("cat", "/proc/self/uid_map")
    finally:
        docker.halt()
    if problems(wanted):
        assert done.returncode != 0
    else:
        assert read_shown_map(done.stdout.encode()) == wanted, done.stderr


@pytest.mark.parametrize("data", FAILS, ids=lambda data: repr(data[:40]))
def test_files_that_keep_it_from_starting(docker: Docker, data: bytes) -> None:
    assert DIALECT.of_owner(DIALECT.read(data, ACCOUNTS), "alice", ACCOUNTS) == ()
    put(docker, data)
    with pytest.raises(RuntimeError, match="ID mappings"):
        docker.start()
    docker.halt()
