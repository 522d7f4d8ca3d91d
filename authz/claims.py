"""Whose a new volume is: claimed before it is made, settled when the engine has made it.

A volume has no id but its name, creating one that exists succeeds, and a container's bind of a
name makes the volume by the way. So the answer of the engine does not say who made it. It
belongs to who asked for it first while it did not exist, if nobody else asked for the same name
before the answer came, and if the engine says that it was made after that. A volume that fails
one of these belongs to nobody.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from .facts import Facts
from .model import CanonicalRequest, Fact, Json

MAKES = frozenset({"container.create", "volume.create"})
"""Operations that may make volumes by the names in their references."""
LIFE = 60.0
"""Seconds; a request that takes longer to be answered leaves its volumes to nobody."""
_COARSE = 1.0
"""Seconds in which the engine's times are counted."""

Made = Callable[[str], str | None]
"""A volume's name -> when the engine made it, in its own words; None where a driver keeps none.

Engine 20.10 says when its contents changed, which is later.
"""


def claim(request: CanonicalRequest, document: Mapping[str, Json], facts: Facts) -> None:
    """Note the volumes that do not exist yet, before the request is allowed. Raises Denied."""
    if request.operation not in MAKES:
        return
    names = [
        each["reference"]
        for each in document["references"]
        if each["kind"] == "volume" and each["known"] is not True
    ]
    if not names:
        return
    now, owner = time.time(), _text(request)
    with facts.writing() as connection:
        connection.execute("DELETE FROM claims WHERE since < ? OR since > ?", (now - LIFE, now))
        connection.executemany(
            "INSERT INTO claims(name, owner, since) VALUES (?, ?, ?) ON CONFLICT(name) DO UPDATE"
            " SET owner = iif(owner = excluded.owner, owner, NULL)",
            [(name, owner, now) for name in names],
        )


def settle(request: CanonicalRequest, facts: Facts, made: Made) -> None:
    """The request succeeded: its claims become facts, or nothing. Raises Denied."""
    for name, since in _take(request, facts):
        if _is_after(made(name), since):
            facts.remember(Fact("volume", name, name, _owner(request), _labels(request)))


def drop(request: CanonicalRequest, facts: Facts) -> None:
    """The request failed. Raises Denied."""
    _take(request, facts)


def _take(request: CanonicalRequest, facts: Facts) -> list[tuple[str, float]]:
    """Take out the requester's claims on the volumes of the request."""
    names = _named(request)
    if request.operation not in MAKES or not names:
        return []
    owner, found = _text(request), []
    with facts.writing() as connection:
        for name in names:
            found += connection.execute(
                "DELETE FROM claims WHERE name = ? AND owner = ? RETURNING name, since",
                (name, owner),
            ).fetchall()
    return found


def _named(request: CanonicalRequest) -> Iterable[str]:
    return [each.text for each in request.references if each.kind == "volume"]


def _labels(request: CanonicalRequest) -> Mapping[str, str]:
    """What volume.create gives it; one that a container's bind makes has none."""
    volume = request.details.get("volume")
    return volume["labels"] if isinstance(volume, Mapping) else {}


def _owner(request: CanonicalRequest) -> Mapping[str, Json]:
    return request.identity.document()


def _text(request: CanonicalRequest) -> str:
    return json.dumps(_owner(request), sort_keys=True)


def _is_after(when: str | None, since: float) -> bool:
    if when is None:
        return True
    try:
        return datetime.fromisoformat(when).timestamp() + _COARSE > since
    except ValueError:
        return False
