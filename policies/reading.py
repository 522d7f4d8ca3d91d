"""Bytes to text: files and standard input, bounded before they are read.

What comes out is a Source of printable UTF-8 whose lines end in LF or CRLF, so that every
later stage counts lines the same way.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from pathlib import Path

from .errors import InputError
from .nodes import locate
from .problems import Report
from .source import Location, Problem, Source, printable

MAXIMAL_SIZE = 1 << 20
"""Bytes of one file."""

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
_WANTED = "name a regular file, or pipe the text in and write `-`"

# Characters that YAML forbids, that count as line ends for some readers only, or that make a
# text look different from what it says (bidirectional controls).
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufeff\ufffe\uffff]|\r(?!\n)"
)


def read_source(path: Path, name: str | None = None) -> Source:
    """The text of a regular file of at most 1 MiB; raises InputError."""
    shown = printable(name if name is not None else str(path))
    return _source(shown, _read_file(path, shown))


def read_stdin() -> Source:
    """The text on standard input, at most 1 MiB of it; raises InputError."""
    name = "<stdin>"
    try:
        data = sys.stdin.buffer.read(MAXIMAL_SIZE + 1)
    except (OSError, AttributeError, ValueError) as error:
        raise _refused(name, f"cannot be read: {error}", "pipe the text in") from error
    return _source(name, data)


def check_text(source: Source, report: Report) -> bool:
    """Reports characters that no policy or profile may contain; True when there are none."""
    bad = 0
    for match in _FORBIDDEN.finditer(source.text):
        bad += 1
        if bad > 20:
            break
        report.add(*_forbidden(match.group(), locate(source, match.start())))
    return not bad


def _read_file(path: Path, name: str) -> bytes:
    try:
        # Not blocking: opening a named pipe must not wait for a writer.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:
        raise _refused(name, "is no path: it contains a NUL character", "") from error
    except OSError as error:
        raise _refused(name, *_open_failure(error)) from error
    try:
        status = os.fstat(handle)
        for test, kind in _KINDS:
            if test(status.st_mode):
                raise _refused(name, f"is {kind}, not a file", _WANTED)
        if status.st_size > MAXIMAL_SIZE:
            raise _too_large(name, f"has {status.st_size:,} bytes")
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(MAXIMAL_SIZE + 1)
    except OSError as error:
        raise _refused(name, f"cannot be read: {error.strerror}", "") from error
    finally:
        os.close(handle)


def _open_failure(error: OSError) -> tuple[str, str]:
    if error.errno == errno.ENOENT:
        return "does not exist", "check the path"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "cannot be read: permission denied", "give yourself read permission on it"
    if error.errno == errno.ENXIO:
        return "is a socket, not a file", _WANTED
    return f"cannot be read: {error.strerror}", "check the path"


def _source(name: str, data: bytes) -> Source:
    if len(data) > MAXIMAL_SIZE:
        raise _too_large(name, "has more")
    hint = "save the file as UTF-8 without a byte order mark"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused(name, "is UTF-16, not UTF-8", hint)
    if data.startswith(b"\xef\xbb\xbf"):
        raise _refused(name, "begins with a byte order mark", hint)
    if len(data) > 1 and b"\0" in data[:2]:
        raise _refused(name, "is UTF-16 or binary, not UTF-8 text", hint)
    try:
        return Source(name, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8")
        # The readable part is enough to point at the first byte that is not.
        rest = data[error.start :].decode("utf-8", "replace").partition("\n")[0]
        at = locate(Source(name, good + rest), len(good))
        message = f"not UTF-8: the byte 0x{data[error.start]:02x} belongs to no character"
        raise InputError([Problem(message, at, hint)]) from error


def _too_large(name: str, amount: str) -> InputError:
    limit = f"{MAXIMAL_SIZE:,} bytes are the limit"
    return _refused(name, f"is too large: {limit}, it {amount}", "is it the right file?")


def _refused(name: str, why: str, hint: str) -> InputError:
    return InputError([Problem(f"`{name}` {why}", None, hint)])


def _forbidden(char: str, at: Location) -> tuple[str, Location, str]:
    code = f"U+{ord(char):04X}"
    if char == "\r":
        return "a carriage return without a line feed", at, "end lines with LF or CRLF"
    if char == "\0":
        return "a NUL character; this is not a text file", at, "is it the right file?"
    if char in "\x85\u2028\u2029":
        return f"the line separator {code}, which readers treat differently", at, "use LF"
    if char in "\ufeff":
        return "a byte order mark inside the text", at, "delete it"
    if char in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
        hint = "delete it; it makes the text look different from what it says"
        return f"the invisible direction mark {code}", at, hint
    return f"the control character {code}", at, "delete it"
