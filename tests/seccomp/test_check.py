"""What only the tables can tell: each message, its place and its hint."""

import pytest

from stockade.policies import load_text
from stockade.seccomp.build import Build
from stockade.seccomp.check import check
from stockade.seccomp.syscalls import abi, family_of

BUILD = Build(family_of(abi("x86_64")))


def problems(rules: str, architectures: str = "x86_64, x86") -> list[str]:
    text = (
        "stockade: 1\nname: p\nseccomp:\n  default: deny\n"
        f"  architectures: [{architectures}]\n  rules:\n"
        + "".join(f"    {line}\n" for line in rules.splitlines())
    )
    loaded = load_text(text)
    assert loaded.problems == ()
    return [problem.render() for problem in check(loaded.require(), BUILD)]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("- allow: opennat", "7:14: unknown system call `opennat`; did you mean `openat`?"),
        (
            "- allow: arch_prctl\n  architectures: [arm]",
            "7:14: arch_prctl exists on none of the rule's architectures\n"
            "  7 |     - allow: arch_prctl\n    |              ^^^^^^^^^^\n"
            "  help: it exists on x86_64, x86, x32",
        ),
        ("- allow: brk\n  architectures: [x8664]", "8:23: unknown architecture `x8664`; did you"),
        (
            "- allow: socket\n  when: famly == 1",
            "8:13: socket has no argument `famly`; did you mean",
        ),
        ("- allow: getpid\n  when: arg0 == 1", "getpid has no argument `arg0`"),
        ("- allow: read\n  when: buf == 0", "8:13: `buf` of read is a pointer: a filter sees"),
        ("- allow: socket\n  when: family == AF_INTE", "8:23: unknown constant `AF_INTE`; did you"),
        (
            "- allow: ioctl\n  when: cmd & 0x100000000 == 0",
            "8:19: the mask 0x100000000 has bits outside the 32-bit argument `cmd` of ioctl",
        ),
        ("- allow: ioctl\n  when: cmd & 0 == 0", "8:19: a mask of 0 leaves nothing to compare"),
        ("- allow: mmap\n  when: prot == 0", "mmap has no argument `prot`"),
        (
            "- allow: pread64\n  when: pos == 0",
            "`pos` of pread64 is split into two registers: `pos_lo` and `pos_hi` (on x86)",
        ),
        (
            "- allow: keyctl\n  when: arg2 == 5",
            "8:13: `arg2` of keyctl is cut to 32 bits by some operations and not by others",
        ),
        ("- allow: tuxcall\n  when: arg0 == 1", "the arguments of tuxcall are not known"),
        (
            "- allow: ioctl\n  when: cmd in TIOCSTI..TCGETS",
            "8:13: the range 21522..21505 is empty: its ends are reversed",
        ),
        ("- allow: socket\n  when: family == 0x100000000", "8:13: impossible condition: this can"),
        ("- allow: ioctl\n  when: cmd >= 0", "8:13: impossible condition: this is always true"),
        ("- allow: ioctl\n  when: cmd & 0xf == 0x10", "8:13: impossible condition: this can never"),
        (
            "- allow: kill\n  when: sig == 1 and sig == 2",
            "8:13: impossible condition: it can never hold",
        ),
        (
            "- allow: kill\n  when: sig == 1 or sig != 1",
            "8:13: impossible condition: it holds for every call",
        ),
        (
            "- allow: openat\n  when: dfd & 0xffffffff not in {AT_FDCWD, 3}",
            "8:38: impossible condition: no value can be in this member of the set",
        ),
        (
            "- allow: ioctl\n  when: cmd not in {TIOCSTI, 0x100005412}",
            "8:34: impossible condition: no value can be in this member of the set",
        ),
        (
            "- deny: [shutdown, ioctl]\n  when: arg1 == -1",
            "impossible condition: this can never be true",
        ),
    ],
)
def test_messages(rules: str, expected: str) -> None:
    found = problems(rules)
    assert len(found) == 1 or "tuxcall" in rules
    assert expected in found[0], found[0]


@pytest.mark.parametrize(
    "rules",
    [
        "- allow: madvise\n  when: len > 0x100000000",  # never on x86, but on x86_64
        "- allow: keyctl\n  when: arg2 & 0xffffffff == 0xfffffffd",
        "- allow: keyctl\n  when: u64(arg2) == 5",
        "- allow: openat\n  when: dfd in {AT_FDCWD, 3}",
        "- allow: read\n  when: u64(buf) == 0",
        '- allow: [open, brk]\n  kernel: ">=5.8"',
    ],
)
def test_nothing_wrong(rules: str) -> None:
    assert problems(rules) == []


def test_errno_names_of_other_architectures() -> None:
    assert problems("- deny: brk\n  with: ENOSYS", "x86_64, mips") == []
