"""Requests as documents that rules can read: one spelling for each meaning.

`details` is the way in for requests, `spec_of_inspect` for containers that exist. What is not
understood completely is Denied.
"""

from __future__ import annotations

from .details import EMPTY, ROLLBACK, details, operation, rolled_back
from .inspect import Inspected, spec_of_inspect
from .redact import redact, redact_query
from .references import of_spec

__all__ = [
    "EMPTY",
    "ROLLBACK",
    "Inspected",
    "details",
    "of_spec",
    "operation",
    "redact",
    "redact_query",
    "rolled_back",
    "spec_of_inspect",
]
