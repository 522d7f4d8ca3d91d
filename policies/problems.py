"""Collecting problems while a text is read, and putting them in order to be shown."""

from __future__ import annotations

from collections.abc import Iterable

from .source import Location, Problem

MAXIMAL_PROBLEMS = 100
"""Problems shown for one input; the rest is counted."""

Related = tuple[tuple[str, Location], ...]


class Report:
    """The problems found so far. Readers add to it and go on."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, message: str, at: Location | None, hint: str = "", related: Related = ()) -> None:
        """Notes a problem."""
        self.problems.append(Problem(message, at, hint, related))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Notes problems that were found elsewhere, such as those of an InputError."""
        self.problems.extend(problems)

    def arranged(self) -> tuple[Problem, ...]:
        """Everything noted, in the order of the text."""
        return arrange(self.problems)


def arrange(problems: Iterable[Problem], limit: int = MAXIMAL_PROBLEMS) -> tuple[Problem, ...]:
    """The problems in the order of their files and places, each once, at most `limit` of them.

    Those without a place come last; what is beyond the limit becomes one line with its number.
    """
    unique = list(dict.fromkeys(problems))
    files: dict[str, int] = {}
    for problem in unique:
        if problem.at is not None:
            files.setdefault(problem.at.source.name, len(files))

    def order(problem: Problem) -> tuple[int, int, int]:
        if problem.at is None:
            return (len(files), 0, 0)
        return (files[problem.at.source.name], problem.at.line, problem.at.column)

    unique.sort(key=order)
    beyond = len(unique) - limit
    if beyond <= 0:
        return tuple(unique)
    more = f"and {beyond} more problem{'s' if beyond > 1 else ''}"
    return (*unique[:limit], Problem(more, None, "mend these first, then check again"))


def suggest(word: str, known: Iterable[str]) -> str | None:
    """The known word that this one was probably meant to be."""
    from difflib import get_close_matches

    folded = {candidate.lower().replace("_", "-"): candidate for candidate in known}
    close = get_close_matches(word[:80].lower().replace("_", "-"), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` to end a message with, or nothing."""
    close = suggest(word, known)
    return f"; did you mean `{close}`?" if close else ""


def shown(text: str, limit: int = 60) -> str:
    """A text of the author's in backquotes, on one line, cut when long."""
    text = " ".join(text.split())
    return f"`{text[: limit - 1]}…`" if len(text) > limit else f"`{text}`"


def listed(words: Iterable[str]) -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{word}`" for word in words]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
