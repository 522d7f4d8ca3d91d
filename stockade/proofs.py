"""Claims about filters, each proven, refuted by a call, or left undecided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from .meanings import Side, policy_side, program_side
from .policies.errors import InternalError, TooComplexError
from .policies.model import Policy
from .readback import readings
from .seccomp import bpf, smt
from .seccomp.build import named_abis
from .seccomp.diagram import Diagrams
from .seccomp.optimize_presets import PRESETS
from .seccomp.prove import Call, difference, store, wider_call
from .seccomp.shortfalls import in_words
from .seccomp.targets import Request, compile_program, for_machine

DIAGRAMS, Z3 = "diagrams", "z3"
"""The engines. The first is exact and quick about all that filters usually do."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of one claim."""

    claim: str
    diagrams: Diagrams
    sides: tuple[Side, ...] = ()
    counterexample: Call | None = None
    undecided: str = ""
    """Why it is neither proven nor refuted."""
    by: str = DIAGRAMS
    """The engine that decided, or gave up last."""
    but: str = ""
    """What the claim leaves out, in words."""

    @property
    def holds(self) -> bool:
        """Whether the claim is proven, for every call."""
        return self.counterexample is None and not self.undecided


def prove(
    claim: str,
    sides_in: Callable[[Diagrams], Sequence[Side]],
    *,
    no_wider: bool = False,
    engine: str = DIAGRAMS,
) -> Proof:
    """Whether two sides are equal, or the first allows no more than the second.

    What is too complex for diagrams is left to z3, where it is installed. Of a counterexample both
    sides are asked by their own evaluators, too; raises InternalError when one of those says
    something else than the proof, InputError for z3 where it is not installed.
    """
    diagrams = store()
    left, right = sides_in(diagrams)
    if engine == Z3:
        return _by_terms(Proof(claim, diagrams, (left, right)), no_wider)
    find = wider_call if no_wider else difference
    try:
        call = find(diagrams, left.meaning, right.meaning)
    except TooComplexError:
        undecided = Proof(claim, diagrams, (left, right), undecided="it is too complex to decide")
        if not smt.is_there():
            hint = "; with stockade[prove] z3 would try"
            return replace(undecided, undecided=undecided.undecided + hint)
        return _by_terms(undecided, no_wider)
    if call is not None:
        for side in (left, right):
            side.ask(diagrams, call)
    return Proof(claim, diagrams, (left, right), call)


def _by_terms(proof: Proof, no_wider: bool) -> Proof:
    """The same claim, decided by z3."""
    known = smt.symbols()
    left, right = proof.sides
    terms = left.term(known), right.term(known)
    try:
        call = smt.solve(known, *terms, no_wider=no_wider)
    except TooComplexError:
        why = f"z3 did not decide it in {smt.SECONDS:g} s"
        return replace(proof, undecided=why, by=Z3)
    if call is not None:
        for side, term in zip(proof.sides, terms, strict=True):
            said, proven = side.answer(call).value, smt.value_of(known, term, call)
            if said != proven:
                raise InternalError(
                    f"{side.name}: evaluated {said:#x}, proven by z3 {proven:#x} for {call}"
                )
    return replace(proof, counterexample=call, undecided="", by=Z3)


def prove_programs(policy: Policy, request: Request, *, engine: str = DIAGRAMS) -> list[Proof]:
    """That the programs of a sound policy, one for each preset, mean what it says."""
    return [
        _program(
            f"{policy.name} as a program ({preset})",
            bpf.encode(compile_program(policy, each), big_endian=_big_endian(policy, each)),
            policy,
            each,
            engine,
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


def _program(claim: str, content: bytes, policy: Policy, request: Request, engine: str) -> Proof:
    big_endian = _big_endian(policy, request)
    program = bpf.decode(content, claim, big_endian=big_endian)
    here = for_machine(policy, request)

    def sides(diagrams: Diagrams) -> Sequence[Side]:
        return (
            program_side(claim, program, diagrams, big_endian=big_endian),
            policy_side(policy.name, here, request.build, request.environment, diagrams),
        )

    return prove(f"{claim} equals {policy.name}", sides, engine=engine)


def _big_endian(policy: Policy, request: Request) -> bool:
    chosen = for_machine(policy, request).seccomp
    assert chosen is not None
    return named_abis(chosen, request.build)[0].big_endian
