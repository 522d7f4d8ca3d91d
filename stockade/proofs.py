"""Claims about filters, each proven, refuted by a call, or left undecided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from .meanings import Side, filter_side, interpreted, policy_side, program_side
from .policies.errors import InternalError, TooComplexError
from .policies.model import Policy
from .policies.source import Source
from .seccomp import bpf
from .seccomp.build import named_abis
from .seccomp.diagram import Diagrams
from .seccomp.optimize_presets import PRESETS
from .seccomp.prove import Call, difference, store, wider_call
from .seccomp.read_profile import read_profile
from .seccomp.syscalls import FAMILIES
from .seccomp.targets import Request, compile_program, for_machine, selected


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of one claim."""

    claim: str
    diagrams: Diagrams
    sides: tuple[Side, ...] = ()
    counterexample: Call | None = None
    undecided: str = ""
    """Why it is neither proven nor refuted."""

    @property
    def holds(self) -> bool:
        """Whether the claim is proven, for every call."""
        return self.counterexample is None and not self.undecided


def prove(
    claim: str, sides_in: Callable[[Diagrams], Sequence[Side]], *, no_wider: bool = False
) -> Proof:
    """Whether two sides are equal, or the first allows no more than the second.

    Of a counterexample both sides are asked by their own evaluators, too; raises InternalError
    when one of those says something else than its diagram.
    """
    diagrams = store()
    try:
        left, right = sides_in(diagrams)
        find = wider_call if no_wider else difference
        call = find(diagrams, left.meaning, right.meaning)
    except TooComplexError:
        return Proof(claim, diagrams, undecided="it is too complex to decide")
    if call is not None:
        for side in (left, right):
            side.ask(diagrams, call)
    return Proof(claim, diagrams, (left, right), call)


def prove_programs(policy: Policy, request: Request) -> list[Proof]:
    """That the programs of a sound policy, one for each preset, mean what it says."""
    return [
        _program(
            f"{policy.name} as a program ({preset})",
            bpf.encode(compile_program(policy, each), big_endian=_big_endian(policy, each)),
            policy,
            each,
        )
        for preset in PRESETS
        for each in [replace(request, optimize=preset)]
    ]


def prove_target(target: str, content: bytes, policy: Policy, request: Request) -> list[Proof]:
    """That a file which was compiled from a sound policy means what the policy says.

    JSON is read back as an engine does it on each kind of host, with the capabilities and the
    kernel of the request. A form that cannot be read back is undecided.
    """
    match target:
        case "bpf":
            return [_program(f"{policy.name}.bpf", content, policy, request)]
        case "docker":
            return list(_profiles(f"{policy.name}.docker.json", content, policy, request, True))
        case "oci":
            return list(_profiles(f"{policy.name}.oci.json", content, policy, request, False))
    claim = f"the {target} form of {policy.name} equals it"
    return [Proof(claim, store(), undecided="nothing here reads this form back")]


def _program(claim: str, content: bytes, policy: Policy, request: Request) -> Proof:
    big_endian = _big_endian(policy, request)
    program = bpf.decode(content, claim, big_endian=big_endian)
    here = for_machine(policy, request)

    def sides(diagrams: Diagrams) -> Sequence[Side]:
        return (
            program_side(claim, program, diagrams, big_endian=big_endian),
            policy_side(policy.name, here, request.build, request.environment, diagrams),
        )

    return prove(f"{claim} equals {policy.name}", sides)


def _profiles(
    file: str, content: bytes, policy: Policy, request: Request, everywhere: bool
) -> Iterator[Proof]:
    """A profile on each kind of host that it is for."""
    read = read_profile(Source(file, content.decode()))
    if read.profile is None:
        raise InternalError(f"{file} cannot be read back")
    profile = read.profile
    chosen = selected(policy, request.architectures) if everywhere else for_machine(policy, request)
    assert chosen.seccomp is not None
    named = {each.name for each in named_abis(chosen.seccomp, request.build)}
    for family in FAMILIES:
        native = family.native.name
        here = tuple(each.name for each in family.abis if each.name in named)
        if native not in here or not (everywhere or set(here) == named):
            continue

        def sides(diagrams: Diagrams, here: tuple[str, ...] = here) -> Sequence[Side]:
            environment = request.environment
            filter_ = interpreted(profile, request.build, here, environment)
            one = selected(policy, here)
            return (
                filter_side(file, filter_, diagrams, profile),
                policy_side(policy.name, one, request.build, environment, diagrams),
            )

        yield prove(f"{file} on {native} equals {policy.name}", sides)


def _big_endian(policy: Policy, request: Request) -> bool:
    chosen = for_machine(policy, request).seccomp
    assert chosen is not None
    return named_abis(chosen, request.build)[0].big_endian
