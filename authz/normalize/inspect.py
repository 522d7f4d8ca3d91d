"""What an existing container is: the spec of GET /containers/X/json, engines 20.10 to 29."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..denied import Denied
from ..model import Json
from ..profiles import SeccompReader
from . import security
from .container import spec
from .fields import check
from .images import image
from .mounts import mount
from .values import absolute, flag, mapping, objects, strings, text

STOCK_RUNTIMES = frozenset({"runc", "io.containerd.runc.v2"})
"""Engines write their default runtime into containers that asked for none."""

_CONFIG_ONLY_OF_ENGINES = frozenset({"ArgsEscaped"})
_ENDPOINT_RESULTS = frozenset(
    """
    NetworkID EndpointID DNSNames MacAddress Gateway IPAddress IPPrefixLen IPv6Gateway
    GlobalIPv6Address GlobalIPv6PrefixLen
    """.split()
)
"""What the engine wrote into an endpoint, not the request."""


class Inspected(NamedTuple):
    """What an inspect answer says."""

    spec: Json
    """The document, or None when the answer has what is not known: then nothing is known."""
    labels: dict[str, str]
    image: Json
    """Of the name that the container was created with; None when that is no reference."""


def _without(given: Json, fields: frozenset[str], name: str) -> dict[str, Json]:
    return {key: value for key, value in mapping(given, name).items() if key not in fields}


def _networking(answer: Mapping[str, Json]) -> Json:
    settings = mapping(answer.get("NetworkSettings"), "NetworkSettings")
    found = {
        name: _without(endpoint, _ENDPOINT_RESULTS, name)
        for name, endpoint in mapping(settings.get("Networks"), "Networks").items()
    }
    return {"EndpointsConfig": found}


def _host(answer: Mapping[str, Json]) -> dict[str, Json]:
    host = dict(mapping(answer.get("HostConfig"), "HostConfig"))
    check("HostConfig", host)
    if host.get("Runtime") in STOCK_RUNTIMES:
        host["Runtime"] = ""
    if host.get("Privileged") or "host" in (host.get("PidMode"), host.get("IpcMode")):
        # Engines note there that labels are off.
        host["SecurityOpt"] = [
            said for said in host.get("SecurityOpt") or [] if said != "label=disable"
        ]
    return host


def _inherited(answer: Mapping[str, Json], known: list[Json]) -> list[Json]:
    """Mounts that came from other containers, or from the image."""
    targets = {one["target"] for one in known}
    found = []
    for given in objects(answer.get("Mounts"), "Mounts"):
        target = absolute(text(given.get("Destination"), "Destination"), "mount")
        if target in targets:
            continue
        kind = text(given.get("Type"), "Type") or ("volume" if given.get("Name") else "bind")
        named = kind in ("volume", "cluster")
        source = text(given.get("Name" if named else "Source"), "Source")
        found.append(
            mount(
                type=kind,
                source=absolute(source, "mount") if kind == "bind" else source,
                target=target,
                read_only=not flag(given.get("RW"), "RW"),
                propagation=text(given.get("Propagation"), "Propagation") or None,
                driver=text(given.get("Driver"), "Driver") if named else None,
                inherited=True,
            )
        )
    return found


def _shown_network(found: dict[str, Any], answer: Mapping[str, Json]) -> None:
    """NetworkMode may be an id where Networks has the name: then there are two entries of one."""
    networks = mapping(
        mapping(answer.get("NetworkSettings"), "NetworkSettings").get("Networks"), "Networks"
    )
    by_id = {
        settings.get("NetworkID"): name
        for name, settings in networks.items()
        if isinstance(settings, dict) and settings.get("NetworkID")
    }
    mode = found["namespaces"]["network"]
    name = by_id.get(mode["target"])
    if mode["mode"] == "named" and name:
        found["networks"] = [one for one in found["networks"] if one["name"] != mode["target"]]
        mode["target"] = name


def _spec(answer: Mapping[str, Json], reader: SeccompReader) -> Json:
    config = _without(answer.get("Config"), _CONFIG_ONLY_OF_ENGINES, "Config")
    check("ContainerConfig", config)
    host = _host(answer)
    asked = config.get("Image")
    found = spec({**config, "Image": ""}, host, _networking(answer), reader, security.MASKED_20_10)
    found["image"] = _image(asked)
    _shown_network(found, answer)
    found["mounts"] += _inherited(answer, found["mounts"])
    found["name"] = _name(answer)
    return found


def _image(asked: Json) -> Json:
    try:
        return image(text(asked, "Image")) if asked else None
    except Denied:
        return None


def _name(answer: Mapping[str, Json]) -> str | None:
    return text(answer.get("Name"), "Name").removeprefix("/") or None


def spec_of_inspect(answer: Json, seccomp: SeccompReader) -> Inspected:
    """What the answer says; `spec` None when some of it is not understood.

    Raises Denied when not even the labels can be read.
    """
    given = mapping(answer, "the inspect answer")
    config = mapping(given.get("Config"), "Config")
    try:
        found = _spec(given, seccomp)
    except Denied:
        found = None
    return Inspected(
        spec=found,
        labels=strings(config.get("Labels"), "Labels"),
        image=_image(config.get("Image")),
    )
