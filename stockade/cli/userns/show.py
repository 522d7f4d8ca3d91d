"""`stockade userns show`."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ...policies.errors import InputError
from ...policies.source import printable
from ...userns import host
from ...userns.accounts import Accounts
from ...userns.compare import Comparison, Kind, Line, Reaction, compare, maps_of
from ...userns.dialects import DIALECTS, Dialect
from ...userns.idmap import MapError, problems, read_map, read_shown_map, translate
from ...userns.model import IdMap

KERNEL = "kernel"
"""The reader of uid_map and gid_map, as --as has it."""
_WIDTH = 80
_MOST_LINES = 40
"""Of a file, as text; JSON has them all."""
_MAXIMAL_MAP = 1 << 20

_EPILOG = """\b
Examples:
  stockade userns show --host
  stockade userns show /etc/subuid --as dockerd-28 --as shadow-4.13
  stockade userns show --host --owner dockremap
  stockade userns show --pid 4711
  stockade userns show draft.txt --as kernel
  stockade userns show --root /srv/image --format json

\b
Lines that mean the same to every reader are counted; the others are shown with
what each reader makes of them, those where readers differ with a `!`.
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
        data = host.read_plain(path, host.MAXIMAL_IDS)
        yield _File(printable(str(path)), data, readers == (KERNEL,) or _looks_like_map(path, data))
    if this_host or (root is not None and not files and pid is None):
        top = root or Path("/")
        for name in (host.SUBUID, host.SUBGID):
            data_below = host.read_below(top, name, host.MAXIMAL_IDS)
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
) -> _SubView | _MapView | _Absent:
    if file.data is None:
        return _Absent(file.name)
    if file.is_map:
        return _MapView.of(file)
    maps = maps_of(file.data, owner, dialects, accounts) if owner is not None else {}
    return _SubView(file.name, compare(file.data, dialects, accounts), owner, maps)


@dataclass(frozen=True, slots=True)
class _Absent:
    """A file that is not there."""

    name: str
    clean = True

    def document(self) -> dict[str, Any]:
        return {"file": self.name, "exists": False}

    def lines(self, colour: bool) -> list[str]:
        return [self.name, "  not there: nobody has subordinate ids"]


# --- subuid and subgid -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _SubView:
    """A subuid or subgid file."""

    name: str
    found: Comparison
    owner: str | None
    maps: Mapping[str, IdMap]

    @property
    def clean(self) -> bool:
        roots = any(_has_root(extents) for extents in self.maps.values())
        return not (self.found.differs or self.found.host_root or roots)

    def document(self) -> dict[str, Any]:
        table = self.found.table
        odd = {line.number for line in self.found.lines}
        columns = zip(table.lines, table.owners, table.starts, table.counts, strict=True)
        same = [
            {"line": line, "owner": owner.decode(), "first": start, "count": count}
            for line, owner, start, count in columns
            if line not in odd
        ]
        document: dict[str, Any] = {
            "file": self.name,
            "exists": True,
            "differs": self.found.differs,
            "refused_by": {
                name: {"line": fault.line, "column": fault.column, "message": fault.message}
                for name, fault in self.found.refused.items()
            },
            "lines": [_line_document(line) for line in self.found.lines],
            "same_to_all": same,
        }
        if self.owner is not None:
            document["owner"] = self.owner
            document["maps"] = {name: _rows(extents) for name, extents in self.maps.items()}
        return document

    def lines(self, colour: bool) -> list[str]:
        result = [self.name]
        for name, fault in self.found.refused.items():
            text = f"{name} refuses the file: line {fault.line}: {fault.message}"
            result += _wrapped(text, "  ", colour, "red")
        same = len(self.found.table) - len(self._strict)
        readers = "every reader that takes it" if self.found.refused else "every reader"
        if same or not self.found.lines:
            lines = "1 line means" if same == 1 else f"{same:,} lines mean"
            result.append(f"  {lines} the same to {readers}")
        for line in self.found.lines[:_MOST_LINES]:
            result += _line_text(line, colour)
        beyond = len(self.found.lines) - _MOST_LINES
        if beyond > 0:
            result.append(f"  and {beyond:,} more lines of this kind; --format json has them all")
        if 0 in self.found.table.starts:
            number = self.found.table.lines[list(self.found.table.starts).index(0)]
            text = f"line {number} grants the host's own ids, from 0 on: HOST ROOT"
            result += _wrapped(text, "! ", colour, "red")
        if self.owner is not None:
            result += _maps_text(self.owner, self.maps, colour)
        return result

    @property
    def _strict(self) -> set[int]:
        odd = {number for number, _ in self.found.table.odd}
        return {line.number for line in self.found.lines} - odd


def _line_document(line: Line) -> dict[str, Any]:
    return {
        "line": line.number,
        "text": line.text[:4096].decode("utf-8", "backslashreplace"),
        "differs": line.differs,
        "readers": {
            name: {
                "does": reaction.kind.value,
                "ranges": [{"first": r.first, "count": r.count} for r in reaction.ranges],
                "host_root": reaction.host_root,
                "message": reaction.message,
            }
            for name, reaction in line.reactions.items()
        },
    }


def _line_text(line: Line, colour: bool) -> list[str]:
    mark = "!" if line.differs or line.host_root else " "
    text = line.text[:200].decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    head = f"{mark} {line.number:>4} | "
    room = _WIDTH - len(head)
    result = [head + (text if len(text) <= room else text[: room - 1] + "…")]
    groups: dict[Reaction, list[str]] = {}
    for name, reaction in line.reactions.items():
        groups.setdefault(reaction, []).append(name)
    for reaction, names in groups.items():
        who = "every reader" if len(groups) == 1 and len(names) > 1 else ", ".join(names)
        style = "red" if reaction.host_root else None
        result += _wrapped(f"{who}: {_said(reaction)}", "       | ", colour, style)
    return result


def _said(reaction: Reaction) -> str:
    if reaction.kind is Kind.SILENT:
        return "nothing here"
    if reaction.kind is not Kind.GRANTS:
        return reaction.message
    ranges = ", ".join(str(each) for each in reaction.ranges)
    root = " HOST ROOT" if reaction.host_root else ""
    return f"{ranges}{root}" + (f" ({reaction.message})" if reaction.message else "")


def _maps_text(owner: str, maps: Mapping[str, IdMap], colour: bool) -> list[str]:
    result = [f"  maps for {printable(owner)}"]
    groups: dict[IdMap, list[str]] = {}
    for name, extents in maps.items():
        groups.setdefault(extents, []).append(name)
    for extents, names in groups.items():
        style = "red" if _has_root(extents) else None
        result += _wrapped(", ".join(names), "    ", colour, style)
        result += [f"      {row}" for row in _extents_text(extents)] or ["      no map"]
    return result


# --- uid_map and gid_map -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _MapView:
    """The text of a map, as the kernel takes it."""

    name: str
    extents: IdMap
    refusal: str
    """Why the kernel does not take it; empty where it does."""

    @classmethod
    def of(cls, file: _File) -> _MapView:
        data = file.data or b""
        try:
            extents = read_shown_map(data) if file.shown_by_kernel else read_map(data)
        except MapError as error:
            before = data[: error.offset]
            line = before.count(b"\n") + 1
            column = error.offset - (before.rfind(b"\n") + 1) + 1
            return cls(file.name, (), f"{error.errno}: {line}:{column}: {error.reason}")
        return cls(file.name, extents, "")

    @property
    def clean(self) -> bool:
        return not self.refusal and not _has_root(self.extents)

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"file": self.name, "exists": True, "map": _rows(self.extents)}
        if self.refusal:
            document["refused"] = self.refusal
        document["container_root"] = translate(self.extents, 0)
        return document

    def lines(self, colour: bool) -> list[str]:
        result = [self.name]
        if self.refusal:
            return result + _wrapped(f"the kernel refuses it: {self.refusal}", "! ", colour, "red")
        if not self.extents:
            return [*result, "  no map yet: every id is the overflow id, 65534"]
        result += [f"  {row}" for row in _extents_text(self.extents)]
        root = translate(self.extents, 0)
        if root is None:
            result.append("  id 0 inside has no id outside")
        elif root == 0:
            result += _wrapped("root inside is root outside: HOST ROOT", "! ", colour, "red")
        else:
            result.append(f"  root inside is {root} outside")
        if root != 0 and _has_root(self.extents):
            result += _wrapped("an id inside is the HOST ROOT", "! ", colour, "red")
        return result


def _extents_text(extents: IdMap) -> list[str]:
    if not extents:
        return []
    rows = [
        (f"{e.inside}-{e.inside + e.count - 1}", f"{e.outside}-{e.outside + e.count - 1}", e.count)
        for e in extents[:_MOST_LINES]
    ]
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]  # type: ignore[arg-type]
    result = [f"{a:<{wide[0]}} -> {b:<{wide[1]}}  {_ids(count)}" for a, b, count in rows]
    if len(extents) > _MOST_LINES:
        result.append(f"and {len(extents) - _MOST_LINES} more extents")
    return result + [f"the kernel refuses this map: {each.message}" for each in problems(extents)]


def _ids(count: int) -> str:
    return "1 id" if count == 1 else f"{count:,} ids"


def _has_root(extents: IdMap) -> bool:
    return any(extent.outside == 0 and extent.count for extent in extents)


def _rows(extents: IdMap) -> list[dict[str, int]]:
    return [{"inside": e.inside, "outside": e.outside, "count": e.count} for e in extents]


def _wrapped(text: str, indent: str, colour: bool, style: str | None) -> list[str]:
    lines = textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent)
    ) or [indent]
    if colour and style:
        return [click.style(line, fg=style) for line in lines]
    return lines
