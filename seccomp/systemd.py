"""Filter -> a drop-in for a systemd unit, exact or refused.

SystemCallFilter= knows names, not arguments, and one set for all architectures; every name is
allowed, killed or denied with an errno. Read in systemd 252, src/core/load-fragment.c
(config_parse_syscall_filter), src/shared/seccomp-util.c and src/core/execute.c:

- The first line that is not empty decides: a list of what is allowed, or, with `~`, of what is
  not. Later lines add to it or take from it; `~name:ERRNO` in an allow list is a rule of its own.
- An allow list starts with the group @default, whose members differ between releases. So every
  call that the policy denies is taken from it by name.
- SystemCallArchitectures= kills the thread for those left out, never for the machine's own; for
  the others a program each is loaded through libseccomp, which answers the default to numbers
  without a name, and on x86 extends a rule for socket to socketcall.
- execve follows the filter in the service's own process; releases from 256 add write to it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence

from ..policies.errnos import ERRNO_NAMES
from ..policies.model import ActionKind, Policy
from . import actions
from .diagram import Diagrams
from .filter import Clause, Environment, Filter
from .interpret import interpret
from .profile import Entry, Profile
from .refusals import LARGEST_ERRNO, Refusals
from .shortfalls import Shortfall, beyond
from .syscalls import Abi, Family, errno_number, table

# src/shared/seccomp-util.c, seccomp_arch_to_string().
ARCHITECTURES = {
    "x86_64": "x86-64", "x86": "x86", "x32": "x32", "aarch64": "arm64", "arm": "arm",
    "ppc64le": "ppc64-le", "s390": "s390", "s390x": "s390x", "riscv64": "riscv64",
    "loongarch64": "loongarch64",
}  # fmt: skip
"""What systemd calls an ABI. Of mips it serves ABIs together that no kernel has together."""

NEEDED = ("execve", "write")
"""What systemd calls, or allows by itself, once the filter is there."""

_SECOND_NAMES = frozenset({"EWOULDBLOCK", "EDEADLOCK", "ENOTSUP"})
_WIDTH = 78
_NOWHERE = Environment(frozenset(), (0, 0))


def dropin(policy: Policy, filter_: Filter, family: Family) -> str:
    """The drop-in for a resolved filter on machines of this family.

    Raises TargetError with every reason why there is none.
    """
    refusals = Refusals(policy, "systemd")
    _check_architectures(refusals, filter_, family)
    _check_default(refusals, filter_)
    refusals.finish()
    answers = _answers(refusals, filter_)
    _check_needed(refusals, answers, filter_)
    refusals.finish()
    default = filter_.abis[0].default
    _check_libseccomp(refusals, filter_, family, default, answers)
    refusals.finish()
    return _text(policy, filter_, family, default, answers)


def _check_architectures(refusals: Refusals, filter_: Filter, family: Family) -> None:
    named = [each.abi.name for each in filter_.abis]
    unknown = [name for name in named if name not in ARCHITECTURES]
    if unknown:
        refusals.refuse(
            f"not for {', '.join(unknown)}", refusals.policy.at, "use the bpf or oci target"
        )
    elif family.native.name not in named:
        refusals.refuse(
            f"a service on {family.native.name} can always make calls of {family.native.name}, "
            f"which the policy closes by naming only {', '.join(named)}",
            refusals.policy.at,
            f"name {family.native.name} too, or use the bpf target",
        )


def _check_default(refusals: Refusals, filter_: Filter) -> None:
    seccomp = refusals.policy.seccomp
    assert seccomp is not None
    first = filter_.abis[0]
    kind = actions.kind_of(first.default)
    if kind not in (ActionKind.ALLOW, ActionKind.DENY, ActionKind.KILL_PROCESS):
        refusals.refuse(
            f"the default can be allow, deny or kill, not {actions.describe(first.default)}",
            seccomp.at,
            "use `default: kill`",
        )
    elif kind is ActionKind.DENY and first.default & actions.NUMBER_MASK == 0:
        refusals.refuse("SystemCallErrorNumber= takes no 0", seccomp.at, "use `with: EPERM`")
    for each in filter_.abis:
        if each.newer != each.default:
            refusals.refuse(
                f"newer calls get the default, {actions.describe(each.default)}, not "
                f"{actions.describe(each.newer)}",
                seccomp.at,
                "write `newer: default`",
            )
            break


def _answers(refusals: Refusals, filter_: Filter) -> dict[str, int]:
    """The one answer of every call that some ABI has, by name."""
    diagrams = Diagrams()
    answers: dict[str, int] = {}
    for each in filter_.abis:
        for name, nr in table(each.abi).by_name.items():
            clauses = each.calls.get(nr, ())
            values = diagrams.values(diagrams.clauses(clauses, each.default))
            at = refusals.rule_at(clauses[0]) if clauses else refusals.policy.at
            if len(values) > 1:
                refusals.refuse(
                    f"SystemCallFilter= knows names only, and the answer to {name} depends on its "
                    "arguments",
                    at,
                    f"decide {name} without `when`, or use the bpf or c target",
                )
            elif answers.setdefault(name, values[0]) != values[0]:
                refusals.refuse(
                    f"{name} has one answer for all architectures, not another on {each.abi.name}",
                    at,
                    f"leave {each.abi.name} out of `architectures`, or the rule's own list",
                )
            else:
                _check_answer(refusals, name, values[0], clauses)
    return answers


def _check_answer(refusals: Refusals, name: str, value: int, clauses: Sequence[Clause]) -> None:
    at = refusals.rule_at(clauses[0]) if clauses else refusals.policy.at
    kind, number = actions.kind_of(value), value & actions.NUMBER_MASK
    if kind not in (ActionKind.ALLOW, ActionKind.DENY, ActionKind.KILL_PROCESS):
        hint = "use `kill`"
        if kind is ActionKind.LOG:
            hint = f"allow {name} here, and add SystemCallLog={name} to the unit"
        refusals.refuse(
            f"a call can be allowed, denied or killed; {name} is to get {actions.describe(value)}",
            at,
            hint,
        )
    elif kind is ActionKind.DENY and number > LARGEST_ERRNO:
        refusals.refuse(f"libseccomp refuses the errno {number}", at, "use another number")


def _check_needed(refusals: Refusals, answers: Mapping[str, int], filter_: Filter) -> None:
    for name in NEEDED:
        if answers.get(name, actions.ALLOW) != actions.ALLOW:
            refusals.refuse(
                f"systemd needs {name} itself once the filter is loaded; the policy denies it",
                refusals.policy.at,
                f"allow {name}",
            )


def _check_libseccomp(
    refusals: Refusals,
    filter_: Filter,
    family: Family,
    default: int,
    answers: Mapping[str, int],
) -> None:
    """Refuse what libseccomp would extend against the policy: socketcall and ipc."""
    groups: dict[int, list[str]] = {}
    for name, value in answers.items():
        groups.setdefault(value, []).append(name)
    entries = tuple(Entry(tuple(names), value) for value, names in groups.items())
    scmp = tuple(each.abi.scmp for each in filter_.abis)
    profile = Profile(default, entries, architectures=scmp)
    read = interpret(profile, family, _NOWHERE)
    diagrams = Diagrams()
    for each in filter_.abis:
        other = read.of(each.abi)
        assert other is not None
        for nr in sorted(each.calls.keys() | other.calls.keys()):
            ours = diagrams.clauses(each.calls.get(nr, ()), default)
            if diagrams.clauses(other.calls.get(nr, ()), default) != ours:
                name = table(each.abi).by_number[nr]
                refusals.refuse(
                    f"on {each.abi.name} libseccomp extends rules for the calls behind {name} to "
                    f"{name}, which is to get {actions.describe(answers[name])}",
                    refusals.policy.at,
                    f"give {name} an answer other than the default, such as `deny: {name}` "
                    f"`with: ENOSYS`, or leave {each.abi.name} out of `architectures`",
                )


def _text(
    policy: Policy, filter_: Filter, family: Family, default: int, answers: Mapping[str, int]
) -> str:
    allow_list = default != actions.ALLOW
    allowed = sorted(name for name, value in answers.items() if value == actions.ALLOW)
    denied = [
        name if value == default else f"{name}:{_word(value, family.native)}"
        for name, value in sorted(answers.items())
        if value != actions.ALLOW
    ]
    architectures = " ".join(ARCHITECTURES[each.abi.name] for each in filter_.abis)
    lines = [
        f"# The policy {policy.name}, compiled by Stockade. Empty assignments undo earlier ones.",
        *_corner(filter_, default),
        "[Service]",
        "SystemCallArchitectures=",
        f"SystemCallArchitectures={architectures}",
        f"SystemCallErrorNumber={_word(default, family.native) if allow_list else 'kill'}",
        "SystemCallFilter=",
    ]
    if allow_list:
        lines += _assignments("SystemCallFilter=", allowed)
    lines += _assignments("SystemCallFilter=~", denied)
    return "\n".join(lines) + "\n"


def systemd_shortfalls(filter_: Filter) -> list[Shortfall]:
    """What the drop-in's comment says."""
    return beyond(filter_, "")


def _corner(filter_: Filter, default: int) -> list[str]:
    """Said where x32 is closed: libseccomp takes numbers from 2^31 for it too."""
    if not systemd_shortfalls(filter_):
        return []
    return [
        "# Numbers from 0x80000000 up, which are no calls, kill the thread like those of x32; the",
        f"# policy says {actions.describe(default)}.",
    ]


def _assignments(key: str, words: Iterable[str]) -> list[str]:
    return [key + line for line in textwrap.wrap(
        " ".join(words), _WIDTH, break_long_words=False, break_on_hyphens=False
    )]  # fmt: skip


def _word(value: int, abi: Abi) -> str:
    """An answer as systemd writes it: `kill`, an errno by name, or by number."""
    if actions.kind_of(value) is ActionKind.KILL_PROCESS:
        return "kill"
    number = value & actions.NUMBER_MASK
    names = (name for name in sorted(ERRNO_NAMES - _SECOND_NAMES))
    return next((name for name in names if errno_number(name, abi) == number), str(number))
