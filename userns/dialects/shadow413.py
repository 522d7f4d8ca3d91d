"""shadow 4.13: newuidmap, newgidmap, useradd and libsubid of Debian 12.

Source: lib/subordinateio.c (subordinate_parse, find_range, have_range), lib/commonio.c.
"""

from __future__ import annotations

from functools import partial

from ..accounts import Accounts
from ..model import Fault, Grant, IdMap, Kind, Reading
from .cformat import logical_lines, parse, placed
from .dialect import Dialect, concatenated, read_table, reading

_parse = partial(parse, negative=True, fields=None)


def read(data: bytes, accounts: Accounts) -> Reading:
    """Lines that are no entries are passed over; the file is refused only for a NUL or a length
    that its line buffer does not survive."""
    if b"\0" not in data and (not data or data.endswith(b"\n")):
        return read_table(data, _parse)
    lines, sound = logical_lines(data)
    found = [each for number, text in lines for each in _parse(number, text)]
    faults = placed(data, (each for each in found if isinstance(each, Fault)))
    if not sound:
        last = data.count(b"\n", 0, len(data) - 1) + 1
        message = "it cannot read the end of the file, and refuses all of it"
        faults.append(Fault(last, 1, 1, message, fatal=True))
    return reading((each for each in found if isinstance(each, Grant)), faults)


def owned(result: Reading, owner: str, accounts: Accounts) -> list[Grant]:
    """The grants that newuidmap uses for a login: by its name, by its UID, and those of any
    other login with the same UID (find_range); newgidmap asks for the user too."""
    uid = accounts.logins.get(owner)
    if uid is None:
        return [grant for grant in result.grants if grant.owner == owner]
    return [
        grant
        for grant in result.grants
        if grant.owner in (owner, str(uid)) or accounts.logins.get(grant.owner) == uid
    ]


def of_owner(result: Reading, owner: str, accounts: Accounts, kind: Kind = Kind.UID) -> IdMap:
    """All that the login may map, one after another from 0 on in the order of the file: newuidmap
    leaves the inside ids to its caller."""
    return concatenated(owned(result, owner, accounts))


DIALECT = Dialect("shadow-4.13", "shadow 4.13 (newuidmap, useradd)", read, of_owner)
