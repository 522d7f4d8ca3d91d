"""dockerd 20.10 with userns-remap.

Source: moby 20.10.24, pkg/idtools/idtools.go (parseSubidFile, createIDMap) and idtools_unix.go
(lookupSubUIDRanges); the numbers become the 32 bits of the OCI specification on their way to
the kernel (daemon/oci_linux.go).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..accounts import Accounts
from ..ids import ID_SPACE, IdRange
from ..model import Extent, Fault, Grant, IdMap, Kind, Reading
from .dialect import Dialect, Found, concatenated, read_table, spoiled, text_of, whole_line
from .goformat import scanned, signed, too_long, trimmed

IDENTITY: IdMap = (Extent(0, 0, ID_SPACE - 1),)
"""No user namespace at all: container ids are host ids."""


def read(data: bytes, accounts: Accounts) -> Reading:
    """A line of the wrong form, whoever's it is, keeps the daemon from starting; a number that
    cannot be read, only when the daemon maps to that owner."""
    return read_table(data, _parse, too_long)


def _parse(line: int, raw: bytes) -> Iterator[Found]:
    if too_long(raw):
        yield whole_line(line, raw, "too long a line: the daemon does not start", fatal=True)
        return
    text = trimmed(text_of(scanned(raw)))
    if not text or text.startswith("#"):
        return
    parts = text.split(":")
    if len(parts) != 3:
        message = "not owner:start:count: the daemon does not start"
        yield whole_line(line, raw, message, fatal=True)
        return
    owner = parts[0]
    start, start_read = signed(parts[1])
    count, count_read = signed(parts[2])
    if not (start_read and count_read):
        message = "no number that it reads: the daemon does not start with this owner"
        yield Fault(line, 1, max(1, len(raw)), message, False, owner)
        return
    yield from mapped(line, raw, owner, start, count)


def mapped(line: int, raw: bytes, owner: str, start: int, count: int) -> Iterator[Found]:
    """A range as it reaches the kernel, and what is said of it on the way."""
    first, amount = start % ID_SPACE, count % ID_SPACE
    width = max(1, len(raw))
    if amount == 0:
        message = "a count of 0: the kernel refuses the map, containers do not start"
        yield Fault(line, 1, width, message, False, owner)
        return
    if (first, amount) != (start, count):
        message = f"cut to 32 bits: {first}:{amount}"
        yield Fault(line, 1, width, message, fatal=False)
    yield Grant(owner, IdRange(first, amount), line)


def of_owner(result: Reading, owner: str, accounts: Accounts, kind: Kind = Kind.UID) -> IdMap:
    """The lines with the login's UID; only if there are none, those with its name. `root` turns
    user namespaces off."""
    if owner == "root":
        return IDENTITY
    uid = accounts.logins.get(owner)
    if uid is None or result.refused:
        return ()
    for name in (str(uid), owner):
        if spoiled(result, [name]):
            return ()
        if own := [grant for grant in result.grants if grant.owner == name]:
            return concatenated(own)
    return ()


DIALECT = Dialect("dockerd-20.10", "dockerd 20.10", read, of_owner)
