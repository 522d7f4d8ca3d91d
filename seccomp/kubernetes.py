"""Filter -> what Kubernetes takes: a localhost profile, and the operator's SeccompProfile.

A localhost profile is read by the container runtime of the node. containerd takes the OCI
section itself; CRI-O takes the form of containers/common, in which the same text says the same.
Neither asks for capabilities or kernels in it.

The Security Profiles Operator keeps a profile as a resource and writes the localhost file on
every node. Its schema is narrower (kubernetes-sigs/security-profiles-operator,
api/seccompprofile/v1/seccompprofile_types.go and deploy/base-crds/crds/seccompprofile.yaml):
no defaultErrnoRet, an errnoRet of 0 is as none, values are signed 64-bit and not negative,
loongarch64 is not among its architectures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

from ..policies.model import ActionKind, Policy
from . import actions
from .docker import oci_profile
from .filter import Environment, Filter
from .hosts import ENGINES
from .profile import EPERM, Profile, render
from .refusals import Refusals

API_VERSION = "security-profiles-operator.x-k8s.io/v1beta1"
"""Served by every release; v1 has the same fields."""

_LARGEST_VALUE = (1 << 63) - 1
_NO_ARCHITECTURE = frozenset({"SCMP_ARCH_LOONGARCH64"})
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""RFC 1123 subdomain, which metadata.name must be."""


def localhost_json(policy: Policy, filter_: Filter, environment: Environment) -> str:
    """The file for /var/lib/kubelet/seccomp on nodes of one kind.

    Raises TargetError with every reason why there is none.
    """
    return render(_profile(policy, filter_, environment, "kubernetes"))


def operator_yaml(policy: Policy, filter_: Filter, environment: Environment) -> str:
    """The SeccompProfile resource.

    Raises TargetError with every reason why there is none.
    """
    target = "kubernetes-spo"
    profile = _profile(policy, filter_, environment, target)
    refusals = Refusals(policy, target)
    for message, hint in _unsaid(policy, profile):
        refusals.refuse(message, policy.at, hint)
    refusals.finish()
    spec = json.loads(render(profile, default_errno=False))
    for entry in spec["syscalls"]:
        entry.pop("comment", None)  # not in the schema
    document = {
        "apiVersion": API_VERSION,
        "kind": "SeccompProfile",
        "metadata": {"name": policy.name},
        "spec": spec,
    }
    return yaml.safe_dump(document, sort_keys=False, width=100)


def _profile(policy: Policy, filter_: Filter, environment: Environment, target: str) -> Profile:
    refusals = Refusals(policy, target)
    for each in filter_.abis:
        for clause in (clause for clauses in each.calls.values() for clause in clauses):
            if actions.kind_of(clause.value) is ActionKind.NOTIFY:
                refusals.refuse(
                    "CRI-O does not read listenerPath, and a kubelet starts no agent",
                    refusals.rule_at(clause),
                    "decide without notify",
                )
    refusals.finish()
    return oci_profile(policy, filter_, environment, ENGINES["29"], target=target)


def _unsaid(policy: Policy, profile: Profile) -> Iterator[tuple[str, str]]:
    """What the schema cannot say, each with a hint."""
    localhost = "use the kubernetes target, a localhost file"
    if not _OBJECT_NAME.fullmatch(policy.name):
        yield (
            f"`{policy.name}` is no name of a Kubernetes object",
            "use lower case letters, digits and hyphens in `name`",
        )
    kind, number = actions.kind_of(profile.default), profile.default & actions.NUMBER_MASK
    if kind in (ActionKind.DENY, ActionKind.TRACE) and number != EPERM:
        yield (
            f"a SeccompProfile has no defaultErrnoRet: its default is EPERM, not "
            f"{actions.describe(profile.default)}",
            f"use `with: EPERM`, or {localhost}",
        )
    for entry in profile.entries:
        kind, number = actions.kind_of(entry.value), entry.value & actions.NUMBER_MASK
        if kind in (ActionKind.DENY, ActionKind.TRACE) and number == 0:
            yield (
                f"an errnoRet of 0 counts as none ({', '.join(entry.names)})",
                f"use another number, or {localhost}",
            )
        if any(max(check.value, check.value_two) > _LARGEST_VALUE for check in entry.checks):
            yield (
                f"the conditions on {', '.join(entry.names)} compare bit 63, and values are signed",
                f"leave that bit out (`& 0x7fffffffffffffff`), or {localhost}",
            )
    for name in sorted(_NO_ARCHITECTURE & set(profile.architectures)):
        yield f"{name} is not in the schema", localhost
