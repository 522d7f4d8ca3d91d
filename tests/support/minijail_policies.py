"""Reads a .policy file as minijail0 does, and answers calls by it.

google/minijail, minijail0.5 (`Seccomp_Filter Syntax`) and syscall_filter.c: compile_file,
compile_policy_line. Numbers and words that this reader does not know are errors.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stockade.seccomp import actions
from stockade.seccomp.syscalls import Abi, table

ATOM = re.compile(r"arg([0-5]) (==|!=|<=|>=|<|>|&|in) (0[xX][0-9a-fA-F]+|[1-9]\d*|0)")
KILL = actions.KILL_THREAD


@dataclass(frozen=True)
class Line:
    """Groups of atoms, joined by or; without groups, nothing holds. Elsewhere: `otherwise`."""

    groups: tuple[tuple[tuple[int, str, int], ...], ...]
    otherwise: int
    always: bool = False


def read_policy(text: str, abi: Abi) -> dict[int, Line]:
    """The line of every number."""
    found: dict[int, Line] = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line[0] == "#":
            continue
        name, colon, rest = line.partition(":")
        assert colon, line
        number = table(abi).by_name[name.strip()]
        assert number not in found, f"{name} redefined"
        found[number] = _line(rest.strip())
    return found


def _line(text: str) -> Line:
    if text == "1":
        return Line((), KILL, always=True)
    if text.startswith("return"):
        return Line((), _return(text))
    expression, semicolon, rest = text.partition(";")
    groups = tuple(
        tuple(_atom(atom.strip()) for atom in group.split("&&")) for group in expression.split("||")
    )
    return Line(groups, _return(rest.strip()) if semicolon else KILL)


def _return(text: str) -> int:
    found = re.fullmatch(r"return (\d+)", text)
    assert found, text
    return actions.ERRNO | int(found[1])


def _atom(text: str) -> tuple[int, str, int]:
    found = ATOM.fullmatch(text)
    assert found, text
    value = int(found[3], 0)
    assert value < 1 << 64
    return int(found[1]), found[2], value


def answer(
    policy: dict[int, Line], abi: Abi, arch: int, number: int, registers: Sequence[int]
) -> int:
    """What the program that minijail makes of the policy returns."""
    line = policy.get(number)
    if arch != abi.audit_arch or line is None:
        return KILL
    top = (1 << abi.registers) - 1
    if line.always or any(
        all(
            _holds(registers[argument] & top, operator, value)
            for argument, operator, value in group
        )
        for group in line.groups
    ):
        return actions.ALLOW
    return line.otherwise


def _holds(register: int, operator: str, value: int) -> bool:
    match operator:
        case "==":
            return register == value
        case "!=":
            return register != value
        case "<":
            return register < value
        case "<=":
            return register <= value
        case ">":
            return register > value
        case ">=":
            return register >= value
        case "&":
            return register & value != 0
        case _:
            return register & ~value == 0
