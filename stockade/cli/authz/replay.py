"""`stockade authz replay`."""

from __future__ import annotations

import json
import textwrap
from datetime import UTC, datetime

import click

from ...authz.replay import Outcome, open_log, replay
from ...policies.errors import InputError
from ...policies.source import printable
from .loading import make_ready

_MOST_SHOWN = 50
"""Groups shown as text; JSON has them all."""

_EPILOG = """\b
Examples:
  stockade authz replay /var/log/stockade/authz.log --policy new.yaml
  stockade authz replay authz.log.2.gz authz.log.1 --policy new.yaml \\
      --since 2026-05-01

\b
Exit status: 0 every decision stays, 1 some would change, 2 bad input.
"""


@click.command("replay", epilog=_EPILOG)
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option("--policy", required=True, metavar="NEW", help="The policy to decide by.")
@click.option("--since", metavar="TIME", help="Only decisions from TIME on (RFC 3339, or a date).")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(logs: tuple[str, ...], policy: str, since: str | None, form: str) -> int:
    """Decide every request of a decision LOG again under another policy, and show what changes.

    LOG may be compressed (.gz); `-` is standard input. What a log does not hold cannot be
    decided again: denials before any rule was asked stay as they are, and are counted.
    """
    start = _time(since) if since is not None else ""
    ready = make_ready(policy)
    lines = (line for name in logs for line in open_log(name))
    outcome = replay(lines, ready.rules.engine, start)
    if form == "json":
        click.echo(json.dumps(outcome.document(), indent=2))
    else:
        _print(outcome)
    return 1 if outcome.changed else 0


def _print(outcome: Outcome) -> None:
    for group in outcome.groups[:_MOST_SHOWN]:
        now = "allowed" if group.allow else "denied"
        was = "denied" if group.allow else "allowed"
        click.echo(f"{was} -> {now}: {group.operation}, {printable(group.subject)}, "
                   f"{group.count} time{'s' * (group.count > 1)}")  # fmt: skip
        rule = group.rule if group.allow else group.old_rule
        click.echo(f"  {'by' if group.allow else 'was by'} {printable(rule or 'no rule')}")
        for reason in group.reasons[:3]:
            click.echo(textwrap.fill(printable(reason), 80, initial_indent="  ",
                                     subsequent_indent="    "))  # fmt: skip
        click.echo(f"  such as decision {printable(group.example)}\n")
    beyond = len(outcome.groups) - _MOST_SHOWN
    if beyond > 0:
        click.echo(f"and {beyond} more; --format json has them all")
    click.echo(
        f"{outcome.decided} decided again, {outcome.changed} would change "
        f"({outcome.newly_denied} newly denied, {outcome.newly_allowed} newly allowed); "
        f"{outcome.kept} denied before any rule stay, {outcome.shortened} cut short in the log, "
        f"{outcome.unreadable} lines not readable",
        err=True,
    )


def _time(text: str) -> str:
    """The time as the log writes it, so that texts compare as times do."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError.of(
            f"`--since`: `{text}` is no time", hint="write 2026-05-01 or 2026-05-01T12:00:00Z"
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"
