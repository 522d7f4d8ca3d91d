"""What passes between the stages of `userns`: grants, maps, the host's files, the registry.

bytes ─ read (a dialect) ─► Reading ─┐
policy ─► Userns ────────────────────┼─ plan ─► Plan ─ commit ─► files of the host
registry, live maps ─► claims ───────┘
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .ids import IdRange

# --- subordinate ids: subuid(5), subgid(5) -----------------------------------------------


class Kind(Enum):
    """Of ids; the value names the host's file."""

    UID = "subuid"
    GID = "subgid"


@dataclass(frozen=True, slots=True)
class Grant:
    """One line as one reader understands it: `owner` may use `range`."""

    owner: str
    """As written: a login, a number, or another program's word (`kubelet`)."""
    range: IdRange
    """As the reader takes it; it may reach beyond what is legal, which the checks say."""
    line: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something on a line that a reader does not take as it was meant."""

    line: int
    """From 1."""
    column: int
    """From 1, in bytes."""
    width: int
    message: str
    fatal: bool
    """Whether this reader then refuses the whole file; otherwise it passes the line over."""
    owner: str | None = None
    """The owner, as written, who alone gets nothing from this reader because of the line."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file through one reader's eyes."""

    grants: tuple[Grant, ...]
    """In the order of the file; empty when a fault is fatal."""
    faults: tuple[Fault, ...]

    @property
    def refused(self) -> bool:
        """Whether the reader takes nothing from this file."""
        return any(fault.fatal for fault in self.faults)


# --- maps: /proc/PID/uid_map -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Extent:
    """One line of a map: `count` ids from `inside` in the namespace are those from `outside`."""

    inside: int
    outside: int
    count: int


IdMap = tuple[Extent, ...]
"""A whole map, in the order of its lines."""

# --- the host ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Account:
    """A login or a group of the host."""

    name: str
    id: int


@dataclass(frozen=True, slots=True)
class HostFiles:
    """The files of a host or of an image's tree that say who uses which ids; None: not there."""

    subuid: bytes | None
    subgid: bytes | None
    passwd: bytes | None
    group: bytes | None
    login_defs: bytes | None
    daemon_json: bytes | None
    registry: bytes | None
    leases: tuple[str, ...] = ()
    """The names of the files that say which blocks containers have, see `leases`."""


@dataclass(frozen=True, slots=True)
class LiveMap:
    """A user namespace that processes are in now; extents in the initial namespace's ids."""

    pid: int
    """One of them."""
    command: str
    uid_map: IdMap
    gid_map: IdMap


# --- claims and the registry -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """Ids that somebody has, wherever that is written."""

    range: IdRange
    holder: str
    """For people: "alice (subuid line 3)", "uid 1000 (games)", "systemd containers"."""
    tenant: str | None = None
    """Whose, where the claim is a line that could be a tenant's own."""


@dataclass(frozen=True, slots=True)
class Registry:
    """What Stockade has given out: authoritative, kept beside the host's files."""

    blocks: Mapping[str, IdRange] = field(default_factory=dict)
    """tenant -> its ids, the same for uid and gid."""
    tombstones: Mapping[str, IdRange] = field(default_factory=dict)
    """Released, not to be given to anybody else before they are known to be clean."""
