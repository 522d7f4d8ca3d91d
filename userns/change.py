"""From a registry as it shall be to the contents of the files: the tenants' lines, no others.

Foreign lines stay byte for byte. To a last line without a line feed one is added when lines
have to follow it, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .claims import Claims
from .host import REGISTRY, SUBGID, SUBUID
from .ids import IdRange
from .model import HostFiles, Kind, Registry
from .registry import render

_FILES = {Kind.UID: SUBUID, Kind.GID: SUBGID}


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one file."""

    name: str
    """Below the root: `host.SUBUID`, `host.SUBGID`, `host.REGISTRY`."""
    content: bytes
    """Afterwards."""
    removed: tuple[tuple[int, str], ...]
    """(line number before, its text); of the registry the number is 0."""
    added: tuple[str, ...]
    """Lines at the end; of the registry, those that are new in it."""
    ended: bool = False
    """Whether a line feed is added to what was the last line."""


def changes(
    files: HostFiles, before: Registry, after: Registry, claims: Claims
) -> tuple[Change, ...]:
    """What has to be written so that the files say what `after` does; nothing when they do."""
    found = []
    for kind, data in ((Kind.UID, files.subuid), (Kind.GID, files.subgid)):
        missing = _missing(kind, after, claims)
        stale = _stale(kind, before, after, claims)
        if missing or stale:
            found.append(_rewritten(_FILES[kind], data, missing, stale))
    if after != before:
        found.append(_registry(before, after))
    return tuple(found)


def line(name: str, block: IdRange) -> str:
    """A tenant's line in subuid and subgid, without its line feed."""
    return f"{name}:{block.first}:{block.count}"


def _missing(kind: Kind, after: Registry, claims: Claims) -> list[str]:
    """Lines of tenants that are not in the file, by name."""
    present = {each.text for lines in claims.own.values() for each in lines if each.kind is kind}
    wanted = (line(name, after.blocks[name]) for name in sorted(after.blocks))
    return [each for each in wanted if each.encode() not in present]


def _stale(kind: Kind, before: Registry, after: Registry, claims: Claims) -> set[int]:
    """Numbers of the lines of tenants that have no block any more."""
    gone = {**before.tombstones, **after.tombstones, **before.blocks}
    return {
        each.line
        for name, lines in claims.own.items()
        if name in gone and name not in after.blocks
        for each in lines
        if each.kind is kind and each.gives(name, gone[name])
    }


def _rewritten(
    name: str, data: bytes | None, missing: Sequence[str], stale: Collection[int]
) -> Change:
    content = data or b""
    removed: tuple[tuple[int, str], ...] = ()
    if stale:
        lines = content.splitlines(keepends=True) if b"\r" not in content else _lines(content)
        removed = tuple(
            (number, lines[number - 1].decode(errors="backslashreplace").rstrip("\n"))
            for number in sorted(stale)
        )
        content = b"".join(each for number, each in enumerate(lines, 1) if number not in stale)
    ended = bool(missing and content and not content.endswith(b"\n"))
    parts = [content, b"\n" if ended else b"", *(f"{each}\n".encode() for each in missing)]
    return Change(name, b"".join(parts), removed, tuple(missing), ended)


def _lines(content: bytes) -> list[bytes]:
    """As splitlines, which would end lines at carriage returns too."""
    parts = content.split(b"\n")
    return [*(part + b"\n" for part in parts[:-1]), *([parts[-1]] if parts[-1] else [])]


def _registry(before: Registry, after: Registry) -> Change:
    was, now = _entries(before), _entries(after)
    removed = tuple((0, text) for text in was if text not in now)
    return Change(REGISTRY, render(after), removed, tuple(text for text in now if text not in was))


def _entries(registry: Registry) -> dict[str, None]:
    """What the registry says, a line for each range, in order."""
    return {
        f"{what} {line(name, each)}": None
        for what, ranges in (("block", registry.blocks), ("tombstone", registry.tombstones))
        for name, each in sorted(ranges.items())
    }
