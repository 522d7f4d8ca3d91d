"""Claims about filters, each proven, refuted by a call, or left undecided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from .meanings import Side, policy_side, program_side
from .policies.errors import TooComplexError
from .policies.model import Policy
from .readback import readings
from .seccomp import bpf
from .seccomp.build import named_abis
from .seccomp.diagram import Diagrams
from .seccomp.optimize_presets import PRESETS
from .seccomp.prove import Call, difference, store, wider_call
from .seccomp.shortfalls import in_words
from .seccomp.targets import Request, compile_program, for_machine


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of one claim."""

    claim: str
    diagrams: Diagrams
    sides: tuple[Side, ...] = ()
    counterexample: Call | None = None
    undecided: str = ""
    """Why it is neither proven nor refuted."""
    but: str = ""
    """What the claim leaves out, in words."""

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

    It is read back as each of its consumers does it, with the capabilities and the kernel of the
    request. Where a consumer falls short, and the target's note says so, those calls are left
    out of the equality, and it is proven besides that not even of them more is allowed.
    """
    proofs = []
    for reading in readings(target, content, policy, request):
        but = in_words(reading.shortfalls)
        claim = f"{reading.name} equals {policy.name}"
        equal = prove(
            f"{claim}, but for what is noted" if but else claim,
            partial(reading.sides, request, False),
        )
        proofs.append(replace(equal, but=but))
        if but:
            proofs.append(
                prove(
                    f"{reading.name} allows no more than {policy.name}",
                    partial(reading.sides, request, True),
                    no_wider=True,
                )
            )
    if not proofs:
        claim = f"the {target} form of {policy.name} equals it"
        return [Proof(claim, store(), undecided="nothing here reads this form back")]
    return proofs


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


def _big_endian(policy: Policy, request: Request) -> bool:
    chosen = for_machine(policy, request).seccomp
    assert chosen is not None
    return named_abis(chosen, request.build)[0].big_endian
