"""How commands show what checks found."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import click

from ..lint.runner import Outcome
from ..policies.findings import Severity, count, render_document

MOST_SHOWN = 200
"""Findings shown as text; JSON has them all."""


def show(outcome: Outcome, form: str, numbers: Mapping[str, int]) -> None:
    """The findings on stdout, as `text` or `json` with these numbers in its summary; what could
    not be read on stderr."""
    if form == "json":
        click.echo(render_document(outcome.findings, outcome.problems, numbers), nl=False)
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        for finding in outcome.findings[:MOST_SHOWN]:
            click.echo(finding.render(colour=colour) + "\n", color=colour)
        beyond = len(outcome.findings) - MOST_SHOWN
        if beyond > 0:
            click.echo(f"and {beyond} more; --format json has them all")
    for problem in outcome.problems:
        click.echo(problem.render(), err=True)


def summary(outcome: Outcome) -> str:
    """How many there are of each severity: `1 error, 2 notes`."""
    found = count(outcome.findings)
    parts = [plural(found[each], each.value) for each in Severity if found[each]]
    return ", ".join(parts) or "nothing found"


def plural(number: int, word: str) -> str:
    """`1 note`, `2 notes`."""
    return f"{number} {word}{'' if number == 1 else 's'}"
