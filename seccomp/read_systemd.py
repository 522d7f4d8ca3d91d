"""A systemd drop-in -> what it asks of libseccomp; the opposite of `systemd`.

Read in systemd 252: src/core/load-fragment.c (config_parse_syscall_filter,
config_parse_syscall_errno, config_parse_syscall_archs) and src/shared/seccomp-util.c. Of a unit's
settings only those of the systemd target are understood; others, and groups such as
@system-service, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from ..policies.errnos import ERRNO_NAMES
from ..policies.errors import InputError
from ..policies.source import Location, Source
from . import actions
from .profile import Entry, Profile
from .refusals import LARGEST_ERRNO
from .syscalls import ABIS, Abi, errno_number, table
from .systemd import ARCHITECTURES

_ABI_NAMES = {theirs: ours for ours, theirs in ARCHITECTURES.items()}


@dataclass(slots=True)
class _Unit:
    """The settings so far."""

    native: Abi
    allow_list: bool | None = None
    """What the first line of the filter decides; None: there is no filter."""
    filter: dict[str, tuple[int | None, Location]] = field(default_factory=dict)
    """By name: an answer of its own, or None for what the kind of list stands for."""
    negative: int = actions.KILL_PROCESS
    architectures: tuple[str, ...] = ()
    """libseccomp's names."""


def read_dropin(source: Source, native: Abi) -> Profile:
    """The settings as rules by name, on a machine of this kind.

    A list of allowed calls begins with the group @default, whose members differ between releases.
    Raises InputError when they make a difference, and for what is not understood.
    """
    read = _profile(source, native, ())
    abis = {native, *(each for each in ABIS.values() if each.scmp in read.architectures)}
    everything = sorted({name for each in abis for name in table(each).by_name})
    other = _profile(source, native, everything)
    answers, others = ({e.names[0]: e.value for e in each.entries} for each in (read, other))
    for name in everything:
        if answers.get(name) != others.get(name):
            raise InputError.of(
                f"{source.name}: whether {name} is allowed depends on what systemd's release has "
                "in @default",
                hint=f"allow it, or take it away: SystemCallFilter=~{name}",
            )
    return read


def _profile(source: Source, native: Abi, implied: Collection[str]) -> Profile:
    unit = _Unit(native)
    for number, text in enumerate(source.lines, 1):
        line = text.strip()
        if not line or line[0] in "#;" or line == "[Service]":
            continue
        _setting(unit, line, Location(source, number, 1, len(text)), implied)
    if unit.allow_list is None or not unit.architectures:
        raise InputError.of(
            f"{source.name}: no SystemCallFilter= with SystemCallArchitectures=",
            hint="a drop-in of the systemd target has both",
        )
    default = unit.negative if unit.allow_list else actions.ALLOW
    listed = actions.ALLOW if unit.allow_list else unit.negative
    entries = []
    for name, (value, at) in unit.filter.items():
        answer = listed if value is None else value
        if answer == default:
            raise InputError.of(f"libseccomp refuses a rule for the default ({name})", at)
        entries.append(Entry((name,), answer, at=at))
    return Profile(default, tuple(entries), architectures=unit.architectures)


def _setting(unit: _Unit, line: str, at: Location, implied: Collection[str]) -> None:
    key, equals, value = line.partition("=")
    match key if equals else "":
        case "SystemCallFilter":
            _filter(unit, value, at, implied)
        case "SystemCallErrorNumber":
            unit.negative = _answer(value, unit.native, at)
        case "SystemCallArchitectures":
            named = [_ABI_NAMES.get(word) for word in value.split()]
            if None in named:
                raise InputError.of("an architecture that is not known here", at)
            added = [ABIS[name].scmp for name in named if name is not None]
            unit.architectures = (*unit.architectures, *added) if value else ()
        case _:
            raise InputError.of("a setting that the systemd target does not write", at)


def _filter(unit: _Unit, value: str, at: Location, implied: Collection[str]) -> None:
    if not value:
        unit.filter, unit.allow_list = {}, None
        return
    invert, value = value[0] == "~", value.removeprefix("~")
    if unit.allow_list is None:
        unit.allow_list = not invert
        unit.filter = {} if invert else dict.fromkeys(implied, (None, at))
    for word in value.split():
        name, colon, number = word.partition(":")
        if not re.fullmatch(r"\w+", name) or (colon and not invert):
            raise InputError.of(f"`{word}` cannot be read here", at)
        if invert is not unit.allow_list or colon:
            own = _answer(number, unit.native, at) if colon else None
            unit.filter[name] = own, at
        else:
            unit.filter.pop(name, None)


def _answer(word: str, native: Abi, at: Location) -> int:
    if word == "kill":
        return actions.KILL_PROCESS
    number = int(word) if re.fullmatch(r"[0-9]{1,4}", word) else None
    if word in ERRNO_NAMES:
        number = errno_number(word, native)
    if number is None or not 0 <= number <= LARGEST_ERRNO:
        raise InputError.of(f"`{word}` is neither an errno nor `kill`", at)
    return actions.ERRNO | number
