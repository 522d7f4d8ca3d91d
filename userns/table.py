"""A subuid or subgid file as columns, for files of a million lines.

Lines of the one form that means the same to every reader become numbers at once; all others
are kept aside for the readers of `dialects`.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import add

from .ids import ID_SPACE

# An owner of printable ASCII without `#` (a comment to Incus anywhere, to others in front) that
# begins like no entry for NIS (shadow skips `+` and `-`), as short as shadow's 1,024 bytes for a
# line allow; numbers without leading zeros (shadow reads them as octal), of at most 10 digits.
_LINE = rb"[!\"$-*,./0-9;-~][!\"$-9;-~]{0,999}+:(?:0|[1-9][0-9]{0,9}+):[1-9][0-9]{0,9}+\n"
_STRICT = re.compile(_LINE)
_ALL_STRICT = re.compile(rb"(?:%b)*+" % _LINE)
_CHUNK = 1 << 16
"""Bytes that are taken apart at once: few enough to stay small, many enough to be quick."""


@dataclass(frozen=True, slots=True)
class Table:
    """The lines of a file that are of the strict form, as columns of equal length, and the rest.

    Strict: `owner:start:count` and a line feed, the numbers below 2^32 in plain decimal, count
    not 0, and start + count not beyond 2^32. Ranges may still be unwise (from 0, overlapping).
    """

    owners: Sequence[bytes]
    starts: Sequence[int]
    counts: Sequence[int]
    lines: Sequence[int]
    """From 1."""
    odd: tuple[tuple[int, bytes], ...]
    """(line number, the line without its line feed), in the order of the file."""
    ended: bool
    """Whether the last line ends in a line feed (else it is odd); true of an empty file."""

    @classmethod
    def read(cls, data: bytes) -> Table:
        """The columns of a file. Never raises."""
        owners: list[bytes] = []
        starts, counts, lines = array("Q"), array("Q"), array("L")
        odd: list[tuple[int, bytes]] = []
        line = 1
        for chunk in _chunks(data):
            if _ALL_STRICT.fullmatch(chunk):
                rest = _add_strict(chunk, line, owners, starts, counts, lines)
            else:
                rest = None
            if rest is None:
                rest = _add_mixed(chunk, line, owners, starts, counts, lines, odd)
            line = rest
        return cls(owners, starts, counts, lines, tuple(odd), not data or data.endswith(b"\n"))

    def __len__(self) -> int:
        return len(self.starts)


def _chunks(data: bytes) -> Iterator[bytes]:
    """The data cut behind line feeds."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _CHUNK) + 1 or len(data)
        yield data[start:end]
        start = end


def _add_strict(
    chunk: bytes,
    line: int,
    owners: list[bytes],
    starts: array[int],
    counts: array[int],
    lines: array[int],
) -> int | None:
    """Adds a chunk of strict lines, the first being number `line`, and gives the number after
    the last; None, and nothing added, when a range is too large after all."""
    parts = chunk.replace(b"\n", b":").split(b":")
    firsts = array("Q", map(int, islice(parts, 1, None, 3)))
    written = parts[2::3]
    if len(set(written)) == 1:  # most files have nothing but 65536
        amounts = array("Q", [int(written[0])]) * len(written)
    else:
        amounts = array("Q", map(int, written))
    # The cheap bound first: it is enough for nearly every file.
    if max(firsts) + max(amounts) > ID_SPACE and max(map(add, firsts, amounts)) > ID_SPACE:
        return None
    owners += islice(parts, 0, len(parts) - 1, 3)
    starts += firsts
    counts += amounts
    after = line + len(firsts)
    lines.extend(range(line, after))
    return after


def _add_mixed(
    chunk: bytes,
    line: int,
    owners: list[bytes],
    starts: array[int],
    counts: array[int],
    lines: array[int],
    odd: list[tuple[int, bytes]],
) -> int:
    """Adds a chunk line by line; gives the number after the last."""
    for text in chunk.splitlines(keepends=True) if b"\r" not in chunk else _lines(chunk):
        if _STRICT.fullmatch(text):
            owner, first, amount = text.split(b":")
            start, count = int(first), int(amount)
            if start + count <= ID_SPACE:
                owners.append(owner)
                starts.append(start)
                counts.append(count)
                lines.append(line)
                line += 1
                continue
        odd.append((line, text.removesuffix(b"\n")))
        line += 1
    return line


def _lines(chunk: bytes) -> list[bytes]:
    """As splitlines, which would end lines at carriage returns too."""
    parts = chunk.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
