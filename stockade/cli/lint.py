"""`stockade lint`."""

from __future__ import annotations

import click

from ..policies.errors import InputError
from ..seccomp.hosts import ENGINES

_EPILOG = """\b
Examples:
  stockade lint web.yaml
  stockade lint docker-default profile.json
  stockade lint . --format json --ignore siblings-disagree
  stockade lint profile.json --engine 20.10
  stockade lint /etc/subuid
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
    """Find faults in policies, in Docker and OCI seccomp profiles, in files of host ids.

    PATH is a policy (YAML), the name of a library policy, a profile (JSON), a subuid, subgid,
    uid_map, gid_map or daemon.json file (by its name; what stands beside it is looked at with
    it), `-` for standard input, or a directory: then all that is below it is checked.
    """
    from ..lint.runner import Settings, known_check, run
    from .findings import plural, show, summary

    if explain is not None:
        from ..lint.document import page

        click.echo(page(known_check(explain)), nl=False)
        return 0
    if not paths:
        raise click.UsageError("name at least one PATH, or a check with --explain")
    outcome = run(paths, Settings.of(select, ignore, engine))
    show(outcome, form, {"checked": outcome.checked, "skipped": outcome.skipped})
    if not outcome.checked and not outcome.problems:
        raise InputError.of(
            f"no policy, profile or file of host ids in {', '.join(paths)}",
            hint="is it the right path?",
        )
    checked = f"{plural(outcome.checked, 'file')} checked"
    skipped = f", {plural(outcome.skipped, 'other file')} skipped" if outcome.skipped else ""
    unread = f", {plural(len(outcome.problems), 'problem')}" if outcome.problems else ""
    click.echo(f"{checked}: {summary(outcome)}{skipped}{unread}", err=True)
    if outcome.problems:
        return 2
    return 0 if outcome.clean else 1
