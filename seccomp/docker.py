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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..policies.errors import TargetError
from ..policies.model import ActionKind, Policy
from ..policies.source import Location, Problem
from . import actions, libseccomp
from .diagram import Diagrams, masks
from .filter import ALWAYS, AbiFilter, Clause, Environment, Filter, Requirement, resolve, settle
from .numbers import last_number
from .profile import EVERYWHERE, Check, Condition, Entry, Profile
from .syscalls import FAMILIES, Abi, table

MAXIMAL_CHECKS = 512
"""Entries with argument checks that one system call may need; more is refused."""
MAXIMAL_REQUIREMENTS = 6
"""Capabilities and kernel versions that the rules of one call may depend on."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a Docker release reads of a profile (reference: moby release notes, source)."""

    name: str
    default_errno: bool
    """defaultErrnoRet is read; otherwise a denying default is always EPERM."""
    listener: bool
    """listenerPath is passed on, so NOTIFY can work."""


ENGINES = {
    "20.10": Engine("20.10", default_errno=False, listener=False),
    "23": Engine("23", default_errno=True, listener=True),
    "28": Engine("28", default_errno=True, listener=True),
    "29": Engine("29", default_errno=True, listener=True),
}

Checks = tuple[Check, ...]
Answer = tuple[int, Checks]
"""A SECCOMP_RET_* value and the argument checks under which it is given."""
Answers = tuple[Answer, ...]
Guard = tuple[Condition, Condition]
"""includes and excludes."""


@dataclass(frozen=True, slots=True)
class Host:
    """The ABIs that one kind of host serves of those the policy names, its own first."""

    filters: tuple[AbiFilter, ...]

    @property
    def native(self) -> Abi:
        """The ABI that the engine itself runs in."""
        return self.filters[0].abi


def hosts_of(filter_: Filter) -> tuple[Host, ...]:
    """Every kind of host that the policy's ABIs make possible.

    A 32-bit ABI counts as a host of its own only where no 64-bit host serves it.
    """
    by_name = {each.abi.name: each for each in filter_.abis}
    hosts: list[Host] = []
    served: set[str] = set()
    for family in FAMILIES:
        native = family.native
        if native.name not in by_name or (native.registers == 32 and native.name in served):
            continue
        hosts.append(Host(tuple(by_name[a.name] for a in family.abis if a.name in by_name)))
        served |= {each.abi.name for each in hosts[-1].filters}
    return tuple(hosts)


def docker_profile(
    policy: Policy, filter_: Filter, engine: Engine, listener_path: str = ""
) -> Profile:
    """The Docker profile of the filter, for every host, capability set and kernel.

    Raises TargetError with every reason why there is none.
    """
    hosts = hosts_of(filter_)
    renderer = _Renderer(policy)
    default = renderer.default(hosts, engine, listener_path)
    per_name = {
        name: [(host, renderer.decisions(name, host)) for host in hosts] for name in _names(hosts)
    }
    for host in hosts:
        renderer.check_multiplexed(host)
    renderer.finish()
    entries: list[tuple[Entry, str]] = []
    for name, decisions in per_name.items():
        for architectures, guarded in _by_architecture(decisions):
            for (includes, excludes), answers in guarded:
                includes = Condition(includes.capabilities, architectures, includes.min_kernel)
                entries += [
                    (Entry((), value, checks, includes, excludes), name)
                    for value, checks in answers
                ]
    arch_map = tuple(
        (host.native.scmp, tuple(each.abi.scmp for each in host.filters[1:])) for host in hosts
    )
    return Profile(
        default,
        _gather(entries) + _ends(hosts, default, per_name),
        arch_map=arch_map,
        listener_path=listener_path,
    )


def oci_profile(
    policy: Policy,
    filter_: Filter,
    environment: Environment,
    engine: Engine,
    listener_path: str = "",
) -> Profile:
    """The OCI runtime-spec `seccomp` section for one kind of host and environment.

    Raises TargetError when the filter is for several kinds of host, or cannot be said.
    """
    settled = resolve(filter_, environment)
    hosts = hosts_of(settled)
    if len(hosts) > 1:
        kinds = ", ".join(host.native.name for host in hosts)
        raise TargetError.of(
            f"an OCI seccomp section is for one kind of host, this policy is for {kinds}",
            policy.at,
            f"pass --arch, such as --arch {hosts[0].native.name}",
        )
    profile = docker_profile(policy, settled, engine, listener_path)
    native, compat = profile.arch_map[0]
    return Profile(
        profile.default,
        profile.entries,
        architectures=(native, *compat),
        listener_path=listener_path,
    )


def _names(hosts: Iterable[Host]) -> list[str]:
    """The names of all calls that some clause decides, sorted."""
    names: set[str] = set()
    for host in hosts:
        for each in host.filters:
            known = table(each.abi).by_number
            names |= {known[nr] for nr in each.calls}
    return sorted(names)


def _by_architecture(
    decisions: Sequence[tuple[Host, tuple[tuple[Guard, Answers], ...] | None]],
) -> list[tuple[tuple[str, ...], tuple[tuple[Guard, Answers], ...]]]:
    """Equal decisions together, with the host architectures they are for (none: all)."""
    groups: dict[tuple[tuple[Guard, Answers], ...], list[str]] = {}
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
    """An entry that names each table's last call, so that runc knows where `newer` begins."""
    if actions.kind_of(default) in actions.PERMISSIVE:
        return ()
    abis = [each.abi for host in hosts for each in host.filters]
    last = {table(abi).by_number[last_number(abi)] for abi in abis} - set(named)
    if not last:
        return ()
    comment = "the newest calls known; runc answers ENOSYS to any number above them"
    return (Entry(tuple(sorted(last)), default, comment=comment),)


class _Renderer:
    """Collects the reasons against a profile while its parts are made."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._diagrams = Diagrams()
        self._problems: list[Problem] = []

    def finish(self) -> None:
        """Raise everything that was found."""
        if self._problems:
            raise TargetError(dict.fromkeys(self._problems))

    def _refuse(self, message: str, at: Location | None, hint: str) -> None:
        self._problems.append(Problem(f"docker: {message}", at, hint))

    # --- the default and the ends ---------------------------------------------------------

    def default(self, hosts: Sequence[Host], engine: Engine, listener_path: str) -> int:
        """The default's value; says no where an engine or runtime cannot follow it."""
        policy, seccomp = self._policy, self._policy.seccomp
        assert seccomp is not None
        filters = [each for host in hosts for each in host.filters]
        values = {each.default for each in filters}
        default = filters[0].default
        kind = actions.kind_of(default)
        if len(values) > 1:
            self._refuse(
                "the default's errno has different numbers on the policy's architectures",
                seccomp.at,
                "compile for each family with --arch, or give the errno as a number",
            )
        if kind is ActionKind.NOTIFY:
            self._refuse(
                "runc refuses notify as the default action", seccomp.at, "notify single calls"
            )
        if (
            kind is ActionKind.DENY
            and default & actions.NUMBER_MASK != 1
            and (not engine.default_errno)
        ):
            self._refuse(
                f"engine {engine.name} ignores defaultErrnoRet and answers EPERM",
                seccomp.at,
                "use `with: EPERM`, or --engine 23 and newer",
            )
        for each in filters:
            self._check_newer(each, policy.at)
        clauses = [c for each in filters for cs in each.calls.values() for c in cs]
        if any(actions.kind_of(clause.value) is ActionKind.NOTIFY for clause in clauses):
            self._check_notify(engine, listener_path, filters)
        return default

    def _check_newer(self, filter_: AbiFilter, at: Location) -> None:
        permissive = actions.kind_of(filter_.default) in actions.PERMISSIVE
        if permissive and filter_.newer != filter_.default:
            self._refuse(
                "with a default that lets calls run, runc lets newer calls run too",
                at,
                "accept that with `newer: default`, or deny by default",
            )
        enosys = actions.return_value(ActionKind.DENY, libseccomp.enosys(filter_.abi))
        if not permissive and filter_.newer != enosys:
            self._refuse(
                "runc answers ENOSYS to every number newer than the profile, not "
                f"{actions.describe(filter_.newer)}",
                at,
                "leave `newer` out, which means ENOSYS",
            )

    def _check_notify(
        self, engine: Engine, listener_path: str, filters: Iterable[AbiFilter]
    ) -> None:
        at = self._policy.at
        if not engine.listener:
            self._refuse(
                f"engine {engine.name} drops listenerPath, and a notified call hangs",
                at,
                "use --engine 23 or newer",
            )
        elif not listener_path:
            self._refuse(
                "notify needs the socket of the agent that answers", at, "pass --listener PATH"
            )
        for each in filters:
            write = table(each.abi).by_name.get("write", -1)
            for clause in each.calls.get(write, ()):
                if actions.kind_of(clause.value) is ActionKind.NOTIFY:
                    self._refuse("runc refuses notify on write", self._rule_at(clause), "")

    def check_multiplexed(self, host: Host) -> None:
        """Refuse socket or ipc rules that libseccomp would extend against the policy."""
        for each in host.filters:
            for mux, members in libseccomp.MULTIPLEXED.items():
                if each.abi.name not in libseccomp.MULTIPLEXING_ABIS:
                    continue
                nr = table(each.abi).by_name.get(mux)
                if nr is None or self._overrides(each, nr):
                    continue
                offender = self._first_rule(host, members)
                if offender is not None:
                    name, clause = offender
                    self._refuse(
                        f"on {each.abi.name} libseccomp extends the rule for {name} to {mux}, "
                        "which the policy leaves to other rules",
                        self._rule_at(clause),
                        f"decide on {mux} too, in a rule without `when`, or leave "
                        f"{each.abi.name} out of `architectures`",
                    )

    @staticmethod
    def _overrides(filter_: AbiFilter, nr: int) -> bool:
        """Whether the call has one answer without conditions, which wins in libseccomp."""
        clauses = filter_.calls.get(nr, ())
        return (
            bool(clauses)
            and clauses[0] == Clause(ALWAYS, clauses[0].value)
            and clauses[0].value != filter_.default
        )

    @staticmethod
    def _first_rule(host: Host, names: Iterable[str]) -> tuple[str, Clause] | None:
        for name in names:
            for each in host.filters:
                nr = table(each.abi).by_name.get(name, -1)
                for clause in each.calls.get(nr, ()):
                    if clause.value != each.default:
                        return name, clause
        return None

    def _rule_at(self, clause: Clause) -> Location | None:
        seccomp = self._policy.seccomp
        if seccomp is None or not 0 <= clause.rule < len(seccomp.rules):
            return None
        return seccomp.rules[clause.rule].at

    # --- one call on one host ---------------------------------------------------------------

    def decisions(self, name: str, host: Host) -> tuple[tuple[Guard, Answers], ...] | None:
        """The answers of a call under each guard; None where the host has no such call."""
        here = [
            (each, each.calls.get(table(each.abi).by_name[name], ()))
            for each in host.filters
            if name in table(each.abi).by_name
        ]
        if not here:
            return None
        requirements = [c.requires for _, clauses in here for c in clauses]
        capabilities = sorted(set().union(*(r.capabilities for r in requirements)))
        kernels = sorted(_kernel_versions(requirements))
        if len(capabilities) + len(kernels) > MAXIMAL_REQUIREMENTS:
            self._refuse(
                f"the rules for {name} depend on {len(capabilities) + len(kernels)} capabilities "
                f"and kernel versions; at most {MAXIMAL_REQUIREMENTS} can be told apart",
                self._rule_at(next(c for _, clauses in here for c in clauses)),
                "merge the rules",
            )
            return ()

        def answers(environment: Environment) -> Answers:
            return self._answers(name, [(f, settle(cs, environment)) for f, cs in here])

        return tuple(_guarded(answers, capabilities, kernels))

    def _answers(self, name: str, here: Sequence[tuple[AbiFilter, tuple[Clause, ...]]]) -> Answers:
        """What to write for a call whose clauses are settled, the same for all its ABIs."""
        meanings = [(each, self._diagrams.clauses(clauses, each.default)) for each, clauses in here]
        first, meaning = meanings[0]
        answers: list[Answer] = []
        for value in self._diagrams.values(meaning):
            if value != first.default:
                cover = self._diagrams.cover(self._diagrams.where(meaning, value))
                answers += [(value, _checks(masks(cube))) for cube in cover]
        self._verify(name, here, meanings, answers)
        return tuple(sorted(answers, key=lambda a: (a[0], repr(a[1]))))

    def _verify(
        self,
        name: str,
        here: Sequence[tuple[AbiFilter, tuple[Clause, ...]]],
        meanings: Sequence[tuple[AbiFilter, int]],
        answers: Sequence[Answer],
    ) -> None:
        """Refuse unless the answers, as libseccomp reads them, mean the same on every ABI."""
        at = next((self._rule_at(c) for _, clauses in here for c in clauses), None)
        if len(answers) > MAXIMAL_CHECKS:
            self._refuse(
                f"the conditions on {name} need {len(answers)} entries of masked equality; "
                f"at most {MAXIMAL_CHECKS} are written",
                at,
                "compare one argument only, or use the bpf target",
            )
            return
        if any(len(checks) > libseccomp.ARGUMENTS_COMPARED_RIGHT for _, checks in answers):
            self._refuse(
                f"the conditions on {name} compare more than "
                f"{libseccomp.ARGUMENTS_COMPARED_RIGHT} arguments together, a shape that "
                "libseccomp is not known to compile right",
                at,
                "use the bpf target",
            )
        for each, meaning in meanings:
            read = libseccomp.reading(self._diagrams, answers, each)
            if read != meaning:
                self._refuse(
                    f"{name} would mean something else on {each.abi.name}: a profile's rule "
                    "serves every architecture of the host, and libseccomp compares only the "
                    "low 32 bits on 32-bit ones and x32",
                    at,
                    f"leave {each.abi.name} out of `architectures`, compile for it alone with "
                    "--arch, or use the bpf target",
                )


def _kernel_versions(requirements: Iterable[Requirement]) -> set[tuple[int, int]]:
    bounds = [b for r in requirements for b in (r.kernel_from, r.kernel_below)]
    return {bound for bound in bounds if bound is not None}


def _guarded(
    answers: Callable[[Environment], Answers],
    capabilities: Sequence[str],
    kernels: Sequence[tuple[int, int]],
    present: frozenset[str] = frozenset(),
) -> list[tuple[Guard, Answers]]:
    """The answers under guards that exclude one another; a guard that tells nothing is left out."""
    if capabilities:
        first, rest = capabilities[0], capabilities[1:]
        having = _guarded(answers, rest, kernels, present | {first})
        lacking = _guarded(answers, rest, kernels, present)
        if having == lacking:
            return lacking
        return [((_and(has, first), lacks), found) for (has, lacks), found in having] + [
            ((has, _and(lacks, first)), found) for (has, lacks), found in lacking
        ]
    spans: list[tuple[tuple[int, int] | None, tuple[int, int] | None, Answers]] = []
    for low, high in zip([None, *kernels], [*kernels, None], strict=True):
        found = answers(Environment(present, low or (0, 0)))
        if spans and spans[-1][2] == found:
            spans[-1] = (spans[-1][0], high, found)
        else:
            spans.append((low, high, found))
    return [
        ((Condition(min_kernel=low), Condition(min_kernel=high)), found)
        for low, high, found in spans
        if found
    ]


def _and(condition: Condition, capability: str) -> Condition:
    """The condition with one capability more."""
    return Condition((capability, *condition.capabilities), (), condition.min_kernel)


def _checks(cube: Iterable[tuple[int, int, int]]) -> Checks:
    """A cube as argument checks; a full mask is plain equality."""
    full = (1 << 64) - 1
    return tuple(
        Check(argument, "SCMP_CMP_EQ", value)
        if mask == full
        else Check(argument, "SCMP_CMP_MASKED_EQ", mask, value)
        for argument, mask, value in cube
    )
