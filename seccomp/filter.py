"""The filter: what a policy means, with every name turned into numbers.

Between the policy, which people write, and the programs and profiles, which consumers
load, stands this one form. It says for each ABI and each system call number, in deciding
order, under which test on the arguments which answer is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .syscalls import Abi

Ranges = tuple[tuple[int, int], ...]
"""Unsigned intervals, both ends included, ascending, neither touching nor overlapping."""


@dataclass(frozen=True, slots=True)
class Member:
    """`register & mask` lies in one of the ranges.

    The unsigned value compared has `bits` bits: with 32 the register's upper half takes no
    part, whatever it holds (the kernel drops it too before it runs the call).
    """

    argument: int
    """0 to 5."""
    bits: int
    """32 or 64."""
    mask: int
    ranges: Ranges
    """Within 0..mask; neither none of it nor all of it."""


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; with no parts, always."""

    parts: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds; with no parts, never."""

    parts: tuple[Test, ...]


Test = Member | All | Any
ALWAYS = All(())
NEVER = Any(())


def members(test: Test) -> Iterator[Member]:
    """Every comparison in a test, from left to right."""
    match test:
        case Member():
            yield test
        case All(parts) | Any(parts):
            for part in parts:
                yield from members(part)


def holds(test: Test, registers: Sequence[int]) -> bool:
    """Whether a test holds for six 64-bit registers."""
    match test:
        case All(parts):
            return all(holds(part, registers) for part in parts)
        case Any(parts):
            return any(holds(part, registers) for part in parts)
        case Member(argument, bits, mask, ranges):
            value = registers[argument] & ((1 << bits) - 1) & mask
            return any(low <= value <= high for low, high in ranges)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What must be true of container and host for a clause to count."""

    capabilities: frozenset[str] = frozenset()
    """All of these, in the container's bounding set."""
    kernel_from: tuple[int, int] | None = None
    """Inclusive."""
    kernel_below: tuple[int, int] | None = None
    """Exclusive."""

    def met_by(self, environment: Environment) -> bool:
        """Whether the requirement holds there."""
        return (
            self.capabilities <= environment.capabilities
            and (self.kernel_from is None or environment.kernel >= self.kernel_from)
            and (self.kernel_below is None or environment.kernel < self.kernel_below)
        )


NOTHING = Requirement()


@dataclass(frozen=True, slots=True)
class Environment:
    """The container's capabilities and the host's kernel, as far as policies can ask."""

    capabilities: frozenset[str]
    kernel: tuple[int, int]
    """major, minor."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule, as it concerns one system call of one ABI."""

    test: Test
    value: int
    """The SECCOMP_RET_* answer."""
    requires: Requirement = NOTHING
    rule: int = field(default=-1, compare=False)
    """Index in the policy's rules, for messages; -1 when there is none."""


@dataclass(frozen=True, slots=True)
class AbiFilter:
    """The filter of one ABI."""

    abi: Abi
    default: int
    """For numbers that no clause decides."""
    newer: int
    """For numbers above `last`."""
    last: int
    """The highest number known: the last one of the table, or that a profile mentions."""
    calls: Mapping[int, tuple[Clause, ...]]
    """By number, in deciding order; a number that is missing gets the default."""


@dataclass(frozen=True, slots=True)
class Filter:
    """The filters of all ABIs that the policy names; any other ABI is killed."""

    abis: tuple[AbiFilter, ...]

    def of(self, abi: Abi) -> AbiFilter | None:
        """The filter of this ABI, or None when the policy does not name it."""
        return next((each for each in self.abis if each.abi.name == abi.name), None)


def settle(clauses: tuple[Clause, ...], environment: Environment) -> tuple[Clause, ...]:
    """The clauses that count in the environment, up to the first that always decides."""
    settled: list[Clause] = []
    for clause in clauses:
        if clause.test != NEVER and clause.requires.met_by(environment):
            settled.append(Clause(clause.test, clause.value, NOTHING, clause.rule))
            if clause.test == ALWAYS:
                break
    return tuple(settled)


def resolve(filter_: Filter, environment: Environment) -> Filter:
    """The filter as it is in one environment: no clause requires anything any more."""
    return Filter(
        tuple(
            AbiFilter(
                each.abi,
                each.default,
                each.newer,
                each.last,
                {number: settle(clauses, environment) for number, clauses in each.calls.items()},
            )
            for each in filter_.abis
        )
    )
