"""What a profile's entries say about one call on one kind of host, exact or refused.

A call's meaning is a decision diagram over the bits of its arguments. Its cover is a set of
cubes, and a cube is a conjunction of masked equalities, the one shape that libseccomp
compiles right. The answers are then read back as libseccomp would on every ABI of the host
and compared with the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from . import libseccomp
from .diagram import Diagrams, masks
from .filter import AbiFilter, Clause, Environment, Requirement, settle
from .hosts import Host
from .profile import Check, Condition
from .refusals import MAXIMAL_CHECKS, Refusals
from .syscalls import table

MAXIMAL_REQUIREMENTS = 6
"""Capabilities and kernel versions that the rules of one call may depend on."""

Checks = tuple[Check, ...]
Answer = tuple[int, Checks]
"""A SECCOMP_RET_* value and the argument checks under which it is given."""
Answers = tuple[Answer, ...]
Guard = tuple[Condition, Condition]
"""includes and excludes."""
Decision = tuple[tuple[Guard, Answers], ...]
"""What is answered under each guard; the guards exclude one another."""


class Answering:
    """Turns the clauses of calls into answers, and notes what cannot be said."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals
        self._diagrams = Diagrams()

    def decisions(self, name: str, host: Host) -> Decision | None:
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
            self._refusals.refuse(
                f"the rules for {name} depend on {len(capabilities) + len(kernels)} capabilities "
                f"and kernel versions; at most {MAXIMAL_REQUIREMENTS} can be told apart",
                self._refusals.rule_at(next(c for _, clauses in here for c in clauses)),
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
        at = next((self._refusals.rule_at(c) for _, clauses in here for c in clauses), None)
        if len(answers) > MAXIMAL_CHECKS:
            self._refusals.refuse(
                f"the conditions on {name} need {len(answers)} entries of masked equality; "
                f"at most {MAXIMAL_CHECKS} are written",
                at,
                "compare one argument only, or use the bpf target",
            )
            return
        if any(len(checks) > libseccomp.ARGUMENTS_COMPARED_RIGHT for _, checks in answers):
            self._refusals.refuse(
                f"the conditions on {name} compare more than "
                f"{libseccomp.ARGUMENTS_COMPARED_RIGHT} arguments together, a shape that "
                "libseccomp is not known to compile right",
                at,
                "use the bpf target",
            )
        for each, meaning in meanings:
            read = libseccomp.reading(self._diagrams, answers, each)
            if read != meaning:
                self._refusals.refuse(
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
