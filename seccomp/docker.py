"""Filter -> Docker profile or OCI section, exact or refused.

A profile is compiled once more on the host, by runc or crun through libseccomp. So only
those shapes are written that libseccomp compiles right: equality and masked equality, at
most one per argument, on sets of calls that do not overlap for different answers. Every
other comparison becomes a union of them (an interval is a union of masked prefixes). What
libseccomp does of its own accord is accounted for: one rule serves every ABI of the host;
32-bit ABIs, and x32, are compared on low words only; socket and ipc rules also open the
multiplexed socketcall and ipc.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..policies.errors import TargetError
from ..policies.model import ActionKind, Policy
from . import actions
from .answers import Answering, Decision
from .filter import Environment, Filter, resolve
from .hosts import Engine, Host, hosts_of
from .libseccomp import FIRST_SHARED_NUMBER
from .numbers import FOREIGN, last_number
from .profile import EVERYWHERE, Condition, Entry, Profile
from .refusals import (
    Refusals,
    check_default,
    check_length,
    check_multiplexed,
    check_number_is_loaded,
)
from .syscalls import abi, table


def docker_profile(
    policy: Policy,
    filter_: Filter,
    engine: Engine,
    listener_path: str = "",
    *,
    target: str = "docker",
) -> Profile:
    """The Docker profile of the filter, for every host, capability set and kernel.

    On a host that the policy does not name, Docker would use all entries for that host's own
    ABI. So where the default denies, every entry is for the named hosts only, and where it
    lets calls run, one more entry keeps anything from being started on the others.
    Raises TargetError with every reason why there is none.
    """
    hosts = hosts_of(filter_)
    if not hosts:
        abis = ", ".join(each.abi.name for each in filter_.abis)
        raise TargetError.of(
            f"{target}: no host has {abis} as its own architecture",
            policy.at,
            "name the architecture of the host too",
        )
    refusals = Refusals(policy, target)
    default, entries = _entries(refusals, hosts, engine, listener_path)
    named = tuple(sorted(host.native.docker for host in hosts))
    if actions.kind_of(default) in actions.PERMISSIVE:
        entries = (_closed_but_on(named), *entries)
    else:
        entries = tuple(_only_on(named, entry) for entry in entries)
    arch_map = tuple(
        (host.native.scmp, tuple(each.abi.scmp for each in host.filters[1:])) for host in hosts
    )
    return Profile(
        default,
        entries,
        arch_map=arch_map,
        listener_path=listener_path if _notifies(entries) else "",
    )


def oci_profile(
    policy: Policy,
    filter_: Filter,
    environment: Environment,
    engine: Engine,
    listener_path: str = "",
    *,
    target: str = "oci",
) -> Profile:
    """The OCI runtime-spec `seccomp` section for one kind of host and environment.

    Raises TargetError when no host serves all ABIs of the filter, or it cannot be said.
    """
    settled = resolve(filter_, environment)
    hosts = [host for host in hosts_of(settled) if len(host.filters) == len(settled.abis)]
    if not hosts:
        named = ", ".join(each.abi.name for each in settled.abis)
        raise TargetError.of(
            f"{target}: the profile is for one kind of host, and none serves {named}",
            policy.at,
            "pass --arch, once for each ABI of one host",
        )
    refusals = Refusals(policy, target)
    default, entries = _entries(refusals, hosts[:1], engine, listener_path)
    return Profile(
        default,
        entries,
        architectures=tuple(each.abi.scmp for each in hosts[0].filters),
        listener_path=listener_path if _notifies(entries) else "",
    )


def _entries(
    refusals: Refusals, hosts: Sequence[Host], engine: Engine, listener_path: str
) -> tuple[int, tuple[Entry, ...]]:
    """The default and all entries that serve these hosts."""
    default = check_default(refusals, hosts, engine, listener_path)
    answering = Answering(refusals)
    per_name = {
        name: [(host, answering.decisions(name, host)) for host in hosts] for name in _names(hosts)
    }
    for host in hosts:
        check_multiplexed(refusals, host)
    refusals.finish()
    found: list[tuple[Entry, str]] = []
    for name, decisions in per_name.items():
        for architectures, guarded in _by_architecture(decisions):
            for (includes, excludes), answers in guarded:
                here = Condition(includes.capabilities, architectures, includes.min_kernel)
                found += [
                    (Entry((), value, checks, here, excludes), name) for value, checks in answers
                ]
    entries = _gather(found) + _ends(hosts, default, per_name)
    check_length(refusals, hosts, entries)
    check_number_is_loaded(refusals, hosts, entries, default)
    refusals.finish()
    return default, entries


def _only_on(hosts: tuple[str, ...], entry: Entry) -> Entry:
    """The entry for these hosts only, unless it already is for some."""
    if entry.includes.architectures:
        return entry
    return replace(entry, includes=replace(entry.includes, architectures=hosts))


def _closed_but_on(hosts: tuple[str, ...]) -> Entry:
    """An entry under which no program starts, except on these hosts."""
    return Entry(
        ("execve", "execveat"),
        FOREIGN,
        excludes=Condition(architectures=hosts),
        comment="this profile is not for this architecture",
    )


def _notifies(entries: Iterable[Entry]) -> bool:
    return any(actions.kind_of(entry.value) is ActionKind.NOTIFY for entry in entries)


def _names(hosts: Iterable[Host]) -> list[str]:
    """The names of all calls that some clause decides, sorted."""
    names: set[str] = set()
    for host in hosts:
        for each in host.filters:
            known = table(each.abi).by_number
            names |= {known[nr] for nr in each.calls}
    return sorted(names)


def _by_architecture(
    decisions: Sequence[tuple[Host, Decision | None]],
) -> list[tuple[tuple[str, ...], Decision]]:
    """Equal decisions together, with the host architectures they are for (none: all)."""
    groups: dict[Decision, list[str]] = {}
    for host, decision in decisions:
        if decision is not None:
            groups.setdefault(decision, []).append(host.native.docker)
    if len(groups) == 1:
        return [((), decision) for decision in groups]
    return [(tuple(sorted(names)), decision) for decision, names in groups.items() if decision]


def _gather(entries: Iterable[tuple[Entry, str]]) -> tuple[Entry, ...]:
    """Entries that differ only in the name, as one entry with all the names."""
    names: dict[Entry, list[str]] = {}
    for entry, name in entries:
        names.setdefault(entry, []).append(name)
    gathered = [
        Entry(tuple(sorted(each)), e.value, e.checks, e.includes, e.excludes, e.comment)
        for e, each in names.items()
    ]
    return tuple(sorted(gathered, key=_reading_order))


def _reading_order(entry: Entry) -> tuple[object, ...]:
    """Plain entries first, then those with checks, then those for some hosts or containers."""
    special = entry.includes != EVERYWHERE or entry.excludes != EVERYWHERE
    guards = (repr(entry.includes), repr(entry.excludes))
    return (special, bool(entry.checks), entry.names, *guards, entry.value, entry.checks)


def _ends(hosts: Iterable[Host], default: int, named: Iterable[str]) -> tuple[Entry, ...]:
    """An entry that names the newest calls, so that runc knows where `newer` begins.

    runc looks for the highest number among the names that its libseccomp knows. An older
    libseccomp does not know the last ones, so all are named that could be its last.
    """
    if actions.kind_of(default) in actions.PERMISSIVE:
        return ()
    tables = [table(each.abi) for host in hosts for each in host.filters]
    last = {each.by_number[last_number(each.abi)] for each in tables}
    shared = {
        name for name, nr in table(abi("x86_64")).by_name.items() if nr >= FIRST_SHARED_NUMBER
    }
    present = {name for name in shared if any(name in each.by_name for each in tables)}
    newest = (last | present) - set(named)
    if not newest:
        return ()
    comment = "the newest calls known; runc answers ENOSYS to any number above them"
    return (Entry(tuple(sorted(newest)), default, comment=comment),)
