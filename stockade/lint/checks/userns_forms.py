"""Lines of subuid and subgid that do not mean the same to every program that reads them.

Each way in which a line is odd has a check; what no check has a name for is
`subid-readers-disagree`. Every message says what each reader makes of the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from ...policies.findings import Severity
from ..check import Check, Found
from ..examples import shown, subuid
from ..idfiles import MOST_ODD, IdFile
from ..oddlines import OddLine
from .userns_common import MOBY, SHADOW, SUBUID, bounded, each_file

_SPACE = re.compile(rb"[ \t\v\f]")
_DECIMAL = re.compile(rb"0|[1-9][0-9]*")
_OCTAL = re.compile(rb"0[0-9]+")
_HEX = re.compile(rb"0[xX][0-9a-fA-F]+")
_SIGNED = re.compile(rb"[+-][0-9]+")
_PLAIN = re.compile(rb"[!-~]+")


def features(line: OddLine) -> frozenset[str]:
    """The ids of the checks that have a name for what is odd about a line."""
    found = set()
    text = line.raw
    if not line.ended:
        found.add("subid-final-newline")
    if text.endswith(b"\r"):
        found.add("subid-carriage-return")
        text = text[:-1]
    if text.endswith(b"\\"):
        found.add("subid-continued-line")
    if not text.strip() or text.lstrip().startswith(b"#"):
        return frozenset({*found, "subid-comment"})
    fields = text.split(b":")
    if len(fields) < 3:
        return frozenset({*found, "subid-garbage-line"})
    if len(fields) > 3:
        found.add("subid-extra-field")
    if _SPACE.search(text):
        found.add("subid-white-space")
    if not fields[0].strip():
        found.add("subid-empty-owner")
    for number in (fields[1].strip(b" \t\v\f"), fields[2].strip(b" \t\v\f")):
        found |= _of_number(number)
    if _DECIMAL.fullmatch(fields[2].strip()) and not int(fields[2][:20]):
        found.add("subid-zero-count")
    if fields[0].startswith((b"+", b"-")):
        found.add("subid-nis-entry")
    return frozenset(found)


def _of_number(text: bytes) -> set[str]:
    if _DECIMAL.fullmatch(text):
        return {"subid-large-number"} if len(text) > 10 or int(text) >= 1 << 32 else set()
    if _OCTAL.fullmatch(text):
        return {"subid-octal-number"}
    if _HEX.fullmatch(text):
        return {"subid-hex-number"}
    if _DECIMAL.fullmatch(text.rstrip(b"\\")):
        return set()
    if _SIGNED.fullmatch(text):
        return {"subid-signed-number"}
    return {"subid-not-a-number"}


def _form(
    id_: str,
    severity: Severity,
    say: Callable[[OddLine], str],
    fix: str,
    part: int | None = None,
) -> Callable[[IdFile], Iterable[Found]]:
    """The check for one feature; `part` is the field to point at, None the line.

    What every reader takes for the same is no error.
    """
    lower = Severity.WARNING

    def check(file: IdFile) -> Iterator[Found]:
        lines = (each for each in file.odd if id_ in features(each))
        return bounded(
            lines,
            lambda line: Found(
                say(line) if id_ == "subid-comment" else f"{say(line)}; {line.said}",
                file.place(line.number, _part(line, id_, part)),
                fix,
                severity=None if line.divides or severity is not Severity.ERROR else lower,
            ),
        )

    return check


def _part(line: OddLine, id_: str, part: int | None) -> int | None:
    """The number that the check is about, where `part` says that there is one."""
    if part != 1:
        return part
    fields = line.raw.rstrip(b"\r").split(b":")
    return 1 if len(fields) > 1 and id_ in _of_number(fields[1].strip()) else 2


def _disagree(file: IdFile) -> Iterator[Found]:
    def found(line: OddLine) -> Found:
        return Found(
            f"readers do not agree on this line; {line.said}",
            file.place(line.number),
            "write it as OWNER:FIRST:COUNT in plain decimal, the owner in plain ASCII",
        )

    unnamed = (each for each in file.odd if not features(each) and each.divides)
    yield from bounded(unnamed, found)
    beyond = len(file.table.odd) - MOST_ODD
    if beyond > 0:
        number = file.table.odd[MOST_ODD][0]
        yield Found(
            f"{beyond:,} more lines are not of the form OWNER:FIRST:COUNT; they were not looked "
            "at, and nothing is known of the ids in them",
            file.place(number),
            "mend those above first; is it the right file?",
            severity=Severity.ERROR,
        )


def _check(
    id_: str,
    title: str,
    severity: Severity,
    why: str,
    sources: tuple[str, ...],
    bad: str,
    good: str,
    say: Callable[[OddLine], str],
    fix: str,
    part: int | None = None,
) -> Check:
    return Check(
        id_,
        title,
        severity,
        why,
        sources,
        bad,
        good,
        host=each_file(_form(id_, severity, say, fix, part)),
    )


_GOOD = subuid("alice:2000224256:65536")

CHECKS = (
    _check(
        "subid-hex-number",
        "A number in hexadecimal",
        Severity.ERROR,
        "shadow reads numbers as C does, so 0x186a0 is 100000 to newuidmap. dockerd does not: "
        "20.10 refuses the file, and 28 takes the number for 0 without a word, so that a "
        "container's root is root of the host.",
        (SUBUID, SHADOW, MOBY),
        subuid("alice:0x77359400:65536"),
        _GOOD,
        lambda line: "a number in hexadecimal",
        "write it in decimal, as shadow takes it (--fix does where that is no guess)",
        1,
    ),
    _check(
        "subid-octal-number",
        "A number with a leading zero",
        Severity.ERROR,
        "shadow reads a number with a leading zero as octal, dockerd as decimal: the two give "
        "the owner different ids from the same line, and with either of them the ids may be "
        "somebody else's.",
        (SUBUID, SHADOW, MOBY),
        subuid("alice:0100000:65536"),
        _GOOD,
        lambda line: "a number with a leading zero is octal to some and decimal to others",
        "write the one that was meant, without the zero",
        1,
    ),
    _check(
        "subid-signed-number",
        "A number with a sign",
        Severity.ERROR,
        "strtoul(3), which shadow calls, takes a sign and turns a negative number into a huge "
        "one; other readers take it for 0 or refuse the file.",
        (SUBUID, SHADOW, MOBY),
        subuid("alice:+100000:65536"),
        _GOOD,
        lambda line: "a number with a sign",
        "write the number alone",
        1,
    ),
    _check(
        "subid-not-a-number",
        "Something else where a number belongs",
        Severity.ERROR,
        "dockerd 28 goes on with 0 where it cannot read a number, so that `alice:100,000:65536` "
        "makes a container's root the host's. dockerd 20.10 refuses the file, and shadow passes "
        "the line over.",
        (SUBUID, SHADOW, MOBY),
        subuid("alice:100,000:65536"),
        _GOOD,
        lambda line: "this is no number",
        "write a decimal number, digits only",
        1,
    ),
    _check(
        "subid-large-number",
        "A number that does not fit into 32 bits",
        Severity.ERROR,
        "Ids have 32 bits. shadow passes the line over, but dockerd hands the number on and the "
        "kernel cuts it off: 4294967296 becomes 0, root of the host.",
        (SUBUID, MOBY, "linux, kernel/user_namespace.c: map_write"),
        subuid("alice:4294967296:65536"),
        _GOOD,
        lambda line: "the number does not fit into 32 bits, and the kernel cuts it off",
        "write a number of at most 4294967294",
        1,
    ),
    _check(
        "subid-white-space",
        "White space in a line",
        Severity.ERROR,
        "shadow skips white space before a number. dockerd 20.10 refuses the file, and dockerd 28 "
        "takes the number for 0: root of the host. White space beside the owner makes it part of "
        "the name for some readers.",
        (SUBUID, SHADOW, MOBY),
        subuid("alice: 2000224256:65536"),
        _GOOD,
        lambda line: "white space in the line",
        "take it out (--fix does where that is no guess)",
    ),
    _check(
        "subid-extra-field",
        "A line with more than three fields",
        Severity.ERROR,
        "shadow 4.13 and dockerd 28 pass over a fourth field, shadow 4.20 passes over the line, "
        "and dockerd 20.10 refuses the whole file and does not start.",
        (SUBUID, SHADOW, MOBY),
        subuid("alice:2000224256:65536:x"),
        _GOOD,
        lambda line: "more than three fields",
        "leave owner, first id and count only",
        3,
    ),
    _check(
        "subid-garbage-line",
        "A line that is no entry",
        Severity.ERROR,
        "Most readers pass it over. dockerd 20.10 refuses the whole file because of it, whoever's "
        "line it is, and no daemon with userns-remap starts on this host.",
        (SUBUID, MOBY),
        subuid("alice:2000224256:65536", "bob"),
        _GOOD,
        lambda line: "this is no entry: a line is OWNER:FIRST:COUNT",
        "complete it or delete it",
    ),
    _check(
        "subid-carriage-return",
        "A line that ends in a carriage return",
        Severity.ERROR,
        "The file was written with the line ends of another system. shadow takes the carriage "
        "return for part of the number and passes the line over, so newuidmap refuses the owner "
        "what dockerd grants.",
        (SUBUID, SHADOW),
        shown({"subuid": "alice:2000224256:65536\r\n"}),
        _GOOD,
        lambda line: "the line ends in a carriage return",
        "end lines with a line feed only (--fix does where that is no guess)",
    ),
    _check(
        "subid-final-newline",
        "The last line has no line feed",
        Severity.ERROR,
        "With shadow 4.20 every call of newuidmap on the host fails, for every user: it cannot "
        "read the file at all. Programs that append a line to the file also make one broken line "
        "of two.",
        (SUBUID, SHADOW),
        shown({"subuid": "alice:2000224256:65536"}),
        _GOOD,
        lambda line: "the last line does not end in a line feed: shadow 4.20 cannot read the file",
        "end it with a line feed (--fix does)",
    ),
    _check(
        "subid-comment",
        "A comment or an empty line",
        Severity.NOTE,
        "subuid(5) knows no comments. Readers pass over such a line for different reasons, and "
        "usermod keeps it, but nothing says that the next release does.",
        (SUBUID, SHADOW, MOBY),
        subuid("# containers", "alice:2000224256:65536"),
        _GOOD,
        lambda line: "a comment or empty line, which the format does not have",
        "delete it; write such things elsewhere",
    ),
    _check(
        "subid-continued-line",
        "A line that ends in a backslash",
        Severity.ERROR,
        "shadow joins such a line with the one after it, so that both are lost to newuidmap, "
        "whoever owns the next one. Readers in Go take the backslash for part of the number.",
        (SHADOW, MOBY),
        subuid("alice:2000224256:65536\\", "bob:2000289792:65536"),
        subuid("alice:2000224256:65536", "bob:2000289792:65536"),
        lambda line: "the line ends in a backslash, and shadow joins the next one to it",
        "take the backslash out",
    ),
    _check(
        "subid-empty-owner",
        "A line without an owner",
        Severity.WARNING,
        "The ids are given to nobody, yet some programs count them as taken.",
        (SUBUID,),
        subuid(":2000224256:65536"),
        _GOOD,
        lambda line: "the line has no owner",
        "write whose it is, or delete it",
        0,
    ),
    _check(
        "subid-nis-entry",
        "An owner that begins with `+` or `-`",
        Severity.ERROR,
        "shadow takes lines that begin so for entries of NIS and passes them over; other readers "
        "take the sign for part of the name.",
        (SHADOW,),
        subuid("+alice:2000224256:65536"),
        _GOOD,
        lambda line: "an owner that begins with a sign is an entry for NIS to shadow",
        "write the login alone",
        0,
    ),
    _check(
        "subid-zero-count",
        "A range of no ids",
        Severity.WARNING,
        "It gives nothing, and the kernel refuses a map with an empty extent: dockerd starts, and "
        "every `docker run` of this owner fails.",
        (SUBUID, "linux, kernel/user_namespace.c: map_write"),
        subuid("alice:2000224256:0"),
        _GOOD,
        lambda line: "a range of no ids",
        "delete the line, or write how many ids there are",
        2,
    ),
    Check(
        "subid-readers-disagree",
        "A line that readers understand differently",
        Severity.ERROR,
        "The programs that read this file do not agree on what it says. What one of them grants, "
        "another refuses or takes for other ids; of two programs on one host, one is wrong.",
        (SUBUID, SHADOW, MOBY),
        subuid(f"{'alice' * 204}:2000224256:65536"),
        _GOOD,
        host=each_file(_disagree),
    ),
)
