"""A .policy file -> Filter, as `minijail0 -S` reads it; the opposite of `minijail`.

google/minijail, minijail0.5 (Seccomp_Filter Syntax) and syscall_filter.c: compile_file,
compile_policy_line, compile_atom. What the files of the minijail target do not have (includes,
constants by name, other words for answers) is refused: it is not guessed at.
"""

from __future__ import annotations

import re

from ..policies.errors import InputError
from ..policies.source import Location, Source
from . import actions
from .filter import ALWAYS, NEVER, AbiFilter, All, Any, Clause, Filter, Member, Test
from .ranges import complement, normalize
from .refusals import LARGEST_ERRNO
from .syscalls import Abi, table

_ATOM = re.compile(r"arg([0-5]) (==|!=|<=|>=|<|>|&|in) (0x[0-9a-fA-F]{1,16}|[1-9]\d{0,19}|0)")


def read_minijail(source: Source, abi: Abi) -> Filter:
    """The filter of the one architecture that a file serves.

    A clause's `rule` is the number of its line. Raises InputError for what is not understood.
    """
    calls: dict[int, tuple[Clause, ...]] = {}
    for number, text in enumerate(source.lines, 1):
        line = text.strip()
        if not line or line[0] == "#":
            continue
        at = Location(source, number, 1, len(text))
        name, colon, rest = line.partition(":")
        if not colon:
            raise InputError.of("no `call: answer`, which is all that can be read here", at)
        nr = table(abi).by_name.get(name.strip())
        if nr is None:
            raise InputError.of(f"{abi.name} has no system call `{name.strip()}`", at)
        if nr in calls:
            raise InputError.of(f"a second line for {name.strip()}", at)
        calls[nr] = _clauses(rest.strip(), abi, at)
    kill = actions.KILL_THREAD
    return Filter((AbiFilter(abi, kill, kill, max(table(abi).by_number), calls),))


def _clauses(text: str, abi: Abi, at: Location) -> tuple[Clause, ...]:
    if text == "1":
        return (Clause(ALWAYS, actions.ALLOW, rule=at.line),)
    if text.startswith("return"):
        return (Clause(ALWAYS, _returned(text, at), rule=at.line),)
    expression, semicolon, rest = text.partition(";")
    groups = tuple(
        All(tuple(_atom(atom.strip(), abi, at) for atom in group.split("&&")))
        for group in expression.split("||")
    )
    otherwise = _returned(rest.strip(), at) if semicolon else actions.KILL_THREAD
    return (
        Clause(Any(groups), actions.ALLOW, rule=at.line),
        Clause(ALWAYS, otherwise, rule=at.line),
    )


def _returned(text: str, at: Location) -> int:
    found = re.fullmatch(r"return (\d{1,4})", text)
    if found is None or int(found[1]) > LARGEST_ERRNO + 1:
        raise InputError.of("no `return ERRNO` with a number up to 4095", at)
    return actions.ERRNO | int(found[1])


def _atom(text: str, abi: Abi, at: Location) -> Test:
    """One comparison of a whole register, unsigned."""
    found = _ATOM.fullmatch(text)
    top = (1 << abi.registers) - 1
    value = int(found[3], 0) if found else 0
    if found is None or value > top:
        raise InputError.of(f"`{text}` is no comparison that can be read here", at)
    argument, operator = int(found[1]), found[2]
    if operator == "&":
        return Member(argument, abi.registers, value, ((1, value),)) if value else NEVER
    if operator == "in":
        outside = top & ~value
        return Member(argument, abi.registers, outside, ((0, 0),)) if outside else ALWAYS
    ranges = normalize(
        {
            "==": [(value, value)],
            "!=": [(0, value - 1), (value + 1, top)],
            "<": [(0, value - 1)],
            "<=": [(0, value)],
            ">": [(value + 1, top)],
            ">=": [(value, top)],
        }[operator]
    )
    if not ranges:
        return NEVER
    return Member(argument, abi.registers, top, ranges) if complement(ranges, top) else ALWAYS
