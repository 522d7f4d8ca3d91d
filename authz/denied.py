"""The one exception of the plugin's inside: a denial with its reason."""

from __future__ import annotations


class Denied(Exception):  # noqa: N818 - it is an answer, not an error
    """The request is denied before any rule is asked.

    `code` is a stable kebab-case id for logs and tests (`duplicate-key`), `reason` a sentence
    for the person who is denied.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
