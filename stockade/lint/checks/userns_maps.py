"""The text of uid_map and gid_map: what the kernel refuses, and what it should have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from ...policies.findings import Severity
from ...policies.source import Location
from ...userns.idmap import MapError, MapProblem, problems, read_map, translate
from ...userns.ids import BLOCK, FIRST_SUBORDINATE, ID_SPACE, LAST_ID
from ...userns.model import Extent
from ..check import Check, Found
from ..examples import map_text
from ..idfiles import MapSubject
from ..oddlines import stretch
from .userns_common import KERNEL, bounded

_S, _N = r"[ \t\v\f\r]", r"([0-9]{1,30})"
_LINE = re.compile(f"{_S}*{_N}{_S}+{_N}{_S}+{_N}{_S}*")
_NUMBERS = re.compile(f"{_S}*[0-9]+{_S}+[0-9]+{_S}+[0-9]+{_S}*")
_SHOWN = re.compile(r"(?: *[0-9]+){3}")
_SHOWN_WIDTH = 32
"""Characters of a line as the kernel shows maps: three columns of 10."""
_MOST = 4096
"""Lines of a map that are looked at; the kernel takes 340."""


def _extents(subject: MapSubject) -> list[tuple[int, Extent]]:
    """Number of line and extent, of all lines that are three numbers."""
    found = []
    for number, text in subject.lines:
        if number > _MOST:
            break
        if match := _LINE.fullmatch(text):
            found.append((number, Extent(*map(int, match.groups()))))
    return found


def _is_shown(subject: MapSubject) -> bool:
    """Whether the text is the kernel's own, which is padded, and longer than what was written."""
    return bool(subject.file.data) and all(
        len(text) == _SHOWN_WIDTH and _SHOWN.fullmatch(text) is not None
        for _, text in subject.lines
    )


def _problem(
    *codes: str, fix: str, part: int | None = None
) -> Callable[[MapSubject], Iterable[Found]]:
    """The check for what `problems` of the kernel's rules calls so."""

    def check(subject: MapSubject) -> Iterator[Found]:
        extents = _extents(subject)
        found = problems(tuple(extent for _, extent in extents))
        wanted = [each for each in found if each.code in codes]

        def said(each: MapProblem) -> Found:
            line = 1 if each.index is None else extents[each.index][0]
            if each.code == "extents":
                line = extents[min(340, len(extents) - 1)][0]
            related: tuple[tuple[str, Location], ...] = ()
            if each.other is not None:
                other = extents[each.other][0]
                related = (("the other", subject.file.at(other)),)
            return Found(each.message, subject.place(line, part), fix, related)

        yield from bounded(wanted, said)

    return check


def _malformed(subject: MapSubject) -> Iterator[Found]:
    def wrong() -> Iterator[tuple[int, str]]:
        for number, text in subject.lines:
            if not _NUMBERS.fullmatch(text):
                yield number, text

    def found(each: tuple[int, str]) -> Found:
        number, text = each
        return Found(
            f"{_fault(text)}; the kernel refuses the whole map (EINVAL)",
            subject.place(number),
            "write three decimal numbers: inside id, outside id, count",
        )

    yield from bounded(wrong(), found)


def _fault(text: str) -> str:
    if not text.strip():
        return "an empty line"
    if text.lstrip().startswith("#"):
        return "a comment"
    if text.startswith("\ufeff"):
        return "a byte order mark"
    if ":" in text:
        return "a colon; the numbers are parted by blanks"
    words = text.split()
    if any(word.lower().startswith("0x") for word in words):
        return "a number in hexadecimal"
    if any(word[0] in "+-" for word in words):
        return "a number with a sign"
    if len(words) != 3 and all(word.isdigit() for word in words):
        return f"{len(words)} number{'s' if len(words) != 1 else ''} instead of three"
    return "this is no line of a map"


def _too_long(subject: MapSubject) -> Iterator[Found]:
    size = len(subject.file.data)
    if size >= 4096 and not _is_shown(subject):
        yield Found(
            f"{size} bytes; the kernel takes 4095 in its one write",
            subject.place(1),
            "join extents that follow one another on both sides",
        )


def _cut_off(subject: MapSubject) -> Iterator[Found]:
    def large() -> Iterator[tuple[int, int, str]]:
        for number, text in subject.lines:
            for part, word in enumerate(text.split()[:3]):
                if word.isdecimal() and word.isascii():
                    digits = word.lstrip("0")
                    if len(digits) > 10 or int(digits or "0") >= ID_SPACE:
                        yield number, part, digits

    def found(each: tuple[int, int, str]) -> Found:
        number, part, digits = each
        becomes = f": it becomes {int(digits) % ID_SPACE}" if len(digits) < 1000 else ""
        return Found(
            f"the number does not fit into 32 bits, and the kernel cuts it off{becomes}",
            subject.place(number, part),
            "write what was meant, at most 4294967294",
        )

    yield from bounded(large(), found)


def _root(subject: MapSubject) -> Iterator[Found]:
    for number, extent in _extents(subject):
        if extent.outside % ID_SPACE == 0 and extent.count % ID_SPACE:
            whole = (extent.inside, extent.count) == (0, LAST_ID + 1)
            yield Found(
                "the map is the host's own: there is no user namespace"
                if whole
                else f"host root is in the map, as id {extent.inside % ID_SPACE}",
                subject.place(number, 1),
                "map to ids from 65536 on, which nobody else has",
            )


def _system(subject: MapSubject) -> Iterator[Found]:
    for number, extent in _extents(subject):
        first = extent.outside % ID_SPACE
        if 0 < first < FIRST_SUBORDINATE and extent.count > 0:
            last = first + extent.count - 1
            one = extent.count == 1
            ids = stretch(first, min(last, FIRST_SUBORDINATE - 1))
            yield Found(
                f"of the host's own users, the map has {ids}",
                subject.place(number, 1),
                "map to ids from 65536 on; a rootless user's own id is the one that belongs here",
                severity=Severity.NOTE if one else None,
            )


def _no_root(subject: MapSubject) -> Iterator[Found]:
    extents = _extents(subject)
    if extents and translate(tuple(extent for _, extent in extents), 0) is None:
        yield Found(
            "id 0 of the container is not in the map",
            subject.place(extents[0][0], 0),
            "map inside id 0 as well",
        )


def _few(subject: MapSubject) -> Iterator[Found]:
    extents = _extents(subject)
    total = sum(extent.count for _, extent in extents)
    if extents and 0 < total < BLOCK:
        yield Found(
            f"{total:,} ids are mapped; images use ids up to 65535 (nobody is 65534)",
            subject.place(extents[0][0], 2),
            "map 65536 ids where the container is made from an ordinary image",
        )


def _zeros(subject: MapSubject) -> Iterator[Found]:
    def padded() -> Iterator[tuple[int, int]]:
        for number, text in subject.lines:
            if _LINE.fullmatch(text):
                for part, word in enumerate(text.split()):
                    if len(word) > 1 and word.startswith("0"):
                        yield number, part

    yield from bounded(
        padded(),
        lambda each: Found(
            "a leading zero: the kernel reads decimal here, C and shadow would read octal",
            subject.place(*each),
            "write the number without it",
        ),
    )


def _refused(subject: MapSubject) -> Iterator[Found]:
    """What no check above has a name for."""
    if _is_shown(subject) or any(any(check(subject)) for check in _NAMED):
        return
    try:
        read_map(subject.file.data)
    except MapError as error:
        before = subject.file.data[: error.offset]
        line = before.count(b"\n") + 1
        yield Found(
            f"the kernel refuses this map ({error})",
            subject.place(line),
            "write three decimal numbers on each line: inside id, outside id, count",
        )


_overlap = _problem("inside", "outside", fix="shorten one of the two, or delete it", part=None)
_zero = _problem("count", fix="delete the line, or write how many ids there are", part=2)
_end = _problem("end", fix="end it at 4294967294 or earlier", part=2)
_many = _problem("extents", fix="join extents that follow one another on both sides")
_NAMED: tuple[Callable[[MapSubject], Iterable[Found]], ...] = (
    _malformed, _overlap, _zero, _end, _many, _too_long,
)  # fmt: skip

_GOOD = map_text("0 2000224256 65536")
_LONG = [f"{i * 65536} {2000224256 + i * 65536} 65536" for i in range(200)]


def _check(
    id_: str,
    title: str,
    severity: Severity,
    why: str,
    bad: str,
    function: Callable[[MapSubject], Iterable[Found]],
    sources: tuple[str, ...] = (KERNEL,),
    good: str = _GOOD,
) -> Check:
    return Check(id_, title, severity, why, sources, bad, good, map=function)


CHECKS = (
    _check(
        "idmap-malformed-line",
        "A line that is not three decimal numbers",
        Severity.ERROR,
        "The kernel takes three decimal numbers a line, parted by white space, and nothing else: "
        "an empty line, a comment, a sign, a colon, hexadecimal, a byte order mark, two or four "
        "numbers make the whole write fail with EINVAL.",
        map_text("0:2000224256:65536"),
        _malformed,
    ),
    _check(
        "idmap-overlap",
        "Two extents overlap",
        Severity.ERROR,
        "An id inside or outside that is in two extents, equal lines included, makes the whole "
        "write fail with EINVAL.",
        map_text("0 2000224256 65536", "65535 2000289792 65536"),
        _overlap,
    ),
    _check(
        "idmap-zero-count",
        "An extent of no ids",
        Severity.ERROR,
        "The kernel refuses a map with a count of 0 (EINVAL); 4294967296 is 0 to it as well.",
        map_text("0 2000224256 65536", "65536 2000289792 0"),
        _zero,
    ),
    _check(
        "idmap-beyond-last-id",
        "An extent that ends beyond the last id",
        Severity.ERROR,
        "4294967295 is (uid_t)-1, which means `no id`. An extent that touches it or wraps around "
        "makes the whole write fail with EINVAL.",
        map_text("0 4294901760 65536"),
        _end,
    ),
    _check(
        "idmap-too-many-extents",
        "More extents than a map holds",
        Severity.ERROR,
        "A map holds 340 extents (UID_GID_MAP_MAX_EXTENTS); with one more the write fails with "
        "EINVAL.",
        map_text(*(f"{i} {70000 + i} 1" for i in range(341))),
        _many,
        good=map_text("0 2000224256 65536", "65536 2000355328 1"),
    ),
    _check(
        "idmap-too-long",
        "A map longer than one write takes",
        Severity.ERROR,
        "A map is written at once, and the write has to be shorter than a page, 4,096 bytes. "
        "About 184 extents of 65536 ids fit.",
        map_text(*_LONG),
        _too_long,
        good=map_text("0 2000224256 13107200"),
    ),
    _check(
        "idmap-number-cut-off",
        "A number that does not fit into 32 bits",
        Severity.ERROR,
        "The kernel reads numbers with simple_strtoul and keeps the lower 32 bits: `0 4294967296 "
        "10` maps root of the host, without an error.",
        map_text("0 6295191552 65536"),
        _cut_off,
    ),
    _check(
        "idmap-refused",
        "A map that the kernel refuses for another reason",
        Severity.ERROR,
        "The write fails with EINVAL, and the process keeps a namespace without a map, in which "
        "every id is the overflow id, 65534.",
        map_text(f"0 2000224256 {10**30 << 32}"),
        _refused,
    ),
    _check(
        "idmap-host-root",
        "Root of the host is in the map",
        Severity.ERROR,
        "A process with that id in the namespace is root of the host to every file it can reach: "
        "bind mounts, devices, sockets, what it inherits.",
        map_text("0 0 65536"),
        _root,
        ("user_namespaces(7)",),
    ),
    _check(
        "idmap-system-ids",
        "The host's own users are in the map",
        Severity.WARNING,
        "Below 65536 are the host's users and services. A container with their ids reads and "
        "writes their files wherever it can reach them. A rootless container maps its user's own "
        "id, and only that.",
        map_text("0 1000 65536"),
        _system,
        ("user_namespaces(7)", "login.defs(5)"),
    ),
    _check(
        "idmap-no-container-root",
        "Id 0 of the container is not in the map",
        Severity.ERROR,
        "runc and crun set up a container as its id 0 and fail when that is not mapped.",
        map_text("1 2000224256 65536"),
        _no_root,
        ("measured with runc 1.1 and 1.3, crun 1.8 and 1.28",),
    ),
    _check(
        "idmap-few-ids",
        "Fewer than 65536 ids in the map",
        Severity.NOTE,
        "Files of ids that are not mapped belong to the overflow id, 65534, in the container, and "
        "nobody there may change them. For a rootless tool that is what it wants; a container "
        "made from an image usually needs ids up to 65535.",
        map_text("0 2000224256 1000"),
        _few,
        ("user_namespaces(7)",),
    ),
    _check(
        "idmap-leading-zero",
        "A number with a leading zero",
        Severity.NOTE,
        "The kernel reads uid_map in decimal whatever a number begins with. Programs that write "
        "the map from such text, and newuidmap, read octal.",
        map_text("0 02000224256 65536"),
        _zeros,
    ),
)
