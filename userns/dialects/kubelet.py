"""The kubelet, which asks shadow's `getsubids kubelet`.

Source: kubernetes, pkg/kubelet/kubelet_pods.go (getKubeletMappings, parseGetSubIdsOutput) and
pkg/kubelet/userns/userns_manager.go (MakeUserNsManager).
"""

from __future__ import annotations

from collections.abc import Iterator

from ..accounts import Accounts
from ..ids import BLOCK, ID_SPACE
from ..model import Extent, Fault, Grant, IdMap, Kind, Reading
from . import shadow413
from .dialect import Dialect, reading, spoiled
from .podman import listed

OWNER = "kubelet"
"""The only owner that it asks for."""
MAXIMAL_PODS = 110
"""The default of `maxPods`: so many blocks of 65536 are needed."""


def read(data: bytes, accounts: Accounts) -> Reading:
    """As shadow; a line of the kubelet's own, by its name or UID, that it does not take keeps it
    from starting."""
    result = shadow413.read(data, accounts)
    own = listed(result, OWNER, accounts)
    faults = [fault for index, grant in enumerate(own) for fault in _faults(index, grant)]
    return reading(result.grants, [*result.faults, *faults])


def _faults(index: int, grant: Grant) -> Iterator[Fault]:
    first, count = grant.range.first, grant.range.count
    reasons = []
    if index > 0:
        reasons.append("a second line: it takes exactly one")
    if count >= ID_SPACE:
        reasons.append("a count beyond 32 bits")
    if first % BLOCK:
        reasons.append(f"the start is no multiple of {BLOCK}")
    if first < BLOCK:
        reasons.append(f"the start is below {BLOCK}")
    if count % BLOCK:
        reasons.append(f"the count is no multiple of {BLOCK}")
    if count // BLOCK < MAXIMAL_PODS:
        reasons.append(f"too few ids for {MAXIMAL_PODS} pods of {BLOCK}")
    if reasons:
        message = f"the kubelet does not start: {'; '.join(reasons)}"
        yield Fault(grant.line, 1, 1, message, False, grant.owner)


def of_owner(result: Reading, owner: str, accounts: Accounts, kind: Kind = Kind.UID) -> IdMap:
    """The map of its first pod. Without a login `kubelet` it takes all ids from 65536 on; other
    owners get nothing from it."""
    if owner != OWNER:
        return ()
    if OWNER not in accounts.logins:
        return (Extent(0, BLOCK, BLOCK),)
    own = listed(result, OWNER, accounts, kind)
    if not own or spoiled(result, {grant.owner for grant in own}):
        return ()
    return (Extent(0, own[0].range.first, BLOCK),)


DIALECT = Dialect("kubelet", "kubelet (through getsubids)", read, of_owner)
