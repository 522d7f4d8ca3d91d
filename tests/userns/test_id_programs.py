"""Readers of /etc/subuid as we describe them, and as they are: Debian's shadow and podman."""

import os
import shutil
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from id_programs import IdPrograms
from subid_rows import GROUP, PASSWD, TABLE, files

from stockade.userns.accounts import Accounts
from stockade.userns.dialects import podman, shadow413
from stockade.userns.idmap import read_shown_map
from stockade.userns.ids import LAST_ID
from stockade.userns.model import Kind

pytestmark = pytest.mark.userns

ALIASES = b"al:x:1000:1000::/:\n1001:x:1500:1500::/:\n"
ACCOUNTS = Accounts.read(PASSWD + ALIASES, GROUP)
#: Beside the table: owners by number, by another login of the same UID, and with digits for a name.
OWNERS = (
    b"al:300000:5\n1000:400000:5\nalice:500000:5\n",
    b"1001:300000:5\nbob:400000:5\n",
    b"alice:300000:10\nalice:300010:10\n",
    b"alice:300000:10\nbob:300000:10\n",
)


@pytest.fixture(scope="module")
def programs(require) -> Iterator[IdPrograms]:
    require(os.geteuid() == 0, "files of our own over /etc/subuid need root")
    for name, package in (("newuidmap", "uidmap"), ("getsubids", "uidmap"), ("podman", "podman")):
        require(shutil.which(name), f"needs {name} (Debian's {package})")
    with IdPrograms(PASSWD + ALIASES, GROUP) as running:
        yield running


def ours(data: bytes, first: int, count: int) -> bool:
    """Whether newuidmap lets alice map these ids: her own, or what her lines cover together."""
    reading = shadow413.read(data, ACCOUNTS)
    if reading.refused:
        return False  # not even her own
    if (first, count) == (1000, 1):
        return True
    wanted = first
    ranges = [grant.range for grant in shadow413.owned(reading, "alice", ACCOUNTS)]
    while (reach := max((r.last for r in ranges if wanted in r), default=None)) is not None:
        if reach >= first + count - 1:
            return True
        wanted = reach + 1
    return False


def edges(data: bytes) -> list[tuple[int, int]]:
    """Ranges whose answers tell what a file grants."""
    found = {(0, 1), (100000, 65536), (1000, 1), (1000, 2)}
    for grant in shadow413.read(data, ACCOUNTS).grants:
        first, last = grant.range.first, min(grant.range.last, LAST_ID)
        found |= {(first, last - first + 1), (first - 1, 1), (last, 1), (last, 2)}
    return sorted((a, n) for a, n in found if a >= 0 and a + n - 1 <= LAST_ID)


@pytest.mark.parametrize("data", [*TABLE, *OWNERS], ids=lambda data: repr(data[:40]))
def test_newuidmap(programs: IdPrograms, data: bytes) -> None:
    programs.put(data)
    for first, count in edges(data):
        assert programs.may_map(first, count) == ours(data, first, count), (first, count)


def test_newgidmap_goes_by_the_user(programs: IdPrograms) -> None:
    programs.put(b"alice:300000:5\n1000:400000:5\n")
    assert programs.may_map(300000, 5, "gid")
    assert programs.may_map(400000, 5, "gid")
    assert not programs.may_map(500000, 1, "gid")


@settings(max_examples=30)
@given(files, st.sampled_from([0, 31, 100000, 65536]))
def test_any_file_is_read_as_newuidmap_does(programs: IdPrograms, data: bytes, first: int) -> None:
    programs.put(data)
    for begin, count in {(first, 1), *edges(data)[:3]}:
        assert programs.may_map(begin, count) == ours(data, begin, count), (begin, count)


def test_getsubids(programs: IdPrograms) -> None:
    others = (b"kubelet:5:5\n998:6:6\ncontainers:0x10:5\n", b"containers:1:1:x\ncontainers:2:2")
    for data in (*TABLE, *OWNERS, *others):
        programs.put(data)
        reading = shadow413.read(data, ACCOUNTS)
        for owner in ("alice", "kubelet", "containers", "nobody"):
            grants = podman.listed(reading, owner, ACCOUNTS)
            wanted = [(grant.range.first, grant.range.count) for grant in grants]
            # It lists what nobody can use as well.
            usable = [(a, n) for a, n in programs.getsubids(owner) if n and a + n <= 1 << 32]
            assert usable == [(a, n) for a, n in wanted if (a, n) != (0, LAST_ID + 1)], data


def test_getsubids_of_groups(programs: IdPrograms) -> None:
    group = b"alice:x:1500:\n"
    accounts = Accounts.read(PASSWD + ALIASES, group)
    programs.put_accounts("group", group)
    data = b"alice:300000:5\n1000:400000:5\n1500:500000:5\n"
    programs.put(data)
    reading = shadow413.read(data, accounts)
    for kind, options in ((Kind.UID, ()), (Kind.GID, ("-g",))):
        grants = podman.listed(reading, "alice", accounts, kind)
        wanted = [(grant.range.first, grant.range.count) for grant in grants]
        assert programs.getsubids("alice", *options) == wanted
    # newgidmap goes by the user all the same.
    assert programs.may_map(400000, 5, "gid")
    assert not programs.may_map(500000, 5, "gid")
    programs.put_accounts("group", GROUP)


@pytest.mark.parametrize(
    "data",
    [
        b"alice:100000:65536\n",
        b"alice:0x186a0:65536\n",
        b"alice:0200000:65536:x",
        b"alice:300000:10\n1000:200000:5\n",
        b"bob:100000:65536\n",
    ],
)
def test_podman(programs: IdPrograms, data: bytes) -> None:
    programs.put(data)
    wanted = podman.of_owner(shadow413.read(data, ACCOUNTS), "alice", ACCOUNTS)
    found = read_shown_map(programs.podman())
    # Without ranges podman falls back to the own id alone.
    assert found == (wanted or read_shown_map(b"0 1000 1\n"))
