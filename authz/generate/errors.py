"""What can go wrong."""

from __future__ import annotations


class GenerateError(Exception):
    """A source or a table in data/ is not what the generator expects."""
