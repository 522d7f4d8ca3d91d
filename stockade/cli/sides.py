"""FILE arguments of `prove` and `diff`: each becomes one side of a comparison."""

from __future__ import annotations

from collections.abc import Iterable

import click

from ..meanings import Side, filter_side, interpreted, jail_side, policy_side, program_side
from ..policies.errors import InputError
from ..policies.model import Policy
from ..policies.source import Source, printable
from ..readback import dropin_side, wrapped_side
from ..seccomp.build import abi_called
from ..seccomp.diagram import Diagrams
from ..seccomp.interpret import for_runtime
from ..seccomp.profile import Profile
from ..seccomp.read_minijail import read_minijail
from ..seccomp.read_operator import read_operator
from ..seccomp.read_profile import read_profile
from ..seccomp.read_systemd import read_dropin
from ..seccomp.read_wrappers import read_bwrap, read_c, read_crun
from ..seccomp.runc import compile_profile
from ..seccomp.syscalls import FAMILIES, Abi
from ..seccomp.targets import Request, for_machine, selected
from .inputs import Form, InputKind, form_of, kind_of, profile_source
from .options import sound_policy
from .programs import read_program


def read_sides(
    files: Iterable[str], request: Request, diagrams: Diagrams, *, libseccomp: bool = False
) -> list[Side]:
    """What the files mean.

    A policy stands for all of its architectures when it is compared with policies only. Profiles
    and programs are for one kind of machine, and beside them a policy is too. With `libseccomp`
    profiles are what the library of this machine makes of them. Raises InputError.
    """
    kinds = [(file, form_of(file) or kind_of(file)) for file in files]
    everywhere = all(kind is InputKind.POLICY for _, kind in kinds)
    sides = [_side(file, kind, request, diagrams, everywhere, libseccomp) for file, kind in kinds]
    if not request.environment.capabilities and _unsettled(kinds, request):
        click.echo(
            "note: rules with `needs:` are left out; --cap says what the container has", err=True
        )
    return sides


def _unsettled(kinds: Iterable[tuple[str, InputKind | Form]], request: Request) -> bool:
    """Whether some rule of a policy counts only with capabilities."""
    policies = (seccomp_policy(file, request) for file, kind in kinds if kind is InputKind.POLICY)
    return any(rule.needs for each in policies if each.seccomp for rule in each.seccomp.rules)


def _side(
    file: str,
    kind: InputKind | Form,
    request: Request,
    diagrams: Diagrams,
    everywhere: bool,
    libseccomp: bool,
) -> Side:
    name = printable(file)
    native = (
        abi_called(request.architectures[0])
        if request.architectures
        else request.build.family.native
    )
    match kind:
        case Form():
            return _written_otherwise(profile_source(file), kind, native, request, diagrams)
        case InputKind.POLICY:
            policy = seccomp_policy(file, request)
            chosen = (
                selected(policy, request.architectures)
                if everywhere
                else for_machine(policy, request)
            )
            return policy_side(name, chosen, request.build, request.environment, diagrams)
        case InputKind.PROFILE:
            profile = _profile(profile_source(file))
            if libseccomp and not profile.disabled:
                family = request.build.family
                handed = for_runtime(profile, family, request.environment)
                program = compile_profile(handed, family.native)
                return program_side(
                    f"{name} by libseccomp", program, diagrams, big_endian=family.native.big_endian
                )
            return _profile_side(profile, name, request, diagrams)
        case InputKind.PROGRAM:
            program = read_program(file, big_endian=native.big_endian)
            return program_side(name, program, diagrams, big_endian=native.big_endian)


def _written_otherwise(
    source: Source, form: Form, native: Abi, request: Request, diagrams: Diagrams
) -> Side:
    match form:
        case Form.CRUN:
            wrapped = read_crun(source, big_endian=native.big_endian)
        case Form.BWRAP:
            wrapped = read_bwrap(source)
        case Form.C:
            wrapped = read_c(source)
        case Form.OPERATOR:
            profile = _profile(read_operator(source))
            return _profile_side(profile, source.name, request, diagrams)
        case Form.SYSTEMD:
            family = next(each for each in FAMILIES if native in each.abis)
            read = read_dropin(source, family.native)
            return dropin_side(source, read, family, diagrams)
        case Form.MINIJAIL:
            return jail_side(source.name, read_minijail(source, native), diagrams)
    return wrapped_side(source.name, wrapped, diagrams)


def _profile(source: Source) -> Profile:
    read = read_profile(source)
    if read.profile is None:
        raise InputError(read.errors)
    return read.profile


def _profile_side(profile: Profile, name: str, request: Request, diagrams: Diagrams) -> Side:
    filter_ = interpreted(profile, request.build, request.architectures, request.environment)
    return filter_side(name, filter_, diagrams, profile)


def seccomp_policy(file: str, request: Request) -> Policy:
    """A sound policy with a `seccomp` section; raises InputError."""
    policy = sound_policy(file, request.build)
    if policy.seccomp is None:
        raise InputError.of(f"policy {policy.name} has no `seccomp` section", policy.at)
    return policy
