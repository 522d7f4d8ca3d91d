"""Calls that are worth trying under a policy, and what the oracle says of them."""

from collections.abc import Iterator

from stockade.policies.model import Policy
from stockade.seccomp.boundaries import calls_to_try
from stockade.seccomp.build import Build
from stockade.seccomp.evaluate import decide
from stockade.seccomp.filter import Environment, Filter, resolve
from stockade.seccomp.lower import lower
from stockade.seccomp.numbers import breakpoints
from stockade.seccomp.simulate import SeccompData
from stockade.seccomp.syscalls import table

#: One call: AUDIT_ARCH_* value, number, six registers.
Trial = tuple[int, int, tuple[int, ...]]

BARE = Environment(frozenset(), (6, 1))
ADMIN = Environment(frozenset({"CAP_SYS_ADMIN"}), (6, 1))


def resolved(policy: Policy, build: Build, environment: Environment) -> Filter:
    """The filter of a policy in an environment."""
    return resolve(lower(policy, build), environment)


def trials(filter_: Filter, *, every_number: bool = True) -> Iterator[Trial]:
    """Every number of every ABI, its neighbours and ends, with every boundary value."""
    for each in filter_.abis:
        arch = each.abi.audit_arch
        numbers = set(each.calls)
        if every_number:
            numbers |= set(table(each.abi).by_number)
            numbers |= {nr + 1 for nr in numbers} | {nr - 1 for nr in numbers if nr}
        for edge in breakpoints(each):
            numbers |= {edge, max(0, edge - 1), (edge + 1) & 0xFFFFFFFF}
        for nr in sorted(numbers):
            for registers in calls_to_try(each.calls.get(nr, ())):
                yield arch, nr, registers


def data(trial: Trial) -> SeccompData:
    """A trial as the kernel shows it to a filter."""
    arch, nr, registers = trial
    return SeccompData(nr, arch, registers)


def foreign_trials() -> list[Trial]:
    """Calls through an architecture that no policy of the tests names."""
    return [(0xC00000F3 ^ 0x1000, nr, (0,) * 6) for nr in (0, 1, 59, 0xFFFFFFFF)]


def answer(policy: Policy, build: Build, environment: Environment, trial: Trial) -> int:
    """The oracle's SECCOMP_RET_* value."""
    return decide(policy, build, environment, *trial).value
