"""Options that several commands share, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from ..policies import Loaded, load
from ..policies.errors import InputError
from ..policies.model import Policy
from ..policies.problems import arrange
from ..policies.source import Problem
from ..seccomp.build import DOCKER_CAPABILITIES, Build, running_kernel
from ..seccomp.check import check
from ..seccomp.filter import Environment
from ..seccomp.targets import Request

F = TypeVar("F", bound=Callable[..., Any])


def environment_options(command: F) -> F:
    """--arch, --cap and --kernel."""
    return click.option(
        "--arch", "architectures", multiple=True, metavar="A",
        help="Only this architecture of the policy; repeatable.",
    )(capability_options(command))  # fmt: skip


def capability_options(command: F) -> F:
    """--cap and --kernel."""
    kernel = click.option(
        "--kernel", metavar="V",
        help="The kernel version, such as 6.1. Default: this machine's.",
    )  # fmt: skip
    return click.option(
        "--cap", "capabilities", multiple=True, metavar="C",
        help="A capability that the container has (CAP_SYS_ADMIN), or `docker` for the 14 of "
        "Docker's default; repeatable. Default: none.",
    )(kernel(command))  # fmt: skip


def read_environment(capabilities: Iterable[str], kernel: str | None) -> Environment:
    """What --cap and --kernel say.

    Raises InputError for an unknown capability or a malformed version.
    """
    from ..policies.capabilities import CAPABILITIES
    from ..policies.problems import did_you_mean

    held: set[str] = set()
    for name in capabilities:
        if name == "docker":
            held |= DOCKER_CAPABILITIES
        elif name in CAPABILITIES:
            held.add(name)
        else:
            raise InputError.of(
                f"unknown capability `{name}`{did_you_mean(name, CAPABILITIES)}",
                hint="names are those of capabilities(7), or `docker`",
            )
    return Environment(frozenset(held), _version(kernel) if kernel else running_kernel())


def _version(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,3})\.(\d{1,4})([.-].*)?", text)
    if found is None:
        raise InputError.of(f"`{text}` is no kernel version", hint="write it like 6.1")
    return int(found[1]), int(found[2])


def read_request(
    architectures: Iterable[str],
    capabilities: Iterable[str],
    kernel: str | None,
    engine: str = "29",
    listener_path: str = "",
) -> Request:
    """What the shared options ask for."""
    return Request(
        Build.of_machine(),
        read_environment(capabilities, kernel),
        tuple(architectures),
        engine,
        listener_path,
    )


def problems_of(loaded: Loaded, build: Build) -> tuple[Problem, ...]:
    """Everything wrong with a policy, the loader's and the tables' word together."""
    found: list[Problem] = []
    if loaded.policy is not None:
        found += check(loaded.policy, build)
        if loaded.policy.authz is not None:
            from ..authz.check import check as check_authz

            found += check_authz(loaded.policy.authz)
    return arrange([*loaded.problems, *found])


def read_policy(reference: str, build: Build) -> Policy:
    """The policy, for a caller that checks it against the tables itself.

    Raises InputError where the loader finds fault, then with the tables' word too.
    """
    loaded = load(reference)
    if loaded.policy is None or loaded.problems:
        raise InputError(problems_of(loaded, build))
    return loaded.policy


def sound_policy(reference: str, build: Build) -> Policy:
    """The policy that a path or library name stands for.

    Raises InputError with all its problems, in the order of the text.
    """
    loaded = load(reference)
    problems = problems_of(loaded, build)
    if problems or loaded.policy is None:
        raise InputError(problems)
    return loaded.policy
