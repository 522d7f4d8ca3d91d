"""`stockade test`."""

from __future__ import annotations

import click

from ..policies.errors import InputError
from ..policies.source import Problem
from ..seccomp.cases import run_cases
from .options import capability_options, read_request, sound_policy

_EPILOG = """\b
Example of a `tests:` section:
  tests:
    - {call: "socket(family=AF_ALG)", expect: deny}
    - {call: "clone3", expect: deny, with: ENOSYS}
    - {as: local, docker: run --privileged alpine, expect: deny}

\b
Exit status: 0 all as expected, 1 some not, 2 bad input.
"""


@click.command("test", epilog=_EPILOG)
@click.argument("policies", nargs=-1, required=True, metavar="POLICY...")
@capability_options
def command(
    policies: tuple[str, ...],
    capabilities: tuple[str, ...],
    kernel: str | None,
) -> int:
    """Check that each call and request in a policy's `tests:` gets the answer it expects."""
    request = read_request((), capabilities, kernel)
    failed = 0
    for reference in policies:
        policy = sound_policy(reference, request.build)
        if policy.authz_tests:
            failed += _requests(reference)
        if policy.seccomp is None or not policy.tests:
            if policy.authz_tests:
                continue
            raise InputError.of(
                f"policy {policy.name} has no `tests:`", policy.at, "stockade test --help shows one"
            )
        outcomes = list(run_cases(policy, request.build, request.environment))
        wrong = [outcome for outcome in outcomes if not outcome.passed]
        for outcome in wrong:
            message = (
                f"on {outcome.explanation.abi.name}: expected {outcome.expected}, got {outcome.got}"
            )
            click.echo(Problem(message, outcome.case.at).render())
        failed += len(wrong)
        passed = len(outcomes) - len(wrong)
        click.echo(f"{policy.name}: {passed} passed, {len(wrong)} failed", err=True)
    return 1 if failed else 0


def _requests(reference: str) -> int:
    """Run the tests about Docker requests; how many failed."""
    from .authz.loading import make_ready
    from .authz.test import run_all

    ready = make_ready(reference)
    return run_all(ready.policy, ready)
