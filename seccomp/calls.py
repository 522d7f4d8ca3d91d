"""A written call as the kernel sees it on one ABI: a number and registers."""

from __future__ import annotations

from dataclasses import dataclass

from ..policies.errors import InputError
from ..policies.model import Call, CallArgument
from ..policies.problems import did_you_mean
from .operands import ARGUMENT_COUNT, is_positional, number
from .syscalls import Abi, arguments, known_names, table

REGISTER = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class ResolvedCall:
    """A system call with the registers that were given for it."""

    name: str
    """Its name on the ABI, or `#999` where the table has none."""
    nr: int
    given: tuple[tuple[int, int], ...]
    """(argument index, 64-bit register value), ascending; the others were not said."""

    @property
    def registers(self) -> tuple[int, ...]:
        """All six registers; what was not said is 0."""
        given = dict(self.given)
        return tuple(given.get(index, 0) for index in range(ARGUMENT_COUNT))


def resolve_call(call: Call, abi: Abi) -> ResolvedCall:
    """The call on this ABI.

    Raises InputError for an unknown name, argument or constant, and for a value that does
    not fit.
    """
    by_name, by_number = table(abi).by_name, table(abi).by_number
    if isinstance(call.name, int):
        name, nr = by_number.get(call.name, f"#{call.name}"), call.name
    elif call.name in by_name:
        name, nr = call.name, by_name[call.name]
    elif call.name in known_names():
        raise InputError.of(f"no system call `{call.name}` here", call.at)
    else:
        guess = did_you_mean(call.name, known_names())
        raise InputError.of(f"unknown system call `{call.name}`{guess}", call.at)
    given = dict(_argument(argument, name, abi) for argument in call.arguments)
    return ResolvedCall(name, nr, tuple(sorted(given.items())))


def _argument(argument: CallArgument, name: str, abi: Abi) -> tuple[int, int]:
    prototype = arguments(name, abi)
    names = [each.name for each in prototype or ()]
    key = argument.key
    if isinstance(key, str):
        if key in names:
            index = names.index(key)
        elif is_positional(key) and not any(map(is_positional, names)):
            index = int(key[3:])
        else:
            listed = f"it has {', '.join(names)}" if names else ""
            raise InputError.of(
                f"{name} has no argument `{key}`{did_you_mean(key, names)}",
                argument.at,
                listed,
            )
    else:
        index = key
        if prototype is not None and index >= len(prototype):
            raise InputError.of(
                f"{name} takes {len(prototype)} arguments",
                argument.at,
                f"they are {', '.join(names)}",
            )
    value = number(argument.value, abi)
    bits = prototype[index].bits if index < len(names) and prototype else 64
    if isinstance(key, str) and key in names and not _fits(value, bits):
        raise InputError.of(
            f"`{key}` of {name} has {bits} bits; {value:#x} does not fit",
            argument.at,
            f"name the register to set its high bits: arg{index}={value:#x}",
        )
    return index, value & REGISTER


def _fits(value: int, bits: int) -> bool:
    return -(1 << (bits - 1)) <= value < 1 << bits
