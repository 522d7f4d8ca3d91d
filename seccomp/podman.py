"""Filter -> the profile that Podman and Buildah read (containers/common, pkg/seccomp).

Its form is Docker's, but `minKernel` and `listenerPath` are not read, so kernel versions are
settled here and notify is refused. The runtime may be crun, which has no answer of its own for
numbers newer than the profile: they get the default. So Podman's own profile has ENOSYS for its
default and names every call that is to get EPERM; this one is written in the same way.
"""

from __future__ import annotations

import json
from dataclasses import replace

from ..policies.errors import TargetError
from ..policies.model import ActionKind, Policy
from . import actions, libseccomp
from .docker import docker_profile
from .filter import ALWAYS, AbiFilter, Clause, Environment, Filter, Requirement
from .hosts import Engine
from .profile import Profile, render
from .refusals import Refusals
from .shortfalls import Shortfall, beyond, gaps, in_words, newer_as_default
from .syscalls import table

_ENGINE = Engine("podman", default_errno=True, listener=False)

_NAMED_OTHERWISE = "mipsel64n32"
"""A host with another name in Docker's includes.arches than in libseccomp-golang, used here."""

_CRUN = "under crun "


def podman_json(policy: Policy, filter_: Filter, environment: Environment) -> str:
    """The profile as JSON text, for every host and capability set; note() has its one limit.

    Raises TargetError with every reason why there is none.
    """
    refusals = Refusals(policy, "podman")
    _check(refusals, filter_)
    refusals.finish()
    settled = _settle_kernel(filter_, environment)
    if all(_differ(each) for each in settled.abis):
        try:
            return render(_profile(policy, Filter(tuple(map(_by_name, settled.abis)))))
        except TargetError:
            pass  # such as a socketcall that gets ENOSYS: libseccomp drops rules for the default
    return render(_profile(policy, settled))


def note(filter_: Filter, content: bytes) -> str:
    """What podman_json() could not say in this profile, in words; empty: nothing."""
    return in_words(podman_shortfalls(filter_, content))


def podman_shortfalls(filter_: Filter, content: bytes) -> list[Shortfall]:
    """What podman_json() could not say in this profile."""
    first = filter_.abis[0]
    written = json.loads(content).get("defaultErrnoRet")
    if first.default == first.newer or written != first.newer & actions.NUMBER_MASK:
        return crun_shortfalls(filter_)
    return [gaps(actions.describe(first.newer)), *beyond(filter_, _CRUN)]


def under_crun(filter_: Filter) -> str:
    """What a profile with the policy's own default cannot say to crun, in words."""
    return in_words(crun_shortfalls(filter_))


def crun_shortfalls(filter_: Filter) -> list[Shortfall]:
    """What a profile with the policy's own default cannot say to crun."""
    first = filter_.abis[0]
    said = beyond(filter_, _CRUN)
    if first.default == first.newer:
        return said
    words = actions.describe(first.default), actions.describe(first.newer)
    return [newer_as_default(*words), *said]


def _check(refusals: Refusals, filter_: Filter) -> None:
    for each in filter_.abis:
        if each.abi.name == _NAMED_OTHERWISE:
            refusals.refuse(
                f"the profile's conditions have no name for {each.abi.name}",
                refusals.policy.at,
                "leave it out of `architectures`",
            )
        for clause in (clause for clauses in each.calls.values() for clause in clauses):
            if actions.kind_of(clause.value) is ActionKind.NOTIFY:
                refusals.refuse(
                    "Podman does not read listenerPath, so nobody would answer",
                    refusals.rule_at(clause),
                    "use the crun target with --listener, or decide without notify",
                )


def _settle_kernel(filter_: Filter, environment: Environment) -> Filter:
    """The filter on this kernel; capabilities are still asked for."""

    def settled(clause: Clause) -> Clause | None:
        asked = clause.requires
        here = Requirement(frozenset(), asked.kernel_from, asked.kernel_below)
        if not here.met_by(environment):
            return None
        return replace(clause, requires=Requirement(asked.capabilities))

    def calls(each: AbiFilter) -> dict[int, tuple[Clause, ...]]:
        found = {nr: tuple(filter(None, map(settled, cs))) for nr, cs in each.calls.items()}
        return {nr: clauses for nr, clauses in found.items() if clauses}

    return Filter(tuple(replace(each, calls=calls(each)) for each in filter_.abis))


def _differ(filter_: AbiFilter) -> bool:
    """Whether the default denies in another way than with the ENOSYS of newer numbers."""
    enosys = actions.return_value(ActionKind.DENY, libseccomp.enosys(filter_.abi))
    return filter_.newer == enosys != filter_.default and not actions.lets_run(filter_.default)


def _by_name(filter_: AbiFilter) -> AbiFilter:
    """The same with `newer` for its default, and the default as a last rule for every call."""
    last = Clause(ALWAYS, filter_.default)
    calls = {nr: (*filter_.calls.get(nr, ()), last) for nr in sorted(table(filter_.abi).by_number)}
    return replace(filter_, default=filter_.newer, calls=calls)


def _profile(policy: Policy, filter_: Filter) -> Profile:
    return docker_profile(policy, filter_, _ENGINE, target="podman")
