"""The oracle tells the truth: filters written by hand, with answers known in advance."""

import itertools
import struct
import time

import pytest

pytestmark = pytest.mark.kernel

AUDIT_ARCH_X86_64, AUDIT_ARCH_I386 = 0xC000003E, 0x40000003
X32_BIT = 0x40000000
SYSCALL = 0
ALLOW, KILL = 0x7FFF0000, 0x80000000
NO_ARGS = (0,) * 6

NR, ARCH = 0, 4


def arg_low(index):
    return 16 + 8 * index


def arg_high(index):
    return 20 + 8 * index


def load(offset):
    return struct.pack("=HBBI", 0x20, 0, 0, offset)


def jump_equal(value, then, otherwise):
    return struct.pack("=HBBI", 0x15, then, otherwise, value)


def jump_greater_equal(value, then, otherwise):
    return struct.pack("=HBBI", 0x35, then, otherwise, value)


def ret(value):
    return struct.pack("=HBBI", 0x06, 0, 0, value)


def errno(code):
    return ret(0x00050000 | code)


def if_equal(offset, value):
    """ERRNO(11) where the word is the value, else ERRNO(22)."""
    return load(offset) + jump_equal(value, 0, 1) + errno(11) + errno(22)


def test_the_number_decides(kernel_verdicts):
    calls = [(SYSCALL, nr, NO_ARGS) for nr in (0, 39, 40, 41, 0xFFFF, 0xFFFFFFFF)]
    assert kernel_verdicts(if_equal(NR, 39), calls) == [22, 11, 22, 22, 22, 22]


def test_the_architecture_tells_the_two_ways_in_apart(kernel_verdicts, int80):
    program = if_equal(ARCH, AUDIT_ARCH_I386)
    assert kernel_verdicts(program, [(SYSCALL, 20, NO_ARGS), (int80, 20, NO_ARGS)]) == [22, 11]
    program = if_equal(ARCH, AUDIT_ARCH_X86_64)
    assert kernel_verdicts(program, [(SYSCALL, 20, NO_ARGS), (int80, 20, NO_ARGS)]) == [11, 22]


def test_x32_is_x86_64_with_bit_30(kernel_verdicts):
    program = (
        load(ARCH)
        + jump_equal(AUDIT_ARCH_X86_64, 0, 4)
        + load(NR)
        + jump_greater_equal(X32_BIT, 1, 0)
        + errno(11)
        + errno(22)
        + errno(33)
    )
    calls = [
        (SYSCALL, nr, NO_ARGS)
        for nr in (20, X32_BIT - 1, X32_BIT, X32_BIT | 20, X32_BIT | 520, 0xFFFFFFFF)
    ]
    assert kernel_verdicts(program, calls) == [11, 11, 22, 22, 22, 22]


@pytest.mark.parametrize("index", range(6))
def test_each_argument_arrives_in_its_place_whole(kernel_verdicts, int80, index):
    """Also through int $0x80, which shows the filter all 64 bits of the registers."""
    value = 0x8123456789ABCDEF
    right = tuple(value if i == index else ~value & (1 << 64) - 1 for i in range(6))
    wrong_high = tuple(arg ^ 1 << 63 for arg in right)
    wrong_low = tuple(arg ^ 1 for arg in right)
    calls = [
        (kind, 16, args) for kind in (SYSCALL, int80) for args in (right, wrong_high, wrong_low)
    ]
    low = kernel_verdicts(if_equal(arg_low(index), value & 0xFFFFFFFF), calls)
    high = kernel_verdicts(if_equal(arg_high(index), value >> 32), calls)
    assert low == [11, 11, 22] * 2
    assert high == [11, 22, 11] * 2


def test_every_number_is_filtered(kernel_verdicts, int80):
    """Also those that the kernel treats specially elsewhere: rt_sigreturn, restart_syscall."""
    numbers = [nr for nr in range(1024) if nr not in (335, 336)]
    calls = [(SYSCALL, nr, NO_ARGS) for nr in numbers]
    calls += [(SYSCALL, X32_BIT | nr, NO_ARGS) for nr in range(1024)]
    calls += [(int80, nr, NO_ARGS) for nr in range(1024)]
    assert set(kernel_verdicts(errno(4095), calls)) == {4095}


@pytest.mark.parametrize("nr", [335, 336])
def test_numbers_that_ignore_filters_cannot_be_asked_for(kernel_verdicts, int80, nr):
    with pytest.raises(ValueError, match=str(nr)):
        kernel_verdicts(errno(1), [(SYSCALL, nr, NO_ARGS)])
    others = [(SYSCALL, X32_BIT | nr, NO_ARGS), (int80, nr, NO_ARGS)]
    assert kernel_verdicts(errno(1), others) == [1, 1]


def test_rewritten_returns_name_the_original_action(kernel_verdicts, rewrite_returns):
    program = load(NR) + jump_equal(39, 0, 1) + ret(ALLOW)
    program += jump_equal(40, 0, 1) + ret(KILL) + jump_equal(41, 0, 1) + ret(ALLOW) + errno(1)
    rewritten, original = rewrite_returns(program)
    assert sorted(original.values()) == sorted([ALLOW, KILL, 0x00050001])
    verdicts = kernel_verdicts(rewritten, [(SYSCALL, nr, NO_ARGS) for nr in range(39, 43)])
    assert [original[code] for code in verdicts] == [ALLOW, KILL, ALLOW, 0x00050001]


def test_rewriting_leaves_everything_but_the_returns(rewrite_returns):
    program = if_equal(NR, 6) + load(ARCH)  # the operand 6 is no RET
    rewritten, _ = rewrite_returns(program)
    kept = [slice(0, 16), slice(32, 40)]
    assert [rewritten[part] for part in kept] == [program[part] for part in kept]


def test_rewriting_uses_all_of_the_errno_codes(rewrite_returns):
    program = b"".join(ret(value) for value in range(4095))
    _, original = rewrite_returns(program)
    assert sorted(original) == list(range(1, 4096))
    with pytest.raises(ValueError, match="4096 distinct returns"):
        rewrite_returns(program + ret(4095))


@pytest.mark.parametrize("program", [struct.pack("=HBBI", 0x16, 0, 0, 0), b"\0" * 7])
def test_what_cannot_be_rewritten_is_refused(rewrite_returns, program):
    with pytest.raises(ValueError, match=r"RET K|whole number"):
        rewrite_returns(program)


@pytest.mark.parametrize("action", [ALLOW, KILL, 0x00050000, 0x00051000, 0x00030001])
def test_a_program_that_would_carry_calls_out_is_refused(kernel_verdicts, action):
    with pytest.raises(ValueError, match="rewrite_returns first"):
        kernel_verdicts(ret(action), [(SYSCALL, 39, NO_ARGS)])


def test_a_filter_that_the_kernel_refuses_is_an_error(kernel_verdicts):
    with pytest.raises(RuntimeError, match="refused the filter: Invalid argument"):
        kernel_verdicts(load(1) + errno(1), [(SYSCALL, 39, NO_ARGS)])
    with pytest.raises(RuntimeError, match="refused the filter"):
        kernel_verdicts(b"", [])


def test_no_calls_is_no_verdicts(kernel_verdicts):
    assert kernel_verdicts(errno(1), []) == []


def test_many_verdicts(kernel_verdicts, capsys):
    """One load serves a whole differential: every number with several argument values."""
    program = load(arg_low(1)) + jump_greater_equal(1 << 31, 0, 1) + errno(11)
    program += load(NR) + jump_greater_equal(200, 0, 1) + errno(22) + errno(33)
    numbers = [nr for nr in range(512) if nr not in (335, 336)]
    values = [v for bit in range(64) for v in (1 << bit, (1 << bit) - 1)]
    calls = [
        (SYSCALL, nr, (7, value, 0, 0, 0, 0)) for nr, value in itertools.product(numbers, values)
    ]
    expected = [
        11 if args[1] & 0xFFFFFFFF >= 1 << 31 else 22 if nr >= 200 else 33 for _, nr, args in calls
    ]
    start = time.perf_counter()
    verdicts = kernel_verdicts(program, calls)
    elapsed = time.perf_counter() - start
    with capsys.disabled():
        print(f"\n{len(calls)} verdicts of the real kernel in {elapsed * 1000:.0f} ms")
    assert verdicts == expected
