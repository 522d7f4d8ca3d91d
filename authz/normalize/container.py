"""What a request would make a container be: the `spec` of the input document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..jsonbytes import dumps
from ..model import Json
from ..profiles import SeccompReader
from . import endpoints, namespaces, resources, security
from .capabilities import capabilities, effective
from .fields import check
from .images import image
from .mounts import mounts, volumes_from
from .users import user
from .values import (
    at_least_zero,
    deny,
    flag,
    mapping,
    names_of,
    plain,
    strings,
    text,
    texts,
)

_NAME = re.compile(r"/?([a-zA-Z0-9][a-zA-Z0-9_.-]+)\Z")
_FULL_ID = re.compile(r"[0-9a-f]{64}\Z")
_RESTARTS = frozenset({"no", "always", "unless-stopped", "on-failure"})


def container_name(said: str) -> str | None:
    """The name asked for, without the slash; null for one that the engine makes up.

    Raises Denied for a name that engines refuse, or that would stand for another's id.
    """
    if not said:
        return None
    match = _NAME.match(said)
    if not match or _FULL_ID.match(match[1]):
        deny("bad-name", f"{said[:100]!r} is not a name for a container")
    return match[1]


def restart(value: Json) -> Json:
    """policy (`no` when nothing is said) and retries."""
    given = mapping(value, "RestartPolicy")
    check("RestartPolicy", given)
    policy = text(given.get("Name"), "RestartPolicy") or "no"
    if policy not in _RESTARTS:
        deny("bad-value", f"restart policy {policy!r}")
    return {
        "policy": policy,
        "retries": at_least_zero(given.get("MaximumRetryCount"), "MaximumRetryCount"),
    }


def has_healthcheck(value: Json) -> bool:
    """Whether a command of the request's is run by the engine every now and then."""
    given = mapping(value, "Healthcheck")
    check("HealthConfig", given)
    return texts(given.get("Test"), "Healthcheck") not in ([], ["NONE"])


def log(value: Json) -> Json:
    """driver (`""` for the engine's choice) and options."""
    given = mapping(value, "LogConfig")
    check("HostConfig.LogConfig", given)
    return {
        "driver": text(given.get("Type"), "LogConfig"),
        "options": strings(given.get("Config"), "LogConfig"),
    }


def isolation(value: Json) -> str:
    """Empty, for Linux has none. Raises Denied for another."""
    said = text(value, "Isolation").lower()
    return "" if said in ("", "default") else deny("bad-value", f"isolation {said!r}")


def command(value: Json, name: str) -> list[str]:
    """A command line; engines take a single text for one too."""
    return [value] if type(value) is str else texts(value, name)


def _optional_flag(value: Json, name: str) -> bool | None:
    return None if value is None else flag(value, name)


def harmless() -> dict[str, Any]:
    """A spec that asks for nothing; a fresh one each time."""
    return spec({}, {}, None, _NoProfiles())


def spec(
    config: Mapping[str, Json],
    host: Mapping[str, Json],
    networking: Json,
    reader: SeccompReader,
    masked: frozenset[str] = security.MASKED,
) -> dict[str, Any]:
    """The spec of a configuration and its HostConfig, fields checked already. Raises Denied.

    `masked` is the set of paths that counts as the default.
    """
    of, by = config.get, host.get
    privileged = flag(by("Privileged"), "Privileged")
    added = capabilities(by("CapAdd"), "CapAdd")
    dropped = capabilities(by("CapDrop"), "CapDrop")
    options = security.parse(by("SecurityOpt"))
    network = namespaces.network_mode(by("NetworkMode"))
    asked = text(of("Image"), "Image")
    return {
        "partial": False,
        "image": image(asked) if asked else None,
        "user": user(of("User")),
        "privileged": privileged,
        "capabilities": {"add": added, "drop": dropped},
        "namespaces": {
            "pid": namespaces.mode(by("PidMode"), "PidMode"),
            "ipc": namespaces.mode(by("IpcMode"), "IpcMode"),
            "network": network,
            "uts": namespaces.mode(by("UTSMode"), "UTSMode"),
            "user": namespaces.mode(by("UsernsMode"), "UsernsMode"),
            "cgroup": namespaces.mode(by("CgroupnsMode"), "CgroupnsMode"),
        },
        "seccomp": dict(security.UNCONFINED)
        if privileged
        else security.seccomp(options.seccomp, effective(added, dropped, False), reader),
        "apparmor": "unconfined" if privileged else security.apparmor(options.apparmor),
        "selinux": options.labels,
        "no_new_privileges": bool(options.no_new_privileges),
        "paths": security.paths(host, options, masked),
        "mounts": mounts(config, host),
        "volumes_from": volumes_from(by("VolumesFrom")),
        "devices": resources.devices(by("Devices")),
        "device_cgroup_rules": resources.device_rules(by("DeviceCgroupRules")),
        "device_requests": resources.device_requests(by("DeviceRequests")),
        "cgroup_parent": resources.cgroup_parent(by("CgroupParent")),
        "runtime": text(by("Runtime"), "Runtime"),
        "isolation": isolation(by("Isolation")),
        "resources": resources.resources(host),
        "networks": endpoints.networks(networking, network),
        "links": texts(by("Links"), "Links"),
        "dns": texts(by("Dns"), "Dns"),
        "dns_search": texts(by("DnsSearch"), "DnsSearch"),
        "dns_options": texts(by("DnsOptions"), "DnsOptions"),
        "extra_hosts": texts(by("ExtraHosts"), "ExtraHosts"),
        "domainname": text(of("Domainname"), "Domainname"),
        "mac": endpoints.hardware_address(of("MacAddress"), "MacAddress"),
        "ports": endpoints.ports(by("PortBindings")),
        "publish_all": flag(by("PublishAllPorts"), "PublishAllPorts"),
        "exposed": endpoints.exposed(of("ExposedPorts")),
        "sysctls": strings(by("Sysctls"), "Sysctls"),
        "annotations": strings(by("Annotations"), "Annotations"),
        "group_add": texts(by("GroupAdd"), "GroupAdd"),
        "storage_options": strings(by("StorageOpt"), "StorageOpt"),
        "log": log(by("LogConfig")),
        "restart": restart(by("RestartPolicy")),
        "auto_remove": flag(by("AutoRemove"), "AutoRemove"),
        "init": _optional_flag(by("Init"), "Init"),
        "read_only": flag(by("ReadonlyRootfs"), "ReadonlyRootfs"),
        "healthcheck": has_healthcheck(of("Healthcheck")),
        "stop_signal": text(of("StopSignal"), "StopSignal"),
        "name": None,
        "service": None,
        **_own(config),
    }


_OWN = ("Hostname", "Labels", "Entrypoint", "Cmd", "Env")
"""Fields in which one container mostly differs from the last of its kind."""


def _own(config: Mapping[str, Json]) -> dict[str, Any]:
    of = config.get
    return {
        "hostname": text(of("Hostname"), "Hostname"),
        "labels": strings(of("Labels"), "Labels"),
        "entrypoint": command(of("Entrypoint"), "Entrypoint"),
        "command": command(of("Cmd"), "Cmd"),
        "env_names": names_of(of("Env"), "Env"),
    }


class _NoProfiles:
    """For specs without a seccomp profile."""

    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        raise AssertionError("no profile to read")


def create(body: Json, name: str, reader: SeccompReader) -> dict[str, Any]:
    """The spec of POST /containers/create. Raises Denied."""
    given = mapping(body, "body")
    check("ContainerCreate", given)
    rest = {key: value for key, value in given.items() if key not in _OWN}
    return {**_kinds.of(rest, reader), **_own(given), "name": container_name(name)}


def _kind(rest: Mapping[str, Json], reader: SeccompReader) -> dict[str, Any]:
    """The spec of a container of which _OWN is not known yet. Raises Denied."""
    host = mapping(rest.get("HostConfig"), "HostConfig")
    check("HostConfig", host)
    found = spec(rest, host, rest.get("NetworkingConfig"), reader)
    return deny("missing-field", "Image is missing") if found["image"] is None else found


class _Kinds:
    """The specs last made, by the text of what they were made of: containers come in series.

    What is given out is shared, and nobody changes it.
    """

    MOST = 64
    LONGEST = 16384
    """Bytes of a text."""

    def __init__(self) -> None:
        self._found: dict[bytes, dict[str, Any]] = {}
        self._reader: SeccompReader | None = None

    def of(self, rest: Mapping[str, Json], reader: SeccompReader) -> dict[str, Any]:
        """`_kind`, which depends on nothing else. Raises Denied."""
        try:
            text = dumps(rest)
        except (ValueError, TypeError, RecursionError):
            return _kind(rest, reader)
        if reader is not self._reader:  # another policy is in force
            self._found, self._reader = {}, reader
        found = self._found
        known = found.get(text)
        if known is None:
            known = _kind(rest, reader)
            if len(text) <= self.LONGEST:
                if len(found) >= self.MOST:
                    found.clear()
                found[text] = known
        return known


_kinds = _Kinds()


def update(body: Json) -> dict[str, Any]:
    """The partial spec of POST /containers/X/update. Raises Denied.

    Resources: null means unchanged, -1 made unlimited. Devices cannot be changed by engines, but
    are read as if they could.
    """
    given = mapping(body, "body")
    check("ContainerUpdate", given)
    found = harmless()
    found.update(
        partial=True,
        resources=resources.resources(given, partial=True),
        restart=restart(given.get("RestartPolicy")),
        devices=resources.devices(given.get("Devices")),
        device_cgroup_rules=resources.device_rules(given.get("DeviceCgroupRules")),
        device_requests=resources.device_requests(given.get("DeviceRequests")),
        cgroup_parent=resources.cgroup_parent(given.get("CgroupParent")),
    )
    return found


def execution(body: Json) -> Json:
    """The `exec` of the input document, of POST /containers/X/exec. Raises Denied."""
    given = mapping(body, "body")
    check("ExecConfig", given)
    return {
        "privileged": flag(given.get("Privileged"), "Privileged"),
        "user": user(given.get("User")),
        "tty": flag(given.get("Tty"), "Tty"),
        "command": command(given.get("Cmd"), "Cmd"),
        "env_names": names_of(given.get("Env"), "Env"),
        "workdir": plain(given.get("WorkingDir"), "WorkingDir"),
        "detach_keys": plain(given.get("DetachKeys"), "DetachKeys"),
    }


def image_config(body: Json) -> None:
    """Checks the configuration that a commit gives its image. Raises Denied."""
    given = mapping(body, "body")
    check("ContainerConfig", given)
