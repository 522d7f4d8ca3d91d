"""`--network` with its options, and the older options beside it (docker/cli opts/network.go)."""

from __future__ import annotations

import re

from ...policies.errors import InputError
from .model import Json
from .options import Words
from .values import address, fields, hardware, integer, wrong

_OWN = ("default", "bridge", "host", "none")


def user_defined(name: str) -> bool:
    """Whether a network mode names a network that somebody made."""
    return name not in _OWN and not name.startswith("container:")


def read_networks(words: Words, client: int) -> tuple[str, dict[str, Json]]:
    """HostConfig.NetworkMode and NetworkingConfig.EndpointsConfig, as a client of that major
    version makes them."""
    given = [read_network(text) for text in words.all("network", "net")]
    if client < 25:
        if not given:
            return "default", {}
        if words.has("link") and not user_defined(given[0][0]):
            raise InputError.of(f"`--link`: links do not go with the network `{given[0][0]}`")
    name = given[0][0] if given else "default"
    chosen = given or [("default", {})]
    if len({user_defined(each) for each, _ in chosen}) > 1:
        raise InputError.of("`--network`: networks of your own and of docker's cannot be mixed")
    endpoints: dict[str, Json] = {}
    for at, (target, endpoint) in enumerate(chosen):
        if at == 0:
            _older(words, target, endpoint)
        if not user_defined(target) and (endpoint.get("Aliases") or endpoint.get("Links")):
            raise InputError.of(
                "`--network-alias`: aliases are for networks of your own, "
                f"and `{target}` is one of docker's"
            )
        if target in endpoints:
            raise wrong("--network", target, "is given twice")
        if len(chosen) == 1 and not endpoint:
            continue
        endpoints[target] = endpoint
    return name, endpoints


def read_network(text: str) -> tuple[str, dict[str, Json]]:
    """One `--network`: the name and the endpoint's settings."""
    if not re.search(r"\w+=\w+(,\w+=\w+)*", text):
        if not text.strip():
            raise wrong("--network", text, "names no network")
        return text, {}
    name = ""
    endpoint: dict[str, Json] = {}
    ipam: dict[str, Json] = {}
    for part in fields(text, "--network"):
        key, equals, value = part.lower().partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key:
            raise wrong("--network", part, "must be written key=value")
        if key == "name":
            name = value
        elif key == "alias":
            endpoint.setdefault("Aliases", []).append(value)
        elif key == "ip":
            ipam["IPv4Address"] = address(value, "--network ip")
        elif key == "ip6":
            ipam["IPv6Address"] = address(value, "--network ip6")
        elif key == "link-local-ip":
            ipam.setdefault("LinkLocalIPs", []).append(address(value, "--network link-local-ip"))
        elif key == "mac-address":
            endpoint["MacAddress"] = hardware(value, "--network mac-address")
        elif key == "driver-opt":
            option, _, setting = value.partition("=")
            endpoint.setdefault("DriverOpts", {})[option.strip()] = setting.strip()
        elif key == "gw-priority":
            endpoint["GwPriority"] = integer(value, "--network gw-priority")
        else:
            raise wrong("--network", part, "is no option of a network")
    if not name:
        raise wrong("--network", text, "has no name")
    if ipam:
        endpoint["IPAMConfig"] = ipam
    return name, endpoint


def _older(words: Words, target: str, endpoint: dict[str, Json]) -> None:
    """What `--ip`, `--network-alias` and the like say of the first network."""
    ipam = dict(endpoint.get("IPAMConfig", {}))

    def set_(where: dict[str, Json], key: str, value: Json, option: str) -> None:
        if not value:
            return
        if where.get(key):
            raise InputError.of(f"`{option}` is given beside the same in `--network`")
        where[key] = value

    set_(endpoint, "Aliases", words.all("network-alias", "net-alias"), "--network-alias")
    if user_defined(target):
        set_(endpoint, "Links", words.all("link"), "--link")
    for option, key in (("ip", "IPv4Address"), ("ip6", "IPv6Address")):
        value = words.last(option)
        set_(ipam, key, address(value, f"--{option}") if value else "", f"--{option}")
    local = [address(text, "--link-local-ip") for text in words.all("link-local-ip")]
    set_(ipam, "LinkLocalIPs", local, "--link-local-ip")
    mac = words.last("mac-address")
    set_(endpoint, "MacAddress", hardware(mac, "--mac-address") if mac else "", "--mac-address")
    if ipam:
        endpoint["IPAMConfig"] = ipam
