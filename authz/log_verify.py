"""Whether a decision log is as it was written: no line changed, removed, added or moved.

Lines are read one by one, in constant memory. What a chain cannot show by itself: whoever can
write the log can cut its end off, or write everything after some line anew with new hashes.
Only a hash that was kept elsewhere (the service shows its log's last one; `--expect-last`,
`--state`) tells that.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .chain import BEGINNING, MOST, Line, Link, parse
from .rotation import older_files

MOST_FINDINGS = 1000
"""Findings kept; those beyond are counted."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is not as it was written."""

    code: str
    """`changed`, `removed`, `moved`, `repeated`, `relinked`, `foreign`, `unfinished`, `restarted`,
    `repaired`, `unreadable`, `tail-cut`, `empty`."""
    file: str
    line: int
    """From 1; 0 for a whole file."""
    message: str


@dataclass(slots=True)
class Report:
    """What a verification found."""

    files: list[str] = field(default_factory=list)
    lines: int = 0
    first: int | None = None
    """`seq` of the first record; above 0 where older files are gone."""
    last: Link | None = None
    flaws: list[Flaw] = field(default_factory=list)
    more: int = 0
    """Flaws beyond those kept."""
    after_anchor: int | None = None
    """Records after the expected one; None when none was expected or it is not there."""

    @property
    def sound(self) -> bool:
        """Nothing was found."""
        return not self.flaws and not self.more


@dataclass(slots=True)
class _Gap:
    """Numbers that were not there when they were due."""

    first: int
    last: int
    flaw: Flaw


def files_of(path: Path) -> list[Path]:
    """The log and its older, numbered files, the oldest first. Raises OSError."""
    older = [each for _, each in reversed(older_files(path))]
    # For a moment of a rotation, or when the service stands still after one, there is no new file.
    return [*older, path] if path.exists() or not older else older


def verify(paths: Sequence[Path], expect: str | None = None) -> Report:
    """Verify files as one chain, in the order given (the oldest first; `.gz` is unpacked).

    `expect` is a hash that was seen before: it must be in the log, where nothing was cut off.
    Raises OSError when a file cannot be opened.
    """
    return _Verification(expect).run(paths)


class _Verification:
    def __init__(self, expect: str | None) -> None:
        self._report = Report()
        self._expect = expect
        self._anchor: int | None = 0 if expect == BEGINNING else None
        self._expected: Link | None = None
        self._highest = -1
        self._gaps: list[_Gap] = []
        self._name = ""
        self._number = 0

    def run(self, paths: Sequence[Path]) -> Report:
        report = self._report
        for path in paths:
            self._name, self._number = str(path), 0
            report.files.append(self._name)
            try:
                for text in _lines(path):
                    self._number += 1
                    self._text(text)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self._add("unreadable", f"the compressed file is damaged: {error}")
        self._name, self._number = str(paths[-1]) if paths else "", 0
        if report.last is None:
            self._add("empty", "there is no record in the log")
        if self._expect is not None:
            if self._anchor is None:
                self._add(
                    "tail-cut",
                    f"no record has the expected hash {self._expect[:16]}…: "
                    "the end was cut off, or the log was written anew",
                )
            else:
                report.after_anchor = report.lines - self._anchor
        return report

    def _text(self, text: bytes) -> None:
        self._report.lines += 1
        if not text.endswith(b"\n"):
            self._add(
                "unfinished",
                "the line has no end: its writer was stopped, and the decision not answered"
                if len(text) <= MOST
                else "the line is longer than any record",
            )
            return
        line = parse(text[:-1])
        if line is None:
            self._add("foreign", "the line is no record of this log, or its chain was removed")
            return
        if not line.sound:
            self._add("changed", f"record {line.link.seq} was changed after it was written")
        self._follow(line)
        if line.link.hash == self._expect and line.sound:
            self._anchor = self._report.lines
        if text.startswith(b'{"event":'):
            self._event(text)

    def _follow(self, line: Line) -> None:
        report, seq, before = self._report, line.link.seq, self._expected
        if before is None:
            report.first = seq
            if seq == 0 and line.prev != BEGINNING:
                self._add("relinked", "the first record claims that there was one before")
        elif gap := next((gap for gap in self._gaps if gap.first <= seq <= gap.last), None):
            self._fill(gap, seq)
        elif seq != before.seq + 1:
            self._jump(line, before)
        elif line.prev != before.hash:
            self._add(
                "relinked", f"record {seq} was written after another record {seq - 1} than this one"
            )
        self._expected = report.last = line.link
        self._highest = max(self._highest, seq)

    def _jump(self, line: Line, before: Link) -> None:
        seq = line.link.seq
        if seq == 0 and line.prev == BEGINNING:
            self._add("restarted", f"a new chain begins after record {before.seq}")
            self._highest = -1
            self._gaps.clear()
        elif seq <= self._highest:
            self._add("repeated", f"record {seq} stands here again, or was moved")
        elif seq > self._highest + 1:  # the next one due after a moved one is no finding
            first, last = self._highest + 1, seq - 1
            count = last - first + 1
            which = (
                f"record {first} is" if count == 1 else f"{count} records, {first} to {last}, are"
            )
            flaw = self._add("removed", f"{which} missing before this line")
            if flaw is not None:
                self._gaps.append(_Gap(first, last, flaw))

    def _fill(self, gap: _Gap, seq: int) -> None:
        """What was missing comes later: it was moved, not removed."""
        self._add("moved", f"record {seq} was moved here")
        if gap.flaw in self._report.flaws:
            self._report.flaws.remove(gap.flaw)
        self._gaps.remove(gap)
        for first, last in ((gap.first, seq - 1), (seq + 1, gap.last)):
            if first <= last:
                which = f"record {first} is" if first == last else f"records {first} to {last} are"
                flaw = Flaw("removed", gap.flaw.file, gap.flaw.line, f"{which} missing")
                self._report.flaws.append(flaw)
                self._gaps.append(_Gap(first, last, flaw))

    def _event(self, text: bytes) -> None:
        with contextlib.suppress(ValueError, RecursionError):
            event = json.loads(text)
            if event.get("event") == "damage-found":
                self._add(
                    "repaired", f"the service found damage before this line: {event['detail']}"
                )
            elif event.get("truncated"):
                self._add("repaired", "the service found the file emptied before this line")

    def _add(self, code: str, message: str) -> Flaw | None:
        if len(self._report.flaws) >= MOST_FINDINGS:
            self._report.more += 1
            return None
        flaw = Flaw(code, self._name, self._number, message)
        self._report.flaws.append(flaw)
        return flaw


def _lines(path: Path) -> Iterator[bytes]:
    """The lines with their ends; one that is longer than any record comes in pieces."""
    if path.suffix == ".gz":
        with gzip.open(path, "rb") as stream:
            yield from iter(lambda: stream.readline(MOST + 1), b"")
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "is no regular file", str(path))
        left = _size(stream)
        while left > 0 and (line := stream.readline(min(MOST + 1, left))):
            left -= len(line)
            yield line


def _size(stream: IO[bytes]) -> int:
    """How long the file is between two writes of the service."""
    fcntl.flock(stream, fcntl.LOCK_SH)
    try:
        return os.fstat(stream.fileno()).st_size
    finally:
        fcntl.flock(stream, fcntl.LOCK_UN)
