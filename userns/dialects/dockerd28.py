"""dockerd 28 and later with userns-remap.

Source: github.com/moby/sys/user, user.go (ParseSubIDFilter, parseParts) and idtools_unix.go
(lookupSubRangesFile). Errors of numbers are dropped there, so that what cannot be read is 0:
the map then begins at the host's root.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..accounts import Accounts
from ..ids import ID_SPACE
from ..model import Fault, IdMap, Kind, Reading
from .dialect import Dialect, Found, concatenated, read_table, spoiled, text_of, whole_line
from .dockerd20 import IDENTITY, mapped
from .goformat import scanned, signed, too_long, trimmed


def read(data: bytes, accounts: Accounts) -> Reading:
    """Nothing but a line that is too long keeps the daemon from starting."""
    return read_table(data, _parse, too_long)


def _parse(line: int, raw: bytes) -> Iterator[Found]:
    if too_long(raw):
        yield whole_line(line, raw, "too long a line: the daemon does not start", fatal=True)
        return
    text = trimmed(text_of(scanned(raw)))
    if not text:
        return
    if text.startswith("#"):
        # An entry to this reader, but the C library and dockerd know no login of such a name.
        yield whole_line(line, raw, "an owner that no login can be: passed over")
        return
    owner, *fields = text.split(":")
    # Fields that are missing stay 0 as well; a fourth is not looked at.
    (start, sound), (count, _) = (
        signed(fields[index] if index < len(fields) else "") for index in range(2)
    )
    if not sound and count % ID_SPACE:
        what = "0, the HOST ROOT" if start == 0 else str(start)
        message = f"no start that it reads: it becomes {what}"
        yield Fault(line, 1, max(1, len(raw)), message, fatal=False)
    yield from mapped(line, raw, owner, start, count)


def of_owner(result: Reading, owner: str, accounts: Accounts, kind: Kind = Kind.UID) -> IdMap:
    """The lines with the login's name and those with its UID, in the order of the file. `root`
    turns user namespaces off."""
    if owner == "root":
        return IDENTITY
    uid = accounts.logins.get(owner)
    if uid is None or spoiled(result, names := (owner, str(uid))):
        return ()
    return concatenated(grant for grant in result.grants if grant.owner in names)


DIALECT = Dialect("dockerd-28", "dockerd 28 and later", read, of_owner, grants_root_on_fault=True)
