"""Claims: every source, under every reader, counted exactly block by block."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from userns_trees import host_files, section

from stockade.policies.errors import InputError
from stockade.userns.claims import MOST_ODD, claims
from stockade.userns.ids import IdRange
from stockade.userns.live import live_maps
from stockade.userns.model import Extent, LiveMap, Registry
from stockade.userns.registry import render

#: All ids but the first block and the last, so that no default reservation is in the way.
ALL = [(65536, 4294901759)]
NUMBERS = st.integers(0, 2**32 - 1) | st.integers(0, 400_000)


def block(number):
    return IdRange(number * 65536, 65536)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.booleans()), max_size=8))
def test_a_block_is_held_when_a_line_reaches_into_it(ranges):
    ranges = [(first, max(1, min(count, 2**32 - first)), kind) for first, count, kind in ranges]
    uids, gids = (
        b"".join(b"u:%d:%d\n" % (first, count) for first, count, uid in ranges if uid is wanted)
        for wanted in (True, False)
    )
    found = claims(host_files(subuid=uids, subgid=gids), (), section([], ALL))
    for number in (1, 2, 5, 6, 65534, *(first // 65536 for first, _, _ in ranges)):
        if 1 <= number <= 65534:
            here = any(block(number).overlaps(IdRange(first, count)) for first, count, _ in ranges)
            assert found.disputed(block(number)) == here
            assert found.free(block(number)) != here
            assert bool(found.holders([block(number)])[0]) == here


@pytest.mark.parametrize(
    ("line", "held"),
    [
        (b"bob:0x100000:10", 16),  # shadow: hex
        (b"bob:04000000:10", 16),  # shadow: octal
        (b"bob:04000000:10", 61),  # dockerd: decimal
        (b"bob: 1048576:10", 16),  # shadow passes over white space
        (b"bob:1048576:10:x", 16),  # shadow 4.13: a fourth field
        (b"bob:4296015872:10", 16),  # modulo 2^32
        (b"bob:1048576:4294967295", 2),  # around the end
        (b"bob:1048576:4294967295", 60000),
        (b"bob:1048576:10\r", 16),
    ],
)
@pytest.mark.parametrize("name", ["subuid", "subgid"])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_every_reader_counts(name, line, held, end):
    found = claims(host_files(**{name: b"a:1:1\n" + line + end}), (), section([], ALL))
    assert found.disputed(block(held))
    assert f"bob ({name} line 2)" in [each.holder for each in found.holders([block(held)])[0]]


def test_comments_and_blank_lines_are_nobodys():
    found = claims(host_files(subuid=b"# old: 1048576\n\n\t\n"), (), section([], ALL))
    assert not found.disputed(block(16))


def test_other_sources():
    files = host_files(
        passwd=b"games:x:1048600:1::/:/bin/sh\nroot:x:0:0::/:/bin/sh\n",
        group=b"staff:x:2097152:\n",
        subuid=b"kubelet:3145728:65536\n",
        subgid=b"containers:4194304:65536\n",
        login_defs=b"SUB_UID_MIN 5242880\nSUB_UID_MAX 5242890 \n",
    )
    live = LiveMap(7, "runc", (Extent(0, 6291456, 5),), (Extent(0, 7340032, 5),))
    part = [(1048576, 5242879)]
    found = claims(
        files, [live], section([], part, [(1179648, 1179648)]), [("uid 1245184 (ldap)", 1245184)]
    )
    for number, holder in (
        (16, "uid 1048600 (games)"),
        (32, "gid 2097152 (staff)"),
        (48, "kubelet (subuid line 1)"),
        (64, "containers (subgid line 1)"),
        (18, "`reserved` in the policy"),
        (19, "uid 1245184 (ldap)"),
    ):
        assert [each.holder for each in found.holders([block(number)])[0]] == [holder]
    # Outside of the policy's span login.defs counts, and so do the defaults: not free, not held.
    holders = [each.holder for each in found.holders([block(80)], most=9)[0]]
    assert "useradd's first fit in subuid (login.defs, SUB_UID_MIN and SUB_UID_MAX)" in holders
    assert any("systemd containers" in each for each in holders)
    for number in (96, 112):
        used = claims(host_files(), [live], section([], ALL))
        assert not used.free(block(number))
        assert not used.disputed(block(number))
    assert not found.free(block(80))
    assert not found.disputed(block(80))
    assert found.free(block(17))


def test_a_tenants_line_is_its_own():
    line = b"ci:1048576:65536\n"
    files = host_files(
        subuid=b"x:1:1\n" + line, subgid=line, registry=render(Registry({"ci": block(16)}))
    )
    found = claims(files, (), section([], ALL))
    assert not found.disputed(block(16))
    assert [(each.kind.value, each.line) for each in found.own["ci"]] == [
        ("subuid", 2),
        ("subgid", 1),
    ]
    # Of a released tenant only the very line that was its own; any other is somebody else's.
    buried = Registry({}, {"ci": block(16)})
    files = host_files(subuid=line + b"ci:2097152:1\n", registry=render(buried))
    found = claims(files, (), section([], ALL))
    assert not found.disputed(block(16))
    assert found.disputed(block(32))


def test_too_much_out_of_form_is_refused():
    with pytest.raises(InputError, match="10,001 lines of subuid are not"):
        claims(host_files(subuid=b"?\n" * (MOST_ODD + 1)))


def test_live_maps_are_those_of_this_machine(require):
    require(os.geteuid() == 0, "needs root")
    script = "read _; exec sleep 60"
    child = subprocess.Popen(["unshare", "--user", "sh", "-c", script], stdin=subprocess.PIPE)
    try:
        namespace = Path(f"/proc/{child.pid}/ns/user")
        while namespace.readlink() == Path("/proc/self/ns/user").readlink():
            assert child.poll() is None
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{child.pid}/{name}").write_text("0 1048576 65536\n100000 1200000 3\n")
        found = {each.pid: each for each in live_maps()}
        extents = (Extent(0, 1048576, 65536), Extent(100000, 1200000, 3))
        assert found[child.pid].uid_map == found[child.pid].gid_map == extents
        assert os.getpid() not in found
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
