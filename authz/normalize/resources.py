"""Limits, devices and the like: the Resources of containers and updates.

In a partial spec (container.update) null means unchanged and -1 made unlimited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..model import Json
from .fields import check
from .values import (
    absolute,
    at_least_zero,
    clean,
    climbs,
    deny,
    flag,
    mapping,
    number,
    objects,
    strings,
    text,
    texts,
)

UNLIMITED = -1
"""Said to be without a limit, where null already means not said."""

DEFAULT_PERIOD = 100_000
"""Microseconds: the kernel's CFS period when CpuPeriod is not said."""

_RULE = re.compile(r"[acb] (?:[0-9]+|\*):(?:[0-9]+|\*) [rwm]{1,3}\Z")


def _cpus(given: Mapping[str, Json], partial: bool) -> int | None:
    """The CPU limit in billionths of a CPU."""
    nano = at_least_zero(given.get("NanoCpus"), "NanoCpus")
    period = at_least_zero(given.get("CpuPeriod"), "CpuPeriod")
    quota = number(given.get("CpuQuota"), "CpuQuota")
    if nano and (period or quota):
        deny("conflict", "NanoCpus together with CpuQuota or CpuPeriod")
    if partial and (quota or period) and not (quota > 0 and period):
        # With the old quota another period means another limit, and with the old period another
        # quota; the old ones are not known here.
        return UNLIMITED
    if quota > 0:
        return quota * 1_000_000_000 // (period or DEFAULT_PERIOD)
    return nano or None


def _pids(value: Json, partial: bool) -> int | None:
    if value is None:
        return None
    found = number(value, "PidsLimit")
    return found if found > 0 else UNLIMITED if partial else None


def _swap(value: Json) -> int | None:
    found = number(value, "MemorySwap")
    return (found if found > -2 else deny("bad-value", "MemorySwap is below -1")) or None


def _swappiness(value: Json) -> int | None:
    if value is None or value == -1:
        return None
    return at_least_zero(value, "MemorySwappiness")


def _throttled(value: Json, name: str) -> list[Json]:
    found = []
    for device in objects(value, name):
        check("ThrottleDevice", device)
        path = absolute(text(device.get("Path"), name), f"{name}'s path")
        found.append({"path": path, "rate": at_least_zero(device.get("Rate"), name)})
    return found


def ulimits(value: Json) -> list[Json]:
    """name, soft, hard; -1 is unlimited."""
    found = []
    for limit in objects(value, "Ulimits"):
        check("Resources.Ulimits", limit)
        found.append(
            {
                "name": text(limit.get("Name"), "Ulimits"),
                "soft": number(limit.get("Soft"), "Ulimits"),
                "hard": number(limit.get("Hard"), "Ulimits"),
            }
        )
    return found


def empty() -> dict[str, Any]:
    """Nothing asked for."""
    return resources({})


def resources(given: Mapping[str, Json], *, partial: bool = False) -> dict[str, Any]:
    """The document's `resources` of a HostConfig or an update. Raises Denied."""
    get = given.get
    return {
        "memory": at_least_zero(get("Memory"), "Memory") or None,
        "memory_swap": _swap(get("MemorySwap")),
        "memory_reservation": at_least_zero(get("MemoryReservation"), "MemoryReservation") or None,
        "nano_cpus": _cpus(given, partial),
        "cpu_shares": at_least_zero(get("CpuShares"), "CpuShares") or None,
        "cpuset_cpus": text(get("CpusetCpus"), "CpusetCpus"),
        "cpuset_mems": text(get("CpusetMems"), "CpusetMems"),
        "cpu_realtime": bool(get("CpuRealtimePeriod") or get("CpuRealtimeRuntime")),
        "pids": _pids(get("PidsLimit"), partial),
        "blkio_weight": at_least_zero(get("BlkioWeight"), "BlkioWeight") or None,
        "device_read_bps": _throttled(get("BlkioDeviceReadBps"), "BlkioDeviceReadBps"),
        "device_write_bps": _throttled(get("BlkioDeviceWriteBps"), "BlkioDeviceWriteBps"),
        "device_read_iops": _throttled(get("BlkioDeviceReadIOps"), "BlkioDeviceReadIOps"),
        "device_write_iops": _throttled(get("BlkioDeviceWriteIOps"), "BlkioDeviceWriteIOps"),
        "kernel_memory": at_least_zero(get("KernelMemory"), "KernelMemory") or None,
        "oom_kill_disable": flag(get("OomKillDisable"), "OomKillDisable"),
        "oom_score_adj": number(get("OomScoreAdj"), "OomScoreAdj"),
        "swappiness": _swappiness(get("MemorySwappiness")),
        "ulimits": ulimits(get("Ulimits")),
        "shm_size": at_least_zero(get("ShmSize"), "ShmSize") or None,
    }


def devices(value: Json) -> list[Json]:
    """host, container, permissions (`rwm` unless said otherwise).

    The engine follows symbolic links in the host's path, so one with `..` is denied.
    """
    found = []
    for given in objects(value, "Devices"):
        check("DeviceMapping", given)
        host = text(given.get("PathOnHost"), "Devices")
        if climbs(host):
            deny("unclear-path", f"device {host!r} has a `..`")
        host = absolute(host, "device")
        permissions = text(given.get("CgroupPermissions"), "Devices") or "rwm"
        if set(permissions) - set("rwm"):
            deny("bad-value", f"device {host!r}: permissions {permissions!r}")
        container = text(given.get("PathInContainer"), "Devices")
        found.append(
            {
                "host": host,
                "container": clean(container) if container else host,
                "permissions": "".join(one for one in "rwm" if one in permissions),
            }
        )
    return found


def device_rules(value: Json) -> list[str]:
    """DeviceCgroupRules: `c 10:200 rwm`."""
    found = texts(value, "DeviceCgroupRules")
    for rule in found:
        if not _RULE.match(rule):
            deny("bad-value", f"device rule {rule!r}")
    return found


def device_requests(value: Json) -> list[Json]:
    """Devices that a driver chooses; driver `""` is the engine's choice, count -1 all."""
    found = []
    for given in objects(value, "DeviceRequests"):
        check("DeviceRequest", given)
        alternatives = given.get("Capabilities") or []
        if type(alternatives) is not list:
            deny("wrong-type", "DeviceRequests.Capabilities must be a list of lists")
        found.append(
            {
                "driver": text(given.get("Driver"), "DeviceRequests"),
                "count": number(given.get("Count"), "DeviceRequests"),
                "ids": texts(given.get("DeviceIDs"), "DeviceIDs"),
                "capabilities": [texts(one, "DeviceRequests") for one in alternatives],
                "options": strings(given.get("Options"), "DeviceRequests"),
            }
        )
    return found


def cgroup_parent(value: Json) -> str:
    """Cleaned; Docker's own when empty. Raises Denied for one that climbs."""
    said = text(value, "CgroupParent")
    if climbs(said):
        deny("unclear-path", f"CgroupParent {said!r} has a `..`")
    return clean(said) if said else ""


def _total_swap(memory: Json, swap: Json) -> Json:
    """Swarm counts swap alone, containers memory and swap together."""
    if swap is None or number(swap, "SwapBytes") < 0:
        return swap
    return number(memory, "MemoryBytes") + number(swap, "SwapBytes")


def of_service(given: Json, spec: Mapping[str, Json]) -> dict[str, Any]:
    """A task's Resources, and what its ContainerSpec says of them. Raises Denied."""
    stated = mapping(given, "Resources")
    check("TaskSpec.Resources", stated)
    limits = mapping(stated.get("Limits"), "Limits")
    check("Limit", limits)
    reservations = mapping(stated.get("Reservations"), "Reservations")
    check("ResourceObject", reservations)
    return resources(
        {
            "Memory": limits.get("MemoryBytes"),
            "NanoCpus": limits.get("NanoCPUs"),
            "PidsLimit": limits.get("Pids"),
            "MemoryReservation": reservations.get("MemoryBytes"),
            "MemorySwap": _total_swap(limits.get("MemoryBytes"), stated.get("SwapBytes")),
            "MemorySwappiness": stated.get("MemorySwappiness"),
            "OomScoreAdj": spec.get("OomScoreAdj"),
            "Ulimits": spec.get("Ulimits"),
        }
    )
