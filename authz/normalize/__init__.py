"""Requests as documents that rules can read: one spelling for each meaning.

`details` is the way in for requests, `spec_of_inspect` for containers that exist. What is not
understood completely is Denied.
"""

from __future__ import annotations

from .details import EMPTY, details, operation
from .inspect import Inspected, spec_of_inspect
from .redact import redact, redact_query

__all__ = [
    "EMPTY",
    "Inspected",
    "details",
    "operation",
    "redact",
    "redact_query",
    "spec_of_inspect",
]
