"""Incus, which uses the lines of the user it runs as: root.

Source: lxc/incus, shared/idmap/set_load.go (NewSetFromSystem, getFromShadow).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..accounts import Accounts
from ..ids import IdRange
from ..model import Extent, Fault, Grant, IdMap, Kind, Reading
from .dialect import Dialect, Found, read_table, spoiled, text_of, whole_line
from .goformat import scanned, too_long, unsigned32


def read(data: bytes, accounts: Accounts) -> Reading:
    """Text after `#` is a comment; a line with fewer than three fields, even of spaces, is fatal;
    a number that cannot be read passes the line over."""
    return read_table(data, _parse, too_long)


def _parse(line: int, raw: bytes) -> Iterator[Found]:
    if too_long(raw):
        yield whole_line(line, raw, "too long a line: it and all after it are not read")
        return
    text = text_of(scanned(raw)).partition("#")[0]
    if not text:
        return
    owner, *fields = text.split(":")
    if len(fields) < 2:
        message = "not owner:start:count: no unprivileged container starts"
        yield whole_line(line, raw, message, fatal=True)
        return
    start, count = unsigned32(fields[0]), unsigned32(fields[1])
    if start is None or count is None:
        yield whole_line(line, raw, "no number that it reads: the line is passed over")
    elif count == 0:
        message = "a count of 0: the kernel refuses the map, containers do not start"
        yield Fault(line, 1, max(1, len(raw)), message, False, owner)
    else:
        yield Grant(owner, IdRange(start, count), line)


def of_owner(result: Reading, owner: str, accounts: Accounts, kind: Kind = Kind.UID) -> IdMap:
    """The lines with the login's name in any case; only if there are none, those with its UID.
    Every line begins at inside id 0, so that two of them are a map that the kernel refuses.
    Its daemon is root; other owners get nothing from it."""
    uid = 0 if owner == "root" else accounts.logins.get(owner)
    if uid != 0:
        return ()
    for name in (owner, str(uid)):
        names = {name} | {g.owner for g in result.grants if _equal(g.owner, name)}
        names |= {f.owner for f in result.faults if f.owner and _equal(f.owner, name)}
        if spoiled(result, names):
            return ()
        if own := [grant for grant in result.grants if grant.owner in names]:
            return tuple(Extent(0, each.range.first, each.range.count) for each in own)
    return ()


def _equal(one: str, other: str) -> bool:
    """strings.EqualFold: simple folding, character by character."""
    return len(one) == len(other) and all(
        a == b or a.lower() == b.lower() or a.upper() == b.upper()
        for a, b in zip(one, other, strict=True)
    )


DIALECT = Dialect("incus", "Incus", read, of_owner)
