"""Podman, built with libsubid as the distributions do: it reads through shadow.

Source: containers/storage, pkg/idtools/idtools.go (createIDMap sorts) and
idtools_unix (readSubid: subid_get_uid_ranges); podman 4.3, pkg/rootless (the own id is 0,
subordinate ids follow from 1); shadow 4.13, lib/subordinateio.c (list_owner_ranges).
"""

from __future__ import annotations

from ..accounts import Accounts
from ..ids import ID_SPACE
from ..model import Extent, Grant, IdMap, Kind, Reading
from . import shadow413
from .dialect import Dialect, concatenated

POOL = "containers"
"""The owner from whose ranges root's `--userns=auto` takes."""


def listed(result: Reading, owner: str, accounts: Accounts, kind: Kind = Kind.UID) -> list[Grant]:
    """list_owner_ranges: lines with the name, or with its UID (of subgid: with the GID of the
    group so called), without those of its aliases."""
    number = (accounts.logins if kind is Kind.UID else accounts.groups).get(owner)
    names = {owner, str(number)} if number is not None else {owner}
    return [grant for grant in result.grants if grant.owner in names]


def of_owner(result: Reading, owner: str, accounts: Accounts, kind: Kind = Kind.UID) -> IdMap:
    """For a login the map of its rootless containers; for `containers` the pool, from inside id 0
    on, of which each container of `--userns=auto` gets a part."""
    own = sorted(listed(result, owner, accounts, kind), key=lambda grant: grant.range.first)
    if owner == POOL:
        return concatenated(own)
    uid = accounts.logins.get(owner)
    # Its own group is the login's first one, which passwd has; here the group of that name.
    mine = uid if kind is Kind.UID else accounts.groups.get(owner)
    if uid is None or mine is None or not own:
        return ()
    return (Extent(0, mine % ID_SPACE, 1), *concatenated(own, 1))


DIALECT = Dialect("podman", "podman (with libsubid)", shadow413.read, of_owner)
