"""A decision log decided again: what another policy would have said.

    lines ─replay─► Outcome

Each line's `input` is what the rules were asked then, its secrets removed; facts are as they
were. Decisions without one (the deny core's, the response phase) stay.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..policies.errors import InputError
from .denied import Denied
from .engines import Engine
from .model import Json, Verdict

MOST_LINE = 1 << 20
"""Bytes of one line of a log."""
_NEVER_ASKED = frozenset({"own-inspect", "response"})
_NEEDED = ("operation", "subject", "references", "images")
"""Keys of an input document that rules were asked about; what was logged of a request that was
denied earlier has fewer."""


@dataclass(frozen=True, slots=True)
class Group:
    """Decisions that change in the same way."""

    operation: str
    subject: str
    allow: bool
    """What it would be now."""
    rule: str | None
    """The rule that would allow it now."""
    old_rule: str | None
    """The rule that allowed it then."""
    reasons: tuple[str, ...]
    count: int
    example: str
    """The id of the first such decision."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a log."""

    groups: tuple[Group, ...]
    """Most frequent first; those newly denied before those newly allowed."""
    decided: int
    kept: int
    shortened: int
    """Requests too long for the log, of which it has not all."""
    unreadable: int

    @property
    def changed(self) -> int:
        return sum(each.count for each in self.groups)

    @property
    def newly_denied(self) -> int:
        return sum(each.count for each in self.groups if not each.allow)

    @property
    def newly_allowed(self) -> int:
        return sum(each.count for each in self.groups if each.allow)

    def document(self) -> dict[str, Json]:
        """For programs."""
        numbers = {
            "decided": self.decided,
            "changed": self.changed,
            "newly_denied": self.newly_denied,
            "newly_allowed": self.newly_allowed,
            "kept": self.kept,
            "shortened": self.shortened,
            "unreadable": self.unreadable,
        }
        return {"version": 1, "summary": numbers, "changes": [asdict(each) for each in self.groups]}


@dataclass(slots=True)
class _Tally:
    groups: dict[tuple[str, str, bool, str | None, str | None, tuple[str, ...]], list[Json]] = (
        field(default_factory=dict)
    )
    decided: int = 0
    kept: int = 0
    shortened: int = 0
    unreadable: int = 0


def replay(lines: Iterable[bytes], engine: Engine, since: str = "") -> Outcome:
    """Decide the log's requests by this engine. `since`: a timestamp as the log writes them."""
    tally = _Tally()
    for line in lines:
        record = _record(line)
        if record is None:
            tally.unreadable += 1
        elif _is_decision(record) and str(record.get("timestamp", "")) >= since:
            _one(record, engine, tally)
    groups = [Group(*key, count=found[0], example=found[1]) for key, found in tally.groups.items()]
    groups.sort(key=lambda each: (each.allow, -each.count, each.operation, each.subject))
    return Outcome(tuple(groups), tally.decided, tally.kept, tally.shortened, tally.unreadable)


def open_log(name: str) -> Iterator[bytes]:
    """The lines of a log, compressed or not; `-` is standard input. Raises InputError."""
    if name == "-":
        yield from _lines(sys.stdin.buffer)
        return
    try:
        with Path(name).open("rb") as file:
            packed = file.peek(2)[:2] == b"\x1f\x8b"
            stream = io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file
            yield from _lines(stream)
    except (OSError, EOFError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError.of(f"`{name}` cannot be read: {reason}") from error


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines of bounded length; of a longer one nothing but its first part, which is no JSON."""
    while line := stream.readline(MOST_LINE):
        yield line
        while line and not line.endswith(b"\n"):
            line = stream.readline(MOST_LINE)


def _record(line: bytes) -> dict[str, Json] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _is_decision(record: dict[str, Json]) -> bool:
    """A request's decision, not a response's, nor what the log says of itself."""
    return record.get("phase") == "request" and record.get("code") not in _NEVER_ASKED


def _one(record: dict[str, Json], engine: Engine, tally: _Tally) -> None:
    document = record.get("input")
    result = record.get("result")
    old = result if isinstance(result, dict) else {}
    if record.get("truncated") is True:
        tally.shortened += 1
        return
    if not isinstance(document, dict) or any(key not in document for key in _NEEDED):
        tally.kept += 1
        return
    try:
        verdict = engine.decide(document)
    except Denied as denied:
        verdict = Verdict(False, None, (denied.reason,))
    tally.decided += 1
    if verdict.allow is (old.get("allow") is True):
        return
    key = (
        str(record.get("operation")),
        str(record.get("user")),
        verdict.allow is True,
        verdict.rule if verdict.allow else None,
        _text(old.get("rule")) if not verdict.allow else None,
        () if verdict.allow else verdict.reasons,
    )
    found = tally.groups.setdefault(key, [0, str(record.get("decision_id", ""))])
    found[0] += 1


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
