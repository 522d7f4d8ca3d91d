"""What the tools of `stockade authz` share: a policy ready to decide, and who asks."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...authz.check import check
from ...authz.decide import Rules
from ...authz.dockercli.model import Json
from ...authz.model import LOCAL, Identity
from ...policies import load
from ...policies.authz_model import Authz
from ...policies.errors import InputError
from ...policies.model import Policy
from ...policies.problems import arrange
from ...policies.reading import read_source
from ...policies.source import Location
from ..options import problems_of


@dataclass(frozen=True, slots=True)
class Ready:
    """A sound policy with an `authz` section, compiled, and its engine in this process."""

    policy: Policy
    authz: Authz
    data: Mapping[str, Json]
    """`data.stockade.policy`."""
    rules: Rules

    def place(self, rule: str | None) -> Location | None:
        """Where a rule stands that a verdict names by its id."""
        for each, written in zip(self.data["rules"], self.authz.rules, strict=True):
            if each["id"] == rule:
                return written.at
        return None

    def named_in(self, reason: str) -> Location | None:
        """Where the rule stands that a reason names as `authz.rules[1] (web.yaml:14)`."""
        for each, written in zip(self.data["rules"], self.authz.rules, strict=True):
            if f"{each['id']} ({each['file']}:{each['line']})" in reason:
                return written.at
        return None


def sound_authz(reference: str) -> tuple[Policy, Authz]:
    """The policy that a path or library name stands for, and its section.

    Raises InputError with every problem of either, or when it has no such section.
    """
    from ...seccomp.build import Build

    loaded = load(reference)
    found = [*loaded.problems]
    policy = loaded.policy
    if policy is not None and policy.seccomp is not None:
        found = [*problems_of(loaded, Build.of_machine())]
    if policy is not None and policy.authz is not None:
        found += check(policy.authz)
    if found or policy is None:
        raise InputError(arrange(found))
    if policy.authz is None:
        raise InputError.of(f"policy {policy.name} has no `authz` section", policy.at)
    return policy, policy.authz


def make_ready(reference: str) -> Ready:
    """The policy, ready to decide; validated as the plugin does it. Raises InputError."""
    from ...authorization import load_bundle, make_rules
    from ...authz.settings import Settings

    policy, authz = sound_authz(reference)
    settings = Settings(policy=reference)
    bundle = load_bundle(settings)
    return Ready(policy, authz, bundle.document, make_rules(settings, bundle))


def read_subject(text: str | None, local: bool) -> Identity:
    """`cn=alice,ou=ops,san=DNS:x`; without it the unix socket. Raises InputError."""
    if text is None or local:
        if text is not None:
            raise InputError.of("`--as` and `--local` contradict each other")
        return LOCAL
    return identity_of(_parts(text))


def identity_of(parts: Mapping[str, list[str]]) -> Identity:
    """A client certificate with these names."""
    names = parts.get("cn", [])
    if len(names) > 1:
        raise InputError.of("a subject has one cn")
    units = tuple(parts.get("ou", []))
    principal = ",".join([*(f"CN={name}" for name in names), *(f"OU={unit}" for unit in units)])
    return Identity(
        "tls", principal, names[0] if names else None, units, tuple(parts.get("san", []))
    )


def _parts(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if key not in ("cn", "ou", "san") or not equals or not value:
            raise InputError.of(
                f"`--as`: cannot read `{part}`", hint="write it like cn=alice,ou=ops,san=DNS:x"
            )
        found.setdefault(key, []).append(value)
    return found


class Here:
    """The client's side of a command line: this machine, this directory, these variables."""

    def __init__(self, directory: Path | None = None) -> None:
        """`directory`: where relative paths start; None: here."""
        self._directory = directory if directory is not None else Path.cwd()

    def read(self, path: str) -> str:
        """The text of a file; `-` is standard input. Raises InputError."""
        if path == "-":
            return sys.stdin.read()
        return read_source(self._directory / path, path).text

    def variable(self, name: str) -> str | None:
        """An environment variable."""
        return os.environ.get(name)

    def absolute(self, path: str) -> str:
        """The path from the root, links not followed."""
        return os.path.normpath(self._directory.absolute() / path)
