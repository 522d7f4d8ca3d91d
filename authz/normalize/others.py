"""Bodies that rules see as they are, without their secrets: the key `other`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..model import Json
from .fields import check
from .redact import REDACTED, redact
from .values import deny, flag, mapping, objects, text, texts

_DRIVERS = ("Driver", "Templating")

_PARTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "SwarmSpec": tuple(
        (field, f"SwarmSpec.{field}")
        for field in "Orchestration Raft Dispatcher CAConfig EncryptionConfig TaskDefaults".split()
    ),
    "SwarmInit": (("Spec", "SwarmSpec"),),
    "SecretSpec": tuple((field, "Driver") for field in _DRIVERS),
    "ConfigSpec": (("Templating", "Driver"),),
    "SwarmSpec.TaskDefaults": (("LogDriver", "Driver"),),
}
"""Type -> its fields that are objects, with their types."""

_BODIES: Mapping[str, str] = {
    "swarm.init": "SwarmInit",
    "swarm.join": "SwarmJoin",
    "swarm.unlock": "SwarmUnlock",
    "swarm.update": "SwarmSpec",
    "node.update": "NodeSpec",
    "secret.create": "SecretSpec",
    "secret.update": "SecretSpec",
    "config.create": "ConfigSpec",
    "config.update": "ConfigSpec",
    "registry.login": "AuthConfig",
    "exec.start": "ExecStartConfig",
}
"""Operation -> the type of its body."""

OPERATIONS = frozenset(_BODIES)


def _check(kind: str, given: Mapping[str, Json]) -> None:
    check(kind, given)
    for field, inner in _PARTS.get(kind, ()):
        _check(inner, mapping(given.get(field), field))


def other(operation: str, body: Json) -> dict[str, Json]:
    """The body of an operation of OPERATIONS. Raises Denied."""
    given = mapping(body, "body")
    _check(_BODIES[operation], given)
    found: dict[str, Json] = redact(given)
    return found


OWN_DIRECTORY = "checkpoints are kept in their container's own directory; leave it out"
"""The engine writes to another one, and removes it, as root and whatever it is."""

_CHECKPOINT = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*\Z")
"""The engine holds new ones to nearly this, but takes any path for one that is restored."""


def checkpoint_name(said: str) -> str:
    """The name of a checkpoint. Raises Denied for a path."""
    if not _CHECKPOINT.match(said):
        deny("bad-name", f"{said[:100]!r} is not a name for a checkpoint")
    return said


def checkpoint(body: Json) -> dict[str, Json]:
    """Of POST /containers/X/checkpoints. Raises Denied."""
    given = mapping(body, "body")
    check("CheckpointCreate", given)
    return {
        "CheckpointID": checkpoint_name(text(given.get("CheckpointID"), "CheckpointID")),
        "Exit": flag(given.get("Exit"), "Exit"),
    }


def privileges(body: Json) -> list[Json]:
    """What a plugin is granted: the body as it stands. Raises Denied."""
    found = objects(body, "body")
    for given in found:
        check("PluginPrivilege", given)
        text(given.get("Name"), "Name")
        texts(given.get("Value"), "Value")
    return found


def settings(body: Json) -> list[str]:
    """What of a plugin is set: names only, for the values may be secrets."""
    return [
        f"{said.partition('=')[0]}={REDACTED}" if "=" in said else REDACTED
        for said in texts(body, "body")
    ]
