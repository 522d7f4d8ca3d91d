"""shadow 4.20: as 4.13, but strict about the last line feed, the fields and the owner.

Measured with newuidmap and getsubids of 4.20; lib/commonio.c, lib/subordinateio.c.
"""

from __future__ import annotations

from functools import partial

from ..accounts import Accounts
from ..model import Fault, Grant, IdMap, Kind, Reading
from . import shadow413
from .cformat import logical_lines, parse, placed
from .dialect import Dialect, concatenated, read_table, reading

# Its numbers go through strtou_noneg, which takes no minus sign.
_parse = partial(parse, negative=False, fields=3)


def read(data: bytes, accounts: Accounts) -> Reading:
    """A file without a last line feed is refused: every call of newuidmap then fails."""
    if b"\0" not in data and (not data or data.endswith(b"\n")):
        result = read_table(data, _parse)
    else:
        lines, sound = logical_lines(data)
        found = [each for number, text in lines for each in _parse(number, text)]
        faults = placed(data, (each for each in found if isinstance(each, Fault)))
        if not sound or not data.endswith(b"\n"):
            last = data.count(b"\n", 0, len(data) - 1) + 1
            start = data.rfind(b"\n", 0, len(data) - 1) + 1
            message = "no line feed at the end of the file: all of it is refused"
            faults.append(Fault(last, max(1, len(data) - start), 1, message, fatal=True))
        result = reading((each for each in found if isinstance(each, Grant)), faults)
    return result


def owned(result: Reading, owner: str, accounts: Accounts) -> list[Grant]:
    """As 4.13; lines of an owner that is no login are not seen."""
    return shadow413.owned(result, owner, accounts) if owner in accounts.logins else []


def of_owner(result: Reading, owner: str, accounts: Accounts, kind: Kind = Kind.UID) -> IdMap:
    """All that the login may map, one after another from 0 on in the order of the file."""
    return concatenated(owned(result, owner, accounts))


DIALECT = Dialect("shadow-4.20", "shadow 4.20", read, of_owner)
