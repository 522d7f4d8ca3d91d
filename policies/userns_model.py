"""The `userns` section as its author wrote it.

Host ids are numbers of the initial user namespace (user_namespaces(7)); a span is what this
host may give out, a tenant is who gets some of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .source import Location

BLOCK = 65536
"""Ids in a block where the section does not say: all 16-bit ids of a container."""


@dataclass(frozen=True, slots=True)
class Span:
    """`first-last`, both ends included: host ids that this policy owns, or must leave alone."""

    first: int
    last: int
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Tenant:
    """Somebody who gets blocks of their own: the owner's name in /etc/subuid."""

    name: str
    blocks: int
    """How many blocks, one after the other."""
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Userns:
    """Which host ids are given out, and to whom."""

    spans: tuple[Span, ...]
    """Disjoint, ascending; a span that is named lifts the default reservations inside it."""
    block: int
    """Ids in one block; a multiple of 65536."""
    tenants: tuple[Tenant, ...]
    """Names are unique."""
    reserved: tuple[Span, ...]
    """Ids inside the spans that nobody gets."""
    at: Location = field(compare=False, repr=False)
