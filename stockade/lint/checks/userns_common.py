"""What the checks of subordinate-id files share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from ..check import Found
from ..idfiles import HostSubject, IdFile

MOST = 10
"""Findings of one check in one file that are shown one by one."""

_T = TypeVar("_T")

SUBUID = "subuid(5)"
NEWUIDMAP = "newuidmap(1)"
MOBY = "moby, user/idtools: parseSubidFile (measured with dockerd 20.10 and 28.5)"
SHADOW = "shadow, lib/subordinateio.c (measured with 4.13 and 4.20)"
KERNEL = "user_namespaces(7); linux, kernel/user_namespace.c: map_write"
UIDS_GIDS = "systemd, docs/UIDS-GIDS.md"


def bounded(
    items: Iterable[_T], found: Callable[[_T], Found], what: str = "lines"
) -> Iterator[Found]:
    """A finding for each of the first items, and one that counts the rest."""
    rest = iter(items)
    for item in islice(rest, MOST):
        yield found(item)
    following = next(rest, None)
    if following is not None:
        more = len(items) - MOST if isinstance(items, Sized) else 1 + sum(1 for _ in rest)
        last = found(following)
        yield replace(
            last, message=f"and {more:,} more {what} like those above, this one the first"
        )


def each_file(
    check: Callable[[IdFile], Iterable[Found]],
) -> Callable[[HostSubject], Iterator[Found]]:
    """A check that looks at subuid and at subgid, each for itself."""

    def both(subject: HostSubject) -> Iterator[Found]:
        for file in subject.files:
            yield from check(file)

    return both
