"""`stockade userns apply`."""

from __future__ import annotations

from pathlib import Path

import click

from ...userns.commit import session
from ...userns.outlook import allocation
from .hosts import listed_of, live_of, root_option, say_finished, section_of, show
from .plan import is_disputed, summary

_EPILOG = """\b
Examples:
  stockade userns plan hosts.yaml      (shows what it would do)
  stockade userns apply hosts.yaml
  stockade userns apply hosts.yaml --root /mnt/image

\b
Exit status: 0 done; 1 done, but others have ids of a tenant's block; 2 it
cannot be done, and nothing was changed.
"""


@click.command("apply", epilog=_EPILOG)
@click.argument("policy", metavar="POLICY")
@root_option
@click.option(
    "--drop-interrupted", is_flag=True,
    help="Forget an interrupted change that others have made impossible to finish.",
)  # fmt: skip
def command(policy: str, root: str, drop_interrupted: bool) -> int:
    """Give the tenants of a policy their blocks: /etc/subuid, /etc/subgid and the registry.

    All three files change together or not at all, under the locks that useradd takes, and other
    owners' lines stay byte for byte. Tenants that are not in the policy keep their blocks:
    `stockade userns release` takes them away.
    """
    section, top = section_of(policy), Path(root)
    with session(top, drop=drop_interrupted) as held:
        say_finished(held.finished)
        found = allocation(held.files, section, live_of(top), listed_of(top))
        held.commit({change.name: change.content for change in found.changes})
    show(found.changes)
    summary(found, done=True)
    return 1 if is_disputed(found) else 0
