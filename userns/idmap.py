"""uid_map and gid_map as the kernel reads and applies them.

Source: kernel/user_namespace.c (map_write, mappings_overlap, map_id_range_down) and
user_namespaces(7). Where it is strict, so is this; where it is lax (numbers are cut to 32
bits, a NUL ends the text), so is this, because that is what the map then means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ..policies.errors import StockadeError
from .ids import ID_SPACE, LAST_ID
from .model import Extent, IdMap

MAXIMAL_EXTENTS = 340
"""UID_GID_MAP_MAX_EXTENTS of include/linux/user_namespace.h."""
PAGE_SIZE = 4096
"""Bytes of a page on most machines; one write has to be shorter."""

# isspace() of the kernel (lib/ctype.c) knows ASCII's and the no-break space of Latin-1.
_SPACE = b" \t\v\f\r\xa0"
_FIELD = re.compile(rb"[ \t\v\f\r\xa0]*(\d*)")

Code = Literal["empty", "number", "count", "end", "inside", "outside", "extents", "page"]


class MapError(StockadeError):
    """The kernel refuses to make this the map of a user namespace."""

    def __init__(self, errno: str, reason: str, offset: int = 0) -> None:
        super().__init__(f"{errno}: {reason}")
        self.errno = errno
        """Its name: EINVAL, EPERM."""
        self.reason = reason
        self.offset = offset
        """The byte of the text, from 0, at which it is found."""


@dataclass(frozen=True, slots=True)
class MapProblem:
    """One reason why the kernel does not take a map, or takes another one than is written."""

    code: Code
    """number: beyond 32 bits; count: 0; end: reaches 4294967295; inside, outside: two extents
    overlap there; extents, page: too many, too long."""
    index: int | None
    """The extent, from 0; None for the map as a whole."""
    message: str
    other: int | None = None
    """The extent that it overlaps, the smaller index."""


def read_map(data: bytes, page_size: int = PAGE_SIZE) -> IdMap:
    """The map that one write of these bytes makes, by a process that may map every id.

    Raises MapError where the write fails; numbers are those that the kernel then holds, cut
    to 32 bits.
    """
    if len(data) >= page_size:
        raise MapError("EINVAL", f"one write takes fewer than {page_size} bytes", page_size - 1)
    text = data.partition(b"\0")[0]
    extents: list[Extent] = []
    start = 0
    while True:
        end = text.find(b"\n", start)
        last = end in (-1, len(text) - 1)
        extent = _read_line(text, start, len(text) if end == -1 else end)
        for index, earlier in enumerate(extents):
            if side := _overlap(earlier, extent):
                raise MapError("EINVAL", f"overlaps line {index + 1} {side}", start)
        if len(extents) + 1 == MAXIMAL_EXTENTS and not last:
            raise MapError("EINVAL", f"more than {MAXIMAL_EXTENTS} lines", end + 1)
        extents.append(extent)
        if last:
            return tuple(extents)
        start = end + 1


def read_shown_map(data: bytes) -> IdMap:
    """The map in the text of a /proc/PID/uid_map, which the kernel wrote.

    Its outside numbers are ids of the namespace of the process that opened the file, and
    4294967295 where an id has none there. Raises MapError.
    """
    extents = []
    offset = 0
    for line in data.splitlines(keepends=True):
        fields = line.split()
        if len(fields) != 3 or not all(each.isdigit() and len(each) < 11 for each in fields):
            raise MapError("EINVAL", "not three numbers", offset)
        extents.append(Extent(*map(int, fields)))
        offset += len(line)
    return tuple(extents)


def render_map(extents: IdMap) -> bytes:
    """The text to write, one extent a line."""
    return b"".join(b"%d %d %d\n" % (e.inside, e.outside, e.count) for e in extents)


def in_kernel(extents: IdMap) -> IdMap:
    """The numbers that the kernel holds when these are written: cut to 32 bits."""
    return tuple(
        Extent(e.inside % ID_SPACE, e.outside % ID_SPACE, e.count % ID_SPACE) for e in extents
    )


def problems(extents: IdMap, page_size: int = PAGE_SIZE) -> tuple[MapProblem, ...]:
    """Everything for which the kernel refuses the map or takes it differently; () when sound."""
    found: list[MapProblem] = []
    if not extents:
        found.append(MapProblem("empty", None, "the map has no extents"))
    for index, (written, held) in enumerate(zip(extents, in_kernel(extents), strict=True)):
        if written != held:
            message = (
                f"numbers are cut to 32 bits: the kernel reads {held.inside} {held.outside} "
                f"{held.count}"
            )
            found.append(MapProblem("number", index, message))
        if held.count == 0:
            found.append(MapProblem("count", index, "the count is 0"))
        elif max(held.inside, held.outside) + held.count - 1 > LAST_ID:
            found.append(MapProblem("end", index, f"it reaches beyond {LAST_ID}, the last id"))
    found += _overlaps(in_kernel(extents))
    if len(extents) > MAXIMAL_EXTENTS:
        message = f"{len(extents)} extents; the kernel takes {MAXIMAL_EXTENTS}"
        found.append(MapProblem("extents", None, message))
    size = len(render_map(extents))
    if size >= page_size:
        message = f"{size} bytes of text; the kernel takes {page_size - 1} in its one write"
        found.append(MapProblem("page", None, message))
    return tuple(found)


def translate(extents: IdMap, inside: int) -> int | None:
    """The outside id of an id in the namespace; None when it has none (the overflow id)."""
    for extent in in_kernel(extents):
        if 0 <= inside - extent.inside < extent.count:
            return extent.outside + inside - extent.inside
    return None


def compose(inner: IdMap, outer: IdMap) -> IdMap:
    """The map of a nested namespace, in the ids of the namespace that `outer` leads to.

    As the kernel does: an extent of `inner` has to lie within a single extent of `outer`.
    Raises MapError (EPERM) otherwise, with the byte of the line in render_map(inner).
    """
    held = in_kernel(outer)
    result = []
    offset = 0
    for extent in in_kernel(inner):
        end = extent.outside + extent.count
        for above in held:
            if above.inside <= extent.outside and end <= above.inside + above.count:
                base = above.outside + extent.outside - above.inside
                result.append(Extent(extent.inside, base, extent.count))
                break
        else:
            ids = f"{extent.outside}-{end - 1}"
            reason = f"ids {ids} do not lie within one extent of the namespace above"
            raise MapError("EPERM", reason, offset)
        offset += len(render_map((extent,)))
    return tuple(result)


# --- one line --------------------------------------------------------------------------------


def _read_line(text: bytes, start: int, end: int) -> Extent:
    if not text[start:end].strip(_SPACE):
        raise MapError("EINVAL", "an empty line; wanted: INSIDE OUTSIDE COUNT", start)
    numbers = []
    at = start
    for name in ("inside id", "outside id", "count"):
        match = _FIELD.match(text, at, end)
        assert match is not None  # it matches the empty text
        # strtoul: no digits at all are 0, which the byte after them then gives away.
        numbers.append(_modulo(match[1]))
        at = match.end()
        ended = at == end
        if (ended and name != "count") or not (ended or text[at] in _SPACE):
            message = "the line ends here" if ended else "an unexpected byte"
            raise MapError(
                "EINVAL", f"{message} after the {name}; wanted: INSIDE OUTSIDE COUNT", at
            )
    if text[at:end].strip(_SPACE):
        raise MapError("EINVAL", "more than three numbers", at)
    extent = Extent(*numbers)
    if extent.count == 0:
        raise MapError("EINVAL", "the count is 0", start)
    if max(extent.inside, extent.outside) + extent.count > LAST_ID + 1:
        raise MapError("EINVAL", f"it reaches beyond {LAST_ID}, the last id", start)
    return extent


def _modulo(digits: bytes) -> int:
    """The number modulo 2^32; a page of digits is still cheap."""
    value = 0
    for start in range(0, len(digits), 1000):
        part = digits[start : start + 1000]
        value = (value * pow(10, len(part), ID_SPACE) + int(part)) % ID_SPACE
    return value


# --- overlaps --------------------------------------------------------------------------------


def _overlap(one: Extent, other: Extent) -> str:
    if _meet(one.inside, one.count, other.inside, other.count):
        return "inside"
    return "outside" if _meet(one.outside, one.count, other.outside, other.count) else ""


def _meet(first: int, count: int, other: int, others: int) -> bool:
    return first < other + others and other < first + count


def _overlaps(extents: IdMap) -> list[MapProblem]:
    """For every extent that overlaps one that begins no later, on each side, one problem."""
    found = []
    sides: tuple[Literal["inside", "outside"], ...] = ("inside", "outside")
    for side in sides:
        order = sorted(
            range(len(extents)), key=lambda index: (getattr(extents[index], side), index)
        )
        reach, holder = -1, -1
        for index in order:
            first = getattr(extents[index], side)
            if extents[index].count == 0:
                continue
            if first < reach:
                one, two = sorted((index, holder))
                ids = f"{side} ids from {first} on"
                found.append(MapProblem(side, two, f"{ids} are in extent {one + 1} too", one))
            if first + extents[index].count > reach:
                reach, holder = first + extents[index].count, index
    return found
