"""`stockade authz test`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from ...authz.compile import extra_modules, shipped_modules
from ...authz.dockercli import Api
from ...authz.model import LOCAL
from ...authz.testcases import run_tests
from ...policies.errors import InputError
from ...policies.model import Policy
from ...policies.source import Problem
from .explain import read_words
from .loading import Here, Ready, identity_of, make_ready

_EPILOG = """\b
Example of a `tests:` section:
  tests:
    - {as: local, request: GET /info, expect: allow}
    - {as: {cn: alice}, docker: run alpine, expect: deny, because: limits}
    - as: {cn: alice, ou: ops}
      given: run -d --name web nginx
      docker: exec web sh
      expect: allow

\b
Exit status: 0 all as expected, 1 some not, 2 bad input.
"""


_TEST = re.compile(r"^\s*test_\w", re.MULTILINE)
"""A rule in Rego that `opa test` runs."""


@click.command("test", epilog=_EPILOG)
@click.argument("policies", nargs=-1, required=True, metavar="POLICY...")
def command(policies: tuple[str, ...]) -> int:
    """Check that each request in a policy's `tests:` section is answered as it expects.

    Tests of the policy's own Rego (test_... rules) are run too where `opa` is installed.
    """
    failed = 0
    for reference in policies:
        ready = make_ready(reference)
        modules = extra_modules(ready.authz)
        if ready.policy.authz_tests:
            failed += run_all(ready.policy, ready)
        elif not any(_TEST.search(text) for text in modules.values()):
            raise InputError.of(
                f"policy {ready.policy.name} has no `tests:` about requests, and no tests in Rego",
                ready.policy.at,
                "stockade authz test --help shows some",
            )
        elif _opa() is None:
            raise InputError.of(
                f"all tests of policy {ready.policy.name} are in Rego, and opa is not installed",
                ready.policy.at,
                "install opa, or write `tests:` about requests",
            )
        failed += _rego(ready)
    return 1 if failed else 0


def run_all(policy: Policy, ready: Ready) -> int:
    """Run the policy's tests of requests, print what failed; how many that is."""
    here, api = Here(ready.authz.directory), Api("1.44")
    outcomes = list(
        run_tests(
            policy.authz_tests,
            ready.rules,
            lambda words, body: read_words(words, api, here, None, body),
            lambda case: (
                identity_of({k: list(v) for k, v in case.names.items()}) if case.names else LOCAL
            ),
        )
    )
    wrong = [each for each in outcomes if not each.passed]
    for each in wrong:
        click.echo(Problem(each.said, each.case.at).render())
    passed = len(outcomes) - len(wrong)
    requests = f"{passed} request{'' if passed == 1 else 's'}"
    click.echo(f"{policy.name}: {requests} passed, {len(wrong)} failed", err=True)
    return len(wrong)


def _opa() -> str | None:
    """The program, beside this Python or in PATH; OPA is no Python package."""
    return shutil.which("opa", path=str(Path(sys.executable).parent)) or shutil.which("opa")


def _rego(ready: Ready) -> int:
    """`opa test` on the policy's own modules; 1 when it fails."""
    modules = extra_modules(ready.authz)
    program = _opa()
    if not modules:
        return 0
    if program is None:
        click.echo("opa is not installed: the tests in Rego were not run", err=True)
        return 0
    with TemporaryDirectory(prefix="stockade-") as name:
        texts = [*shipped_modules().items(), *modules.items()]
        for at, (_, text) in enumerate(texts):
            (Path(name) / f"{at:03}.rego").write_text(text)
        done = subprocess.run(
            [program, "test", "--timeout", "60s", name],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if done.returncode:
        click.echo(done.stdout + done.stderr, nl=False)
    click.echo(
        f"{ready.policy.name}: opa test {'failed' if done.returncode else 'passed'}", err=True
    )
    return 1 if done.returncode else 0
