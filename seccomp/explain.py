"""Why a call gets its answer: from a filter, with arguments that may be left open."""

from __future__ import annotations

from dataclasses import dataclass

from . import bpf, numbers
from .calls import ResolvedCall
from .diagram import Diagrams
from .filter import NEVER, AbiFilter, Clause, Filter, holds
from .simulate import SeccompData, simulate
from .syscalls import Abi, arguments


@dataclass(frozen=True, slots=True)
class Alternative:
    """One answer that the arguments left open can still bring about."""

    value: int
    example: str
    """A call that gets it."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer to a call on one ABI and what decides it."""

    abi: Abi
    call: ResolvedCall
    value: int
    """The SECCOMP_RET_* value; with arguments left open, that for zeros."""
    rule: int | None
    """The index of the deciding rule or entry; None: the default, or no rule at all."""
    because: str
    """In a few words, where no rule decides; for a program, where it returned."""
    alternatives: tuple[Alternative, ...] = ()
    """Every possible answer, when what was not said makes a difference."""


def explain_filter(filter_: Filter, abi: Abi, call: ResolvedCall) -> Explanation:
    """What a resolved filter answers to a call that comes through this ABI."""
    x32_named = any(each.abi.name == "x32" for each in filter_.abis)
    named = [each.abi for each in filter_.abis]
    through = numbers.abi_of(abi.audit_arch, call.nr, named)
    mine = None if through is None else filter_.of(through)
    if mine is None:
        because = f"{abi.name} is not among the architectures"
        return Explanation(abi, call, numbers.FOREIGN, None, because)
    if call.nr not in mine.calls:
        value = numbers.nameless(mine, call.nr, x32_named=x32_named)
        if call.name.startswith("#"):
            newer = call.nr > mine.last
            because = "the number is newer than the table" if newer else "no call has this number"
            return Explanation(abi, call, value, None, because)
        if call.nr > mine.last:
            because = "the call is newer than any that is named"
            return Explanation(abi, call, value, None, because)
        return Explanation(abi, call, mine.default, None, "no rule names it: the default")
    return _decided(mine, abi, call)


def _decided(filter_: AbiFilter, abi: Abi, call: ResolvedCall) -> Explanation:
    clauses = filter_.calls[call.nr]
    diagrams = Diagrams()
    meaning = diagrams.clauses(clauses, filter_.default)
    for argument, value in call.given:
        meaning = diagrams.restrict(meaning, argument, value)
    first = next((c for c in clauses if holds(c.test, call.registers)), None)
    if diagrams.is_leaf(meaning):
        return Explanation(
            abi,
            call,
            diagrams.value(meaning),
            None if first is None else first.rule,
            "" if first is not None else _nobody(clauses),
        )
    alternatives = []
    for value in diagrams.values(meaning):
        example = diagrams.example(meaning, value)
        assert example is not None
        alternatives.append(Alternative(value, written(call, abi, {**dict(call.given), **example})))
    return Explanation(
        abi,
        call,
        filter_.default if first is None else first.value,
        None if first is None else first.rule,
        "" if first is not None else _nobody(clauses),
        tuple(alternatives),
    )


def _nobody(clauses: tuple[Clause, ...]) -> str:
    if all(clause.test == NEVER for clause in clauses):
        return "no rule counts here: the default"
    return "the condition of no rule holds: the default"


def explain_program(program: bpf.Program, abi: Abi, call: ResolvedCall) -> Explanation:
    """What a program answers to a call that comes through this ABI."""
    trail: list[int] = []
    data = SeccompData(call.nr, abi.audit_arch, call.registers)
    result = simulate(program, data, big_endian=abi.big_endian, trail=trail)
    read = {
        (program[at].k - bpf.OFFSET_ARGUMENTS) // 8
        for at in trail
        if program[at].code == bpf.LOAD and program[at].k >= bpf.OFFSET_ARGUMENTS
    }
    because = f"instruction {result.last:04}, after {result.instructions} executed"
    open_ = sorted(read - dict(call.given).keys())
    if open_:
        names = ", ".join(argument_name(call.name, abi, index) for index in open_)
        because += f"; it looked at {names}, which you did not give (taken as 0)"
    return Explanation(abi, call, result.value, None, because)


def argument_name(call: str, abi: Abi, index: int) -> str:
    """The prototype's name for an argument, or argN."""
    prototype = arguments(call, abi)
    return prototype[index].name if prototype and index < len(prototype) else f"arg{index}"


def written(call: ResolvedCall, abi: Abi, given: dict[int, int]) -> str:
    """A call as it can be given to `stockade explain`."""
    parts = []
    for index, value in sorted(given.items()):
        prototype = arguments(call.name, abi)
        known = prototype is not None and index < len(prototype)
        fits = known and prototype is not None and value < 1 << prototype[index].bits
        name = argument_name(call.name, abi, index) if fits else f"arg{index}"
        parts.append(f"{name}={value:#x}" if value > 9 else f"{name}={value}")
    return f"{call.name}({', '.join(parts)})"
