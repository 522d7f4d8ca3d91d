"""Filter -> a .policy file for `minijail0 -S`, exact or refused.

Grammar and meaning: google/minijail, minijail0.5 and syscall_filter.c (compile_file,
compile_policy_line). One line a call: `name: 1` allows, `name: return 13` denies, and
`name: A && B || C; return 13` allows where the expression holds and denies elsewhere, or kills
where there is no `return`. What no line names is killed: the thread, SECCOMP_RET_KILL. The one
architecture is the machine's own; another is killed too.

Atoms compare the whole register, unsigned: `arg1 == N`, `arg1 & N` (some bit of N is set),
`arg1 in N` (no bit outside of N is set). There is no mask before a comparison, but a cube, as
the decision diagrams give them, is a conjunction: `& bit` for every bit that must be set, `in
~bits` for all that must not be. So a 32-bit argument is compared on its low half.

tools/compile_seccomp_policy.py reads `; return` the other way round (its parser.py): the file
is for minijail0's own compiler.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..policies.model import Policy
from . import actions, bpf
from .diagram import Diagrams, masks
from .filter import AbiFilter, Clause, Filter
from .refusals import Refusals
from .syscalls import Abi, table

_MAXIMAL_PATHS = 4096
"""Ways through a call's diagram, about as many as conjunctions; far fewer fit into a program."""

_MAXIMAL_LABELS = 512
"""BPF_LABELS_MAX, bpf.h: minijail ends when it needs more."""

_FIXED = 16
_PER_LINE = 4
_PER_ATOM = 8
_PER_GROUP = 3
"""Instructions, at most, of minijail's program (bpf.c): for what stands at its ends, a line, an
atom on a 64-bit register with its label, and an `||`."""


def minijail_policy(policy: Policy, filter_: Filter) -> str:
    """The policy file for a resolved filter.

    Raises TargetError with every reason why there is none.
    """
    refusals = Refusals(policy, "minijail")
    _check(refusals, filter_)
    refusals.finish()
    [only] = filter_.abis
    lines = _lines(refusals, only)
    refusals.finish()
    _check_length(refusals, lines)
    refusals.finish()
    head = [
        f"# The policy {policy.name} on {only.abi.name}, compiled by Stockade.",
        "# For minijail0 -S FILE; compile_seccomp_policy.py reads `; return` otherwise.",
    ]
    return "\n".join([*head, *lines]) + "\n"


def _check(refusals: Refusals, filter_: Filter) -> None:
    seccomp = refusals.policy.seccomp
    assert seccomp is not None
    if len(filter_.abis) > 1:
        names = [each.abi.name for each in filter_.abis]
        refusals.refuse(
            f"a file serves one architecture, and the policy is for {', '.join(names)}",
            seccomp.at,
            f"pass --arch {names[0]}; minijail kills the others",
        )
    for each in filter_.abis:
        for what, value in (("the default", each.default), ("newer", each.newer)):
            if value != actions.KILL_THREAD:
                refusals.refuse(
                    f"calls without a line are killed (the thread), and {what} is "
                    f"{actions.describe(value)}",
                    seccomp.at,
                    "use `default: kill-thread` with `newer: default`, or give minijail0 the bpf "
                    "target: --seccomp-bpf-binary",
                )
                return
    if filter_.abis[0].abi.name == "x32":
        refusals.refuse("minijail has no x32", seccomp.at, "use the bpf target")


def _lines(refusals: Refusals, filter_: AbiFilter) -> list[str]:
    diagrams = Diagrams()
    known = table(filter_.abi).by_number
    found = []
    for nr, clauses in filter_.calls.items():
        line = _answer(refusals, diagrams, known[nr], clauses, filter_)
        if line:
            found.append(f"{known[nr]}: {line}")
    return sorted(found)


def _answer(
    refusals: Refusals,
    diagrams: Diagrams,
    name: str,
    clauses: Sequence[Clause],
    filter_: AbiFilter,
) -> str:
    """What stands behind the colon; empty: no line, the call is killed."""
    meaning = diagrams.clauses(clauses, filter_.default)
    values = diagrams.values(meaning)
    others = [value for value in values if value != actions.ALLOW]
    at = refusals.rule_at(clauses[0]) if clauses else refusals.policy.at
    for value in others:
        if value & actions.ACTION_MASK not in (actions.ERRNO, actions.KILL_THREAD):
            refusals.refuse(
                f"a call can be allowed, denied or killed (its thread); {name} is to get "
                f"{actions.describe(value)}",
                at,
                "use deny or kill-thread, or the bpf target: minijail0 --seccomp-bpf-binary",
            )
            return ""
    if len(others) > 1:
        words = " and ".join(map(actions.describe, others))
        refusals.refuse(
            f"a line has one answer where its expression does not hold, and {name} has {words}",
            at,
            "give one of them up, or use the bpf target: minijail0 --seccomp-bpf-binary",
        )
        return ""
    otherwise = f"return {others[0] & actions.NUMBER_MASK}" if others else ""
    if others == [actions.KILL_THREAD]:
        otherwise = ""
    if actions.ALLOW not in values:
        return otherwise
    if not others:
        return "1"
    allowed = diagrams.where(meaning, actions.ALLOW)
    if _paths(diagrams, allowed) > _MAXIMAL_PATHS:
        refusals.refuse(
            f"the conditions on {name} become too many conjunctions for one program",
            at,
            "compare fewer arguments together, or use the bpf target: minijail0 "
            "--seccomp-bpf-binary",
        )
        return ""
    cover = diagrams.cover(allowed)
    expression = " || ".join(_conjunction(masks(cube), filter_.abi) for cube in cover)
    return f"{expression}; {otherwise}" if otherwise else expression


def _paths(diagrams: Diagrams, function: int) -> int:
    """The number of paths on which the function is true."""
    known = {diagrams.false: 0, diagrams.true: 1}

    def count(node: int) -> int:
        if node not in known:
            _, low, high = diagrams.parts(node)
            known[node] = count(low) + count(high)
        return known[node]

    return count(function)


def _conjunction(cube: Iterable[tuple[int, int, int]], abi: Abi) -> str:
    """`register & mask == value`, for each of the arguments, as atoms."""
    top = (1 << abi.registers) - 1
    atoms: list[str] = []
    for argument, mask, value in cube:
        if mask == top:
            atoms.append(f"arg{argument} == {value:#x}")
            continue
        bits = (1 << bit for bit in range(abi.registers))
        atoms += [f"arg{argument} & {bit:#x}" for bit in bits if value & bit]
        clear = mask & ~value
        if clear:
            atoms.append(f"arg{argument} in {top & ~clear:#x}")
    return " && ".join(atoms)


def _check_length(refusals: Refusals, lines: Sequence[str]) -> None:
    atoms = sum(line.count("arg") for line in lines)
    groups = sum(line.count("||") + 1 for line in lines if "arg" in line)
    labels = groups + sum((not line.endswith(": 1")) + ("arg" in line) for line in lines)
    if labels > _MAXIMAL_LABELS:
        refusals.refuse(
            f"minijail would need {labels} labels and has {_MAXIMAL_LABELS}: a line that does not "
            "just allow takes one, a condition two, an || one",
            refusals.policy.at,
            "leave more to the default, or use the bpf target: minijail0 --seccomp-bpf-binary",
        )
    length = _FIXED + _PER_LINE * len(lines) + _PER_ATOM * atoms + _PER_GROUP * groups
    if length > bpf.MAXIMAL_LENGTH:
        refusals.refuse(
            f"minijail would need up to {length} instructions; the kernel takes "
            f"{bpf.MAXIMAL_LENGTH}",
            refusals.policy.at,
            "simplify the conditions, or use the bpf target: minijail0 --seccomp-bpf-binary",
        )
