"""What FILE arguments mean: policies, Docker and OCI profiles, programs, ready to be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from .policies.errors import InputError, InternalError
from .policies.model import Policy
from .seccomp import actions, numbers, smt
from .seccomp.bpf import Program
from .seccomp.build import Build, abi_called
from .seccomp.calls import ResolvedCall
from .seccomp.diagram import ARCHITECTURE, INSTRUCTION_POINTER, NUMBER, Diagrams
from .seccomp.evaluate import decide
from .seccomp.explain import explain_filter, written
from .seccomp.filter import Environment, Filter, resolve
from .seccomp.interpret import interpret, without_stub
from .seccomp.lower import lower
from .seccomp.profile import Profile
from .seccomp.prove import Call
from .seccomp.prove_filter import meaning_of_filter
from .seccomp.prove_program import meaning_of_program
from .seccomp.shortfalls import closes_x32, is_beyond, killed_beyond
from .seccomp.simulate import SeccompData, simulate
from .seccomp.smt_policy import filter_term, policy_term
from .seccomp.smt_program import program_term
from .seccomp.syscalls import ABIS, FAMILIES, Abi, table


@dataclass(frozen=True, slots=True)
class Answer:
    """What one side says to one call."""

    value: int
    """The SECCOMP_RET_* value."""
    because: str
    """The rule, entry or instruction that decides, in a few words."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two things that are compared."""

    name: str
    diagram: Callable[[], int]
    """Makes its meaning, a node of the store; raises TooComplexError."""
    term: smt.Meaning
    """Makes its meaning for the second engine."""
    answer: Callable[[Call], Answer]
    """Its own evaluator, which knows nothing of diagrams."""

    @property
    def meaning(self) -> int:
        """A node of the store, made the first time; raises TooComplexError."""
        return self.diagram()

    def ask(self, diagrams: Diagrams, call: Call) -> Answer:
        """The evaluator's answer.

        Raises InternalError when the diagram says another: one of the two is wrong.
        """
        answer = self.answer(call)
        proven = value_at(diagrams, self.meaning, call)
        if answer.value != proven:
            raise InternalError(
                f"{self.name}: evaluated {answer.value:#x}, proven {proven:#x} for {call}"
            )
        return answer


def value_at(diagrams: Diagrams, meaning: int, call: Call) -> int:
    """What a diagram says to a call."""
    words = {
        ARCHITECTURE: call.arch,
        NUMBER: call.nr,
        INSTRUCTION_POINTER: call.instruction_pointer,
    }
    for argument, value in {**words, **dict(enumerate(call.arguments))}.items():
        meaning = diagrams.restrict(meaning, argument, value)
    return diagrams.value(meaning)


def policy_side(
    name: str, policy: Policy, build: Build, environment: Environment, diagrams: Diagrams
) -> Side:
    """A sound policy with a `seccomp` section, for the architectures that it names."""

    def answer(call: Call) -> Answer:
        found = decide(policy, build, environment, call.arch, call.nr, call.arguments)
        assert policy.seccomp is not None
        if found.rule is None:
            return Answer(found.value, _nobody(call, filter_))
        rule = policy.seccomp.rules[found.rule]
        return Answer(found.value, f"{rule.route} at {rule.at}")

    filter_ = resolve(lower(policy, build), environment)
    term = policy_term(policy, build, environment)
    return Side(name, _of_filter(filter_, diagrams), term, answer)


def filter_side(name: str, filter_: Filter, diagrams: Diagrams, profile: Profile) -> Side:
    """A profile as an engine reads it on one kind of host."""
    if profile.disabled:
        reason = "it is empty, so the engine uses no filter"
        return Side(
            name,
            lambda: diagrams.leaf(actions.ALLOW),
            lambda known: known.number(actions.ALLOW),
            lambda _: Answer(actions.ALLOW, reason),
        )

    def answer(call: Call) -> Answer:
        abi = abi_through(call)
        if abi is None:
            return Answer(numbers.FOREIGN, _nobody(call, filter_))
        said = explain_filter(filter_, abi, _resolved(call, abi))
        if said.rule is None:
            return Answer(said.value, said.because)
        return Answer(said.value, f"syscalls[{said.rule}] at {profile.entries[said.rule].at}")

    return Side(name, _of_filter(filter_, diagrams), filter_term(filter_), answer)


def unaided_side(name: str, filter_: Filter, diagrams: Diagrams, profile: Profile) -> Side:
    """A profile as libseccomp compiles it without runc's part: for crun and for systemd."""
    side = filter_side(name, without_stub(filter_), diagrams, profile)
    if profile.disabled or not closes_x32(filter_):
        return side

    def answer(call: Call) -> Answer:
        if call.arch == ABIS["x86_64"].audit_arch and is_beyond(call.nr):
            return Answer(numbers.FOREIGN, "libseccomp takes numbers from 2^31 up for x32's")
        return side.answer(call)

    def term(known: smt.Symbols) -> smt.Term:
        there = known.arch == known.number(ABIS["x86_64"].audit_arch)
        above = known.inside(known.nr, 1 << 31, numbers.NO_CALL - 1)
        foreign = known.number(numbers.FOREIGN)
        return known.z3.If(known.z3.And(there, above), foreign, side.term(known))

    diagram = cache(lambda: killed_beyond(diagrams, side.meaning))
    return Side(name, diagram, term, answer)


def jail_side(name: str, filter_: Filter, diagrams: Diagrams) -> Side:
    """A minijail policy, whose clauses have their lines for rules."""

    def answer(call: Call) -> Answer:
        abi = abi_through(call)
        if abi is None:
            return Answer(numbers.FOREIGN, _nobody(call, filter_))
        said = explain_filter(filter_, abi, _resolved(call, abi))
        return Answer(said.value, said.because if said.rule is None else f"line {said.rule}")

    return Side(name, _of_filter(filter_, diagrams), filter_term(filter_), answer)


def program_side(name: str, program: Program, diagrams: Diagrams, *, big_endian: bool) -> Side:
    """A BPF program, whoever wrote it."""

    def answer(call: Call) -> Answer:
        data = SeccompData(call.nr, call.arch, call.arguments, call.instruction_pointer)
        result = simulate(program, data, big_endian=big_endian)
        return Answer(result.value, f"instruction {result.last:04}")

    diagram = cache(lambda: meaning_of_program(program, diagrams, big_endian=big_endian))
    return Side(name, diagram, program_term(program, big_endian=big_endian), answer)


def _of_filter(filter_: Filter, diagrams: Diagrams) -> Callable[[], int]:
    return cache(lambda: meaning_of_filter(filter_, diagrams))


def interpreted(
    profile: Profile, build: Build, architectures: tuple[str, ...], environment: Environment
) -> Filter:
    """The filter that a profile becomes: on this machine, or on the host of `--arch`, of which
    only the architectures named are looked at.

    Raises InputError for architectures that no one host has.
    """
    abis = [abi_called(name) for name in architectures]
    if not abis:
        return interpret(profile, build.family, environment)
    family = next((each for each in FAMILIES if set(abis) <= set(each.abis)), None)
    if family is None:
        raise InputError.of(f"no host has {', '.join(architectures)} together")
    filter_ = interpret(profile, family, environment)
    return replace(filter_, abis=tuple(each for each in filter_.abis if each.abi in abis))


def _nobody(call: Call, filter_: Filter) -> str:
    abi = abi_through(call)
    if abi is None or filter_.of(abi) is None:
        return "the architecture is not among its own"
    return "no rule decides: the default" if call.nr in table(abi).by_number else "no such number"


def abi_through(call: Call) -> Abi | None:
    """The ABI that a call comes through; None when Stockade knows no such architecture."""
    return numbers.abi_of(call.arch, call.nr, ABIS.values())


def _resolved(call: Call, abi: Abi) -> ResolvedCall:
    name = table(abi).by_number.get(call.nr, f"#{call.nr}")
    return ResolvedCall(name, call.nr, tuple(enumerate(call.arguments)))


def in_words(call: Call) -> str:
    """A call as `stockade explain` takes it, after its architecture."""
    abi = abi_through(call)
    given = {index: call.arguments[index] for index in call.looked_at}
    if abi is None:
        return f"architecture {call.arch:#010x} #{call.nr}"
    resolved = _resolved(call, abi)
    words = written(resolved, abi, given) if given else resolved.name
    pointer = call.instruction_pointer
    return f"{abi.name} {words}" + (f" from {pointer:#x}" if pointer else "")
