"""uid_map as we read it and as the running kernel does."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from user_namespaces import Kernel

from stockade.lint.runner import Settings, run
from stockade.policies.findings import Severity
from stockade.userns.idmap import (
    MapError,
    compose,
    in_kernel,
    problems,
    read_map,
    read_shown_map,
    render_map,
    translate,
)
from stockade.userns.model import Extent

#: What is written, and what the kernel makes of it: a map, or the errno.
ROWS: dict[bytes, object] = {
    b"0 100000 65536\n": (Extent(0, 100000, 65536),),
    b"0 1 5\n5 0 1\n": (Extent(0, 1, 5), Extent(5, 0, 1)),
    b"9 100 1\n3 50 2": (Extent(9, 100, 1), Extent(3, 50, 2)),
    b"0\t100000\t5\r\n": (Extent(0, 100000, 5),),
    b"  0   0001   05  \n": (Extent(0, 1, 5),),
    b"0 4294967296 10": (Extent(0, 0, 10),),
    b"4294967297 5 4294967298\n": (Extent(1, 5, 2),),
    b"0 18446744073709551617 1": (Extent(0, 1, 1),),
    b"0\xa0100\xa05\n": (Extent(0, 100, 5),),
    b"0 0 4294967295\n": (Extent(0, 0, 4294967295),),
    b"0 4294967294 1": (Extent(0, 4294967294, 1),),
    b"0 5 1\0garbage\n": (Extent(0, 5, 1),),
    b"\v0\f5 1": (Extent(0, 5, 1),),
    b"": "EINVAL",
    b"\0": "EINVAL",
    b"\n": "EINVAL",
    b"0 100 5\n3 200 5\n": "EINVAL",
    b"0 100 5\n10 104 5\n": "EINVAL",
    b"0 100 5\n0 100 5\n": "EINVAL",
    b"0 100 0\n": "EINVAL",
    b"0 100 4294967296\n": "EINVAL",
    b"0 4294967295 1\n": "EINVAL",
    b"1 0 4294967295\n": "EINVAL",
    b"4294967295 0 1\n": "EINVAL",
    b"0 100 5\n\n": "EINVAL",
    b"\n0 100 5\n": "EINVAL",
    b"# note\n0 100 5\n": "EINVAL",
    b"0 100 5 # note\n": "EINVAL",
    b"0:100:5\n": "EINVAL",
    b"0x0 100 5\n": "EINVAL",
    b"0 0x64 5\n": "EINVAL",
    b"+0 100 5\n": "EINVAL",
    b"0 -1 5\n": "EINVAL",
    b"\xef\xbb\xbf0 100 5\n": "EINVAL",
    b"0 100\n": "EINVAL",
    b"0 100 \n": "EINVAL",
    b"0 100 5 6\n": "EINVAL",
    b"0 100 5\n  \n": "EINVAL",
    b"".join(b"%d %d 1\n" % (i, i) for i in range(340)): tuple(Extent(i, i, 1) for i in range(340)),
    b"".join(b"%d %d 1\n" % (i, i) for i in range(341)): "EINVAL",
    b"".join(b"%d %d 1\n" % (i, i) for i in range(340)) + b"\n": "EINVAL",
    b"0 0 1".ljust(4095): (Extent(0, 0, 1),),
    b"0 0 1".ljust(4096): "EINVAL",
    b"0 0 1\0".ljust(4096): "EINVAL",
}


def ours(data: bytes) -> object:
    try:
        return read_map(data)
    except MapError as error:
        return error.errno


@pytest.fixture(scope="module")
def kernel(require) -> Iterator[Kernel]:
    require(os.geteuid() == 0, "making user namespaces that map any id needs root")
    with Kernel() as running:
        yield running


def kernels(kernel: Kernel, data: bytes) -> object:
    failure, shown = kernel.write(data)[0]
    return failure or read_shown_map(shown)


@pytest.mark.parametrize("data", ROWS, ids=lambda data: repr(data[:24]))
def test_rows(data: bytes) -> None:
    assert ours(data) == ROWS[data]


def test_the_checks_of_maps_say_what_the_kernel_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for data, wanted in ROWS.items():
        Path("uid_map").write_bytes(data)
        outcome = run(["./uid_map"], Settings.of())
        refused = outcome.problems or any(e.severity is Severity.ERROR for e in outcome.findings)
        if wanted == "EINVAL":
            assert refused, data
        elif any(each.outside < 65536 for each in wanted):
            assert refused or outcome.findings, data  # ids of the host's own users, which is said
        else:
            assert not refused, data


@pytest.mark.userns
def test_rows_are_the_kernels(kernel: Kernel) -> None:
    for data, wanted in ROWS.items():
        found = kernels(kernel, data)
        if isinstance(wanted, tuple) and isinstance(found, tuple) and len(wanted) > 5:
            # Above five extents the kernel sorts what it shows.
            wanted = tuple(sorted(wanted, key=lambda extent: extent.inside))
        assert found == wanted, data


word = st.one_of(
    st.integers(0, 30).map(lambda n: b"%d" % n),
    st.sampled_from([b"65536", b"4294967294", b"4294967295", b"4294967296", b"4294967300"]),
    st.sampled_from([b"007", b"-1", b"+1", b"0x1", b"", b"x", b"18446744073709551616", b"9" * 40]),
)
blank = st.sampled_from([b" ", b" ", b" ", b"\t", b"  ", b"\r", b"\v", b"\f", b"\xa0", b"", b"\0"])
line = st.builds(
    lambda a, b, c, s, t, u, v: v + a + s + b + t + c + u, word, word, word, blank, blank, blank,
    st.sampled_from([b"", b"", b"", b" "]),
)  # fmt: skip
small = st.builds(
    lambda a, b, c: b"%d %d %d" % (a, b, c),
    *[st.integers(0, 40), st.integers(0, 40), st.integers(1, 6)],
)
texts = st.one_of(
    st.lists(small, min_size=1, max_size=4).map(b"\n".join),
    st.builds(lambda ls, e: b"\n".join(ls) + e, st.lists(line, max_size=3), st.just(b"\n")),
    st.lists(line, min_size=1, max_size=2).map(b"\n".join),
)


@given(texts)
def test_refusals_point_into_the_text(data: bytes) -> None:
    with contextlib.suppress(MapError):
        read_map(data)
        return
    with pytest.raises(MapError) as caught:
        read_map(data)
    assert 0 <= caught.value.offset <= len(data)


@pytest.mark.userns
@given(texts)
def test_any_text_is_read_as_the_kernel_does(kernel: Kernel, data: bytes) -> None:
    assert ours(data) == kernels(kernel, data)


extents = st.builds(Extent, st.integers(0, 60), st.integers(0, 60), st.integers(0, 9))
maps = st.lists(extents, max_size=6).map(tuple)


def apart(steps) -> tuple[Extent, ...]:
    """Extents that do not overlap: gaps before each, and its length."""
    inside = outside = 0
    result = []
    for gap, other, count in steps:
        inside, outside = inside + gap, outside + other
        result.append(Extent(inside, outside, count))
        inside, outside = inside + count, outside + count
    return tuple(result)


steps = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 12))
sound = st.lists(steps, min_size=1, max_size=4).map(apart).flatmap(st.permutations).map(tuple)


@pytest.mark.userns
@given(maps)
def test_problems_are_found_where_the_kernel_refuses(kernel: Kernel, idmap) -> None:
    assert bool(problems(idmap)) == isinstance(kernels(kernel, render_map(idmap)), str)


@pytest.mark.userns
@given(sound, sound)
def test_nested_maps(kernel: Kernel, inner, outer) -> None:
    if not any(extent.outside == 0 for extent in outer):
        outer = (*outer, Extent(1000, 0, 1))  # the processes' own id
    assert not problems(outer) + problems(inner)
    answers = kernel.write(render_map(outer), render_map(inner))
    assert answers[0][0] == ""
    failure, shown = answers[1]
    try:
        wanted: object = sorted(compose(inner, outer), key=lambda extent: extent.inside)
    except MapError as error:
        wanted = error.errno
    assert wanted == (failure or sorted(read_shown_map(shown), key=lambda extent: extent.inside))


@given(maps)
def test_what_is_written_is_read_again(idmap) -> None:
    if not problems(idmap):
        assert read_map(render_map(idmap)) == idmap
    else:
        with pytest.raises(MapError):
            read_map(render_map(idmap))


def test_problems_say_which_extents() -> None:
    idmap = (Extent(0, 100, 10), Extent(20, 105, 2), Extent(5, 300, 1), Extent(50, 1 << 32, 1))
    found = {(each.code, each.index, each.other) for each in problems(idmap)}
    assert found == {("outside", 1, 0), ("inside", 2, 0), ("number", 3, None)}
    assert [each.code for each in problems(())] == ["empty"]
    many = tuple(Extent(i, i, 1) for i in range(341))
    assert {each.code for each in problems(many)} == {"extents"}
    wide = tuple(Extent(i * 65536, i * 65536, 65536) for i in range(190))
    assert {each.code for each in problems(wide)} == {"page"}
    assert {each.code for each in problems((Extent(0, 4294967295, 1),))} == {"end"}


def test_translation() -> None:
    idmap = (Extent(0, 100000, 10), Extent(20, 1 << 32, 1))
    assert [translate(idmap, inside) for inside in (0, 9, 10, 20)] == [100000, 100009, None, 0]
    assert in_kernel(idmap)[1] == Extent(20, 0, 1)


def test_a_nested_extent_over_two_is_refused() -> None:
    outer = (Extent(0, 1000, 10), Extent(10, 1010, 10))
    assert compose((Extent(0, 0, 10), Extent(10, 10, 10)), outer) == outer
    with pytest.raises(MapError) as caught:
        compose((Extent(0, 0, 5), Extent(5, 5, 10)), outer)
    assert (caught.value.errno, caught.value.offset) == ("EPERM", 6)


def test_what_proc_shows_of_ids_that_have_none_here() -> None:
    assert read_shown_map(b"         0 4294967295          5\n") == (Extent(0, 4294967295, 5),)
    with pytest.raises(MapError):
        read_shown_map(b"0 1\n")
