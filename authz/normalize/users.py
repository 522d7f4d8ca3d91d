"""Who a process runs as: Docker's `user[:group]`."""

from __future__ import annotations

import re

from ..model import Json
from .values import deny, text

_NUMBER = re.compile(r"[+-]?[0-9]+\Z")

HIGHEST = 2**31 - 1
"""The engine's bound for a numeric user or group (moby/sys/user)."""


def _id(name: str, what: str) -> int | None:
    """The number that Go's Atoi sees, or None for a name."""
    if not _NUMBER.match(name):
        return None
    if len(name) > 20:
        deny("bad-user", f"{what} {name[:30]!r} is out of range")
    found = int(name)
    if not 0 <= found <= HIGHEST:
        deny("bad-user", f"{what} {name} is out of range")
    return found


def user(value: Json, name: str = "User") -> Json:
    """The document's user. `root` is null for a name: which id it has only the image knows.

    The empty user is root, or whoever the image says; nobody can know that without the image.
    """
    said = text(value, name)
    if said == "":
        return {"text": "", "user": "", "group": "", "root": True}
    who, _, group = said.partition(":")
    if ":" in group or said != said.strip():
        deny("bad-user", f"{name} {said!r} is not user[:group]")
    _id(group, "group")
    found = _id(who, "user")
    root = True if who in ("", "root") else None if found is None else found == 0
    return {"text": said, "user": who, "group": group, "root": root}
