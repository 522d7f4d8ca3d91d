"""Arguments of system calls, against the running kernel and against facts per ABI."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from stockade.seccomp.syscalls import ABIS, Abi, Argument, abi, arguments, table

# What the kernel's declared type says on x86_64: bits and sign.
_C_TYPES = {
    "int": (32, True),
    "unsigned int": (32, False),
    "unsigned": (32, False),
    "u32": (32, False),
    "__u32": (32, False),
    "uint32_t": (32, False),
    "__s32": (32, True),
    "enum landlock_rule_type": (32, False),
    "umode_t": (16, False),
    "pid_t": (32, True),
    "uid_t": (32, False),
    "gid_t": (32, False),
    "qid_t": (32, False),
    "key_t": (32, True),
    "key_serial_t": (32, True),
    "clockid_t": (32, True),
    "timer_t": (32, True),
    "mqd_t": (32, True),
    "rwf_t": (32, True),
    "long": (64, True),
    "unsigned long": (64, False),
    "size_t": (64, False),
    "off_t": (64, True),
    "loff_t": (64, True),
    "u64": (64, False),
    "__u64": (64, False),
    "aio_context_t": (64, False),
}
_POINTER = re.compile(r"\*|^(cap_user_header_t|cap_user_data_t|__sighandler_t)$")
# The number's name, where the entry point has another one.
_ENTRY = {
    "stat": "newstat",
    "fstat": "newfstat",
    "lstat": "newlstat",
    "uname": "newuname",
    "umount2": "umount",
    "sendfile": "sendfile64",
}
# Narrower than declared: data/overlay.tsv says where the kernel drops the high bits.
_NARROW = {
    ("clone", "flags"): 32,
    ("mmap", "fd"): 32,
    ("mbind", "mode"): 32,
    ("preadv", "fd"): 32,
    ("preadv2", "fd"): 32,
    ("pwritev", "fd"): 32,
    ("pwritev2", "fd"): 32,
    ("readv", "fd"): 32,
    ("writev", "fd"): 32,
    ("ptrace", "pid"): 32,
}


@pytest.fixture(scope="module")
def formats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory with sys_enter_*/format; mounts tracefs if nobody has."""
    if os.uname().machine != "x86_64":
        pytest.skip("the kernel reports its own prototypes, and this one is not x86_64's")
    for root in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing"):
        found = Path(root) / "events" / "syscalls"
        try:
            if found.is_dir():
                yield found
                return
        except PermissionError:
            pytest.skip(f"{root} is for root only")
    if os.geteuid() != 0:
        pytest.skip("tracefs is not mounted, and only root can mount it")
    point = tmp_path_factory.mktemp("tracefs")
    mount = ["mount", "-t", "tracefs", "tracefs", str(point)]
    result = subprocess.run(mount, capture_output=True, text=True)
    if result.returncode:
        pytest.skip(f"tracefs cannot be mounted: {result.stderr.strip()}")
    try:
        found = point / "events" / "syscalls"
        if not found.is_dir():
            pytest.skip("this kernel has no CONFIG_FTRACE_SYSCALLS")
        yield found
    finally:
        subprocess.run(["umount", str(point)], check=True)


def test_x86_64_is_what_the_running_kernel_says(formats: Path) -> None:
    x86_64 = abi("x86_64")
    wrong, compared = [], 0
    for name in table(x86_64).by_name:
        path = formats / f"sys_enter_{_ENTRY.get(name, name)}" / "format"
        known = arguments(name, x86_64)
        if not path.exists():
            continue
        compared += 1
        assert known is not None, f"{name} has a prototype in the kernel"
        fields = re.findall(r"field:(.+?)\s*(\w+);\toffset:(\d+)", path.read_text())
        kernel = [kind for kind, _, offset in fields if int(offset) >= 16]
        if name == "bpf" and len(kernel) == 3:
            known = known[:3]  # attr_common and size_common came after this kernel
        declared = []
        for kind in kernel:
            plain = kind.removeprefix("const ")
            if _POINTER.search(plain):
                declared.append((64, False, True))
            else:
                declared.append((*_C_TYPES[plain], False))
        for index, each in enumerate(known):
            if (name, each.name) in _NARROW and index < len(declared):
                assert declared[index][0] == 64, f"{name}: {each.name} is narrow by itself"
                declared[index] = (_NARROW[name, each.name], each.signed, False)
        if [(each.bits, each.signed, each.pointer) for each in known] != declared:
            wrong.append((name, known, kernel))
    assert not wrong
    assert compared > 300


def _names(name: str, on: str) -> list[str]:
    found = arguments(name, abi(on))
    assert found is not None
    return [each.name for each in found]


def _one(name: str, on: str, argument: str) -> Argument:
    found = arguments(name, abi(on))
    assert found is not None
    return next(each for each in found if each.name == argument)


@pytest.mark.parametrize("each", ABIS.values(), ids=ABIS)
def test_arguments_are_well_formed(each: Abi) -> None:
    known = 0
    for name in table(each).by_name:
        found = arguments(name, each)
        if found is None:
            continue
        known += 1
        assert len(found) <= 6
        names = [argument.name for argument in found]
        assert len(set(names)) == len(names), name
        assert all(re.fullmatch(r"[a-z_]\w*", own) for own in names), name
        for argument in found:
            assert argument.bits in (16, 32, 64)
            assert argument.bits <= each.registers
            assert not (argument.pointer and argument.signed)
    assert known > len(table(each).by_name) * 0.95


@pytest.mark.parametrize("each", ABIS.values(), ids=ABIS)
def test_the_names_that_policies_are_written_with(each: Abi) -> None:
    assert {"flags", "stack", "parent_tid", "child_tid", "tls"} == set(_names("clone", each.name))
    assert _names("socket", each.name) == ["family", "type", "protocol"]
    assert _names("ioctl", each.name) == ["fd", "cmd", "arg"]
    assert _names("personality", each.name) == ["personality"]
    assert _names("unshare", each.name) == ["flags"]
    assert _names("setns", each.name) == ["fd", "nstype"]
    assert _names("prctl", each.name) == ["option", "arg2", "arg3", "arg4", "arg5"]
    assert _names("ptrace", each.name) == ["request", "pid", "addr", "data"]
    assert _names("bpf", each.name)[:3] == ["cmd", "attr", "size"]
    assert _names("mount", each.name)[3] == "flags"
    for name, argument, bits in (
        ("ioctl", "cmd", 32),
        ("socket", "family", 32),
        ("clone", "flags", 32),
        ("personality", "personality", 32),
        ("openat", "mode", 16),
    ):
        assert _one(name, each.name, argument).bits == bits


def test_a_name_like_arg2_is_where_it_says_but_for_prctl_and_keyctl() -> None:
    # `arg2` is also what a policy calls the third register of any call.
    odd = set()
    for each in ABIS.values():
        for name in table(each).by_name:
            for index, argument in enumerate(arguments(name, each) or ()):
                match = re.fullmatch(r"arg([0-5])", argument.name)
                if match and int(match[1]) != index:
                    odd.add(name)
    assert odd == {"prctl", "keyctl"}


def test_clones_flags_are_argument_1_on_s390() -> None:
    for each in ABIS:
        assert _names("clone", each).index("flags") == (1 if each in ("s390", "s390x") else 0)
    # CONFIG_CLONE_BACKWARDS: tls before child_tid.
    assert _names("clone", "x86_64")[3:] == ["child_tid", "tls"]
    assert _names("clone", "x32")[3:] == ["child_tid", "tls"]
    assert _names("clone", "loongarch64")[3:] == ["child_tid", "tls"]
    for each in ("x86", "aarch64", "arm", "ppc64le", "riscv64", "mips", "mips64"):
        assert _names("clone", each)[3:] == ["tls", "child_tid"]


def test_a_64_bit_parameter_takes_two_registers_of_a_32_bit_abi() -> None:
    start = ["fd", "buf", "count"]
    assert _names("pread64", "x86_64") == [*start, "pos"]
    assert _one("pread64", "x86_64", "pos") == Argument("pos", 64, True, False)
    assert _names("pread64", "x86") == [*start, "pos_lo", "pos_hi"]
    assert _names("pread64", "s390") == [*start, "pos_hi", "pos_lo"]
    assert _names("pread64", "arm") == [*start, "pad", "pos_lo", "pos_hi"]
    assert _names("pread64", "mips") == [*start, "pad", "pos_hi", "pos_lo"]
    assert _names("pread64", "mipsel") == [*start, "pad", "pos_lo", "pos_hi"]
    # 64-bit registers, although the program's pointers have 32 bits.
    assert _names("pread64", "x32") == _names("pread64", "mips64n32") == [*start, "pos"]


def test_where_padding_is_and_is_not() -> None:
    pair = ["offset_lo", "offset_hi", "len_lo", "len_hi"]
    assert _names("fallocate", "arm") == ["fd", "mode", *pair]  # already at an even register
    assert _names("arm_fadvise64_64", "arm") == ["fd", "advice", *pair]
    ranges = ["offset_lo", "offset_hi", "nbytes_lo", "nbytes_hi"]
    for name in ("sync_file_range2", "arm_sync_file_range"):
        assert _names(name, "arm") == ["fd", "flags", *ranges]
    assert _names("truncate64", "arm") == ["path", "pad", "length_lo", "length_hi"]
    assert _names("truncate64", "x86") == ["path", "length_lo", "length_hi"]
    assert _names("readahead", "mips") == ["fd", "pad", "offset_hi", "offset_lo", "count"]
    assert _names("sync_file_range", "x86") == ["fd", *ranges, "flags"]
    # The seventh register, flags, is on the stack, where a filter does not see it.
    assert _names("sync_file_range", "mipsel") == ["fd", "pad", *ranges]
    marks = ["fanotify_fd", "flags"]
    assert _names("fanotify_mark", "x86_64") == [*marks, "mask", "dfd", "pathname"]
    assert _names("fanotify_mark", "arm") == [*marks, "mask_lo", "mask_hi", "dfd", "pathname"]
    assert _names("lookup_dcookie", "s390")[:2] == ["cookie64_hi", "cookie64_lo"]
    assert _names("fadvise64_64", "s390") == ["args"]
    assert _names("fadvise64", "s390") == ["fd", "offset_hi", "offset_lo", "len", "advice"]
    for each in ABIS:
        if each != "x32":
            assert _names("preadv", each)[3:] == ["pos_l", "pos_h"]
    assert _names("preadv", "x32") == ["fd", "vec", "vlen", "pos"]


def test_old_calls_hide_their_arguments_behind_a_pointer() -> None:
    for name, on in (("mmap", "x86"), ("mmap", "s390"), ("mmap", "s390x"), ("select", "x86")):
        found = arguments(name, abi(on))
        assert found is not None
        assert [each.pointer for each in found] == [True]
    assert _names("mmap", "x86_64") == ["addr", "len", "prot", "flags", "fd", "offset"]
    assert _names("mmap2", "x86")[5] == "pgoff"
    assert _names("socketcall", "x86") == ["call", "args"]
    assert _one("socketcall", "x86", "args").pointer
    assert _names("ipc", "s390x") == ["call", "first", "second", "third", "ptr"]
    assert _names("ipc", "x86")[5:] == ["fifth"]


def test_widths_that_differ_by_abi() -> None:
    # arg is unsigned long: but x32's ioctl and n32's are compat entry points.
    widths = {each: _one("ioctl", each, "arg").bits for each in ABIS}
    assert {each for each, bits in widths.items() if bits == 64} == {
        "x86_64",
        "aarch64",
        "ppc64le",
        "s390x",
        "riscv64",
        "mips64",
        "mipsel64",
        "loongarch64",
    }
    assert _one("mprotect", "x32", "prot").bits == 64  # a 64-bit entry point, below 512
    assert _one("chown", "x86", "user").bits == 16
    assert _one("chown", "x86_64", "user").bits == 32
    assert _one("chown32", "x86", "user").bits == 32
    assert _one("kill", "x86_64", "pid") == Argument("pid", 32, True, False)
    assert _one("openat", "x86_64", "filename") == Argument("filename", 64, False, True)
    assert _one("openat", "x86", "filename").bits == 32


def test_calls_without_arguments_and_calls_that_are_not_known() -> None:
    for each in ABIS.values():
        assert arguments("rt_sigreturn", each) == ()
        assert arguments("getpid", each) == ()
        assert arguments("no_such_call", each) is None
    assert arguments("get_tls", abi("arm")) == ()
    assert arguments("socketcall", abi("x86_64")) is None  # x86_64 has no such call
    assert arguments("tuxcall", abi("x86_64")) is None  # nobody knows its prototype
    assert _names("sigsuspend", "x86") == ["unused1", "unused2", "mask"]
    assert _names("cacheflush", "arm") == ["start", "end", "flags"]
    assert _names("arch_prctl", "x86_64") == ["option", "addr"]
