"""`userns check --fix`: show what changes, ask, write."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from ...lint.load_ids import kind_of, read_beside
from ...policies.errors import InputError
from ...policies.source import printable
from ...userns.commit import session
from ...userns.host import SUBGID, SUBUID, read_host, read_ids
from ...userns.mend import Mended, mend
from ..files import write_all
from .hosts import plural, say_finished

_HOSTS = (Path("/etc/subuid"), Path("/etc/subgid"))
_MOST_SHOWN = 20


def mend_tree(root: Path, *, ask: bool) -> None:
    """Mend subuid and subgid below a root, under the locks of useradd; raises InputError."""
    before = read_host(root)
    files = {SUBUID: before.subuid, SUBGID: before.subgid}
    found = {name: mend(data) for name, data in files.items() if data is not None}
    if not _agreed(found, ask=ask):
        return
    with session(root) as held:
        say_finished(held.finished)
        if (held.files.subuid, held.files.subgid) != (before.subuid, before.subgid):
            raise InputError.of(
                "the files were changed meanwhile; nothing was written", hint="run it again"
            )
        held.commit({name: each.data for name, each in found.items() if each.mends})


def mend_files(paths: Sequence[str], *, ask: bool) -> None:
    """Mend files that somebody named, each as a whole; raises InputError."""
    found: dict[str, Mended] = {}
    for path in dict.fromkeys(paths):
        if kind_of(path) not in ("subuid", "subgid"):
            continue
        if Path(path).resolve() in _HOSTS:
            raise InputError.of(
                f"`{printable(path)}` is this host's own, which others write too",
                hint="stockade userns check --host --fix takes their locks",
            )
        read_beside(path)  # what is no text is refused
        found[path] = mend(read_ids(Path(path)))
    if _agreed(found, ask=ask):
        for path, each in found.items():
            if each.mends:
                mode = stat.S_IMODE(Path(path).stat().st_mode)
                write_all({Path(path): each.data}, mode=mode)


def _agreed(found: Mapping[str, Mended], *, ask: bool) -> bool:
    """Whether the changes, which are shown, are to be made."""
    number = sum(len(each.mends) for each in found.values())
    if not number:
        click.echo("nothing to mend without a decision", err=True)
        return False
    for name, each in found.items():
        if each.mends:
            _show(name, each)
    if not ask:
        return True
    if not sys.stdin.isatty():
        click.echo("nothing was written: --yes writes it without asking", err=True)
        return False
    return click.confirm(f"Write {plural(number, 'change')}?", err=True)


def _show(name: str, mended: Mended) -> None:
    """The change as a diff on stderr, with what is mended after each line."""
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")

    def say(text: str, tint: str) -> None:
        click.echo(click.style(text, fg=tint) if colour else text, err=True, color=colour)

    shown = printable(name)
    click.echo(f"--- {shown}\n+++ {shown}", err=True)
    for each in mended.mends[:_MOST_SHOWN]:
        click.echo(f"@@ line {each.line}: {each.why} @@", err=True)
        say(f"-{_text(each.old)}", "red")
        if each.new is not None:
            say(f"+{_text(each.new)}", "green")
    beyond = len(mended.mends) - _MOST_SHOWN
    if beyond > 0:
        click.echo(f"and {beyond:,} more lines", err=True)


def _text(line: bytes) -> str:
    text = printable(line.decode("utf-8", "replace"))
    return text if len(text) <= 70 else f"{text[:69]}…"
