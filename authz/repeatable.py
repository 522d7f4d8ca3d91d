"""Query keys that clients repeat and engines read as lists (Go: `r.Form[key]`)."""

from __future__ import annotations

REPEATABLE = frozenset("t names changes extrahosts securityopt platform platforms type".split())
"""Of all other keys engines read the first value, so a second one is denied.

moby: daemon/server/router/{image,build,container,system}, 20.10 to 29.
"""
