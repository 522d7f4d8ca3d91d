"""Why a policy cannot be a Docker profile: what runc and libseccomp would do against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..policies.errors import TargetError
from ..policies.model import ActionKind, Policy
from ..policies.source import Location, Problem
from . import actions, libseccomp
from .filter import ALWAYS, AbiFilter, Clause
from .hosts import Engine, Host
from .profile import EVERYWHERE, Entry
from .syscalls import table

MAXIMAL_CHECKS = 400
"""Entries with argument checks that a profile may have for one call, and in all for one host.
Measured with libseccomp 2.5.4, an entry costs 5 instructions on x86_64 and 8 on the three x86
ABIs together, and docker-default 1,100 besides: within the kernel's 4,096."""

LARGEST_ERRNO = 4094
"""libseccomp refuses ERRNO(4095), the kernel's MAX_ERRNO."""


class Refusals:
    """The reasons found so far; nothing is written while there is one."""

    def __init__(self, policy: Policy, target: str) -> None:
        self.policy = policy
        self._target = target
        self._problems: list[Problem] = []

    def refuse(self, message: str, at: Location | None, hint: str) -> None:
        """Note a reason."""
        self._problems.append(Problem(f"{self._target}: {message}", at, hint))

    def finish(self) -> None:
        """Raise TargetError with everything that was noted, if anything was."""
        if self._problems:
            raise TargetError(dict.fromkeys(self._problems))

    def rule_at(self, clause: Clause) -> Location | None:
        """Where the rule that a clause comes from was written."""
        seccomp = self.policy.seccomp
        if seccomp is None or not 0 <= clause.rule < len(seccomp.rules):
            return None
        return seccomp.rules[clause.rule].at


def check_default(
    refusals: Refusals, hosts: Sequence[Host], engine: Engine, listener_path: str
) -> int:
    """The default's value; says no where an engine or runtime cannot follow it."""
    policy, seccomp = refusals.policy, refusals.policy.seccomp
    assert seccomp is not None
    filters = [each for host in hosts for each in host.filters]
    values = {each.default for each in filters}
    default = filters[0].default
    kind = actions.kind_of(default)
    if len(values) > 1:
        refusals.refuse(
            "the default's errno has different numbers on the policy's architectures",
            seccomp.at,
            "compile for each family with --arch, or give the errno as a number",
        )
    if kind is ActionKind.NOTIFY:
        refusals.refuse(
            "runc refuses notify as the default action", seccomp.at, "notify single calls"
        )
    if (
        kind is ActionKind.DENY
        and default & actions.NUMBER_MASK != 1
        and (not engine.default_errno)
    ):
        refusals.refuse(
            f"engine {engine.name} ignores defaultErrnoRet and answers EPERM",
            seccomp.at,
            "use `with: EPERM`, or --engine 23 and newer",
        )
    for each in filters:
        _check_newer(refusals, each, policy.at)
    clauses = [c for each in filters for cs in each.calls.values() for c in cs]
    for value in {default, *(clause.value for clause in clauses)}:
        if value == actions.return_value(ActionKind.DENY, LARGEST_ERRNO + 1):
            refusals.refuse("libseccomp refuses the errno 4095", policy.at, "use another number")
    if any(actions.kind_of(clause.value) is ActionKind.NOTIFY for clause in clauses):
        _check_notify(refusals, engine, listener_path, filters)
    return default


def _check_newer(refusals: Refusals, filter_: AbiFilter, at: Location) -> None:
    permissive = actions.kind_of(filter_.default) in actions.PERMISSIVE
    if permissive and filter_.newer != filter_.default:
        refusals.refuse(
            "with a default that lets calls run, runc lets newer calls run too",
            at,
            "accept that with `newer: default`, or deny by default",
        )
    enosys = actions.return_value(ActionKind.DENY, libseccomp.enosys(filter_.abi))
    if not permissive and filter_.newer != enosys:
        refusals.refuse(
            "runc answers ENOSYS to every number newer than the profile, not "
            f"{actions.describe(filter_.newer)}",
            at,
            "leave `newer` out, which means ENOSYS",
        )


def _check_notify(
    refusals: Refusals, engine: Engine, listener_path: str, filters: Iterable[AbiFilter]
) -> None:
    at = refusals.policy.at
    if not engine.listener:
        refusals.refuse(
            f"engine {engine.name} drops listenerPath, and a notified call hangs",
            at,
            "use --engine 23 or newer",
        )
    elif not listener_path:
        refusals.refuse(
            "notify needs the socket of the agent that answers", at, "pass --listener PATH"
        )
    for each in filters:
        write = table(each.abi).by_name.get("write", -1)
        for clause in each.calls.get(write, ()):
            if actions.kind_of(clause.value) is ActionKind.NOTIFY:
                refusals.refuse("runc refuses notify on write", refusals.rule_at(clause), "")


def check_multiplexed(refusals: Refusals, host: Host) -> None:
    """Refuse socket or ipc rules that libseccomp would extend against the policy."""
    for each in host.filters:
        for mux, members in libseccomp.MULTIPLEXED.items():
            if each.abi.name not in libseccomp.MULTIPLEXING_ABIS:
                continue
            nr = table(each.abi).by_name.get(mux)
            if nr is None or _overrides(each, nr):
                continue
            offender = _first_rule(host, members)
            if offender is not None:
                name, clause = offender
                refusals.refuse(
                    f"on {each.abi.name} libseccomp extends the rule for {name} to {mux}, "
                    "which the policy leaves to other rules",
                    refusals.rule_at(clause),
                    f"give {mux} an answer other than the default in a rule without `when`, "
                    f"such as `deny: {mux}` `with: ENOSYS`, or leave {each.abi.name} out of "
                    "`architectures`",
                )


def check_length(refusals: Refusals, hosts: Iterable[Host], entries: Sequence[Entry]) -> None:
    """Refuse so many checks that libseccomp's program might be too long for the kernel."""
    for host in hosts:
        native = host.native.docker
        count = sum(
            len(entry.names)
            for entry in entries
            if entry.checks
            and (not entry.includes.architectures or native in entry.includes.architectures)
        )
        if count > MAXIMAL_CHECKS:
            refusals.refuse(
                f"the conditions need {count} entries of masked equality on {host.native.name}; "
                f"at most {MAXIMAL_CHECKS} are written, for libseccomp's program to be loaded",
                refusals.policy.at,
                "compare fewer arguments together, or use the bpf target",
            )


def check_number_is_loaded(
    refusals: Refusals, hosts: Iterable[Host], entries: Sequence[Entry], default: int
) -> None:
    """Refuse what libseccomp 2.5.4 compiles without loading the number on x86_64 and x32.

    Where both are served and no plain rule for an x86_64 call leads its block, a rule for a
    call of another ABI can make it compare the architecture with call numbers, and then no
    rule matches. One plain rule that always counts rules it out.
    """
    for host in hosts:
        if {"x86_64", "x32"} <= {each.abi.name for each in host.filters}:
            numbers = table(host.native).by_name
            counted = [entry for entry in entries if entry.value != default]
            if counted and not any(_is_plain(entry, host, numbers) for entry in counted):
                refusals.refuse(
                    "without a plain rule libseccomp forgets to load the number on x86_64 and "
                    "x32, and no rule counts",
                    refusals.policy.at,
                    "add a rule without `when`, `needs` and `kernel` whose answer is not the "
                    "default's, such as `deny: uselib`, or leave x32 out of `architectures`",
                )


def _is_plain(entry: Entry, host: Host, numbers: Mapping[str, int]) -> bool:
    """Whether the entry always counts on the host, for a call that any libseccomp knows."""
    architectures = entry.includes.architectures
    return (
        not entry.checks
        and not (architectures and host.native.docker not in architectures)
        and replace(entry.includes, architectures=()) == EVERYWHERE
        and entry.excludes == EVERYWHERE
        and any(
            name in numbers and numbers[name] < libseccomp.FIRST_SHARED_NUMBER
            for name in entry.names
        )
    )


def _overrides(filter_: AbiFilter, nr: int) -> bool:
    """Whether the call has one answer without conditions, which wins in libseccomp."""
    clauses = filter_.calls.get(nr, ())
    return (
        bool(clauses)
        and clauses[0] == Clause(ALWAYS, clauses[0].value)
        and clauses[0].value != filter_.default
    )


def _first_rule(host: Host, names: Iterable[str]) -> tuple[str, Clause] | None:
    for name in names:
        for each in host.filters:
            nr = table(each.abi).by_name.get(name, -1)
            for clause in each.calls.get(nr, ()):
                if clause.value != each.default:
                    return name, clause
    return None
