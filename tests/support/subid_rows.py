"""Subuid files in which readers differ, what each makes of them, and files of any bytes."""

from hypothesis import strategies as st

PASSWD = b"root:x:0:0::/:\nalice:x:1000:1000::/:\nbob:x:1001:1001::/:\nkubelet:x:998:998::/:\n"
GROUP = b"root:x:0:\nalice:x:1000:\nbob:x:1001:\nkubelet:x:998:\n"

HOST_ROOT = ((0, 0, 65536),)
PLAIN = ((0, 100000, 65536),)
NONE = ()

#: content -> the map of shadow 4.13, shadow 4.20, dockerd 20.10 and dockerd 28 for alice.
TABLE = {
    b"alice:100000:65536\n": (PLAIN, PLAIN, PLAIN, PLAIN),
    b"alice:0x186a0:65536\n": (PLAIN, PLAIN, NONE, HOST_ROOT),
    b"alice:0100000:65536\n": (((0, 32768, 65536),),) * 2 + (PLAIN, PLAIN),
    b"alice: 100000:65536\n": (PLAIN, PLAIN, NONE, HOST_ROOT),
    b"alice:100,000:65536\n": (NONE, NONE, NONE, HOST_ROOT),
    b"alice:abc:65536\n": (NONE, NONE, NONE, HOST_ROOT),
    b"alice:100000:65536:x\n": (PLAIN, NONE, NONE, PLAIN),
    b"alice:100000:65536": (PLAIN, NONE, PLAIN, PLAIN),
    b"alice:100000:65536\r\n": (NONE, NONE, PLAIN, PLAIN),
    b"garbage\nalice:100000:65536\n": (PLAIN, PLAIN, NONE, PLAIN),
    b"alice:4294967296:65536\n": (NONE, NONE, HOST_ROOT, HOST_ROOT),
    b"alice:0:65536\n": (HOST_ROOT,) * 4,
    b"1000:100000:65536\nalice:200000:5\n": (
        ((0, 100000, 65536), (65536, 200000, 5)),
        ((0, 100000, 65536), (65536, 200000, 5)),
        PLAIN,
        ((0, 100000, 65536), (65536, 200000, 5)),
    ),
    b"alice:200000:5\nalice:100000:65536\n": (((0, 200000, 5), (5, 100000, 65536)),) * 4,
    b"alice:0:0\n": (((0, 0, 4294967295),),) * 2 + (NONE, NONE),
    b"alice:18446744073709551616x:5\n": (NONE, NONE, NONE, ((0, 4294967295, 5),)),
    b"alice:100000\n": (NONE, NONE, NONE, NONE),
    b"alice:100000:-1\n": (NONE, NONE, ((0, 100000, 4294967295),), ((0, 100000, 4294967295),)),
    b"#alice:100000:65536\n+:1:1\n": (NONE,) * 4,
    b"bob:100000:65536\n": (NONE,) * 4,
    b"bob:abc:1\nalice:100000:65536\n": (PLAIN,) * 4,
    b"": (NONE,) * 4,
    b"alice:1000\x0000:65536\nbob:1:1\n": (NONE, NONE, NONE, HOST_ROOT),
    b"alice:100000:6\x00x\n5536\n": (PLAIN, PLAIN, NONE, NONE),
    b"bob:1:1\nalice:100000:65536\x00\n": (NONE, NONE, NONE, NONE),
    b"x" * 65536 + b"\nalice:100000:65536\n": (PLAIN, PLAIN, NONE, NONE),
}


fragments = st.sampled_from(
    [b"alice", b"1000", b"root", b":", b":", b":", b"0", b"100000", b"65536", b"-1", b"0x1f",
     b"010", b" ", b"\t", b"\r", b"\n", b"\n", b"\0", b"#", b"+", b"\xc2\xa0", b"\xff",
     b"4294967296", b"18446744073709551615", b"9" * 30, b"x" * 1024]
)  # fmt: skip
files = st.one_of(st.lists(fragments, max_size=40).map(b"".join), st.binary(max_size=60))
