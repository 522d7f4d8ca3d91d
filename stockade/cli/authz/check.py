"""`stockade authz check`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from ...authz.doctor import examine
from ...authz.settings import DEFAULT_DOCKER
from ...authz.survey import survey
from ...authz.unknown_input import unknown_input
from ...policies.errors import InputError
from ...policies.findings import Finding, Severity, count, order, render_document
from ...policies.reading import read_source
from ...policies.source import Problem
from .loading import make_ready

_EPILOG = """\b
Examples:
  stockade authz check web.yaml
  stockade authz check web.yaml --format json --docker /run/docker.sock
  stockade authz check web.yaml --no-engine      (the policy alone)

\b
Exit status: 0 nothing, or notes only; 1 findings; 2 the policy cannot be
used.
"""


@click.command("check", epilog=_EPILOG)
@click.argument("policy")
@click.option("--docker", default=str(DEFAULT_DOCKER), show_default=True, metavar="SOCKET")
@click.option("--daemon-json", default="/etc/docker/daemon.json", show_default=True, metavar="FILE")
@click.option("--no-engine", is_flag=True, help="Do not look at the engine of this machine.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(policy: str, docker: str, daemon_json: str, no_engine: bool, form: str) -> int:
    """Check POLICY as the plugin would load it, then the engine that the plugin is to guard.

    Keys of `input` that a module in Rego reads and that are never there are
    warned of. The engine is asked for its version, settings and plugins; nothing is changed.
    """
    problems: tuple[Problem, ...] = ()
    summary = ""
    findings: tuple[Finding, ...] = ()
    try:
        ready = make_ready(policy)
        findings = tuple(
            finding
            for name in ready.authz.rego
            for finding in unknown_input(read_source(ready.authz.directory / name.text))
        )
        count_ = len(ready.authz.rules)
        summary = f"{ready.policy.name}: {count_} rule{'' if count_ == 1 else 's'}, sound"
    except InputError as error:
        problems = error.problems
    of_engine: tuple[Finding, ...] = ()
    if not no_engine:
        of_engine = order(examine(survey(Path(docker), Path(daemon_json))))
    findings += of_engine
    if form == "json":
        click.echo(render_document(findings, problems), nl=False)
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        for finding in findings:
            click.echo(finding.render(colour=colour) + "\n", color=colour)
    for problem in problems:
        click.echo(problem.render(), err=True)
    if summary:
        click.echo(summary, err=True)
    numbers, there = count(findings), count(of_engine)
    parts = [f"{there[each]} {each.value}{'s' * (there[each] > 1)}" for each in Severity
             if there[each]]  # fmt: skip
    if not no_engine:
        click.echo(f"engine at {docker}: {', '.join(parts) or 'nothing found'}", err=True)
    if problems:
        return 2
    return 1 if numbers[Severity.ERROR] or numbers[Severity.WARNING] else 0
