"""`stockade lint`."""

from __future__ import annotations

import os
import sys

import click

from ..policies.errors import InputError
from ..policies.findings import Severity, count, render_document
from ..seccomp.hosts import ENGINES

_MOST_SHOWN = 200
"""Findings shown as text; JSON has them all."""

_EPILOG = """\b
Examples:
  stockade lint web.yaml
  stockade lint docker-default profile.json
  stockade lint . --format json --ignore siblings-disagree
  stockade lint profile.json --engine 20.10
  stockade lint --explain wide-comparison

\b
Exit status: 0 nothing, or notes only; 1 findings; 2 something cannot be read.
"""


@click.command("lint", epilog=_EPILOG)
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option("--select", multiple=True, metavar="ID", help="Only this check; repeatable.")
@click.option("--ignore", multiple=True, metavar="ID", help="Not this check; repeatable.")
@click.option(
    "--engine", default="29", type=click.Choice(list(ENGINES)), show_default=True,
    help="The oldest Docker that has to read the profiles.",
)  # fmt: skip
@click.option("--explain", metavar="ID", help="Show what a check finds and why, and stop.")
def command(
    paths: tuple[str, ...],
    form: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    engine: str,
    explain: str | None,
) -> int:
    """Find faults in policies and in Docker and OCI seccomp profiles.

    PATH is a policy (YAML), the name of a library policy, a profile (JSON), `-` for standard
    input, or a directory: then everything below it that is one of these is checked.
    """
    from ..lint.runner import Settings, known_check, run

    if explain is not None:
        from ..lint.document import page

        click.echo(page(known_check(explain)), nl=False)
        return 0
    if not paths:
        raise click.UsageError("name at least one PATH, or a check with --explain")
    outcome = run(paths, Settings.of(select, ignore, engine))
    if form == "json":
        numbers = {"checked": outcome.checked, "skipped": outcome.skipped}
        click.echo(render_document(outcome.findings, outcome.problems, numbers), nl=False)
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        for finding in outcome.findings[:_MOST_SHOWN]:
            click.echo(finding.render(colour=colour) + "\n", color=colour)
        beyond = len(outcome.findings) - _MOST_SHOWN
        if beyond > 0:
            click.echo(f"and {beyond} more; --format json has them all")
    for problem in outcome.problems:
        click.echo(problem.render(), err=True)
    if not outcome.checked and not outcome.problems:
        raise InputError.of(
            f"no policy and no seccomp profile in {', '.join(paths)}", hint="is it the right path?"
        )
    numbers_of = count(outcome.findings)
    parts = [_plural(numbers_of[each], each.value) for each in Severity if numbers_of[each]]
    checked = f"{_plural(outcome.checked, 'file')} checked"
    skipped = f", {_plural(outcome.skipped, 'other file')} skipped" if outcome.skipped else ""
    unread = f", {_plural(len(outcome.problems), 'problem')}" if outcome.problems else ""
    summary = ", ".join(parts) or "nothing found"
    click.echo(f"{checked}: {summary}{skipped}{unread}", err=True)
    if outcome.problems:
        return 2
    return 0 if outcome.clean else 1


def _plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
