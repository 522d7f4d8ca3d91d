"""Volumes, networks, plugins, secrets, configs, the engine itself."""

from __future__ import annotations

import ipaddress

from ...policies.errors import InputError
from .images import Handler, first_info, full_name, given_filters
from .model import Api, ApiRequest, Json, Machine, filters, pruned, segment
from .options import Words
from .values import address, integer, labels, pairs


def volume_create(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker volume create; cluster volumes are not read."""
    words.only("driver", "label", "name", "opt")
    words.need(0, 1, "at most a name")
    body = {
        "Name": words.arguments[0] if words.arguments else words.last("name"),
        "Driver": words.last("driver", "local"),
        "DriverOpts": pairs(words.all("opt")),
        "Labels": pairs(labels(words.all("label"))),
    }
    return [api.call("POST", "/volumes/create", body=pruned(body))]


def network_create(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker network create."""
    words.need(1, 1, "a name")
    ipam = {
        "Driver": words.last("ipam-driver", "default"),
        "Config": _subnets(words),
        "Options": pairs(words.all("ipam-opt")),
    }
    body = {
        "Name": words.arguments[0],
        "CheckDuplicate": api.client < 25,
        "Driver": words.last("driver", "bridge"),
        "Scope": words.last("scope"),
        "Internal": words.flag("internal"),
        "Attachable": words.flag("attachable"),
        "Ingress": words.flag("ingress"),
        "ConfigOnly": words.flag("config-only"),
        "ConfigFrom": {"Network": words.last("config-from")},
        "Options": pairs(words.all("opt")),
        "Labels": pairs(labels(words.all("label"))),
        "IPAM": ipam,
    }
    found = pruned(body)
    for option, key in (("ipv4", "EnableIPv4"), ("ipv6", "EnableIPv6")):
        if words.has(option):
            found[key] = words.flag(option)
    return [api.call("POST", "/networks/create", body=found)]


def _subnets(words: Words) -> list[Json]:
    """`--subnet` with the ranges, gateways and addresses that lie within each."""
    texts = [part for text in words.all("subnet") for part in text.split(",")]
    found: dict[str, dict[str, Json]] = {text: {"Subnet": text} for text in texts}
    ranges = {text: _network(text) for text in texts}

    def put(key: str, value: str, at: str) -> dict[str, Json]:
        inside = ipaddress.ip_address(at)
        for text, network in ranges.items():
            if inside.version == network.version and inside in network:
                if key in found[text] and key != "AuxiliaryAddresses":
                    raise InputError.of(f"`{text}` has two of {key}")
                return found[text]
        raise InputError.of(f"`{value}` lies within no `--subnet`")

    for text in words.all("ip-range"):
        put("IPRange", text, str(_network(text).network_address))["IPRange"] = text
    for text in words.all("gateway"):
        put("Gateway", text, address(text, "--gateway"))["Gateway"] = text
    for name, text in pairs(words.all("aux-address")).items():
        if text:
            where = put("AuxiliaryAddresses", text, address(text, "--aux-address"))
            where.setdefault("AuxiliaryAddresses", {})[name] = text
    return list(found.values())


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InputError.of(f"`{text}` is no subnet; write it like 10.1.0.0/16") from None


def network_connect(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker network connect."""
    words.need(2, 2, "a network and a container")
    network, container = words.arguments
    ip, ip6 = words.last("ip"), words.last("ip6")
    local = [address(text, "--link-local-ip") for text in several(words, "link-local-ip")]
    endpoint = {
        "IPAMConfig": {
            "IPv4Address": address(ip, "--ip") if ip else "",
            "IPv6Address": address(ip6, "--ip6") if ip6 else "",
            "LinkLocalIPs": local,
        },
        "Links": words.all("link"),
        "Aliases": several(words, "alias"),
        "DriverOpts": pairs(several(words, "driver-opt")),
        "GwPriority": integer(words.last("gw-priority", "0"), "--gw-priority"),
    }
    body = {"Container": container, "EndpointConfig": pruned(endpoint)}
    return [api.call("POST", f"/networks/{segment(network)}/connect", body=body)]


def network_disconnect(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker network disconnect."""
    words.need(2, 2, "a network and a container")
    network, container = words.arguments
    body = pruned({"Container": container, "Force": words.flag("force")})
    return [api.call("POST", f"/networks/{segment(network)}/disconnect", body=body)]


def removed(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker volume, network, secret, config, service, node and plugin rm."""
    words.only("force")
    words.need(1, None, "names")
    kind = words.command.partition(" ")[0]
    query = {"force": words.flag("force")}
    found = []
    for name in words.arguments:
        if kind == "network":
            found.append(api.call("GET", f"/networks/{segment(name)}"))
        found.append(api.call("DELETE", f"/{kind}s/{segment(name)}", query))
    return found


def inspected(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker volume, network, secret, config, service, node and plugin inspect."""
    words.only("format", "pretty", "verbose", "scope")
    words.need(1, None, "names")
    kind = words.command.partition(" ")[0]
    end = "/json" if kind == "plugin" else ""
    query = {"verbose": words.flag("verbose"), "scope": words.last("scope")}
    return [api.call("GET", f"/{kind}s/{segment(name)}{end}", query) for name in words.arguments]


def listed(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker volume, network, secret, config, service, node and plugin ls."""
    words.only("filter", "format", "quiet", "no-trunc")
    words.need(0, 0, "no argument")
    kind = words.command.partition(" ")[0]
    query = {"filters": filters(given_filters(words))}
    return [api.call("GET", f"/{kind}s", query)]


def system(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker info, version, events, system df."""
    words.only("format", "verbose", "filter", "since", "until")
    words.need(0, 0, "no argument")
    name = words.command.rpartition(" ")[2]
    path = {"df": "/system/df", "info": "/info", "events": "/events", "version": "/version"}[name]
    query = {
        "since": words.last("since"),
        "until": words.last("until"),
        "filters": filters(given_filters(words)),
    }
    return [api.call("GET", path, query)]


def login(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker login; engines keep the body from plugins."""
    words.only("username", "password", "password-stdin")
    words.need(0, 1, "at most a registry")
    server = words.arguments[0] if words.arguments else "https://index.docker.io/v1/"
    body = {"username": words.last("username"), "password": "…", "serveraddress": server}
    return [api.call("POST", "/auth", body=body)]


def search(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker search."""
    words.only("filter", "format", "limit", "no-trunc")
    words.need(1, 1, "a word")
    limit = integer(words.last("limit", "25" if api.client < 23 else "0"), "--limit") or None
    query = {"term": words.arguments[0], "limit": limit, "filters": filters(given_filters(words))}
    return [*first_info(api), api.call("GET", "/images/search", query)]


def plugin_install(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker plugin install: privileges, pull, perhaps enable."""
    words.only("alias", "disable", "disable-content-trust", "grant-all-permissions")
    words.need(1, None, "a plugin, and perhaps KEY=VALUE")
    remote = full_name(words.arguments[0])
    local = words.last("alias") or words.arguments[0]
    found = [
        *first_info(api),
        api.call("GET", "/plugins/privileges", {"remote": remote}),
        api.call("POST", "/plugins/pull", {"remote": remote, "name": words.last("alias")}, []),
    ]
    if len(words.arguments) > 1:
        path = f"/plugins/{segment(local)}/set"
        found.append(api.call("POST", path, body=list(words.arguments[1:])))
    if not words.flag("disable"):
        found.append(api.call("POST", f"/plugins/{segment(local)}/enable", {"timeout": "0"}))
    return found


def plugin_switch(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker plugin enable, disable, push, set, upgrade."""
    words.only("timeout", "force", "disable-content-trust", "grant-all-permissions")
    action = words.command.rpartition(" ")[2]
    words.need(1, None if action in ("set", "upgrade") else 1, "a plugin")
    name, *rest = words.arguments
    query: dict[str, Json] = {"force": words.flag("force")}
    body: Json = None
    if action == "enable":
        query["timeout"] = words.last("timeout", "30")
    if action == "set":
        body = rest
    if action == "upgrade":
        query = {"remote": rest[0] if rest else name}
        body = []
    return [api.call("POST", f"/plugins/{segment(name)}/{action}", query, body)]


def plugin_create(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker plugin create."""
    words.need(2, 2, "a name and a directory")
    return [api.call("POST", "/plugins/create", {"name": words.arguments[0]})]


def kept(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker secret create and config create; what is kept is not read."""
    words.only("label", "driver", "template-driver")
    words.need(1, 2, "a name and a file")
    kind = words.command.partition(" ")[0]
    body = {
        "Name": words.arguments[0],
        "Labels": pairs(labels(words.all("label"))),
        "Data": "" if words.has("driver") else "Li4u",
        "Driver": {"Name": words.last("driver")},
        "Templating": {"Name": words.last("template-driver")},
    }
    return [api.call("POST", f"/{kind}s/create", body=pruned(body))]


def several(words: Words, option: str) -> list[str]:
    """The values of an option that takes several values with commas."""
    return [part for text in words.all(option) for part in text.split(",")]


_KINDS = ("volume", "network", "secret", "config", "service", "node", "plugin")
HANDLERS: dict[str, Handler] = {
    **{f"{kind} rm": removed for kind in _KINDS},
    **{f"{kind} inspect": inspected for kind in _KINDS},
    **{f"{kind} ls": listed for kind in _KINDS},
    "volume create": volume_create, "network create": network_create,
    "network connect": network_connect, "network disconnect": network_disconnect,
    "system df": system, "system info": system, "system events": system, "version": system,
    "login": login, "search": search, "plugin install": plugin_install,
    "plugin enable": plugin_switch, "plugin disable": plugin_switch, "plugin push": plugin_switch,
    "plugin set": plugin_switch, "plugin upgrade": plugin_switch, "plugin create": plugin_create,
    "secret create": kept, "config create": kept,
}  # fmt: skip
