"""Columns of a subuid file: the same as reading it line by line, and quick."""

import re

from hypothesis import given
from hypothesis import strategies as st

from stockade.userns.table import Table

STRICT = re.compile(rb"[!\"$-9;-~]+:(0|[1-9]\d{0,9}):([1-9]\d{0,9})")
numbers = st.one_of(st.integers(0, 1 << 33).map(str), st.sampled_from(["0", "07", "0x1", "-1", ""]))
owners = st.sampled_from(["alice", "1000", "", "#x", "a#b", "+nis", "a b", "é", "x" * 1100])
lines = st.one_of(
    st.builds("{}:{}:{}".format, owners, numbers, numbers).map(str.encode),
    st.builds("u{}:{}:65536".format, st.integers(0, 99), st.integers(0, 1 << 31)).map(str.encode),
    st.binary(max_size=12),
)


def one_by_one(data):
    """(strict rows, odd rows) without any cleverness."""
    parts = data.split(b"\n")
    strict, odd = [], []
    for number, line in enumerate(parts, 1):
        last = number == len(parts)
        match = STRICT.fullmatch(line)
        if (
            not last and match and line[:1] not in b"+-" and len(line.split(b":")[0]) < 1000
            and int(match[1]) + int(match[2]) <= 1 << 32
        ):  # fmt: skip
            strict.append((line.split(b":")[0], int(match[1]), int(match[2]), number))
        elif line or not last:
            odd.append((number, line))
    return strict, odd


@given(st.lists(lines, max_size=30), st.sampled_from([b"\n", b"\r\n", b""]))
def test_columns_are_the_lines(given_lines, end):
    data = b"\n".join(given_lines) + end
    table = Table.read(data)
    rows = list(zip(table.owners, table.starts, table.counts, table.lines, strict=True))
    assert (rows, list(table.odd)) == one_by_one(data)
    assert table.ended == (not data or data.endswith(b"\n"))


def test_lines_count_across_chunks():
    rows = [b"user%d:%d:65536" % (index, index * 1000) for index in range(20_000)]
    rows[13_000] = b"an odd one"
    rows[19_999] = b"user:4294967295:65536"
    table = Table.read(b"\n".join(rows) + b"\n")
    assert table.odd == ((13_001, b"an odd one"), (20_000, rows[19_999]))
    assert (len(table), table.lines[13_000], table.owners[13_000]) == (19_998, 13_002, b"user13001")
