"""What the words of a condition mean on one ABI: which register, how wide, which number.

The width and the signedness of an argument are the kernel's: they come from the system
call's prototype. The oracle and the lowering both stand on this module; how a comparison is
carried out each decides on its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..policies.errors import InputError
from ..policies.model import Constant, Operand
from ..policies.problems import did_you_mean
from ..policies.source import Problem
from .syscalls import Abi, arguments, constant, constant_names

ARGUMENT_COUNT = 6


@dataclass(frozen=True, slots=True)
class Register:
    """An argument as a condition compares it on one ABI."""

    argument: int
    """0 to 5."""
    bits: int
    """How many of the register's low bits count: 16, 32 or 64."""
    signed: bool
    """Whether they are two's complement; never with a mask, never for u64(…)."""
    mask: int | None
    """What is kept of the value before it is compared, within `bits`."""

    @property
    def lowest(self) -> int:
        """The least value that can be compared."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def highest(self) -> int:
        """The greatest value that can be compared."""
        if self.mask is not None:
            return self.mask
        return (1 << (self.bits - self.signed)) - 1

    def values(self) -> str:
        """What it can hold, for messages."""
        if self.mask is not None:
            return f"only bits of {self.mask:#x}, without a sign"
        return f"{self.lowest}..{self.highest}"

    def describe(self) -> str:
        """Such as `a signed 32-bit argument`."""
        if self.mask is not None:
            return f"masked with {self.mask:#x}"
        return f"{'a signed' if self.signed else 'an unsigned'} {self.bits}-bit argument"


def by_abi(found: Sequence[tuple[Abi, Sequence[Problem]]]) -> list[Problem]:
    """What was found on each ABI that was tried, as one list that names ABIs where it must.

    A problem that all of them have is said once, without them.
    """
    homes: dict[Problem, list[str]] = {}
    for abi, problems in found:
        for problem in dict.fromkeys(problems):
            homes.setdefault(problem, []).append(abi.name)
    return [
        problem
        if len(names) == len(found)
        else replace(problem, message=f"{problem.message} (on {', '.join(names)})")
        for problem, names in homes.items()
    ]


def is_positional(name: str) -> bool:
    """Whether an argument's name is its position: arg0 to arg5."""
    return re.fullmatch(r"arg[0-5]", name) is not None


def register(operand: Operand, call: str, abi: Abi) -> Register:
    """The register that the operand reads in this system call.

    Raises InputError when the call has no such argument on the ABI, when it is a pointer,
    or when the mask does not fit.
    """
    index, bits, signed = _argument(operand, call, abi)
    if bits == 64 and operand.mask is None and not operand.full:
        _refuse_if_sometimes_cut(operand, call)
    if operand.full:
        bits, signed = abi.registers, False
    if operand.mask is None:
        return Register(index, bits, signed, None)
    mask = number(operand.mask, abi, bits)
    top = (1 << bits) - 1
    if mask < 0 or mask > top:
        raise InputError.of(
            f"the mask {mask:#x} has bits outside the {bits}-bit argument `{operand.argument}` "
            f"of {call}",
            operand.mask.at,
        )
    if mask == 0:
        raise InputError.of("a mask of 0 leaves nothing to compare", operand.mask.at)
    return Register(index, bits, False, mask)


SOMETIMES_CUT = {
    "prctl": ("arg2", "arg3", "arg4", "arg5"),
    "keyctl": ("arg2", "arg3", "arg4", "arg5"),
    "fcntl": ("arg",),
    "semctl": ("arg",),
}
"""Arguments that some operations of the call use whole and others as an int: kernel/sys.c,
security/keys/keyctl.c, fs/fcntl.c, ipc/sem.c."""


def _refuse_if_sometimes_cut(operand: Operand, call: str) -> None:
    name = operand.argument
    if name in SOMETIMES_CUT.get(call, ()):
        raise InputError.of(
            f"`{name}` of {call} is cut to 32 bits by some operations and not by others",
            operand.at,
            f"say which you mean: `{name} & 0xffffffff`, or `u64({name})`",
        )


def _argument(operand: Operand, call: str, abi: Abi) -> tuple[int, int, bool]:
    """Index, bits and signedness of the argument that an operand names."""
    wanted, prototype = operand.argument, arguments(call, abi)
    positional = is_positional(wanted)
    if prototype is None:
        if positional and operand.full and int(wanted[3:]) < ARGUMENT_COUNT:
            return int(wanted[3:]), abi.registers, False
        raise InputError.of(
            f"the arguments of {call} are not known",
            operand.at,
            "compare whole registers: u64(arg0) to u64(arg5)",
        )
    names = [argument.name for argument in prototype]
    own_numbering = any(map(is_positional, names))  # prctl, keyctl
    if wanted in names:
        index = names.index(wanted)
    elif positional and not own_numbering and int(wanted[3:]) < len(names):
        index = int(wanted[3:])
    else:
        raise _no_such_argument(operand, call, names)
    argument = prototype[index]
    if argument.pointer and not operand.full:
        raise InputError.of(
            f"`{wanted}` of {call} is a pointer: a filter sees the address, "
            "never what stands there",
            operand.at,
            "decide on another argument, or deny the call",
        )
    return index, argument.bits, argument.signed


def _no_such_argument(operand: Operand, call: str, names: list[str]) -> InputError:
    wanted = operand.argument
    if f"{wanted}_lo" in names:
        return InputError.of(
            f"`{wanted}` of {call} is split into two registers: `{wanted}_lo` and `{wanted}_hi`",
            operand.at,
            "give the rule `architectures:`, and 32-bit ones a rule of their own",
        )
    listed = f"it has {', '.join(names)}" if names else "it takes none"
    message = f"{call} has no argument `{wanted}`{did_you_mean(wanted, names)}"
    return InputError.of(message, operand.at, listed)


def number(constant_: Constant, abi: Abi, bits: int = 64) -> int:
    """The value of a constant on the ABI; `bits` is the width that `~` fills.

    Raises InputError for a name that the ABI's headers do not define.
    """
    value = 0
    for term in constant_.terms:
        if isinstance(term.value, int):
            value |= term.value
            continue
        known = constant(term.value, abi)
        if known is None:
            if term.value in constant_names():
                raise InputError.of(f"`{term.value}` is not defined here", term.at)
            guess = did_you_mean(term.value, constant_names())
            raise InputError.of(f"unknown constant `{term.value}`{guess}", term.at)
        value |= known
    return ~value & ((1 << bits) - 1) if constant_.complement else value
