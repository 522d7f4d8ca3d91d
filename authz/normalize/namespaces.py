"""Namespace modes: `host`, `container:X`, …, and what must not be guessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from ..model import Json
from .values import deny, text

_MODES: Mapping[str, frozenset[str]] = {
    "PidMode": frozenset({"host"}),
    "IpcMode": frozenset({"host", "none", "private", "shareable"}),
    "UTSMode": frozenset({"host"}),
    "UsernsMode": frozenset({"host"}),
    "CgroupnsMode": frozenset({"host", "private"}),
}
"""What engines take besides the empty text; `container:X` is for PidMode and IpcMode."""

_SHARED = frozenset({"PidMode", "IpcMode"})

PREDEFINED = frozenset({"default", "bridge", "none", "host"})
"""Networks that every engine has, and the modes of the same names."""


def _default() -> Json:
    return {"mode": "default", "target": None}


def _unclear(field: str, said: str) -> NoReturn:
    deny("unclear-namespace", f"{field} {said!r} is not a mode that every engine reads alike")


def _container(field: str, said: str) -> Json:
    target = said.removeprefix("container:")
    if not target or ":" in target or target != target.strip():
        _unclear(field, said)
    return {"mode": "container", "target": target}


def mode(value: Json, field: str) -> Json:
    """A namespace other than the network's. Raises Denied for a mode nobody documents."""
    if not value:
        text(value, field)
        return _default()
    said = text(value, field)
    if said in _MODES[field]:
        return {"mode": said, "target": None}
    if field in _SHARED and said.startswith("container:"):
        return _container(field, said)
    _unclear(field, said)


def network_mode(value: Json) -> Json:
    """The network's; a name of a network is mode `named`. Raises Denied."""
    said = text(value, "NetworkMode")
    if said in ("", "default"):
        return _default()
    if said in PREDEFINED:
        return {"mode": said, "target": None}
    if said.startswith("container:"):
        return _container("NetworkMode", said)
    return {"mode": "named", "target": network_name(said, "NetworkMode")}


def network_name(said: str, field: str) -> str:
    """A network as a request names it. Raises Denied for what could be a mode instead."""
    if not said or said != said.strip() or ":" in said or "/" in said:
        _unclear(field, said)
    if said.lower() in PREDEFINED and said not in PREDEFINED:
        _unclear(field, said)
    return said
