"""Services: what their tasks' containers would be, and the service around them."""

from __future__ import annotations

from typing import Any

from ..model import Json
from ..profiles import SeccompReader
from . import endpoints, resources, security
from .capabilities import capabilities, effective
from .container import harmless, has_healthcheck, isolation, log_of
from .fields import check
from .images import image
from .mounts import mount_object
from .users import user
from .values import (
    at_least_zero,
    clean,
    deny,
    flag,
    mapping,
    names_of,
    objects,
    plain,
    strings,
    text,
    texts,
)

_RUNTIMES = frozenset({"", "container"})
_RESTARTS = {"": "always", "any": "always", "none": "no", "on-failure": "on-failure"}
_MODES = {
    "Replicated": "replicated",
    "Global": "global",
    "ReplicatedJob": "replicated-job",
    "GlobalJob": "global-job",
}


def _mode(value: Json) -> tuple[str, int | None]:
    """Mode and replicas; Swarm's default is one replica."""
    given = mapping(value, "Mode")
    check("ServiceSpec.Mode", given)
    said = [mode for mode in _MODES if given.get(mode) is not None]
    if len(said) > 1:
        deny("conflict", f"a service cannot be {' and '.join(said)}")
    if not said or said == ["Replicated"]:
        replicated = mapping(given.get("Replicated"), "Replicated")
        check("ServiceSpec.Mode.Replicated", replicated)
        replicas = replicated.get("Replicas")
        return "replicated", 1 if replicas is None else at_least_zero(replicas, "Replicas")
    if said == ["ReplicatedJob"]:
        job = mapping(given.get("ReplicatedJob"), "ReplicatedJob")
        check("ServiceSpec.Mode.ReplicatedJob", job)
        total = job.get("TotalCompletions")
        return "replicated-job", 1 if total is None else at_least_zero(total, "TotalCompletions")
    return _MODES[said[0]], None


def _file(value: Json, name: str) -> str | None:
    given = mapping(value, name)
    check("TaskSpec.ContainerSpec.Configs.File", given)
    target = text(given.get("Name"), name)
    return clean(target) if target else None


def _secrets(value: Json) -> list[Json]:
    found = []
    for given in objects(value, "Secrets"):
        check("TaskSpec.ContainerSpec.Secrets", given)
        found.append(
            {
                "id": text(given.get("SecretID"), "SecretID"),
                "name": text(given.get("SecretName"), "SecretName"),
                "target": _file(given.get("File"), "Secrets"),
            }
        )
    return found


def _configs(value: Json) -> list[Json]:
    found = []
    for given in objects(value, "Configs"):
        check("TaskSpec.ContainerSpec.Configs", given)
        found.append(
            {
                "id": text(given.get("ConfigID"), "ConfigID"),
                "name": text(given.get("ConfigName"), "ConfigName"),
                "target": _file(given.get("File"), "Configs"),
            }
        )
    return found


def _restart(value: Json) -> Json:
    given = mapping(value, "RestartPolicy")
    check("TaskSpec.RestartPolicy", given)
    condition = text(given.get("Condition"), "RestartPolicy").lower()
    policy = _RESTARTS.get(condition) or deny("bad-value", f"restart condition {condition!r}")
    return {"policy": policy, "retries": at_least_zero(given.get("MaxAttempts"), "MaxAttempts")}


def _log(value: Json) -> Json:
    given = mapping(value, "LogDriver")
    check("TaskSpec.LogDriver", given)
    return log_of(text(given.get("Name"), "LogDriver"), strings(given.get("Options"), "LogDriver"))


def _networks(task: Json, service: Json) -> tuple[list[Json], Json]:
    """The networks of both places, and the network namespace that they make."""
    found = endpoints.attachments(task.get("Networks"), "Networks")
    found += endpoints.attachments(service.get("Networks"), "Networks")
    mode = "host" if any(one["name"] == "host" for one in found) else "default"
    return found, {"mode": mode, "target": None}


def _spec(task: Json, service: Json, reader: SeccompReader) -> dict[str, Any]:
    container = mapping(task.get("ContainerSpec"), "ContainerSpec")
    check("TaskSpec.ContainerSpec", container)
    get = container.get
    added = capabilities(get("CapabilityAdd"), "CapabilityAdd")
    dropped = capabilities(get("CapabilityDrop"), "CapabilityDrop")
    options = security.of_service(get("Privileges"))
    dns = mapping(get("DNSConfig"), "DNSConfig")
    check("TaskSpec.ContainerSpec.DNSConfig", dns)
    networks, network = _networks(task, service)
    mounts = [mount_object(given) for given in objects(get("Mounts"), "Mounts")]
    if len({one["target"] for one in mounts}) != len(mounts):
        deny("duplicate-mount", "two mounts have the same target")
    asked = text(get("Image"), "Image") or deny("missing-field", "Image is missing")
    found = harmless()
    found["namespaces"]["network"] = network
    found.update(
        image=image(asked),
        user=user(get("User")),
        capabilities={"add": added, "drop": dropped},
        seccomp=security.seccomp(options.seccomp, effective(added, dropped, False), reader),
        apparmor=security.apparmor(options.apparmor),
        selinux=options.labels,
        no_new_privileges=bool(options.no_new_privileges),
        mounts=mounts,
        isolation=isolation(get("Isolation")),
        resources=resources.of_service(task.get("Resources"), container),
        networks=networks,
        dns=texts(dns.get("Nameservers"), "Nameservers"),
        dns_search=texts(dns.get("Search"), "Search"),
        dns_options=texts(dns.get("Options"), "Options"),
        extra_hosts=texts(get("Hosts"), "Hosts"),
        hostname=text(get("Hostname"), "Hostname"),
        ports=endpoints.service_ports(service.get("EndpointSpec")),
        labels=strings(get("Labels"), "Labels"),
        sysctls=strings(get("Sysctls"), "Sysctls"),
        group_add=texts(get("Groups"), "Groups"),
        log=_log(task.get("LogDriver")),
        restart=_restart(task.get("RestartPolicy")),
        init=None if get("Init") is None else flag(get("Init"), "Init"),
        read_only=flag(get("ReadOnly"), "ReadOnly"),
        entrypoint=texts(get("Command"), "Command"),
        command=texts(get("Args"), "Args"),
        env_names=names_of(get("Env"), "Env"),
        healthcheck=has_healthcheck(get("Healthcheck")),
        stop_signal=plain(get("StopSignal"), "StopSignal"),
    )
    return found


def service(body: Json, reader: SeccompReader) -> dict[str, Any]:
    """The spec of a service's containers, the service itself at its `service`. Raises Denied.

    Tasks that are no containers (plugins, attachments) are denied.
    """
    given = mapping(body, "body")
    check("ServiceSpec", given)
    task = mapping(given.get("TaskTemplate"), "TaskTemplate")
    check("TaskSpec", task)
    runtime = text(task.get("Runtime"), "Runtime")
    if runtime not in _RUNTIMES:
        deny("refused-field", f"tasks of runtime {runtime!r} are no containers")
    placement = mapping(task.get("Placement"), "Placement")
    check("TaskSpec.Placement", placement)
    container = mapping(task.get("ContainerSpec"), "ContainerSpec")
    mode, replicas = _mode(given.get("Mode"))
    spec = _spec(task, given, reader)
    spec["service"] = {
        "mode": mode,
        "replicas": replicas,
        "name": text(given.get("Name"), "Name"),
        "labels": strings(given.get("Labels"), "Labels"),
        "secrets": _secrets(container.get("Secrets")),
        "configs": _configs(container.get("Configs")),
        "constraints": texts(placement.get("Constraints"), "Constraints"),
        "networks": spec["networks"],
        "ports": spec["ports"],
        "credential_spec": security.credential_spec(container.get("Privileges")),
    }
    return spec
