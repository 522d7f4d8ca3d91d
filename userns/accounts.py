"""passwd(5) and group(5), as glibc's `files` service understands them.

The other programs of a host ask the C library who has which id. What it passes over (nss_files,
files-parse.c), a check must not take for an account; what it accepts although it looks wrong
(a number with a space before it, missing last fields) is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .ids import ID_SPACE
from .model import Fault

_SPACE = b" \t\n\v\f\r"
# strtoul(3) with base 10, which is what INT_FIELD of files-parse.c calls.
_NUMBER = re.compile(rb"[ \t\n\v\f\r]*([+-]?)(\d+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of passwd or group that counts."""

    name: str
    id: int
    line: int
    """From 1."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The logins and groups of a host."""

    logins: Mapping[str, int] = field(default_factory=dict)
    """login -> UID; of two lines with one name the first counts, as for getpwnam(3)."""
    names: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """UID -> its logins, in the order of the file; getpwuid(3) gives the first."""
    groups: Mapping[str, int] = field(default_factory=dict)
    """group -> GID; the first line counts."""
    passwd: tuple[Entry, ...] = ()
    """Every line of passwd that counts, in its order."""
    group: tuple[Entry, ...] = ()
    passwd_faults: tuple[Fault, ...] = ()
    """Lines that the C library passes over."""
    group_faults: tuple[Fault, ...] = ()

    @classmethod
    def read(cls, passwd: bytes | None, group: bytes | None) -> Accounts:
        """The accounts in the two files; None for a file that is not there. Never raises."""
        users, user_faults = _entries(passwd or b"", _user_id)
        groups, group_faults = _entries(group or b"", _group_id)
        logins: dict[str, int] = {}
        names: dict[int, list[str]] = {}
        for entry in users:
            logins.setdefault(entry.name, entry.id)
            names.setdefault(entry.id, []).append(entry.name)
        gids: dict[str, int] = {}
        for entry in groups:
            gids.setdefault(entry.name, entry.id)
        return cls(
            logins,
            {number: tuple(owners) for number, owners in names.items()},
            gids,
            tuple(users),
            tuple(groups),
            tuple(user_faults),
            tuple(group_faults),
        )

    def login_of(self, uid: int) -> str | None:
        """The login that getpwuid(3) gives for a UID."""
        names = self.names.get(uid, ())
        return names[0] if names else None


def _entries(
    data: bytes, number: Callable[[list[bytes]], int | None]
) -> tuple[list[Entry], list[Fault]]:
    """What counts and what does not; `number` finds the id in the fields of a line."""
    entries: list[Entry] = []
    faults: list[Fault] = []
    for index, raw in enumerate(data.split(b"\n"), 1):
        # Lines are C strings: nothing after a NUL is seen.
        text = raw.partition(b"\0")[0].lstrip(_SPACE)
        if not text or text.startswith(b"#"):
            if b"\0" in raw:
                faults.append(_fault(index, raw, "a NUL: the C library sees no entry here"))
            continue
        fields = text.split(b":")
        name = fields[0].decode("utf-8", "surrogateescape")
        if name.startswith(("+", "-")):
            message = "an entry for NIS: the C library's `files` service passes it over"
            faults.append(_fault(index, raw, message))
            continue
        found = number(fields)
        if found is None:
            faults.append(_fault(index, raw, "no entry: the C library passes this line over"))
        else:
            entries.append(Entry(name, found, index))
    return entries, faults


def _user_id(fields: list[bytes]) -> int | None:
    """name:password:UID:GID[:…]; both numbers have to be there."""
    if len(fields) < 4 or _number(fields[3]) is None:
        return None
    return _number(fields[2])


def _group_id(fields: list[bytes]) -> int | None:
    """name:password:GID[:members]."""
    return _number(fields[2]) if len(fields) > 2 else None


def _number(text: bytes) -> int | None:
    """A number as INT_FIELD takes it: strtoul(3), signs included, of at most 32 bits."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    # Longer than any number that fits: Python need not make an integer of it.
    value = int(match[2]) if len(match[2].lstrip(b"0")) < 25 else 1 << 80
    if match[1] == b"-" and value < 1 << 64:
        value = -value % (1 << 64)
    return value if value < ID_SPACE else None


def _fault(line: int, raw: bytes, message: str) -> Fault:
    return Fault(line, 1, max(1, len(raw)), message, fatal=False)
