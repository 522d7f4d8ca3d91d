"""`stockade userns release`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import click

from ...policies.errors import InputError
from ...policies.source import printable
from ...userns.commit import Session, session
from ...userns.host import REGISTRY
from ...userns.model import LiveMap
from ...userns.outlook import removal, users
from ...userns.registry import read
from ...userns.scan import owned
from .hosts import live_of, note, plural, root_option, say_finished, show

_MOST_SHOWN = 10

_EPILOG = """\b
Examples:
  stockade userns release ci                  (its block becomes a tombstone)
  stockade userns release ci --scan / --scan /srv
  stockade userns release --forget ci --scan /
  stockade userns release --forget ci --confirm-unused

\b
Exit status: 0 done; 1 released, but something still belongs to the ids, so
that the tombstone stays; 2 it cannot be done.
"""


@click.command("release", epilog=_EPILOG)
@click.argument("tenants", nargs=-1, metavar="[TENANT]...")
@click.option(
    "--forget", multiple=True, metavar="TENANT", help="Remove the tombstone of one released before."
)
@click.option(
    "--scan", multiple=True, metavar="DIR", type=click.Path(exists=True, file_okay=False),
    help="Forget when nothing below DIR belongs to the ids; repeatable.",
)  # fmt: skip
@click.option("--confirm-unused", is_flag=True, help="Forget on your word that nothing does.")
@root_option
def command(
    tenants: tuple[str, ...],
    forget: tuple[str, ...],
    scan: tuple[str, ...],
    confirm_unused: bool,
    root: str,
) -> int:
    """Take tenants' blocks away: their lines go, and the ids are kept from everybody else.

    Files of a released tenant still belong to its ids. Whoever got these next would own them, so
    a tombstone keeps the block until --scan finds nothing that belongs to it, or
    --confirm-unused says so. A tenant that comes back to the policy gets its own block again.

    --scan looks at owner and group of every inode below the directories. It does not see ACLs,
    images, archives, or file systems that are not mounted.
    """
    checked = bool(scan) or confirm_unused
    if not tenants and not forget:
        raise click.UsageError("name at least one TENANT, or --forget TENANT")
    if scan and confirm_unused:
        raise click.UsageError("--scan and --confirm-unused contradict each other")
    if forget and not checked:
        raise click.UsageError("--forget needs --scan DIR or --confirm-unused")
    top = Path(root)
    live = live_of(top)
    if tenants:
        with session(top) as held:
            _release(held, tenants, live)
    wanted = [*dict.fromkeys((*forget, *(tenants if checked else ())))]
    return _forget(top, wanted, scan, live) if wanted else 0


def _release(held: Session, tenants: Sequence[str], live: Sequence[LiveMap]) -> None:
    say_finished(held.finished)
    found = removal(held.files, tenants, ())
    held.commit({change.name: change.content for change in found.changes})
    show(found.changes)
    click.echo(f"{plural(len(set(tenants)), 'tenant')} released", err=True)
    for name in dict.fromkeys(tenants):
        for each in users(live, found.registry.tombstones[name])[:3]:
            note(f"process {each.pid} ({each.command}) still runs with ids of `{name}`")


def _forget(top: Path, wanted: Sequence[str], scan: Sequence[str], live: Sequence[LiveMap]) -> int:
    """Looks, without the locks: a tombstone's ids are nobody's meanwhile."""
    with session(top) as held:
        say_finished(held.finished)
        tombstones = read(held.files.registry, REGISTRY).tombstones
        removal(held.files, (), wanted)  # refuses what is not there before anything is looked for
    blocks = [tombstones[name] for name in wanted]
    for name, block in zip(wanted, blocks, strict=True):
        running = users(live, block)
        if running:
            raise InputError.of(
                f"process {running[0].pid} ({running[0].command}) runs with ids of `{name}`; its "
                "tombstone stays",
                hint="stop it, then forget the tenant",
            )
    if scan:
        left = list(islice(owned(scan, blocks), _MOST_SHOWN + 1))
        for each in left[:_MOST_SHOWN]:
            click.echo(f"{each.uid}:{each.gid} {printable(each.path)}")
        if left:
            beyond = "more than " if len(left) > _MOST_SHOWN else ""
            number = plural(min(len(left), _MOST_SHOWN), "file")
            click.echo(f"{beyond}{number} still of these ids; the tombstones stay", err=True)
            return 1
    with session(top) as held:
        if read(held.files.registry, REGISTRY).tombstones != tombstones:
            raise InputError.of("the registry has changed meanwhile", hint="run it again")
        found = removal(held.files, (), wanted)
        held.commit({change.name: change.content for change in found.changes})
    show(found.changes)
    click.echo(f"{plural(len(wanted), 'tombstone')} removed", err=True)
    return 0
