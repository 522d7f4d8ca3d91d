"""Calls that are byte for byte like an earlier one, decided alike without a second look.

Clients ping before each command, and dashboards list every second. Where such a request depends
on nothing but its own bytes and the rules (no thing that exists, no path of this host), only its
id, its time and its line in the log are new.
"""

from __future__ import annotations

from .learn import teaches_nothing
from .model import Decision, Mould, Phase
from .shown import may_show

LONGEST = 2048
"""Bytes of a call that is kept."""
MOST = 256
"""Calls kept; then all are forgotten."""
_READS = frozenset({"GET", "HEAD"})


class Repeats:
    """What was decided by one version of the rules."""

    def __init__(self, steady: bool) -> None:
        """`steady`: whether the engine answers equal documents alike; else nothing is kept."""
        self._steady = steady
        self._known: dict[tuple[Phase, bytes], Decision] = {}

    def find(self, phase: Phase, raw: bytes) -> Decision | None:
        """What was decided on the same bytes."""
        return self._known.get((phase, raw))

    def keep(self, raw: bytes, decision: Decision) -> Decision:
        """The decision, remembered where it holds for every call of the same bytes."""
        if not self._steady or len(raw) > LONGEST or not _stands_alone(decision):
            return decision
        if len(self._known) >= MOST:
            self._known.clear()
        kept = decision.with_mould(Mould())
        self._known[decision.phase, raw] = kept
        return kept


def _stands_alone(decision: Decision) -> bool:
    """Whether nothing but the call's bytes and the rules led to the decision, and it changes
    nothing that is remembered."""
    wire, request = decision.wire, decision.request
    if wire is None or wire.method not in _READS:
        return False
    if decision.phase is Phase.RESPONSE:
        return decision.allow and teaches_nothing(wire) and not may_show(wire)
    return (
        request is not None
        and decision.verdict is not None
        and request.object is None
        and request.container_object is None
        and not request.references
        and request.details.get("spec") is None
    )
