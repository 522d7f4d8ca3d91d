"""What the generator refuses to go on with."""

from __future__ import annotations


class GenerateError(Exception):
    """The packages, or the overlay, are not what the generator expects."""


class FetchError(GenerateError):
    """A pinned package cannot be had: no network, no apt, or a mirror without it. One line."""
