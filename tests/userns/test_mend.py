"""--fix changes the form of lines and never whose ids they give."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from userns_trees import tree

from stockade.cli.commands import run
from stockade.userns.accounts import Accounts
from stockade.userns.dialects import DIALECTS
from stockade.userns.mend import mend

ACCOUNTS = Accounts.read(
    b"alice:x:1000:1::/:/bin/sh\nbob:x:1001:1::/:/bin/sh\ncarol:x:1002:1::/:/bin/sh\n", None
)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"alice:2000224256:65536", b"alice:2000224256:65536\n"),
        (b"alice:2000224256:65536\r\n", b"alice:2000224256:65536\n"),
        (b"alice: 2000224256:\t65536\n", b"alice:2000224256:65536\n"),
        (b"alice:0x77359400:0x10000\n", b"alice:2000000000:65536\n"),
        (b"alice:016715312000:0200000\n", b"alice:2000000000:65536\n"),
        (b"a:70000:1\nb:80000:1\na:70000:1\n", b"a:70000:1\nb:80000:1\n"),
        (b"a:70000:1\na: 70000:1\n", b"a:70000:1\n"),
        (b"# x\n\nb:80000:1\n# x\n\na: 70000:1", b"# x\n\nb:80000:1\n# x\n\na:70000:1\n"),
        (b"garbage", b"garbage\n"),
    ],
)  # fmt: skip
def test_mended(before: bytes, after: bytes) -> None:
    found = mend(before)
    assert found.data == after
    assert found.mends
    assert mend(after).mends == ()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"alice:2000224256:65536\n",
        b"alice:0100000:65536\n",  # 32768 to shadow: the host's own ids
        b"alice:0x0:65536\n",
        b"alice:100,000:65536\n",
        b"alice:-1:1\n",
        b"alice:4294967296:65536\n",
        b"alice:2000224256:65536:x\n",
        b"alice:2000224256\n",
        b" alice:2000224256:65536\n",  # whose are they?
        b"alice :2000224256:65536\n",
        b"alice: 4294901760:65536\n",  # beyond the last id
        b"alice: 70000:10\nbob:70005:1\n",  # somebody else has one
        b"bob:70005:1\nalice: 70000:10\n",
        b"alice: 70000:10\nalice:70005:1\n",
        b"alice:0x11170:10\nalice:0x11175:10\n",
        b"alice:0x77359400:65536\r\n",  # shadow passes it over, dockerd 28 takes host root
    ],
)
def test_left_as_it_is(data: bytes) -> None:
    assert mend(data).mends == ()
    assert mend(data).data == data


LINES = st.builds(
    lambda owner, space, first, count, end: b"%b:%b%b:%b%b" % (owner, space, first, count, end),
    st.sampled_from([b"alice", b"bob", b"carol"]),
    st.sampled_from([b"", b"", b" ", b"\t"]),
    st.integers(65530, 65600).flatmap(
        lambda n: st.sampled_from([b"%d" % n, b"0x%x" % n, b"0%o" % n, b"0%d" % n])
    ),
    st.sampled_from([b"1", b"2", b"010", b"0x8", b"8 ", b"0"]),
    st.sampled_from([b"\n", b"\n", b"\n", b"\r\n"]),
)


def taken(dialect: str, data: bytes, owner: str) -> set[int]:
    reading = DIALECTS[dialect].read(data, ACCOUNTS)
    return {
        number
        for grant in reading.grants
        if grant.owner == owner
        for number in range(grant.range.first, grant.range.first + grant.range.count)
    }


@given(lines=st.lists(LINES, max_size=6), cut=st.booleans())
def test_nobody_gets_what_was_not_theirs(lines: list[bytes], cut: bool) -> None:
    data = b"".join(lines)
    data = data[:-1] if cut and data.endswith(b"0\n") else data
    found = mend(data)
    names = ("alice", "bob", "carol")
    for owner in names:
        before = {name: taken(name, data, owner) for name in ("shadow-4.13", "dockerd-20.10")}
        # shadow takes what it took, or what another reader already gave the owner.
        assert before["shadow-4.13"] <= taken("shadow-4.13", found.data, owner)
        assert taken("shadow-4.13", found.data, owner) <= set.union(*before.values())
    assert mend(found.data).mends == ()


# --- the command -----------------------------------------------------------------------------

FAULTY = b"alice: 2000224256:65536\nbob:0:65536"
MENDED = b"alice:2000224256:65536\nbob:0:65536\n"


def test_it_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "subuid"
    path.write_bytes(FAULTY)
    path.chmod(0o640)
    assert run(["userns", "check", str(path), "--fix"]) == 1
    assert path.read_bytes() == FAULTY
    err = capsys.readouterr().err
    assert "-alice: 2000224256:65536\n+alice:2000224256:65536\n" in err
    assert "--yes" in err
    assert run(["userns", "check", str(path), "--fix", "--yes"]) == 1
    assert path.read_bytes() == MENDED
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["subuid"]


def test_a_tree_is_mended_under_the_locks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tree(tmp_path / "image", subuid=FAULTY, subgid=FAULTY)
    assert run(["userns", "check", "--root", str(root), "--fix", "--yes"]) == 1
    for name in ("subuid", "subgid"):
        assert (root / "etc" / name).read_bytes() == MENDED
    assert "-bob:0:65536\n" in capsys.readouterr().err
    leftovers = {each.name for each in (root / "etc").iterdir()} - {".pwd.lock"}
    assert leftovers == {"subuid", "subgid"}


def test_no_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(FAULTY)
    (tmp_path / "subuid").symlink_to("real")
    assert run(["userns", "check", str(tmp_path / "subuid"), "--fix", "--yes"]) == 2
    assert (tmp_path / "real").read_bytes() == FAULTY
    root = tree(tmp_path / "image", subgid=FAULTY)
    (root / "etc/subuid").symlink_to("subgid")
    assert run(["userns", "check", "--root", str(root), "--fix", "--yes"]) == 2
    assert (root / "etc/subgid").read_bytes() == FAULTY


def test_the_hosts_own_files_need_the_locks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["userns", "check", "/etc/subuid", "--fix", "--yes"]) == 2
    assert "--host --fix" in capsys.readouterr().err
