"""Findings: what the linter, the auditor and the checkers of hosts and logs have to say.

A Problem says why an input cannot be used. A Finding judges an input that can: it has the id
of the check that made it, how bad it is, why that matters and what to do. Both point at the
author's own words.

`render` is for people, `document` for programs. The document has a version of its own; keys
are added to it, but neither renamed nor removed while the version stays.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from .source import Location, Problem, printable

DOCUMENT_VERSION = 1
"""Of the JSON form."""
WIDTH = 80
"""Columns that the text form keeps to wherever it can wrap."""

MAXIMAL_LENGTH = 500
"""Characters of one message in the text form."""


class Severity(Enum):
    """How bad a finding is; the order of the members is worst first."""

    ERROR = "error"
    """It does not work, or not at all as written."""
    WARNING = "warning"
    """It works, and is weaker or breaks more than its author is likely to know."""
    NOTE = "note"
    """Worth a look; nothing is wrong for certain. Notes alone are a clean result."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found."""

    id: str
    """The check's, in kebab-case: `dangerous-call`."""
    severity: Severity
    message: str
    """What is the case, in one sentence without a full stop."""
    at: Location | None = None
    """Where; None for what stands in no file."""
    route: str = ""
    """The same place in the terms of the document: `seccomp.rules[2]`, `syscalls[0].args[1]`."""
    why: str = ""
    """Why it matters, in a paragraph: the check's own words."""
    fix: str = ""
    """What to do about it, in a sentence."""
    related: tuple[tuple[str, Location], ...] = field(default=())
    """Other places that matter (the rule that wins), each with a label."""

    def render(self, *, colour: bool = False) -> str:
        """file:line:column, severity, message, [id]; the line and a caret; related places; help.

        No control character of a file or path gets through.
        """
        place = "" if self.at is None else f"{_line(str(self.at))}: "
        word = _styled(self.severity.value, colour, fg=_COLOURS[self.severity], bold=True)
        id_ = _styled(f"[{self.id}]", colour, dim=True)
        lines = [f"{place}{word}: {_line(self.message)} {id_}", *_excerpt(self.at, colour)]
        for label, at in self.related:
            lines += [f"  {_line(str(at))}: {_line(label)}", *_excerpt(at, colour)]
        if self.fix:
            lines += textwrap.wrap(
                _line(self.fix),
                WIDTH,
                initial_indent="  help: ",
                subsequent_indent="        ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """The finding for programs; `file`, `line`, `column` and `width` are null without place."""
        return {
            "id": self.id,
            "severity": self.severity.value,
            "message": self.message,
            **place_document(self.at),
            "route": self.route,
            "why": self.why,
            "fix": self.fix,
            "related": [{"message": label, **place_document(at)} for label, at in self.related],
        }


def order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once, worst first, then in the order of the files and their lines."""
    unique = list(dict.fromkeys(findings))
    files: dict[str, int] = {}
    for each in unique:
        if each.at is not None:
            files.setdefault(each.at.source.name, len(files))

    def key(finding: Finding) -> tuple[int, int, int, int, str]:
        at = finding.at
        if at is None:
            return (finding.severity.rank, len(files), 0, 0, finding.id)
        return (finding.severity.rank, files[at.source.name], at.line, at.column, finding.id)

    return tuple(sorted(unique, key=key))


def count(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many there are of each severity, worst first."""
    found = list(findings)
    return {each: sum(finding.severity is each for finding in found) for each in Severity}


def render_document(
    findings: Sequence[Finding],
    problems: Sequence[Problem] = (),
    summary: Mapping[str, int] | None = None,
) -> str:
    """The JSON document: findings, what could not be read, and how many of each. ASCII only."""
    numbers = {f"{each.value}s": number for each, number in count(findings).items()}
    document = {
        "version": DOCUMENT_VERSION,
        "summary": {**numbers, "unreadable": len(problems), **(summary or {})},
        "findings": [finding.document() for finding in findings],
        "unreadable": [
            {"message": problem.message, **place_document(problem.at), "fix": problem.hint}
            for problem in problems
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def place_document(at: Location | None) -> dict[str, object]:
    """A place for programs: file, line and column from 1, width."""
    if at is None:
        return {"file": None, "line": None, "column": None, "width": None}
    return {"file": at.source.name, "line": at.line, "column": at.column, "width": at.width}


def _excerpt(at: Location | None, colour: bool) -> list[str]:
    """The source line and the caret line under it."""
    if at is None:
        return []
    # After the line that begins with the place, whose file's name may have line ends in it.
    lines = Problem("", at).render().split("\n")[str(at).count("\n") + 1 :]
    return [*lines[:-1], _styled(lines[-1], colour, fg="cyan")] if lines else []


def _line(text: str) -> str:
    """The text on one line of bounded length: what a file holds cannot look like a line of ours."""
    text = printable(" ".join(text.split("\n")))
    return f"{text[: MAXIMAL_LENGTH - 1]}…" if len(text) > MAXIMAL_LENGTH else text


def _styled(text: str, colour: bool, **how: str | bool) -> str:
    if not colour:
        return text
    import click

    return click.style(text, **how)  # type: ignore[arg-type]
