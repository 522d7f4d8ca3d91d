"""`stockade userns plan`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ...userns.change import line
from ...userns.commit import interrupted, session
from ...userns.host import read_host
from ...userns.outlook import Allocation, allocation
from .hosts import listed_of, live_of, note, plural, root_option, say_finished, section_of, show

_EPILOG = """\b
Examples:
  stockade userns plan hosts.yaml
  stockade userns plan hosts.yaml --root /mnt/image
  stockade userns plan hosts.yaml --format json

\b
Exit status: 0 nothing would change; 1 something would, or others have ids of
a tenant's block; 2 it cannot be done.
"""


@click.command("plan", epilog=_EPILOG)
@click.argument("policy", metavar="POLICY")
@root_option
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(policy: str, root: str, form: str) -> int:
    """Show which blocks the tenants of a policy would get. Nothing is allocated.

    Blocks are 65536-aligned and the same for uids and gids. A tenant keeps what the registry
    (/var/lib/stockade/userns.json) says; a new one gets a block that no file, account,
    reservation or live user namespace has ids of. Only a change that was interrupted before is
    finished first, if there is one.
    """
    section, top = section_of(policy), Path(root)
    if interrupted(top):
        with session(top) as held:
            say_finished(held.finished)
    found = allocation(read_host(top), section, live_of(top), listed_of(top))
    if form == "json":
        click.echo(json.dumps(_document(found), indent=2))
    else:
        show(found.changes)
        summary(found)
    return 1 if found.changes or is_disputed(found) else 0


def summary(found: Allocation, done: bool = False) -> None:
    """What becomes of the tenants, and what is not as it should be, on stderr."""
    plan = found.plan
    groups = (
        ("a new block", plan.added),
        ("taken over from the files", plan.adopted),
        ("their old block again", plan.revived),
        ("as before", plan.kept),
    )
    parts = [f"{what}: {plural(len(names), 'tenant')}" for what, names in groups if names]
    click.echo("; ".join(parts) or "no tenants", err=True)
    for drift in found.plan.drift[:20]:
        note(f"tenant `{drift.tenant}` {drift.message}")
    if len(found.plan.drift) > 20:
        note(f"and {len(found.plan.drift) - 20} more of this kind; --format json has them all")
    if not found.changes:
        click.echo("nothing to change", err=True)
    elif not done:
        click.echo("nothing was changed; `stockade userns apply` does it", err=True)


def is_disputed(found: Allocation) -> bool:
    """Whether others have ids of a tenant's block."""
    return any(drift.disputed for drift in found.plan.drift)


def _document(found: Allocation) -> dict[str, object]:
    plan = found.plan
    groups = {"added": plan.added, "adopted": plan.adopted, "revived": plan.revived}
    return {
        "changes": [
            {
                "file": f"/{change.name}",
                "removed": [text for _, text in change.removed],
                "added": list(change.added),
                "line_feed_added": change.ended,
            }
            for change in found.changes
        ],
        **{
            name: {tenant: line(tenant, block).partition(":")[2] for tenant, block in each.items()}
            for name, each in {**groups, "kept": plan.kept}.items()
        },
        "drift": [
            {"tenant": drift.tenant, "message": drift.message, "disputed": drift.disputed}
            for drift in plan.drift
        ],
    }
