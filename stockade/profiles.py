"""Which policies an inline seccomp profile equals in meaning, for the authorization plugin.

`authz` decides requests and `seccomp` knows what a profile does; neither imports the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from .authz.denied import Denied
from .policies.errors import InputError, InternalError, StockadeError
from .policies.model import Policy
from .policies.source import Source
from .seccomp.build import Build, running_kernel
from .seccomp.check import check
from .seccomp.docker import docker_profile
from .seccomp.equal import differences
from .seccomp.filter import Environment, Filter
from .seccomp.hosts import ENGINES
from .seccomp.interpret import interpret
from .seccomp.lower import lower
from .seccomp.profile import Profile, render
from .seccomp.read_profile import read_profile

REMEMBERED = 256
"""Profiles whose answer is kept; a comparison takes some tenths of a second at worst."""


def profile_text(policy: Policy) -> str:
    """The policy as Docker JSON, which `PolicyProfiles` compares with.

    Raises InputError for an unsound policy, TargetError for one that JSON cannot say.
    """
    build = Build.of_machine()
    if problems := check(policy, build):
        raise InputError(problems)
    return render(docker_profile(policy, lower(policy, build), ENGINES["29"]))


class PolicyProfiles:
    """The seccomp policies that rules name, ready to be compared with profiles in requests."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """`texts`: by the name that rules use, what `profile_text` made."""
        self._family = Build.of_machine().family
        self._kernel = running_kernel()
        self._profiles = {name: _read(name, text) for name, text in texts.items()}
        self._filter = lru_cache(REMEMBERED)(self._interpret)
        self._equal = lru_cache(REMEMBERED)(self._compare)

    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        """The names of the policies that a container with these capabilities could not tell
        from the profile on this machine: equal answers to every call with every arguments.

        Raises Denied when the profile cannot be read, or is too complex to be sure.
        """
        held = frozenset(
            name if name.startswith("CAP_") else f"CAP_{name}" for name in capabilities
        )
        return self._equal(profile_text, held)

    def _interpret(self, name: str, capabilities: frozenset[str]) -> Filter:
        return self._meaning(self._profiles[name], capabilities)

    def _meaning(self, profile: Profile, capabilities: frozenset[str]) -> Filter:
        environment = Environment(capabilities, self._kernel)
        return interpret(profile, self._family, environment)

    def _compare(self, text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        read = read_profile(Source("seccomp profile", text))
        profile = read.profile
        if profile is None or read.ignored:
            problem = [*read.errors, *read.ignored][0]
            raise Denied("seccomp-profile", f"the seccomp profile: {problem.message}")
        if profile.disabled:
            return ()
        try:
            return tuple(name for name in self._profiles if self._same(name, profile, capabilities))
        except StockadeError as error:
            raise Denied("seccomp-profile", f"the seccomp profile: {error}") from error

    def _same(self, name: str, profile: Profile, capabilities: frozenset[str]) -> bool:
        ours = self._profiles[name]
        if (profile.flags, profile.listener_path) != (ours.flags, ours.listener_path):
            return False
        found = differences(self._filter(name, capabilities), self._meaning(profile, capabilities))
        return next(iter(found), None) is None


def _read(name: str, text: str) -> Profile:
    profile = read_profile(Source(name, text)).profile
    if profile is None:
        raise InternalError(f"the profile made of {name} cannot be read back")
    return profile
