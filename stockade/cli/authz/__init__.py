"""`stockade authz`: the authorization plugin and its tools, each loaded when it is called."""

from __future__ import annotations

import click

from ..lazy import LazyGroup

# name -> what the help says of it; the module has the same name
_COMMANDS = {
    "check": "Find faults in a policy, and in how the engine is set up.",
    "explain": "Say what a docker command or API request would be answered, and why.",
    "test": "Check the requests in a policy's `tests:` section.",
    "serve": "Answer dockerd.",
    "install": "Set up dockerd and systemd; shows what it would do.",
    "replay": "Say what another policy would have decided on logged requests.",
}


_EPILOG = """\b
First steps:
  stockade authz check authz.yaml             find faults
  stockade authz explain authz.yaml docker run --privileged alpine
  stockade authz install --policy authz.yaml  see what would be set up
"""


@click.group("authz", cls=LazyGroup, package=__package__, offers=_COMMANDS, epilog=_EPILOG)
def command() -> None:
    """Decide every Docker API request by the rules of a policy."""
