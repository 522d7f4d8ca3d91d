"""How much of one kind a request may ask for: rules look at each of these things by itself.

Some thousand binds, which fit into a body easily, keep an engine busy beyond every deadline, and
the worker answers nobody meanwhile. What is counted is far above what anybody needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..model import Json
from .values import deny

MOST = 256
"""Mounts, devices, networks, options and so on, together."""
MOST_PORTS = 2048
"""Ports are quickly looked at, and published by the range."""

_SPEC = (
    "mounts", "volumes_from", "devices", "device_cgroup_rules", "device_requests", "networks",
    "links", "selinux", "sysctls", "annotations", "storage_options",
)  # fmt: skip
_RATES = ("device_read_bps", "device_write_bps", "device_read_iops", "device_write_iops")


def check_bounds(details: Mapping[str, Json]) -> None:
    """Raises Denied for details of a request that are too many."""
    spec = details["spec"]
    if spec is not None and len(spec["ports"]) > MOST_PORTS:
        deny("too-many", f"more than {MOST_PORTS} published ports")
    if sum(_counts(details)) > MOST:
        deny("too-many", f"more than {MOST} mounts, devices, networks, options and the like")


def _counts(details: Mapping[str, Json]) -> Iterator[int]:
    spec, service, network = details["spec"], details["service"], details["network"]
    yield len(details["images"])
    if spec is not None:
        yield from (len(spec[key]) for key in _SPEC)
        yield from (len(spec["resources"][key]) for key in _RATES)
        yield from (_options(mount["driver_options"]) for mount in spec["mounts"])
        yield from (len(mount["tmpfs_options"]) for mount in spec["mounts"])
        yield from (_endpoint(endpoint) for endpoint in spec["networks"])
    if service is not None:
        yield len(service["secrets"]) + len(service["configs"])
    if details["volume"] is not None:
        yield _options(details["volume"]["driver_options"])
    if network is not None:
        yield len(network["driver_options"]) + len(network["ipam_options"])
    if details["connect"] is not None:
        yield _endpoint(details["connect"]["endpoint"])


def _options(options: Mapping[str, str]) -> int:
    """The options of a volume, and the paths that may stand in each."""
    return sum(1 + sum(map(value.count, ",=:")) for value in options.values())


def _endpoint(endpoint: Json) -> int:
    return len(endpoint["links"]) + len(endpoint["driver_options"])
