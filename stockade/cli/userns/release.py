"""`stockade userns release`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import click

from ...policies.errors import InputError
from ...policies.source import printable
from ...userns.commit import Session, session
from ...userns.host import REGISTRY
from ...userns.ids import IdRange
from ...userns.leases import Leased, leased
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
    wanted = [*dict.fromkeys((*forget, *(tenants if checked else ())))]
    with session(top) as held:
        say_finished(held.finished)
        removal(held.files, tenants, wanted)  # refuses what is not there, before anything is done
        registry = read(held.files.registry, REGISTRY)
        blocks = {**registry.blocks, **registry.tombstones}
        for name in wanted:
            _refuse_running(name, blocks[name], live, leased(held.files.leases))
        if tenants:
            _release(held, tenants, live)
    return _forget(top, {name: blocks[name] for name in wanted}, scan) if wanted else 0


def _refuse_running(
    name: str, block: IdRange, live: Sequence[LiveMap], leases: Sequence[Leased]
) -> None:
    """Raises InputError when somebody uses ids of a block that is to be forgotten."""
    using = users(live, leases, block)
    if using:
        raise InputError.of(
            f"{using[0]} has ids of `{name}`, which cannot be forgotten now",
            hint="end it, or remove the container, first; or only release the tenant",
        )


def _release(held: Session, tenants: Sequence[str], live: Sequence[LiveMap]) -> None:
    found = removal(held.files, tenants, ())
    held.commit({change.name: change.content for change in found.changes})
    show(found.changes)
    click.echo(f"{plural(len(set(tenants)), 'tenant')} released", err=True)
    for name in dict.fromkeys(tenants):
        for each in users(live, leased(held.files.leases), found.registry.tombstones[name])[:3]:
            note(f"{each} still has ids of `{name}`")


def _forget(top: Path, wanted: Mapping[str, IdRange], scan: Sequence[str]) -> int:
    """Looks, without the locks: the ids of a tombstone are nobody's meanwhile."""
    left = list(islice(owned(scan, [*wanted.values()]), _MOST_SHOWN + 1))
    for each in left[:_MOST_SHOWN]:
        click.echo(f"{each.uid}:{each.gid} {printable(each.path)}")
    if left:
        beyond = "more than " if len(left) > _MOST_SHOWN else ""
        number = plural(min(len(left), _MOST_SHOWN), "file")
        click.echo(f"{beyond}{number} still of these ids; the tombstones stay", err=True)
        return 1
    with session(top) as held:
        tombstones = read(held.files.registry, REGISTRY).tombstones
        if any(tombstones.get(name) != block for name, block in wanted.items()):
            raise InputError.of("the registry has changed meanwhile", hint="run it again")
        found = removal(held.files, (), [*wanted])
        held.commit({change.name: change.content for change in found.changes})
    show(found.changes)
    click.echo(f"{plural(len(wanted), 'tombstone')} removed", err=True)
    return 0
