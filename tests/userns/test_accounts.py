"""passwd and group as the C library sees them."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from id_programs import IdPrograms
from subid_rows import GROUP, PASSWD

from stockade.userns.accounts import Accounts

#: A passwd file with every oddity, and the (name, UID) that count.
ODD = (
    b"root:x:0:0:root:/root:/bin/sh\n"
    b"\n"
    b"# a comment\n"
    b"  \tindented:x:5:5::/:/bin/sh\n"
    b"short:x:6:6\n"
    b"shorter:x:7\n"
    b"no-gid:x:8:\n"
    b"word:x:abc:9::/:\n"
    b"blank:x: 10: 10::/:\n"
    b"plus:x:+11:11::/:\n"
    b"minus:x:-1:12::/:\n"
    b"wrapped:x:-18446744069414584321:12::/:\n"
    b"large:x:4294967296:13::/:\n"
    b"zeros:x:0014:14::/:\n"
    b"hex:x:0x15:15::/:\n"
    b"+nis:x:16:16::/:\n"
    b"-nis:x:17:17::/:\n"
    b"+\n"
    b"alice:x:1000:1000::/:\n"
    b"alice:x:1001:1001::/:\n"
    b"also:x:1000:1000::/:\n"
    b"carriage:x:18:18::/:/bin/sh\r\n"
    b"junk:x:19a:19::/:\n"
    b"last:x:20:20::/:"
)
COUNT = [
    ("root", 0), ("indented", 5), ("short", 6), ("blank", 10), ("plus", 11),
    ("wrapped", 4294967295), ("zeros", 14), ("alice", 1000), ("alice", 1001), ("also", 1000),
    ("carriage", 18), ("last", 20),
]  # fmt: skip


@pytest.fixture(scope="module")
def programs(require) -> Iterator[IdPrograms]:
    require(os.geteuid() == 0, "files of our own over /etc/passwd need root")
    with IdPrograms(PASSWD, GROUP) as running:
        yield running


def test_what_counts_and_what_is_reported():
    accounts = Accounts.read(ODD, b"root:x:0:\nstaff:x:50:alice\nbare:x:51\nbroken\nstaff:x:52:\n")
    assert [(entry.name, entry.id) for entry in accounts.passwd] == COUNT
    assert accounts.logins["alice"] == 1000
    assert accounts.names[1000] == ("alice", "also")
    assert accounts.login_of(1000) == "alice"
    assert accounts.login_of(77) is None
    lines = ODD.split(b"\n")
    passed = {b"shorter", b"no-gid", b"word", b"hex", b"+nis", b"-nis", b"+", b"junk"}
    passed |= {b"minus", b"large"}
    assert {lines[f.line - 1].split(b":")[0] for f in accounts.passwd_faults} == passed
    assert accounts.groups == {"root": 0, "staff": 50, "bare": 51}
    assert [fault.line for fault in accounts.group_faults] == [4]


def test_files_that_are_not_there():
    assert Accounts.read(None, None) == Accounts()


@pytest.mark.userns
def test_the_c_library_sees_the_same(programs):
    programs.put_accounts("passwd", ODD)
    assert programs.entries("passwd") == COUNT


fields = st.sampled_from(
    [b"a", b"x", b"", b"5", b"+6", b"-7", b" 8", b"9 ", b"4294967295", b"4294967296", b"#", b"0x1",
     b"a\0", b"99999999999999999999", b"-99999999999999999999", b"-18446744073709551615", b"\xff"]
)  # fmt: skip
lines = st.lists(fields, min_size=1, max_size=8).map(b":".join)
databases = st.lists(lines, max_size=5).map(b"\n".join)


@pytest.mark.userns
@settings(max_examples=100)
@given(databases, st.sampled_from(["passwd", "group"]))
def test_any_file_is_read_as_the_c_library_does(programs, data, database):
    programs.put_accounts(database, data)
    accounts = Accounts.read(data, data)
    entries = accounts.passwd if database == "passwd" else accounts.group
    wanted = [(entry.name, entry.id) for entry in entries]
    assert programs.entries(database) == wanted


@given(st.binary(max_size=80))
def test_no_bytes_are_an_exception(data):
    Accounts.read(data, data)
