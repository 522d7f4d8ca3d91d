"""Every check, in the order in which the pages list them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .check import Check
from .checks import (
    architectures,
    arguments,
    authz,
    authz_root,
    authz_rules,
    clones,
    dangerous,
    defaults,
    duplicates,
    language,
    names,
    results,
    siblings,
    userns_drift,
    userns_engines,
    userns_forms,
    userns_live,
    userns_maps,
    userns_owners,
    userns_policy,
    userns_ranges,
    userns_sharing,
)

CHECKS: tuple[Check, ...] = (
    *language.CHECKS,  # what is refused or ignored as a whole
    *defaults.CHECKS,
    *names.CHECKS,
    *duplicates.CHECKS,
    *dangerous.CHECKS,
    *clones.CHECKS,
    *arguments.CHECKS,
    *architectures.CHECKS,
    *results.CHECKS,
    *siblings.CHECKS,
    *authz_root.CHECKS,
    *authz.CHECKS,
    *authz_rules.CHECKS,
    *userns_policy.CHECKS,
    *userns_ranges.CHECKS,  # subuid and subgid
    *userns_sharing.CHECKS,
    *userns_owners.CHECKS,
    *userns_forms.CHECKS,
    *userns_engines.CHECKS,
    *userns_drift.CHECKS,  # files, registry, live maps
    *userns_live.CHECKS,
    *userns_maps.CHECKS,
)

BY_ID: Mapping[str, Check] = MappingProxyType({check.id: check for check in CHECKS})
