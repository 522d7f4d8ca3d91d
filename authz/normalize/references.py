"""The existing things that a request names besides its object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model import Json, ObjectReference
from .endpoints import named_networks


def linked(links: Iterable[str]) -> list[str]:
    """The containers of `container:alias` links; inspect answers say `/container:/web/alias`."""
    return [link.partition(":")[0].removeprefix("/") for link in links]


def of_spec(spec: Mapping[str, Json]) -> list[ObjectReference]:
    """Containers whose namespaces, volumes or links are used; named volumes; named networks."""
    containers = [
        one["target"] for one in spec["namespaces"].values() if one["mode"] == "container"
    ]
    containers += [one["container"] for one in spec["volumes_from"]]
    containers += linked(spec["links"])
    for one in spec["networks"]:
        containers += linked(one["links"])
    volumes = [
        one["source"]
        for one in spec["mounts"]
        if one["type"] in ("volume", "cluster") and one["source"]
    ]
    found = [ObjectReference("container", name) for name in containers if name]
    found += [ObjectReference("volume", name) for name in volumes]
    found += [ObjectReference("network", name) for name in named_networks(spec["networks"])]
    return found


def of_service(service: Mapping[str, Json]) -> list[ObjectReference]:
    """Secrets and configs, which swarms take by their ids."""
    found = [ObjectReference("secret", one["id"]) for one in service["secrets"] if one["id"]]
    return found + [ObjectReference("config", one["id"]) for one in service["configs"] if one["id"]]


def unique(found: Iterable[ObjectReference]) -> tuple[ObjectReference, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(found))
