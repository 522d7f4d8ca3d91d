"""Every reader's eyes: the rows of the measured table, and what holds for all files."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from subid_rows import GROUP, HOST_ROOT, NONE, PASSWD, PLAIN, TABLE, files

from stockade.userns.accounts import Accounts
from stockade.userns.dialects import DIALECTS
from stockade.userns.dialects.dockerd20 import IDENTITY
from stockade.userns.model import Extent

ACCOUNTS = Accounts.read(PASSWD, GROUP)
NOBODY = Accounts.read(b"root:x:0:0::/:\n", b"")


def map_of(name, data, owner="alice", accounts=ACCOUNTS):
    dialect = DIALECTS[name]
    extents = dialect.of_owner(dialect.read(data, accounts), owner, accounts)
    return tuple((each.inside, each.outside, each.count) for each in extents)


@pytest.mark.parametrize("data", TABLE, ids=repr)
def test_measured_rows(data):
    names = ("shadow-4.13", "shadow-4.20", "dockerd-20.10", "dockerd-28")
    assert tuple(map_of(name, data) for name in names) == TABLE[data]


def test_an_owner_who_is_no_login():
    data = b"alice:100000:65536\n"
    assert map_of("shadow-4.13", data, accounts=NOBODY) == PLAIN
    assert map_of("shadow-4.20", data, accounts=NOBODY) == NONE
    assert map_of("dockerd-28", data, accounts=NOBODY) == NONE


def test_root_turns_the_feature_of_dockerd_off():
    for name in ("dockerd-20.10", "dockerd-28"):
        dialect = DIALECTS[name]
        assert dialect.of_owner(dialect.read(b"root:1:1\n", ACCOUNTS), "root", ACCOUNTS) == IDENTITY


def test_a_long_last_line_without_a_line_feed_breaks_shadow():
    # fgets(3) fills its buffer exactly and does not meet the end of the file.
    line = b"alice:100000:65536\n"
    assert map_of("shadow-4.13", line + b"x" * 4094) == PLAIN
    assert map_of("shadow-4.13", line + b"x" * 4095) == NONE
    assert map_of("shadow-4.13", line + b"x" * 4096) == PLAIN


def test_podman_sorts_and_puts_the_own_id_first():
    data = b"alice:300000:10\n1000:200000:5\n"
    assert map_of("podman", data) == ((0, 1000, 1), (1, 200000, 5), (6, 300000, 10))
    assert map_of("podman", b"containers:0:65536\n", "containers") == HOST_ROOT


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"kubelet:655360:7208960\n", ((0, 655360, 65536),)),
        (b"998:655360:7208960\n", ((0, 655360, 65536),)),
        (b"kubelet:655360:7208960\nkubelet:7864320:7208960\n", NONE),
        (b"kubelet:655361:7208960\n", NONE),
        (b"kubelet:0:7208960\n", NONE),
        (b"kubelet:655360:7208961\n", NONE),
        (b"kubelet:655360:7143424\n", NONE),
        (b"alice:100000:65536\n", NONE),
    ],
)
def test_kubelet(data, wanted):
    assert map_of("kubelet", data, "kubelet") == wanted


def test_kubelet_takes_everything_without_a_login():
    assert map_of("kubelet", b"", "kubelet", NOBODY) == ((0, 65536, 65536),)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"root:100000:65536\n", PLAIN),
        (b"ROOT:100000:65536:x#y\n", PLAIN),
        (b"0:100000:65536\n", PLAIN),
        (b"0:1:1\nroot:100000:65536\n", PLAIN),
        (b"root:100000:65536 # mine\n", NONE),
        (b"root:100000:65536\nroot:200000:5\n", (*PLAIN, (0, 200000, 5))),
        (b"root:100000:65536\n \n", NONE),
        (b"root:0x1:5\nroot:100000:65536\n", PLAIN),
        (b"root:4294967296:5\n", NONE),
        (b"root:100000:65536\n" + b"x" * 65536 + b"\nroot:5:5\n", PLAIN),
    ],
)
def test_incus(data, wanted):
    assert map_of("incus", data, "root") == wanted


# --- for all files -----------------------------------------------------------------------------


@given(files, st.sampled_from(list(DIALECTS)))
@example(b"\0\nalice:alice:alice", "shadow-4.13")
@example(b"\0\nalice:alice:alice\n", "shadow-4.20")
def test_readers_never_raise_and_point_into_the_file(data, name):
    dialect = DIALECTS[name]
    result = dialect.read(data, ACCOUNTS)
    lines = data.split(b"\n")
    for fault in result.faults:
        assert 1 <= fault.line <= len(lines)
        assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1
        assert fault.width >= 1 or fault.column > 1
        assert fault.message
    for grant in result.grants:
        assert 1 <= grant.line <= len(lines)
        assert grant.range.first >= 0
        assert grant.range.count >= 1
    assert not (result.refused and result.grants)
    assert [grant.line for grant in result.grants] == sorted(g.line for g in result.grants)
    for owner in ("alice", "root", "kubelet", "containers", "nobody"):
        for extent in dialect.of_owner(result, owner, ACCOUNTS):
            assert isinstance(extent, Extent)
            assert 0 <= extent.inside < 1 << 32
            assert 0 <= extent.outside < 1 << 32
            assert 1 <= extent.count < 1 << 32


strict_lines = st.builds(
    "{}:{}:{}\n".format,
    st.text("abz_09.-", min_size=1, max_size=6).map("u".__add__),
    st.integers(0, (1 << 31)),
    st.integers(1, 1 << 31),
)


@given(st.lists(strict_lines, max_size=6))
def test_strict_files_mean_the_same_to_everybody(lines):
    data = "".join(lines).encode()
    wanted = DIALECTS["shadow-4.13"].read(data, ACCOUNTS)
    assert len(wanted.grants) == len(lines)
    assert not wanted.faults
    for dialect in DIALECTS.values():
        result = dialect.read(data, ACCOUNTS)
        assert result.grants == wanted.grants
        assert not [fault for fault in result.faults if fault.fatal]
