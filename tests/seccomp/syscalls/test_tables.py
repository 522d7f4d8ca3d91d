"""System call numbers, against libseccomp and the headers of this machine."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stockade.seccomp.syscalls import ABIS, Abi, abi, known_names, table

_X32 = 0x40000000
# loongarch64 is new in libseccomp 2.6; the test below holds it to asm-generic's numbers instead.
_LIBSECCOMPS = [each for each in ABIS.values() if each.name != "loongarch64"]


def _lib() -> object:
    return pytest.importorskip("pyseccomp", reason="pyseccomp is not installed")


def _scmp_token(each: Abi) -> int:
    # libseccomp tells x32 from x86_64 by a token of its own: EM_X86_64 and only "little endian".
    return 0x4000003E if each.name == "x32" else each.audit_arch


@pytest.mark.libseccomp
@pytest.mark.parametrize("each", _LIBSECCOMPS, ids=lambda each: each.name)
def test_numbers_are_libseccomps(each: Abi) -> None:
    resolve = _lib().resolve_syscall  # type: ignore[attr-defined]
    by_name = table(each).by_name
    compared = 0
    for name in known_names():
        try:
            number = resolve(_scmp_token(each), name)
        except (OSError, ValueError):
            continue
        if number < 0:  # a pseudo number: the ABI has no such call, or none of its own
            continue
        assert by_name.get(name) == number, name
        compared += 1
    assert compared > 300


@pytest.mark.libseccomp
@pytest.mark.parametrize("each", _LIBSECCOMPS, ids=lambda each: each.name)
def test_libseccomp_knows_no_number_that_is_missing(each: Abi) -> None:
    import ctypes

    pyseccomp = _lib()
    lib = pyseccomp._libseccomp  # type: ignore[attr-defined]
    resolve = lib.seccomp_syscall_resolve_num_arch
    resolve.argtypes, resolve.restype = [ctypes.c_uint32, ctypes.c_int], ctypes.c_char_p
    by_number = table(each).by_number
    start = min(by_number)
    for number in (*range(start, start + 600), *range(0x0F0000, 0x0F0010)):
        name = resolve(_scmp_token(each), number)
        if name is not None:
            assert by_number.get(number) == name.decode(), number


def test_loongarch64_has_the_generic_numbers() -> None:
    generic, loongarch64 = table(abi("aarch64")).by_name, table(abi("loongarch64")).by_name
    missing = {"renameat", "getrlimit", "setrlimit"}  # asm-generic leaves the choice to the arch
    assert generic.keys() - loongarch64.keys() - {"memfd_secret"} <= missing
    assert all(generic[name] == number for name, number in loongarch64.items())


@pytest.mark.parametrize(
    ("name", "file"),
    [("x86_64", "unistd_64.h"), ("x86", "unistd_32.h"), ("x32", "unistd_x32.h")],
)
def test_numbers_are_this_machines_headers(name: str, file: str) -> None:
    path = Path("/usr/include/x86_64-linux-gnu/asm") / file
    if not path.exists():
        pytest.skip(f"{path} is not there (linux-libc-dev on amd64 has it)")
    text = path.read_text().replace("__X32_SYSCALL_BIT + ", f"{_X32} + ")
    found = re.findall(r"^#define __NR_(\w+) \(?(?:(\d+) \+ )?(\d+)\)?$", text, re.MULTILINE)
    assert len(found) > 300
    by_name = table(abi(name)).by_name
    for call, base, number in found:
        assert by_name[call] == int(base or 0) + int(number), call


@pytest.mark.parametrize("each", ABIS.values(), ids=ABIS)
def test_a_table_is_consistent(each: Abi) -> None:
    found = table(each)
    assert found.abi is each
    assert list(found.by_number) == sorted(found.by_number)
    assert all(found.by_name[name] == number for number, name in found.by_number.items())
    seconds = found.by_name.keys() - set(found.by_number.values())
    assert seconds == ({"sync_file_range2"} if each.name == "arm" else set())
    assert set(found.by_name) <= known_names()
    # Since Linux 5.1 new calls have one number everywhere, apart from a base.
    new = found.by_name["mseal"] - 462
    assert new in (0, _X32, 4000, 5000, 6000)
    assert found.last - new == (469 if each.name == "s390" else 471)


def test_numbers_that_are_apart() -> None:
    x86_64, x86, x32, arm = (table(abi(n)).by_name for n in ("x86_64", "x86", "x32", "arm"))
    assert (x86_64["uretprobe"], x86_64["uprobe"]) == (335, 336)
    assert "uretprobe" not in x86
    assert x32["read"] == _X32
    assert x32["ioctl"] == _X32 + 514
    assert x86_64["ioctl"] == 16
    assert (x86["_llseek"], x86["_newselect"], x86["umount2"]) == (140, 142, 52)
    private = ("breakpoint", "cacheflush", "usr26", "usr32", "set_tls", "get_tls")
    assert [arm[name] for name in private] == list(range(0x0F0001, 0x0F0007))
    assert arm["sync_file_range2"] == arm["arm_sync_file_range"] == 341
    assert table(abi("arm")).by_number[341] == "arm_sync_file_range"
    riscv64 = table(abi("riscv64")).by_name
    assert (riscv64["riscv_flush_icache"], riscv64["riscv_hwprobe"]) == (259, 258)
    assert table(abi("s390x")).by_name["s390_sthyi"] == 380
    assert table(abi("mips")).by_name["read"] == 4003
    assert table(abi("mips64")).by_name["read"] == 5000
    assert table(abi("mips64n32")).by_name["read"] == 6000
    assert not any(re.match(r"unused|reserved", name) for name in known_names())


def test_three_tables_load_in_milliseconds() -> None:
    # In a process of its own: nothing is cached, and the best of some runs is what it costs.
    code = (
        "import time; from stockade.seccomp.syscalls import abi, arguments, table\n"
        "a = [abi(n) for n in ('x86_64', 'x86', 'x32')]; t = time.perf_counter()\n"
        "for each in a: table(each)\n"
        "u = time.perf_counter(); arguments('read', a[0]); v = time.perf_counter()\n"
        "for each in a:\n  for name in table(each).by_name: arguments(name, each)\n"
        "print(u - t, v - u, time.perf_counter() - v)"
    )
    best = [1.0, 1.0, 1.0]
    deadline = time.monotonic() + 20
    while (best[0] > 0.005 or best[1] > 0.004) and time.monotonic() < deadline:
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        took = [float(each) for each in result.stdout.split()]
        best = [min(pair) for pair in zip(best, took, strict=True)]
    assert best[0] < 0.005
    assert best[1] < 0.004
