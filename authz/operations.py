"""The operations that a rule can name, and the groups of them.

`data/operations.tsv` is the table of the API's routes, with the operation of each and what it
can do in the wrong hands; `data/groups.tsv` names sets of operations. docs/operations.md shows
both.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from ..policies.errors import InternalError

DATA = Path(__file__).parent / "data"
RISKS: Mapping[str, str] = MappingProxyType(
    {
        "root": "can make its caller root on the host, unless constraints prevent it",
        "high": "reaches beyond one container, or changes what later ones are made of",
        "disclosure": "shows what may be secret",
        "destructive": "stops or deletes",
        "low": "shows or does little",
    }
)
"""The words for what an operation can do, worst first."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that the API can be asked to do."""

    name: str
    """`container.create`."""
    risk: str
    """A key of RISKS."""
    object: str | None
    """The kind of thing that it is done to: `container`."""
    routes: tuple[str, ...]
    """`POST /containers/create`."""


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of operations."""

    name: str
    """With its `@`."""
    why: str
    """A sentence: what the group is for."""
    operations: tuple[str, ...]
    """Sorted; those of the groups in it included."""


@lru_cache(maxsize=1)
def operations() -> Mapping[str, Operation]:
    """Every operation by name, sorted."""
    found: dict[str, Operation] = {}
    for row in _rows(DATA / "operations.tsv"):
        route = f"{row['method']} {row['path']}"
        if row["risk"] not in RISKS:
            raise InternalError(f"operations.tsv: unknown risk {row['risk']} of {route}")
        for name in row["operation"].split(","):
            kind = None if row["object"] == "-" else row["object"]
            known = found.get(name) or Operation(name, row["risk"], kind, ())
            worst = min(known.risk, row["risk"], key=list(RISKS).index)
            found[name] = Operation(name, worst, known.object or kind, (*known.routes, route))
    return MappingProxyType(dict(sorted(found.items())))


@lru_cache(maxsize=1)
def groups() -> Mapping[str, Group]:
    """Every group by name, in the order of the table; a group may use those above it."""
    found: dict[str, Group] = {}
    for row in _rows(DATA / "groups.tsv"):
        name = row["group"]
        members: set[str] = set()
        for pattern in row["operations"].split():
            matched = found[pattern].operations if pattern in found else _matching(pattern)
            if not matched:
                raise InternalError(f"groups.tsv: `{pattern}` in {name} names nothing")
            members.update(matched)
        found[name] = Group(name, row["why"], tuple(sorted(members)))
    return MappingProxyType(found)


def expand(pattern: str) -> tuple[str, ...]:
    """The operations that a text of a rule names, sorted; none: it names nothing."""
    if pattern.startswith("@"):
        group = groups().get(pattern)
        return group.operations if group is not None else ()
    return _matching(pattern)


def with_object(names: Iterable[str]) -> tuple[str, ...]:
    """Those operations that are done to something that exists."""
    return tuple(name for name in names if operations()[name].object is not None)


def _matching(pattern: str) -> tuple[str, ...]:
    if pattern == "*":
        return tuple(operations())
    if pattern.endswith(".*"):
        return tuple(name for name in operations() if name.startswith(pattern[:-1]))
    return (pattern,) if pattern in operations() else ()


def _rows(path: Path) -> list[dict[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
