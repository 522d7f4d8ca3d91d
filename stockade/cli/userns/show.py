"""`stockade userns show`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from ...policies.errors import InputError
from ...policies.source import printable
from ...userns import host
from ...userns.accounts import Accounts
from ...userns.compare import compare, maps_of
from ...userns.dialects import DIALECTS, Dialect
from ...userns.model import Kind as IdKind
from ...userns.table import Table
from .views import Absent, MapView, SubView

KERNEL = "kernel"
"""The reader of uid_map and gid_map, as --as has it."""
_MAXIMAL_MAP = 1 << 20
_MOST_ODD = 50_000
"""Lines that every reader reads by itself."""

_EPILOG = """\b
Examples:
  stockade userns show --host
  stockade userns show /etc/subuid --as dockerd-28 --as shadow-4.13
  stockade userns show --host --owner dockremap
  stockade userns show --pid 4711
  stockade userns show draft.txt --as kernel
  stockade userns show --root /srv/image --format json

\b
Lines that mean the same to every reader are counted; the others are shown
with what each reader makes of them, those where readers differ with a `!`.
Exit status: 0 all readers take the same from it; 1 they differ, one refuses
it, or ids of the host's root are in it; 2 it cannot be read.
"""


@dataclass(frozen=True, slots=True)
class _File:
    """Something to show: its name and its bytes."""

    name: str
    data: bytes | None
    """None: it is not there."""
    is_map: bool = False
    shown_by_kernel: bool = False


@click.command("show", epilog=_EPILOG)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option("--host", "this_host", is_flag=True, help="This host's /etc/subuid and /etc/subgid.")
@click.option(
    "--root", type=click.Path(path_type=Path), metavar="DIR",
    help="Those of the tree below DIR; also where passwd is read.",
)  # fmt: skip
@click.option("--pid", type=click.IntRange(1), metavar="N", help="The maps of process N.")
@click.option(
    "--as", "readers", multiple=True, type=click.Choice([*DIALECTS, KERNEL]), metavar="READER",
    help=f"Only through this reader's eyes; repeatable: {', '.join(DIALECTS)}; "
    f"{KERNEL} for uid_map texts.",
)  # fmt: skip
@click.option("--owner", metavar="LOGIN", help="Also the map that each reader makes for LOGIN.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    files: tuple[Path, ...],
    this_host: bool,
    root: Path | None,
    pid: int | None,
    readers: tuple[str, ...],
    owner: str | None,
    form: str,
) -> int:
    """Show who may use which host ids, as each program reads it.

    FILE is a subuid or subgid file, or the text of a uid_map or gid_map.
    """
    if this_host and root is not None:
        raise click.UsageError("name --host or --root, not both")
    shown = list(_inputs(files, this_host, root, pid, readers))
    if not shown:
        raise click.UsageError("name a FILE, --host, --root DIR or --pid N")
    dialects = [DIALECTS[name] for name in readers if name != KERNEL] or list(DIALECTS.values())
    accounts = _accounts(root or Path("/"))
    views = [_view(file, dialects, accounts, owner) for file in shown]
    if form == "json":
        click.echo(json.dumps({"files": [view.document() for view in views]}, indent=1))
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        for index, view in enumerate(views):
            lines = [""] if index else []
            lines += view.lines(colour)
            click.echo("\n".join(lines), color=colour)
    return 0 if all(view.clean for view in views) else 1


# --- what to show ------------------------------------------------------------------------------


def _inputs(
    files: tuple[Path, ...],
    this_host: bool,
    root: Path | None,
    pid: int | None,
    readers: tuple[str, ...],
) -> Iterator[_File]:
    for path in files:
        data = host.read_ids(path)
        yield _File(printable(str(path)), data, readers == (KERNEL,) or _looks_like_map(path, data))
    if this_host or (root is not None and not files and pid is None):
        top = root or Path("/")
        for name in (host.SUBUID, host.SUBGID):
            data_below = host.read_ids_below(top, name)
            yield _File(printable(str(top / name)), data_below)
    if pid is not None:
        for name in ("uid_map", "gid_map"):
            path = Path(f"/proc/{pid}/{name}")
            try:
                data = path.read_bytes()
            except OSError as error:
                hint = "is there a process of this number?"
                message = f"`{path}` cannot be read: {(error.strerror or '').lower()}"
                raise InputError.of(message, hint=hint) from error
            yield _File(str(path), data, is_map=True, shown_by_kernel=True)


def _looks_like_map(path: Path, data: bytes) -> bool:
    """Whether it is a uid_map: by its name, or a text of numbers without any colon."""
    if path.name in ("uid_map", "gid_map"):
        return True
    if path.name in ("subuid", "subgid") or len(data) > _MAXIMAL_MAP:
        return False
    first = data.lstrip().partition(b"\n")[0].split()
    return b":" not in data and len(first) == 3 and all(word.isdigit() for word in first)


def _accounts(root: Path) -> Accounts:
    passwd = host.read_below(root, host.PASSWD, host.MAXIMAL_ACCOUNTS)
    group = host.read_below(root, host.GROUP, host.MAXIMAL_ACCOUNTS)
    return Accounts.read(passwd, group)


def _view(
    file: _File, dialects: list[Dialect], accounts: Accounts, owner: str | None
) -> SubView | MapView | Absent:
    if file.data is None:
        return Absent(file.name)
    if file.is_map:
        return MapView.of(file.name, file.data, shown_by_kernel=file.shown_by_kernel)
    table = Table.read(file.data)
    if len(table.odd) > _MOST_ODD or (b"\0" in file.data and len(table) > _MOST_ODD):
        raise InputError.of(
            f"`{file.name}` has more than {_MOST_ODD:,} lines that are not owner:start:count",
            hint="is it the right file?",
        )
    groups = Path(file.name).name.endswith("subgid")
    kind = IdKind.GID if groups else IdKind.UID
    maps = maps_of(file.data, owner, dialects, accounts, kind) if owner is not None else {}
    return SubView(file.name, compare(file.data, dialects, accounts, table), owner, maps)
