"""Bodies and queries without their secrets, for logs. Labels stay."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..model import Json
from ..wording import hide, hide_in_command, hide_instruction
from .values import parse_json

REDACTED = "REDACTED"

_SECRET = re.compile(
    r"pass(?:word|wd|phrase)?\b|password|secret|token|key|credential", re.IGNORECASE
)
_SECRET_FIELDS = frozenset(
    "Data UnlockKey JoinToken SigningCAKey password auth identitytoken registrytoken".split()
)
_HARMLESS_FIELDS = frozenset(
    """
    SecretID SecretName Secrets DetachKeys CredentialSpec Key Secret Labels
    """.split()
)
"""Their names look secret; what they hold are names."""

_COMMANDS = frozenset({"Cmd", "Entrypoint", "Command", "Args", "Test", "Shell"})


def _environment(items: Json) -> Json:
    if type(items) is not list:
        return REDACTED
    return [
        f"{item.partition('=')[0]}={REDACTED}" if type(item) is str and "=" in item else item
        for item in items
    ]


def in_text(value: str) -> str:
    """`o=…,password=x` and `https://user:x@host` without what is secret."""
    return hide(value, REDACTED)


def instructions(changes: Iterable[Json]) -> list[Json]:
    """Instructions of a Dockerfile without values of the environment and secrets."""
    return [hide_instruction(one, REDACTED) if type(one) is str else one for one in changes]


def _field(name: str, value: Json) -> Json:
    if name == "Labels" or name == "labels":
        return value
    if name == "Env":
        return _environment(value)
    if name in _SECRET_FIELDS:
        return REDACTED
    if name in _COMMANDS and type(value) is list:
        return hide_in_command(value, REDACTED)
    if name == "OnBuild" and type(value) is list:
        return instructions(value)
    if name not in _HARMLESS_FIELDS and type(value) is str and _SECRET.search(name):
        return REDACTED
    return redact(value)


def redact(value: Json) -> Json:
    """A copy without secrets. Fields are told by their names, as the schema spells them."""
    kind = type(value)
    if kind is dict:
        # Zero values, most of a usual body, have nothing to hide.
        return {name: _field(name, item) if item else item for name, item in value.items()}
    if kind is list:
        return [redact(item) for item in value] if value else value
    return in_text(value) if kind is str else value


def redact_query(query: Mapping[str, Json]) -> dict[str, Json]:
    """A copy of the decoded query: no values of build arguments, no passwords in addresses."""
    found: dict[str, Json] = {}
    for key, value in query.items():
        if key == "buildargs":
            arguments = parse_json(value, key) if value else None
            found[key] = sorted(arguments) if isinstance(arguments, dict) else REDACTED
        elif key == "changes":
            found[key] = instructions([value] if isinstance(value, str) else value)
        elif isinstance(value, str):
            found[key] = in_text(value)
        else:
            found[key] = [in_text(item) for item in value]
    return found
