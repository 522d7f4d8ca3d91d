"""BPF programs: reading bytes, assembling long programs, simulating, showing as text."""

import struct
from pathlib import Path

import pytest
from golden import holds
from hypothesis import given
from hypothesis import strategies as st

from stockade.policies import load, load_text
from stockade.policies.errors import InputError
from stockade.seccomp import bpf
from stockade.seccomp.assemble import assemble
from stockade.seccomp.bpf import Instruction
from stockade.seccomp.build import Build
from stockade.seccomp.disassemble import disassemble
from stockade.seccomp.filter import Environment, resolve
from stockade.seccomp.graph import Graph
from stockade.seccomp.lower import lower
from stockade.seccomp.optimize import compile_filter
from stockade.seccomp.simulate import SeccompData, simulate
from stockade.seccomp.syscalls import abi, family_of
from stockade.seccomp.targets import Request, compile_program, selected

BUILD = Build(family_of(abi("x86_64")))
BARE = Environment(frozenset(), (6, 1))
REQUEST = Request(BUILD, BARE)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_are_a_program_or_refused(raw: bytes, big_endian: bool) -> None:
    try:
        program = bpf.decode(raw, big_endian=big_endian)
    except InputError:
        return
    assert bpf.encode(program, big_endian=big_endian) == raw
    disassemble(program, big_endian=big_endian)


CODES = [
    0x20, 0x80, 0x81, 0x06, 0x16, 0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x84, 0xA4,
    0x0C, 0x1C, 0x2C, 0x3C, 0x4C, 0x5C, 0x6C, 0x7C, 0xAC, 0x00, 0x01, 0x07, 0x87, 0x60, 0x61,
    0x02, 0x03, 0x05, 0x15, 0x25, 0x35, 0x45, 0x1D, 0x2D, 0x3D, 0x4D,
]  # fmt: skip
INSTRUCTIONS = st.builds(
    Instruction,
    st.sampled_from(CODES),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 64) | st.integers(0, 0xFFFFFFFF),
)


@given(st.lists(INSTRUCTIONS, max_size=30), st.lists(st.integers(0, (1 << 64) - 1), max_size=6))
def test_accepted_programs_end(body: list[Instruction], registers: list[int]) -> None:
    raw = bpf.encode([*body, Instruction(bpf.RET, k=5)], big_endian=False)
    try:
        program = bpf.decode(raw)
    except InputError:
        return
    result = simulate(program, SeccompData(1, 2, tuple(registers)))
    assert result.instructions <= len(program)
    disassemble(program)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ([Instruction(bpf.LOAD, k=3), Instruction(bpf.RET)], "loads offset 3"),
        ([Instruction(bpf.LOAD, k=64), Instruction(bpf.RET)], "loads offset 64"),
        ([Instruction(bpf.JUMP, k=1), Instruction(bpf.RET)], "past the end"),
        ([Instruction(bpf.JEQ, 1, 0), Instruction(bpf.RET)], "past the end"),
        ([Instruction(bpf.LOAD, k=0)], "the last instruction is no return"),
        ([Instruction(0x30, k=0), Instruction(bpf.RET)], "none that seccomp accepts"),
        ([Instruction(0x34, k=0), Instruction(bpf.RET)], "divides by zero"),
        ([Instruction(0x60, k=16), Instruction(bpf.RET)], "uses scratch word 16"),
    ],
)
def test_what_the_kernel_refuses_is_refused(program: list[Instruction], message: str) -> None:
    with pytest.raises(InputError, match=message):
        bpf.decode(bpf.encode(program, big_endian=False))


@pytest.mark.parametrize("size", [0, 4, 8 * 4097])
def test_sizes(size: int) -> None:
    with pytest.raises(InputError):
        bpf.decode(struct.pack("<HBBI", 6, 0, 0, 0) * (size // 8) + b"\0" * (size % 8))


def test_far_jumps_are_bridged() -> None:
    """A ladder so long that neither returns nor blocks are in reach of a conditional jump."""
    graph = Graph()
    allow, deny = graph.answer(0x7FFF0000), graph.answer(0x00050001)
    block = graph.load(16, graph.branch(bpf.JEQ, 7, allow, deny))
    step = deny
    for number in reversed(range(1000)):
        step = graph.branch(bpf.JEQ, number, block if number % 2 else allow, step)
    program = assemble(graph, graph.load(0, step))
    assert bpf.decode(bpf.encode(program, big_endian=False)) == program
    for number in (0, 1, 2, 499, 500, 998, 999, 1000):
        for value in (7, 8):
            expected = 0x7FFF0000
            if number >= 1000 or (number % 2 and value != 7):
                expected = 0x00050001
            assert simulate(program, SeccompData(number, 0, (value,))).value == expected


def test_too_long_is_refused() -> None:
    graph = Graph()
    step = graph.answer(0)
    for number in range(5000):
        step = graph.branch(bpf.JEQ, number, graph.answer(0x7FFF0000), step)
    with pytest.raises(InputError, match="the kernel takes at most 4096"):
        assemble(graph, graph.load(0, step))


def test_instructions_for_docker_default() -> None:
    """At most 450 on the three x86 ABIs; libseccomp's linear program has 1,025."""
    policy = selected(load("docker-default").require(), ["x86_64", "x86", "x32"])
    assert len(compile_program(policy, REQUEST)) <= 450


SMALL = """
stockade: 1
name: small
seccomp:
  default: deny
  architectures: [x86_64, aarch64]
  rules:
    - allow: [read, write, exit_group]
    - allow: socket
      when: family in {AF_UNIX, AF_INET} and type & SOCK_TYPE_MASK == SOCK_STREAM
    - allow: lseek
      when: offset >= 0x100000005
"""


def test_listing_of_a_small_program() -> None:
    """The bytes are pinned once, as text that can be read."""
    filter_ = resolve(lower(load_text(SMALL).require(), BUILD), BARE)
    golden = Path(__file__).parents[1] / "golden" / "small.bpf.txt"
    holds(golden, disassemble(compile_filter(filter_)))
