"""What `stockade userns show` shows of a file: as text of 80 columns, and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from ...policies.source import printable
from ...userns.compare import Comparison, Kind, Line, Reaction
from ...userns.idmap import MapError, problems, read_map, read_shown_map, translate
from ...userns.model import IdMap

_WIDTH = 80
_MOST_LINES = 40
"""Of a file, as text; JSON has them all."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A file that is not there."""

    name: str
    clean = True

    def document(self) -> dict[str, Any]:
        return {"file": self.name, "exists": False}

    def lines(self, colour: bool) -> list[str]:
        return [self.name, "  not there: nobody has subordinate ids"]


# --- subuid and subgid -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SubView:
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
class MapView:
    """The text of a map, as the kernel takes it."""

    name: str
    extents: IdMap
    refusal: str
    """Why the kernel does not take it; empty where it does."""

    @classmethod
    def of(cls, name: str, data: bytes, *, shown_by_kernel: bool) -> MapView:
        """The view of a text, which the kernel wrote or is to read."""
        try:
            extents = read_shown_map(data) if shown_by_kernel else read_map(data)
        except MapError as error:
            before = data[: error.offset]
            line = before.count(b"\n") + 1
            column = error.offset - (before.rfind(b"\n") + 1) + 1
            return cls(name, (), f"{error.errno}: {line}:{column}: {error.reason}")
        return cls(name, extents, "")

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
