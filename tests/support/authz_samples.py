"""Harmless rules, specs and input documents, which tests change where they want something else."""

import copy
from typing import Any

from stockade.authz.patterns import name as name_pattern
from stockade.authz.patterns import path as path_pattern

Json = Any

REVISION = "0" * 64


def patterns(*texts: str, any_: bool = False, own: bool = False) -> Json:
    return {"any": any_, "own": own, "patterns": [name_pattern(text) for text in texts]}


def keyed(any_: bool = False, **keys: list[str]) -> Json:
    return {"any": any_, "keys": {key: list(map(name_pattern, v)) for key, v in keys.items()}}


def bind(
    source: str,
    target: str | None = None,
    read_only: bool = False,
    propagation: tuple[str, ...] = (),
) -> Json:
    """One entry of `binds`."""
    return {
        "source": path_pattern(source),
        "exact": None if "*" in source else source,
        "target": None if target is None else path_pattern(target),
        "read_only": read_only,
        "propagation": dict.fromkeys(propagation, True),
    }


def image_entry(
    registry: str, repository: str, tag: str | None = None, digest: str | None = None
) -> Json:
    return {
        "registry": name_pattern(registry),
        "repository": name_pattern(repository),
        "tag": None if tag is None else name_pattern(tag),
        "digest": digest,
    }


def names(*given: str, any_: bool = False) -> Json:
    return {"any": any_, "names": dict.fromkeys(given, True)}


def rule(*operations: str, **changes: Json) -> Json:
    """An allow rule for `ci` that permits nothing beyond the harmless; `operations` stay aside."""
    none = patterns()
    made = {
        "operations": operations,
        "id": "",
        "file": "web.yaml",
        "line": 0,
        "effect": "allow",
        "because": "",
        "subjects": {"ci": True},
        "privileged": False,
        "capabilities": names(),
        "namespaces": {kind: {} for kind in ("pid", "ipc", "network", "uts", "user", "cgroup")},
        "binds": {"any": False, "entries": []},
        "volumes": none,
        "volume_drivers": patterns("", "local"),
        "volume_options": keyed(),
        "volumes_from": False,
        "devices": {"any": False, "entries": []},
        "device_rules": none,
        "device_requests": none,
        "tmpfs": {"options": {}, "max_size": None},
        "networks": none,
        "endpoint": names("aliases"),
        "ports": {"any": False, "ephemeral": False, "entries": []},
        "sysctls": none,
        "annotations": none,
        "runtimes": patterns(""),
        "cgroup_parents": patterns(""),
        "log_drivers": patterns("", "json-file", "local", "none", "journald"),
        "storage_options": none,
        "seccomp": names("default"),
        "apparmor": names("default"),
        "selinux": none,
        "masked_paths": False,
        "oom": False,
        "realtime": False,
        "build": {
            "networks": none,
            "remote": none,
            "security": False,
            "cgroup_parents": none,
            "outputs": False,
        },
        "network_drivers": patterns("", "bridge"),
        "network_options": keyed(),
        "plugin_privileges": False,
        "images": {"any": True, "entries": []},
        "pinned": False,
        "limits": dict.fromkeys(
            ("memory", "nano_cpus", "pids", "read_bps", "write_bps", "read_iops", "write_iops")
        ),
        "user": {"any": True, "non_root": False, "patterns": []},
        "no_new_privileges": False,
        "read_only": False,
        "labels": {},
        "internal": False,
        "owner": "self",
        "on": {"labels": {}, "names": None},
    }
    assert set(changes) <= set(made), set(changes) - set(made)
    return copy.deepcopy({**made, **changes})


def subject(**criteria: Json) -> Json:
    return {"cn": None, "ou": None, "sans": None, "local": False, **criteria}


SUBJECTS = {
    "ci": subject(ou={"builders": True}),
    "ops": subject(cn={"alice": True, "bob": True}),
    "shell": subject(local=True),
}

PROTECTED = ["/run/docker.sock", "/var/run/docker.sock", "/etc/docker", "/var/lib/docker"]


def data(*rules: Json, subjects: Json = None, protected: Json = None) -> Json:
    """The whole data document of a policy of these rules."""
    listed: list[Json] = []
    by_operation: dict[str, dict[str, list[int]]] = {}
    for index, each in enumerate(rules):
        kept = {key: value for key, value in each.items() if key != "operations"}
        listed.append({**kept, "id": f"authz.rules[{index}]", "line": 10 + index})
        for operation in each["operations"]:
            entry = by_operation.setdefault(operation, {"allow": [], "deny": []})
            entry[each["effect"]].append(index)
    policy = {
        "language": 1,
        "name": "web",
        "revision": REVISION,
        "subjects": SUBJECTS if subjects is None else subjects,
        "by_operation": by_operation,
        "rules": listed,
        "profiles": {},
        "protected": PROTECTED if protected is None else protected,
    }
    return {"stockade": {"policy": copy.deepcopy(policy)}}


def person(
    cn: str = "carol", ou: tuple[str, ...] = ("builders",), sans: tuple[str, ...] = ()
) -> Json:
    return {
        "method": "tls",
        "principal": ",".join([f"CN={cn}", *(f"OU={each}" for each in ou)]),
        "cn": cn,
        "ou": list(ou),
        "sans": list(sans),
    }


LOCAL = {"method": "local", "principal": "local", "cn": None, "ou": [], "sans": []}


def image(text: str, **changes: Json) -> Json:
    """`registry/repository:tag`; without a registry docker.io."""
    first, _, rest = text.partition("/")
    registry, path = (first, rest) if "." in first else ("docker.io", text)
    repository, _, tag = path.partition(":")
    if registry == "docker.io" and "/" not in repository:
        repository = "library/" + repository
    return {
        "text": text,
        "registry": registry,
        "repository": repository,
        "tag": tag or "latest",
        "digest": None,
        "id": None,
        "ambiguous": False,
        **changes,
    }


def user(text: str = "", root: bool | None = True) -> Json:
    name, _, group = text.partition(":")
    return {"text": text, "user": name, "group": group, "root": root}


def endpoint(name: str | None = None, **changes: Json) -> Json:
    made = {
        "aliases": [],
        "links": [],
        "ipv4": None,
        "ipv6": None,
        "link_local_ips": [],
        "mac": None,
        "driver_options": {},
        "priority": 0,
        **changes,
    }
    return made if name is None else {"name": name, **made}


def mount(kind: str, source: str = "", target: str = "/data", **changes: Json) -> Json:
    return {
        "type": kind,
        "source": source,
        "target": target,
        "read_only": False,
        "propagation": None,
        "recursive": False,
        "create_source": False,
        "driver": None,
        "driver_options": {},
        "labels": {},
        "no_copy": False,
        "subpath": None,
        "tmpfs_options": [],
        "size": None,
        "mode": None,
        "selinux": "",
        "resolved": source if kind == "bind" else None,
        "inherited": False,
        **changes,
    }


def port(number: int | None, end: int | None = None, ip: str = "", protocol: str = "tcp") -> Json:
    return {
        "host_ip": ip,
        "host_port": number,
        "host_port_end": end,
        "container_port": 80,
        "protocol": protocol,
    }


RESOURCES = {
    "memory": None,
    "memory_swap": None,
    "memory_reservation": None,
    "nano_cpus": None,
    "cpu_shares": None,
    "cpuset_cpus": "",
    "cpuset_mems": "",
    "cpu_realtime": False,
    "pids": None,
    "blkio_weight": None,
    "device_read_bps": [],
    "device_write_bps": [],
    "device_read_iops": [],
    "device_write_iops": [],
    "kernel_memory": None,
    "oom_kill_disable": False,
    "oom_score_adj": 0,
    "swappiness": None,
    "ulimits": [],
    "shm_size": None,
}


def spec(**changes: Json) -> Json:
    made = {
        "partial": False,
        "image": image("nginx:1"),
        "user": user(),
        "privileged": False,
        "capabilities": {"add": [], "drop": []},
        "namespaces": {
            kind: {"mode": "default", "target": None}
            for kind in ("pid", "ipc", "network", "uts", "user", "cgroup")
        },
        "seccomp": {"kind": "default", "policies": [], "sha256": None},
        "apparmor": "default",
        "selinux": [],
        "no_new_privileges": False,
        "paths": {"masked": "default", "read_only": "default"},
        "mounts": [],
        "volumes_from": [],
        "devices": [],
        "device_cgroup_rules": [],
        "device_requests": [],
        "cgroup_parent": "",
        "runtime": "",
        "isolation": "",
        "resources": RESOURCES,
        "networks": [],
        "links": [],
        "dns": [],
        "dns_search": [],
        "dns_options": [],
        "extra_hosts": [],
        "hostname": "",
        "domainname": "",
        "mac": None,
        "ports": [],
        "publish_all": False,
        "exposed": [],
        "labels": {},
        "sysctls": {},
        "annotations": {},
        "group_add": [],
        "storage_options": {},
        "log": {"driver": "", "options": {}},
        "restart": {"policy": "", "retries": 0},
        "auto_remove": False,
        "init": False,
        "read_only": False,
        "entrypoint": [],
        "command": ["sh"],
        "env_names": ["PATH"],
        "healthcheck": False,
        "stop_signal": "",
        "name": None,
        "service": None,
    }
    assert set(changes) <= set(made), set(changes) - set(made)
    return copy.deepcopy({**made, **changes})


def resources(**changes: Json) -> Json:
    return {**RESOURCES, **changes}


def thing(kind: str, reference: str, **changes: Json) -> Json:
    """Something that exists, unknown as yet."""
    return {
        "kind": kind,
        "reference": reference,
        "id": None,
        "known": False,
        "name": None,
        "owner": None,
        "labels": {},
        "image": None,
        "spec": None,
        **changes,
    }


def document(operation: str, **changes: Json) -> Json:
    made = {
        "operation": operation,
        "version": "1.41",
        "subject": person(),
        "parameters": {},
        "query": {},
        "object": None,
        "container_object": None,
        "spec": None,
        "exec": None,
        "volume": None,
        "network": None,
        "connect": None,
        "build": None,
        "service": None,
        "images": [],
        "other": {},
        "references": [],
    }
    assert set(changes) <= set(made), set(changes) - set(made)
    return copy.deepcopy({**made, **changes})


def create(who: Json = None, **changes: Json) -> Json:
    """A container.create of a spec with these changes."""
    made = spec(**changes)
    images = [] if made["image"] is None else [made["image"]]
    return document("container.create", subject=who or person(), spec=made, images=images)
