"""Requests understood a moment ago: dockerd shows each a second time, with its answer."""

from __future__ import annotations

from collections import OrderedDict

from .canonical import canonicalize
from .model import CanonicalRequest, Identity, PluginRequest
from .profiles import SeccompReader

MOST = 32
"""Requests kept; a worker has few connections, and each brings one at a time."""
LONGEST = 65_536
"""Bytes of a body that is kept."""


class Understood:
    """`canonicalize`, which depends on nothing but its arguments, with a short memory."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[object, ...], CanonicalRequest] = OrderedDict()
        self._seccomp: SeccompReader | None = None

    def __call__(
        self, request: PluginRequest, identity: Identity, seccomp: SeccompReader
    ) -> CanonicalRequest:
        """See `canonicalize`. Raises Denied, which is not remembered."""
        if not request.body or len(request.body) > LONGEST:
            return canonicalize(request, identity, seccomp)
        if seccomp is not self._seccomp:  # another policy is in force
            self._last.clear()
            self._seccomp = seccomp
        headers = tuple(request.headers.items())
        key = (request.method, request.uri, request.body, headers, identity)
        last = self._last
        known = last.get(key)
        if known is None:
            known = canonicalize(request, identity, seccomp)
            last[key] = known
            if len(last) > MOST:
                last.popitem(last=False)
        return known
