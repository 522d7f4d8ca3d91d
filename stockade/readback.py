"""What a compiled file means to those that load it, taken from its bytes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from .meanings import (
    Side,
    filter_side,
    interpreted,
    jail_side,
    policy_side,
    program_side,
    unaided_side,
)
from .policies.errors import InputError, InternalError
from .policies.model import Policy
from .policies.source import Source
from .seccomp import bpf
from .seccomp.build import named_abis
from .seccomp.diagram import Diagrams
from .seccomp.filter import Environment, Filter, resolve
from .seccomp.interpret import interpret
from .seccomp.lower import lower
from .seccomp.podman import crun_shortfalls, podman_shortfalls
from .seccomp.profile import Profile
from .seccomp.read_minijail import read_minijail
from .seccomp.read_operator import read_operator
from .seccomp.read_profile import read_profile
from .seccomp.read_systemd import read_dropin
from .seccomp.read_wrappers import Wrapped, read_bwrap, read_c, read_crun
from .seccomp.shortfalls import Shortfall, covered, covered_term
from .seccomp.syscalls import FAMILIES, Family
from .seccomp.systemd import systemd_shortfalls
from .seccomp.targets import TARGETS, Request, for_machine, selected

_NOWHERE = Environment(frozenset(), (0, 0))
"""What a drop-in asks for: it has no conditions."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One consumer's understanding of a file."""

    name: str
    """The file, and under what it is read where that matters."""
    policy: Policy
    """What it has to equal: the policy, for the architectures that the consumer serves."""
    side: Callable[[Diagrams], Side]
    shortfalls: Sequence[Shortfall] = ()
    """What the consumer is known to answer otherwise; it was noted when the file was made."""

    def sides(self, request: Request, whole: bool, diagrams: Diagrams) -> tuple[Side, Side]:
        """The file's meaning and the policy's; without `whole` the shortfalls are left out."""
        mine = self.side(diagrams)
        its = policy_side(
            self.policy.name, self.policy, request.build, request.environment, diagrams
        )
        if whole or not self.shortfalls:
            return mine, its
        filter_ = _resolved(self.policy, request)
        left_out = covered(diagrams, filter_, self.shortfalls)

        def without(side: Side) -> Side:
            nothing = diagrams.leaf(0)
            return replace(
                side,
                diagram=lambda: diagrams.choose(left_out, nothing, side.meaning),
                term=lambda known: known.z3.If(
                    covered_term(known, filter_, self.shortfalls),
                    known.number(0),
                    side.term(known),
                ),
            )

        return without(mine), without(its)


def readings(target: str, content: bytes, policy: Policy, request: Request) -> list[Reading]:
    """Everything that has to be proven of a file which was compiled from a sound policy.

    JSON is read on each kind of host that it is for. Empty: nothing here can read the form.
    Raises InternalError when what Stockade has just written cannot be read.
    """
    file = f"{policy.name}{TARGETS[target].suffix}"
    try:
        return list(_readings(target, file, content, policy, request))
    except (InputError, ValueError) as error:  # ValueError: no JSON, no UTF-8
        raise InternalError(f"{file} cannot be read back: {error}") from error


def _readings(
    target: str, file: str, content: bytes, policy: Policy, request: Request
) -> Iterator[Reading]:
    if target == "docker":
        chosen = selected(policy, request.architectures)
        yield from _profiles(file, content, chosen, request, everywhere=True)
        return
    here = for_machine(policy, request)
    assert here.seccomp is not None
    first = named_abis(here.seccomp, request.build)[0]
    match target:
        case "bpf":
            program = bpf.decode(content, file, big_endian=first.big_endian)
            wrapped = Wrapped(program, first.big_endian)
            yield Reading(file, here, partial(wrapped_side, file, wrapped))
        case "crun" | "bwrap" | "c":
            source = Source(file, content.decode())
            found = (
                read_crun(source, big_endian=first.big_endian)
                if target == "crun"
                else (read_bwrap if target == "bwrap" else read_c)(source)
            )
            yield Reading(file, here, partial(wrapped_side, file, found))
        case "oci":
            yield from _profiles(file, content, here, request)
        case "podman":
            said = podman_shortfalls(lower(here, request.build), content)
            yield from _profiles(file, content, here, request, shortfalls=said)
        case "kubernetes" | "kubernetes-spo":
            said = crun_shortfalls(lower(here, request.build))
            if target == "kubernetes-spo":
                content = read_operator(Source(file, content.decode())).text.encode()
            yield from _profiles(file, content, here, request, shortfalls=said)
        case "systemd":
            source = Source(file, content.decode())
            said = systemd_shortfalls(_resolved(here, request))
            for family in _families(here, request):
                profile = read_dropin(source, family.native)
                side = partial(dropin_side, source, profile, family)
                yield Reading(f"{file} on {family.native.name}", here, side, said)
        case "minijail":
            read = read_minijail(Source(file, content.decode()), first)
            yield Reading(file, here, partial(jail_side, file, read))


def _profiles(
    file: str,
    content: bytes,
    chosen: Policy,
    request: Request,
    *,
    everywhere: bool = False,
    shortfalls: Sequence[Shortfall] | None = None,
) -> Iterator[Reading]:
    """A profile on each kind of host that it is for; with shortfalls, under runc and under crun."""
    read = read_profile(Source(file, content.decode()))
    if read.profile is None:
        raise InputError(read.errors)
    profile = read.profile
    for family in _families(chosen, request, everywhere=everywhere):
        here = tuple(each.name for each in family.abis if each.name in _named(chosen, request))
        one = selected(chosen, here)
        on = f"{file} on {family.native.name}"

        def side(store: Diagrams, here: tuple[str, ...] = here) -> Side:
            return filter_side(file, _filter(profile, request, here), store, profile)

        def under_crun(store: Diagrams, here: tuple[str, ...] = here) -> Side:
            return unaided_side(file, _filter(profile, request, here), store, profile)

        if shortfalls is None:
            yield Reading(on, one, side)
            continue
        for_runc = [each for each in shortfalls if not each.only_crun]
        yield Reading(f"{on} under runc", one, side, for_runc)
        yield Reading(f"{on} under crun", one, under_crun, shortfalls)


def _filter(profile: Profile, request: Request, here: tuple[str, ...]) -> Filter:
    return interpreted(profile, request.build, here, request.environment)


def _families(chosen: Policy, request: Request, *, everywhere: bool = False) -> Iterator[Family]:
    """The kinds of host that serve all ABIs of the policy; `everywhere`: or some, and their own."""
    named = _named(chosen, request)
    for family in FAMILIES:
        here = {each.name for each in family.abis} & named
        if family.native.name in here and (everywhere or here == named):
            yield family


def _named(policy: Policy, request: Request) -> set[str]:
    assert policy.seccomp is not None
    return {each.name for each in named_abis(policy.seccomp, request.build)}


def _resolved(policy: Policy, request: Request) -> Filter:
    return resolve(lower(policy, request.build), request.environment)


def wrapped_side(name: str, wrapped: Wrapped, diagrams: Diagrams) -> Side:
    """The program that was found in a file."""
    return program_side(name, wrapped.program, diagrams, big_endian=wrapped.big_endian)


def dropin_side(source: Source, profile: Profile, family: Family, diagrams: Diagrams) -> Side:
    """A systemd drop-in, which was read, on machines of this family."""
    return unaided_side(source.name, interpret(profile, family, _NOWHERE), diagrams, profile)
