"""Profile -> Filter: what an engine, runc and libseccomp make of a profile on one host.

The opposite of `docker`: with it a profile that somebody else wrote can be explained,
linted and compared like a policy. The steps are those of moby (setupSeccomp), runc
(InitSeccomp, patchbpf) and libseccomp (abi_rule_add, _db_rule_gen_32), in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..policies.errors import InputError
from . import actions, libseccomp
from .filter import ALWAYS, NEVER, NOTHING, AbiFilter, Clause, Environment, Filter, Member, Test
from .lower import conjunction
from .profile import EVERYWHERE, Check, Condition, Entry, Profile
from .ranges import complement, normalize
from .syscalls import ABIS, Abi, Family, table


def interpret(profile: Profile, host: Family, environment: Environment) -> Filter:
    """The filter that a container gets on a host of this family.

    A clause's `rule` is the index of its entry in the profile. Raises InputError for an
    architecture that libseccomp does not know.
    """
    abis = _architectures(profile, host)
    counted = [
        (index, entry)
        for index, entry in enumerate(profile.entries)
        if _counts(entry, host.native, environment)
    ]
    return Filter(tuple(_abi_filter(profile, abi, counted) for abi in abis))


def without_stub(filter_: Filter) -> Filter:
    """What a filter is without runc's own answer to newer numbers: they get the default.

    So crun and systemd have it, which leave everything to libseccomp.
    """
    return Filter(tuple(replace(each, newer=each.default) for each in filter_.abis))


def for_runtime(profile: Profile, host: Family, environment: Environment) -> Profile:
    """What Docker hands to the runtime: conditions settled, the host's architectures named."""
    abis = _architectures(profile, host)
    return replace(
        profile,
        entries=tuple(
            replace(entry, includes=EVERYWHERE, excludes=EVERYWHERE)
            for entry in profile.entries
            if _counts(entry, host.native, environment)
        ),
        arch_map=(),
        architectures=tuple(each.scmp for each in abis),
    )


def _architectures(profile: Profile, host: Family) -> tuple[Abi, ...]:
    """The host's own ABI, which libseccomp always serves, and those the profile adds."""
    names = list(profile.architectures)
    for native, sub in profile.arch_map:
        if native == host.native.scmp:
            names += [native, *sub]
            break
    by_scmp = {each.scmp: each for each in ABIS.values()}
    for name in names:
        if name not in by_scmp:
            raise InputError.of(f"unknown architecture `{name}` in the profile")
    return tuple(dict.fromkeys([host.native, *(by_scmp[name] for name in names)]))


def _counts(entry: Entry, native: Abi, environment: Environment) -> bool:
    """Whether Docker passes the entry on to the runtime."""
    inside, outside = entry.includes, entry.excludes
    if native.docker in outside.architectures or _reached(outside, environment):
        return False
    if any(name in environment.capabilities for name in outside.capabilities):
        return False
    if inside.architectures and native.docker not in inside.architectures:
        return False
    if any(name not in environment.capabilities for name in inside.capabilities):
        return False
    return inside.min_kernel is None or _reached(inside, environment)


def _reached(condition: Condition, environment: Environment) -> bool:
    return condition.min_kernel is not None and environment.kernel >= condition.min_kernel


def _abi_filter(profile: Profile, abi: Abi, counted: Iterable[tuple[int, Entry]]) -> AbiFilter:
    default, numbers = profile.default, table(abi).by_name
    always: dict[int, Clause] = {}
    sometimes: dict[int, list[Clause]] = {}
    last = 0
    for index, entry in counted:
        for name in entry.names:
            last = max(last, numbers.get(name, 0))
            if entry.value == default:
                continue  # runc drops a rule that does what the default does
            for nr, test in _rules(name, entry.checks, abi):
                clause = Clause(test, entry.value, NOTHING, index)
                if test == ALWAYS:
                    always.setdefault(nr, clause)
                else:
                    sometimes.setdefault(nr, []).append(clause)
    # In libseccomp a rule without checks wins over all with checks, whatever their order.
    calls = {nr: (always[nr],) if nr in always else tuple(sometimes[nr])
             for nr in sorted(always.keys() | sometimes.keys())}  # fmt: skip
    newer = default
    if last and actions.kind_of(default) not in actions.PERMISSIVE:
        newer = actions.ERRNO | libseccomp.enosys(abi)
    return AbiFilter(abi, default, newer, last, calls)


def _rules(name: str, checks: tuple[Check, ...], abi: Abi) -> Iterator[tuple[int, Test]]:
    """The numbers and tests that one name with its checks becomes on the ABI."""
    numbers = table(abi).by_name
    tests = {check: _test(check, abi) for check in checks}
    repeated = len({check.index for check in checks}) < len(checks)
    alternatives = [(check,) for check in checks] if repeated else [checks]
    for together in alternatives:
        if name in numbers:
            yield numbers[name], conjunction(tests[check] for check in together)
        if abi.name in libseccomp.MULTIPLEXING_ABIS:
            for mux, members in libseccomp.MULTIPLEXED.items():
                if name in members and mux in numbers:
                    rest = [tests[check] for check in together if check.index != 0]
                    which = _test(Check(0, "SCMP_CMP_EQ", libseccomp.MUX_NUMBERS[name]), abi)
                    yield numbers[mux], conjunction([which, *rest])


def _test(check: Check, abi: Abi) -> Test:
    """A check at the width that libseccomp compares on the ABI."""
    top = (1 << abi.bits) - 1  # x32 and n32 count as 32-bit ABIs there
    if check.op == "SCMP_CMP_MASKED_EQ":
        mask, wanted = check.value & top, check.value_two & check.value & top
        return Member(check.index, abi.bits, mask, ((wanted, wanted),)) if mask else ALWAYS
    value = check.value & top
    ranges = {
        "SCMP_CMP_EQ": [(value, value)],
        "SCMP_CMP_NE": [(0, value - 1), (value + 1, top)],
        "SCMP_CMP_LT": [(0, value - 1)],
        "SCMP_CMP_LE": [(0, value)],
        "SCMP_CMP_GT": [(value + 1, top)],
        "SCMP_CMP_GE": [(value, top)],
    }[check.op]
    inside = normalize(ranges)
    if not inside:
        return NEVER
    return Member(check.index, abi.bits, top, inside) if complement(inside, top) else ALWAYS
