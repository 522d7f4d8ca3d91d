"""Where something stands in a text, and how a problem there is shown.

Every value that a policy's author wrote keeps its Location, so that a message made many
stages later can still point at the line, the column and the characters it is about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

MAXIMAL_SHOWN_WIDTH = 100
"""Columns of a source line that a rendered problem shows at most."""


@dataclass(frozen=True)
class Source:
    """One text that was read: a policy file, a profile, or a call on the command line."""

    name: str
    """How people know it: the path as given, `<stdin>`, or `library:docker-default`."""
    text: str = field(repr=False, compare=False)

    @cached_property
    def lines(self) -> tuple[str, ...]:
        return tuple(self.text.split("\n"))

    def line(self, number: int) -> str:
        """The line with this number, counted from 1, without its end; empty when outside."""
        return self.lines[number - 1].rstrip("\r") if 1 <= number <= len(self.lines) else ""


@dataclass(frozen=True, slots=True)
class Location:
    """A stretch of one line of a source; line and column count from 1, in code points."""

    source: Source
    line: int
    column: int
    width: int = 1
    """Characters the stretch covers on its line; at least 1."""

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def part(self, offset: int, width: int) -> Location:
        """The stretch that begins `offset` characters into this one."""
        return Location(self.source, self.line, self.column + offset, max(1, width))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input, said so that its author can mend it."""

    message: str
    at: Location | None = None
    hint: str = ""
    """What to do next, when there is something sensible to say."""
    related: tuple[tuple[str, Location], ...] = ()
    """Other places that matter (the first of two duplicates), each with a label."""

    def render(self) -> str:
        """file:line:column: message, the source line, a caret line, the hint."""
        if self.at is None:
            parts = [f"error: {printable(self.message)}"]
        else:
            parts = [f"{self.at}: {printable(self.message)}", *_excerpt(self.at)]
        for label, place in self.related:
            parts += [f"  {place}: {printable(label)}", *_excerpt(place)]
        if self.hint:
            parts.append(f"  help: {printable(self.hint)}")
        return "\n".join(parts)


def printable(text: str) -> str:
    """The text with every control character escaped, safe to write as part of a line."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _excerpt(at: Location) -> list[str]:
    line = at.source.line(at.line)
    if not line.strip():
        return []
    start = max(0, at.column - 1 - MAXIMAL_SHOWN_WIDTH * 2 // 3)
    shown = line[start : start + MAXIMAL_SHOWN_WIDTH].replace("\t", " ")
    shown = "".join(c if c.isprintable() else "?" for c in shown)
    caret = at.column - 1 - start
    width = max(1, min(at.width, len(shown) - caret))
    number = str(at.line)
    return [f"  {number} | {shown}", f"  {' ' * len(number)} | {' ' * caret}{'^' * width}"]
