"""How shadow's C programs take a file apart: commonio_open and subordinate_parse.

Sources: shadow 4.13, lib/commonio.c, lib/subordinateio.c, lib/getulong.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..ids import ID_SPACE, LAST_ID, IdRange
from ..model import Fault, Grant
from .dialect import Found, text_of, whole_line

LINE_BUFFER = 1024
"""Bytes of the buffer that subordinate_parse copies a line to, with its NUL."""
_READ_BUFFER = 4096
"""BUFLEN of commonio.c: by so much grows the buffer for a line."""
_LONG = 1 << 64
"""Numbers are unsigned longs."""

# strtoul(3), base 0.
_NUMBER = re.compile(
    rb"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))", re.DOTALL
)


def number(text: bytes, *, negative: bool) -> int | None:
    """The unsigned long that a field says; None where shadow does not take it.

    `negative`: whether a minus sign wraps around, as strtoul does.
    """
    match = _NUMBER.fullmatch(text)
    if match is None or (match[1] == b"-" and not negative):
        return None
    hexadecimal, octal, decimal = match[2], match[3], match[4]
    if hexadecimal is not None:
        value = int(hexadecimal, 16)
    else:
        value = int(octal, 8) if octal is not None else int(decimal)
    if value >= _LONG:
        return None
    return -value % _LONG if match[1] == b"-" else value


def parse(line: int, text: bytes, *, negative: bool, fields: int | None) -> Iterator[Found]:
    """What a line grants. `fields`: how many it must have; None: at least three."""
    if text.startswith((b"+", b"-")):
        yield whole_line(line, text, "an entry for NIS: passed over")
        return
    if len(text) >= LINE_BUFFER:
        yield whole_line(line, text, f"longer than {LINE_BUFFER - 1} bytes: passed over")
        return
    parts = text.split(b":")
    if len(parts) < 3 or b"" in parts[:3]:
        yield whole_line(line, text, "not owner:start:count: passed over")
        return
    if fields is not None and len(parts) != fields:
        yield whole_line(line, text, f"{len(parts)} fields, not {fields}: passed over")
        return
    numbers = []
    for index in (1, 2):
        value = number(parts[index], negative=negative)
        if value is None:
            column = len(b":".join(parts[:index])) + 2
            message = "no number that it reads: the line is passed over"
            yield Fault(line, column, len(parts[index]), message, fatal=False)
            return
        numbers.append(value)
    yield from _range(line, parts, *numbers)


def _range(line: int, parts: list[bytes], start: int, count: int) -> Iterator[Found]:
    """What find_range makes of `last = start + count - 1` in unsigned longs."""
    owner = text_of(parts[0])
    column = len(parts[0]) + 2
    width = len(parts[1])
    last = (start + count - 1) % _LONG
    if start >= ID_SPACE:
        message = "beyond 32 bits: nobody can use an id of it"
        yield Fault(line, column, width, message, fatal=False)
    elif last < start:
        message = "count 0: no ids" if count == 0 else "it wraps around: no ids"
        yield Fault(line, column, width + 1 + len(parts[2]), message, fatal=False)
    else:
        if count == 0:
            # 0 - 1 is the largest unsigned long.
            message = "0:0 wraps around: it grants every id, the host's root among them"
            yield Fault(line, column, width + 1 + len(parts[2]), message, fatal=False)
            count = LAST_ID + 1
        yield Grant(owner, IdRange(start, count), line)


def logical_lines(data: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """The lines that commonio_open makes with fgets(3) and strrchr(3), and whether it succeeds.

    A NUL hides the rest of a line and its line feed, so what is read next is put in its place;
    at the end of the file there is nothing to put there, and the file is refused. Each line has
    the number of the line on which it begins.
    """
    lines: list[tuple[int, bytes]] = []
    at, size, number = 0, _READ_BUFFER, 1
    while at < len(data):
        first = number
        chunk, at, ended = _fgets(data, at, size)
        number += chunk.count(b"\n")
        text = chunk.partition(b"\0")[0]
        while b"\n" not in text and not ended:
            size += _READ_BUFFER
            chunk, at, ended = _fgets(data, at, size - len(text))
            if not chunk:
                return lines, False
            number += chunk.count(b"\n")
            text += chunk.partition(b"\0")[0]
        lines.append((first, text.rpartition(b"\n")[0] if b"\n" in text else text))
    return lines, True


def _fgets(data: bytes, at: int, size: int) -> tuple[bytes, int, bool]:
    """What fgets(3) reads into `size` bytes, where it stops, and whether it met the end."""
    limit = at + size - 1
    end = data.find(b"\n", at, limit) + 1
    if end:
        return data[at:end], end, False
    return data[at:limit], min(limit, len(data)), limit > len(data)


def placed(data: bytes, faults: Iterable[Fault]) -> list[Fault]:
    """The faults of logical lines, each within the file's own line on which it begins, or behind
    its end where it is in what was read after that."""
    ends = [len(line) + 1 for line in data.split(b"\n")]
    return [replace(each, column=min(each.column, ends[each.line - 1])) for each in faults]
