"""Host ids: what a range of them is, and which are spoken for before anybody asks."""

from __future__ import annotations

from dataclasses import dataclass

ID_SPACE = 1 << 32
"""Ids are 32 bits wide; programs that read larger numbers cut them off (modulo 2^32)."""
LAST_ID = ID_SPACE - 2
"""4294967294, the last legal id: 4294967295 is (uid_t)-1, "no change" to setuid(2)."""
BLOCK = 65536
"""The unit of allocation: all 16-bit ids of a container, one page-sized extent."""
FIRST_SUBORDINATE = 65536
"""Below are users and system accounts of the host itself; no map may reach them."""


@dataclass(frozen=True, slots=True, order=True)
class IdRange:
    """`count` ids from `first` on; count is at least 1."""

    first: int
    count: int

    @property
    def last(self) -> int:
        """The last id, included."""
        return self.first + self.count - 1

    @classmethod
    def between(cls, first: int, last: int) -> IdRange:
        """From `first` to `last`, both included."""
        return cls(first, last - first + 1)

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last

    def overlaps(self, other: IdRange) -> bool:
        """Whether there is an id in both."""
        return self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Reservation:
    """Ids that some program gives out or uses without asking /etc/subuid."""

    range: IdRange
    name: str
    """Who: "systemd-nspawn containers"."""
    source: str
    """Where that is written."""


RESERVATIONS: tuple[Reservation, ...] = (
    Reservation(IdRange.between(0, 65535), "the host's own users", "login.defs(5), UID_MAX"),
    Reservation(
        IdRange.between(100000, 600100000),
        "useradd's first fit",
        "login.defs(5), SUB_UID_MIN and SUB_UID_MAX",
    ),
    Reservation(
        IdRange.between(200000, 2000200000), "SSSD for Active Directory", "sssd-ad(5), ldap_idmap"
    ),
    Reservation(
        IdRange.between(524288, 1879048191),
        "systemd containers",
        "systemd, docs/UIDS-GIDS.md: CONTAINER_UID_BASE_MIN",
    ),
    Reservation(
        IdRange.between(2147352576, 2147418111),
        "systemd foreign ids",
        "systemd, docs/UIDS-GIDS.md: FOREIGN_UID_BASE",
    ),
    Reservation(
        IdRange.between(2147483648, 4294836223), "FreeIPA subordinate ids", "FreeIPA, subids.md"
    ),
    Reservation(IdRange.between(4294901760, LAST_ID), "the last block", "it ends at (uid_t)-1"),
)
"""The defaults; a policy lifts those inside a span that it names."""
