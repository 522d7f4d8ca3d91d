"""POST /build: all of it is in the query, some of that is JSON."""

from __future__ import annotations

from ..model import Json
from . import namespaces, resources
from .images import image, named
from .queries import Query, flag, integer, one, several
from .values import clean, climbs, deny, mapping, parse_json, spelled, strings, texts

_OUTPUT = ("Type", "Attrs")
_ULIMIT = ("Name", "Soft", "Hard")
_VERSIONS = frozenset({"", "1", "2"})


def _mapping(query: Query, key: str) -> dict[str, Json]:
    said = one(query, key)
    return mapping(parse_json(said, key), key) if said else {}


def _list(query: Query, key: str) -> list[Json]:
    said = one(query, key)
    found = parse_json(said, key) if said else None
    if found is not None and type(found) is not list:
        deny("wrong-type", f"{key} must be a list")
    return found or []


def _ulimits(query: Query) -> list[Json]:
    stated = [mapping(limit, "ulimits") for limit in _list(query, "ulimits")]
    return resources.ulimits([spelled(limit, _ULIMIT, "ulimits") for limit in stated])


def _outputs(query: Query) -> str:
    """The JSON as it stands, with its types and fields checked."""
    for output in _list(query, "outputs"):
        strings(spelled(mapping(output, "outputs"), _OUTPUT, "outputs").get("Attrs"), "outputs")
    return one(query, "outputs")


def _network(query: Query) -> str:
    """The network of its steps: "", a predefined one, `container:X`, a name. Raises Denied."""
    said = one(query, "networkmode")
    namespaces.network_mode(said)
    return said


def _cgroup_parent(query: Query) -> str:
    said = one(query, "cgroupparent")
    if climbs(said):
        deny("unclear-path", f"cgroupparent {said!r} has a `..`")
    return clean(said) if said else ""


def _cpus(query: Query) -> int | None:
    """cpuquota and cpuperiod as billionths of a CPU; null for no limit."""
    quota, period = integer(query, "cpuquota"), integer(query, "cpuperiod")
    if not quota or quota < 0:
        return None
    return quota * 1_000_000_000 // (period or resources.DEFAULT_PERIOD)


def build(query: Query) -> Json:
    """The `build` of the input document. Raises Denied.

    The values of build arguments are left out; `remote` is as asked.
    """
    version = one(query, "version")
    if version not in _VERSIONS:
        deny("bad-value", f"builder version {version!r}")
    if one(query, "isolation").lower() not in ("", "default"):
        deny("bad-value", "isolation is Windows'")
    arguments = _mapping(query, "buildargs")
    return {
        "tags": [named(said, "") for said in several(query, "t") if said],
        "remote": one(query, "remote"),
        "network": _network(query),
        "dockerfile": one(query, "dockerfile"),
        "args_names": sorted(arguments),
        "target": one(query, "target"),
        "pull": flag(query, "pull"),
        "platform": one(query, "platform"),
        "outputs": _outputs(query),
        "version": version or "1",
        "memory": integer(query, "memory"),
        "memory_swap": integer(query, "memswap"),
        "nano_cpus": _cpus(query),
        "cpu_shares": integer(query, "cpushares"),
        "cpuset_cpus": one(query, "cpusetcpus"),
        "cpuset_mems": one(query, "cpusetmems"),
        "shm_size": integer(query, "shmsize"),
        "cgroup_parent": _cgroup_parent(query),
        "security_options": several(query, "securityopt"),
        "extra_hosts": several(query, "extrahosts"),
        "ulimits": _ulimits(query),
        "labels": strings(_mapping(query, "labels"), "labels"),
        "session": one(query, "session"),
        "cache_from": [image(said) for said in texts(_list(query, "cachefrom"), "cachefrom")],
        "squash": flag(query, "squash"),
    }
