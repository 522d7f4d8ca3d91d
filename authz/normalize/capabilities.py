"""Capabilities as requests spell them, and what a container's process ends up with."""

from __future__ import annotations

from ...policies.capabilities import CAPABILITIES
from ..model import Json
from .values import deny, texts

ALL = "ALL"

_KNOWN = {
    **{name: name[4:] for name in CAPABILITIES},
    **{name[4:]: name[4:] for name in CAPABILITIES},
    ALL: ALL,
}
"""Docker accepts the prefix or not, any case; `CAP_ALL` is no name of its."""

DEFAULT = frozenset(
    f"CAP_{name}"
    for name in """
    CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
    SYS_CHROOT KILL AUDIT_WRITE
    """.split()
)
"""moby: oci/caps/defaults.go."""

EVERY = frozenset(CAPABILITIES)


def capabilities(value: Json, name: str) -> list[str]:
    """Upper case, without CAP_, sorted, once each. Raises Denied for an unknown one."""
    if not value:
        return texts(value, name)
    return sorted(
        {
            _KNOWN.get(said.upper() if said.isascii() else said)
            or deny("unknown-capability", f"{name}: unknown capability {said!r}")
            for said in texts(value, name)
        }
    )


def effective(added: list[str], dropped: list[str], privileged: bool) -> frozenset[str]:
    """What the process may hold (moby: oci/caps/utils.go, TweakCapabilities)."""
    if privileged:
        return EVERY
    add = {f"CAP_{name}" for name in added}
    drop = {f"CAP_{name}" for name in dropped}
    if ALL in added:
        return EVERY - drop
    if ALL in dropped:
        return frozenset(add)
    return (DEFAULT - drop) | add
