"""The ids of a span that nobody claims (not built yet)."""

from __future__ import annotations

from ..userns.ids import IdRange
from .arguments import Invocation
from .stage import RefusedError


def free_ground(asked: Invocation) -> tuple[list[IdRange], int]:
    """Refuses for now."""
    raise RefusedError("pass --tenant")
