"""A container's place in networks: endpoints, published ports."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from ..model import Json
from .fields import check
from .namespaces import PREDEFINED, network_name
from .values import deny, mapping, number, objects, strings, text, texts

_PORT = re.compile(r"([0-9]{1,5})(?:/([a-zA-Z]+))?\Z")
_EXPOSED = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?(?:/[a-zA-Z]+)?\Z")
_HOST_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?\Z")
_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})
_HIGHEST = 65535


def address(value: Json, name: str) -> str | None:
    """An IP address in its usual form; null when there is none. Raises Denied."""
    said = text(value, name)
    if not said:
        return None
    try:
        return str(ipaddress.ip_address(said))
    except ValueError:
        return deny("bad-value", f"{name} {said!r} is not an IP address")


def hardware_address(value: Json, name: str) -> str | None:
    """In lower case; null when there is none."""
    return text(value, name).lower() or None


def endpoint(value: Json, name: str) -> dict[str, Any]:
    """The document's endpoint of an EndpointSettings. Raises Denied."""
    given = mapping(value, name)
    check("EndpointSettings", given)
    get = given.get
    ipam = mapping(get("IPAMConfig"), name)
    check("EndpointIPAMConfig", ipam)
    return {
        "aliases": texts(get("Aliases"), name),
        "links": texts(get("Links"), name),
        "ipv4": address(ipam.get("IPv4Address"), f"{name}'s IPv4Address"),
        "ipv6": address(ipam.get("IPv6Address"), f"{name}'s IPv6Address"),
        "link_local_ips": [
            address(one, f"{name}'s LinkLocalIPs") for one in texts(ipam.get("LinkLocalIPs"), name)
        ],
        "mac": hardware_address(get("MacAddress"), name),
        "driver_options": strings(get("DriverOpts"), name),
        "priority": number(get("GwPriority"), name),
    }


def networks(value: Json, network: Json) -> list[Json]:
    """NetworkingConfig's endpoints by name, and the network of NetworkMode when it names one.

    Raises Denied for an endpoint on the host's network, or in another container's, where
    NetworkMode does not say so.
    """
    config = mapping(value, "NetworkingConfig")
    check("NetworkingConfig", config)
    found: list[Json] = []
    for name, settings in mapping(config.get("EndpointsConfig"), "EndpointsConfig").items():
        network_name(name, "network")
        if name == "host" and network["mode"] != "host":
            deny("unclear-namespace", "an endpoint on the host's network without NetworkMode host")
        found.append({"name": name, **endpoint(settings, f"network {name!r}")})
    if network["mode"] == "named" and all(one["name"] != network["target"] for one in found):
        found.insert(0, {"name": network["target"], **endpoint(None, "network")})
    return found


def named_networks(found: list[Json]) -> list[str]:
    """Names of those that somebody made."""
    return [one["name"] for one in found if one["name"] not in PREDEFINED]


def _container_port(said: str) -> tuple[int, str]:
    match = _PORT.match(said)
    port = int(match[1]) if match else 0
    protocol = (match[2] or "tcp").lower() if match else ""
    if not 0 < port <= _HIGHEST or protocol not in _PROTOCOLS:
        deny("bad-port", f"port {said!r} is not number[/tcp|udp|sctp]")
    return port, protocol


def _host_ports(said: str) -> tuple[int | None, int | None]:
    """First and last; null for one that the engine chooses."""
    if said in ("", "0"):
        return None, None
    match = _HOST_PORTS.match(said) or deny("bad-port", f"host port {said!r}")
    low = int(match[1])
    high = int(match[2]) if match[2] else low
    if not low <= high <= _HIGHEST:
        deny("bad-port", f"host port {said!r} is out of range")
    if low == 0:
        return (None, None) if high == 0 else deny("bad-port", f"host port {said!r}")
    return low, high


def port(
    container_port: int, protocol: str, low: int | None, high: int | None, host_ip: str = ""
) -> Json:
    """The document of one published port."""
    return {
        "host_ip": host_ip,
        "host_port": low,
        "host_port_end": high,
        "container_port": container_port,
        "protocol": protocol,
    }


def ports(value: Json) -> list[Json]:
    """PortBindings. A port without bindings is published on one that the engine chooses.

    So newer engines do; older ones do not publish it.
    """
    found = []
    for said, bindings in mapping(value, "PortBindings").items():
        container_port, protocol = _container_port(said)
        for binding in objects(bindings, "PortBindings") or [{}]:
            check("PortBinding", binding)
            low, high = _host_ports(text(binding.get("HostPort"), "HostPort"))
            host_ip = address(binding.get("HostIp"), "HostIp") or ""
            found.append(port(container_port, protocol, low, high, host_ip))
    return found


def exposed(value: Json) -> list[str]:
    """ExposedPorts as they stand."""
    found = list(mapping(value, "ExposedPorts"))
    for said in found:
        if not _EXPOSED.match(said):
            deny("bad-port", f"exposed port {said[:80]!r}")
    return found


def service_ports(value: Json) -> list[Json]:
    """An EndpointSpec's."""
    spec = mapping(value, "EndpointSpec")
    check("EndpointSpec", spec)
    found = []
    for given in objects(spec.get("Ports"), "Ports"):
        check("EndpointPortConfig", given)
        protocol = text(given.get("Protocol"), "Protocol").lower() or "tcp"
        target = number(given.get("TargetPort"), "TargetPort")
        published = number(given.get("PublishedPort"), "PublishedPort")
        in_range = 0 < target <= _HIGHEST and 0 <= published <= _HIGHEST
        if protocol not in _PROTOCOLS or not in_range:
            deny("bad-port", f"port {published}:{target}/{protocol}")
        found.append(port(target, protocol, published or None, published or None))
    return found


def attachments(value: Json, name: str) -> list[Json]:
    """A service's networks, as endpoints."""
    found = []
    for given in objects(value, name):
        check("NetworkAttachmentConfig", given)
        target = network_name(text(given.get("Target"), name), name)
        settings = {"Aliases": given.get("Aliases"), "DriverOpts": given.get("DriverOpts")}
        found.append({"name": target, **endpoint(settings, name)})
    return found
