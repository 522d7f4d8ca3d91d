"""Volumes and networks to be made, and containers joining networks."""

from __future__ import annotations

from ..model import Json
from .endpoints import endpoint
from .fields import check
from .mounts import driver_options, volume_name
from .values import deny, flag, mapping, objects, strings, text


def volume(body: Json) -> Json:
    """The `volume` of POST /volumes/create. Raises Denied."""
    given = mapping(body, "body")
    check("VolumeCreateRequest", given)
    driver = text(given.get("Driver"), "Driver")
    cluster = mapping(given.get("ClusterVolumeSpec"), "ClusterVolumeSpec")
    check("ClusterVolumeSpec", cluster)
    return {
        "name": volume_name(text(given.get("Name"), "Name"), driver),
        "driver": driver,
        "driver_options": driver_options(given.get("DriverOpts"), "DriverOpts"),
        "labels": strings(given.get("Labels"), "Labels"),
        "cluster": given.get("ClusterVolumeSpec") is not None,
    }


def volume_update(body: Json, name: str) -> Json:
    """The `volume` of PUT /volumes/X, which only cluster volumes have. Raises Denied."""
    given = mapping(body, "body")
    check("VolumeUpdate", given)
    check("ClusterVolumeSpec", mapping(given.get("Spec"), "Spec"))
    return {"name": name, "driver": "", "driver_options": {}, "labels": {}, "cluster": True}


def network(body: Json) -> Json:
    """The `network` of POST /networks/create. Raises Denied."""
    given = mapping(body, "body")
    check("NetworkCreate", given)
    ipam = mapping(given.get("IPAM"), "IPAM")
    check("IPAM", ipam)
    subnets = []
    for config in objects(ipam.get("Config"), "IPAM.Config"):
        check("IPAMConfig", config)
        if subnet := text(config.get("Subnet"), "Subnet"):
            subnets.append(subnet)
    source = mapping(given.get("ConfigFrom"), "ConfigFrom")
    check("ConfigReference", source)
    name = text(given.get("Name"), "Name") or deny("missing-field", "Name is missing")
    return {
        "name": name,
        "driver": text(given.get("Driver"), "Driver"),
        "internal": flag(given.get("Internal"), "Internal"),
        "attachable": flag(given.get("Attachable"), "Attachable"),
        "ingress": flag(given.get("Ingress"), "Ingress"),
        "ipv6": flag(given.get("EnableIPv6"), "EnableIPv6"),
        "driver_options": strings(given.get("Options"), "Options"),
        "labels": strings(given.get("Labels"), "Labels"),
        "subnets": subnets,
        "ipam_driver": text(ipam.get("Driver"), "IPAM.Driver"),
        "ipam_options": strings(ipam.get("Options"), "IPAM.Options"),
        "scope": text(given.get("Scope"), "Scope"),
        "config_from": text(source.get("Network"), "ConfigFrom") or None,
        "config_only": flag(given.get("ConfigOnly"), "ConfigOnly"),
        "check_duplicate": flag(given.get("CheckDuplicate"), "CheckDuplicate"),
    }


def connection(body: Json, network_reference: str, *, connect: bool) -> Json:
    """The `connect` of POST /networks/X/connect or disconnect. Raises Denied."""
    given = mapping(body, "body")
    check("NetworkConnectRequest" if connect else "NetworkDisconnectRequest", given)
    container = text(given.get("Container"), "Container")
    return {
        "network": network_reference,
        "container": container or deny("missing-field", "Container is missing"),
        "endpoint": endpoint(given.get("EndpointConfig"), "EndpointConfig"),
    }
