"""FILE arguments of `prove` and `diff`: each becomes one side of a comparison."""

from __future__ import annotations

from collections.abc import Iterable

from ..meanings import Side, filter_side, interpreted, policy_side, program_side
from ..policies.errors import InputError
from ..policies.model import Policy
from ..policies.source import printable
from ..seccomp.build import abi_called
from ..seccomp.diagram import Diagrams
from ..seccomp.read_profile import read_profile
from ..seccomp.targets import Request, for_machine, selected
from .inputs import InputKind, kind_of, profile_source
from .options import sound_policy
from .programs import read_program


def read_sides(files: Iterable[str], request: Request, diagrams: Diagrams) -> list[Side]:
    """What the files mean.

    A policy stands for all of its architectures when it is compared with policies only. Profiles
    and programs are for one kind of machine, and beside them a policy is too. Raises InputError.
    """
    kinds = [(file, kind_of(file)) for file in files]
    everywhere = all(kind is InputKind.POLICY for _, kind in kinds)
    return [_side(file, kind, request, diagrams, everywhere) for file, kind in kinds]


def _side(
    file: str, kind: InputKind, request: Request, diagrams: Diagrams, everywhere: bool
) -> Side:
    name = printable(file)
    match kind:
        case InputKind.POLICY:
            policy = seccomp_policy(file, request)
            chosen = (
                selected(policy, request.architectures)
                if everywhere
                else for_machine(policy, request)
            )
            return policy_side(name, chosen, request.build, request.environment, diagrams)
        case InputKind.PROFILE:
            read = read_profile(profile_source(file))
            if read.profile is None:
                raise InputError(read.errors)
            filter_ = interpreted(
                read.profile, request.build, request.architectures, request.environment
            )
            return filter_side(name, filter_, diagrams, read.profile)
        case InputKind.PROGRAM:
            native = (
                abi_called(request.architectures[0])
                if request.architectures
                else request.build.family.native
            )
            program = read_program(file, big_endian=native.big_endian)
            return program_side(name, program, diagrams, big_endian=native.big_endian)


def seccomp_policy(file: str, request: Request) -> Policy:
    """A sound policy with a `seccomp` section; raises InputError."""
    policy = sound_policy(file, request.build)
    if policy.seccomp is None:
        raise InputError.of(f"policy {policy.name} has no `seccomp` section", policy.at)
    return policy
