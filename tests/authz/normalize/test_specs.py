"""What a create would make: one line for each way of asking for something."""

from __future__ import annotations

from typing import Any

import pytest

from stockade.authz.denied import Denied
from stockade.authz.normalize import container, security
from stockade.authz.normalize.capabilities import DEFAULT, EVERY, effective
from stockade.policies.capabilities import CAPABILITIES

ALLOW_ALL = '{"defaultAction": "SCMP_ACT_ALLOW"}'


class Reader:
    """Remembers what it was asked; every profile equals `web`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, frozenset[str]]] = []

    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        self.asked.append((profile_text, capabilities))
        return ("web",)


def create(host: Any = None, networking: Any = None, name: str = "", **config: Any) -> Any:
    body = {"Image": "a", "HostConfig": host, "NetworkingConfig": networking, **config}
    return container.create(body, name, Reader())


def at(document: Any, route: str) -> Any:
    for step in route.split("."):
        document = document[int(step) if step.isdigit() else step]
    return document


def mode(mode: str, target: str | None = None) -> dict[str, Any]:
    return {"mode": mode, "target": target}


CASES: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "privileged", False),
    ({"Privileged": True}, "privileged", True),
    ({"Privileged": True}, "seccomp.kind", "unconfined"),
    ({"Privileged": True, "SecurityOpt": ["seccomp=" + ALLOW_ALL]}, "seccomp.kind", "unconfined"),
    ({"Privileged": True, "SecurityOpt": ["apparmor=x"]}, "apparmor", "unconfined"),
    (
        {"CapAdd": ["sys_admin", "CAP_SYS_ADMIN", "Chown"]},
        "capabilities.add",
        ["CHOWN", "SYS_ADMIN"],
    ),
    ({"CapAdd": ["all"]}, "capabilities.add", ["ALL"]),
    ({"CapDrop": ["ALL", "cap_kill"]}, "capabilities.drop", ["ALL", "KILL"]),
    ({"PidMode": ""}, "namespaces.pid", mode("default")),
    ({"PidMode": "host"}, "namespaces.pid", mode("host")),
    ({"PidMode": "container:x"}, "namespaces.pid", mode("container", "x")),
    ({"IpcMode": "shareable"}, "namespaces.ipc", mode("shareable")),
    ({"IpcMode": "private"}, "namespaces.ipc", mode("private")),
    ({"IpcMode": "none"}, "namespaces.ipc", mode("none")),
    ({"IpcMode": "container:x"}, "namespaces.ipc", mode("container", "x")),
    ({"UTSMode": "host"}, "namespaces.uts", mode("host")),
    ({"UsernsMode": "host"}, "namespaces.user", mode("host")),
    ({"CgroupnsMode": "host"}, "namespaces.cgroup", mode("host")),
    ({"CgroupnsMode": "private"}, "namespaces.cgroup", mode("private")),
    ({"NetworkMode": ""}, "namespaces.network", mode("default")),
    ({"NetworkMode": "default"}, "namespaces.network", mode("default")),
    ({"NetworkMode": "bridge"}, "namespaces.network", mode("bridge")),
    ({"NetworkMode": "none"}, "namespaces.network", mode("none")),
    ({"NetworkMode": "host"}, "namespaces.network", mode("host")),
    ({"NetworkMode": "container:x"}, "namespaces.network", mode("container", "x")),
    ({"NetworkMode": "web"}, "namespaces.network", mode("named", "web")),
    ({"NetworkMode": "web"}, "networks.0.name", "web"),
    ({"NetworkMode": "host"}, "networks", []),
    ({"SecurityOpt": ["seccomp=unconfined"]}, "seccomp.kind", "unconfined"),
    ({"SecurityOpt": ["seccomp:unconfined"]}, "seccomp.kind", "unconfined"),
    ({"SecurityOpt": ["seccomp=builtin"]}, "seccomp.kind", "builtin"),
    ({"SecurityOpt": ["seccomp="]}, "seccomp.kind", "default"),
    ({"SecurityOpt": ["seccomp=" + ALLOW_ALL]}, "seccomp.kind", "profile"),
    ({"SecurityOpt": ["seccomp=" + ALLOW_ALL]}, "seccomp.policies", ["web"]),
    ({"SecurityOpt": ["seccomp: " + ALLOW_ALL]}, "seccomp.kind", "profile"),
    ({"SecurityOpt": ["apparmor=unconfined"]}, "apparmor", "unconfined"),
    ({"SecurityOpt": ["apparmor:mine"]}, "apparmor", "mine"),
    ({"SecurityOpt": ["apparmor=docker-default"]}, "apparmor", "default"),
    ({"SecurityOpt": ["no-new-privileges"]}, "no_new_privileges", True),
    ({"SecurityOpt": ["no-new-privileges:true"]}, "no_new_privileges", True),
    ({"SecurityOpt": ["no-new-privileges=1"]}, "no_new_privileges", True),
    ({"SecurityOpt": ["no-new-privileges:false"]}, "no_new_privileges", False),
    ({"SecurityOpt": ["label=disable"]}, "selinux", ["disable"]),
    ({"SecurityOpt": ["disable"]}, "selinux", ["disable"]),
    ({"SecurityOpt": ["label=type:t", "label:level:s0"]}, "selinux", ["type:t", "level:s0"]),
    ({"SecurityOpt": ["systempaths=unconfined"]}, "paths", {"masked": "none", "read_only": "none"}),
    ({"SecurityOpt": ["writable-cgroups"]}, "paths.read_only", "custom"),
    ({"SecurityOpt": ["writable-cgroups=true"]}, "paths.read_only", "custom"),
    ({"SecurityOpt": ["writable-cgroups=false"]}, "paths.read_only", "default"),
    ({"MaskedPaths": None}, "paths.masked", "default"),
    ({"MaskedPaths": []}, "paths.masked", "none"),
    ({"MaskedPaths": ["/proc/kcore"]}, "paths.masked", "custom"),
    ({"MaskedPaths": [*security.MASKED, "/x"]}, "paths.masked", "default"),
    ({"MaskedPaths": [*security.MASKED_20_10]}, "paths.masked", "custom"),
    ({"ReadonlyPaths": []}, "paths.read_only", "none"),
    ({"ReadonlyPaths": ["/proc/bus"]}, "paths.read_only", "custom"),
    ({"Devices": [{"PathOnHost": "/dev//fuse"}]}, "devices.0.host", "/dev/fuse"),
    ({"Devices": [{"PathOnHost": "/dev/fuse"}]}, "devices.0.permissions", "rwm"),
    (
        {"Devices": [{"PathOnHost": "/dev/a", "PathInContainer": "/b", "CgroupPermissions": "mr"}]},
        "devices.0",
        {"host": "/dev/a", "container": "/b", "permissions": "rm"},
    ),
    ({"DeviceCgroupRules": ["c 10:200 rwm"]}, "device_cgroup_rules", ["c 10:200 rwm"]),
    (
        {"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]},
        "device_requests.0",
        {"driver": "", "count": -1, "ids": [], "capabilities": [["gpu"]], "options": {}},
    ),
    ({"CgroupParent": "/a//b/"}, "cgroup_parent", "/a/b"),
    ({"Runtime": "runc"}, "runtime", "runc"),
    ({"Isolation": "Default"}, "isolation", ""),
    ({"Memory": 0}, "resources.memory", None),
    ({"Memory": 1}, "resources.memory", 1),
    ({"MemorySwap": -1}, "resources.memory_swap", -1),
    ({"MemorySwappiness": -1}, "resources.swappiness", None),
    ({"MemorySwappiness": 0}, "resources.swappiness", 0),
    ({"NanoCpus": 5}, "resources.nano_cpus", 5),
    ({"CpuQuota": 50_000}, "resources.nano_cpus", 500_000_000),
    ({"CpuQuota": 50_000, "CpuPeriod": 25_000}, "resources.nano_cpus", 2_000_000_000),
    ({"CpuPeriod": 25_000}, "resources.nano_cpus", None),
    ({"CpuQuota": -1}, "resources.nano_cpus", None),
    ({"CpuRealtimeRuntime": 1}, "resources.cpu_realtime", True),
    ({"CpuRealtimePeriod": 1}, "resources.cpu_realtime", True),
    ({"PidsLimit": None}, "resources.pids", None),
    ({"PidsLimit": 0}, "resources.pids", None),
    ({"PidsLimit": -1}, "resources.pids", None),
    ({"PidsLimit": 7}, "resources.pids", 7),
    (
        {"BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 9}]},
        "resources.device_read_bps",
        [{"path": "/dev/sda", "rate": 9}],
    ),
    (
        {"BlkioDeviceWriteIOps": [{"Path": "/dev/sda", "Rate": 9}]},
        "resources.device_write_iops",
        [{"path": "/dev/sda", "rate": 9}],
    ),
    (
        {"Ulimits": [{"Name": "nofile", "Soft": -1, "Hard": 9}]},
        "resources.ulimits",
        [{"name": "nofile", "soft": -1, "hard": 9}],
    ),
    ({"OomKillDisable": True}, "resources.oom_kill_disable", True),
    ({"OomScoreAdj": -1}, "resources.oom_score_adj", -1),
    ({"ShmSize": 64}, "resources.shm_size", 64),
    ({"LogConfig": {"Type": "syslog", "Config": {"a": "b"}}}, "log.driver", "syslog"),
    ({"LogConfig": {"Config": {"max-size": "1m"}}}, "log.options", {"max-size": "1m"}),
    ({"RestartPolicy": {"Name": "", "MaximumRetryCount": 0}}, "restart.policy", "no"),
    (
        {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
        "restart",
        {"policy": "on-failure", "retries": 3},
    ),
    ({"Sysctls": {"net.a": "1"}}, "sysctls", {"net.a": "1"}),
    ({"Annotations": {"A": "b"}}, "annotations", {"A": "b"}),
    ({"StorageOpt": {"size": "1g"}}, "storage_options", {"size": "1g"}),
    ({"GroupAdd": ["docker"]}, "group_add", ["docker"]),
    ({"Links": ["db:d"]}, "links", ["db:d"]),
    ({"ExtraHosts": ["a:host-gateway"]}, "extra_hosts", ["a:host-gateway"]),
    ({"Dns": ["10.0.0.1"]}, "dns", ["10.0.0.1"]),
    ({"AutoRemove": True}, "auto_remove", True),
    ({"ReadonlyRootfs": True}, "read_only", True),
    ({"Init": None}, "init", None),
    ({"Init": False}, "init", False),
    ({"PublishAllPorts": True}, "publish_all", True),
]


@pytest.mark.parametrize(("host", "route", "expected"), CASES)
def test_host_config(host: dict[str, Any], route: str, expected: Any) -> None:
    assert at(create(host), route) == expected


PORTS: list[tuple[str, Any, tuple[Any, ...]]] = [
    ("80/tcp", [{"HostPort": "8000"}], ("", 8000, 8000, 80, "tcp")),
    ("80", [{"HostPort": "8000-8010"}], ("", 8000, 8010, 80, "tcp")),
    ("53/UDP", [{"HostPort": "", "HostIp": "127.0.0.1"}], ("127.0.0.1", None, None, 53, "udp")),
    ("80/tcp", [{"HostPort": "0", "HostIp": "0:0::1"}], ("::1", None, None, 80, "tcp")),
    ("80/tcp", [{"HostPort": "0080"}], ("", 80, 80, 80, "tcp")),
    ("80/tcp", [], ("", None, None, 80, "tcp")),
    ("80/tcp", None, ("", None, None, 80, "tcp")),
    ("80/sctp", [None], ("", None, None, 80, "sctp")),
]


@pytest.mark.parametrize(("port", "bindings", "expected"), PORTS)
def test_ports(port: str, bindings: Any, expected: tuple[Any, ...]) -> None:
    (found,) = create({"PortBindings": {port: bindings}})["ports"]
    keys = ("host_ip", "host_port", "host_port_end", "container_port", "protocol")
    assert tuple(found[key] for key in keys) == expected


CONFIG: list[tuple[dict[str, Any], str, Any]] = [
    ({"User": "1000"}, "user.root", False),
    ({"Env": ["A=b", "C"]}, "env_names", ["A", "C"]),
    ({"Cmd": "sh"}, "command", ["sh"]),
    ({"Cmd": ["sh", "-c"]}, "command", ["sh", "-c"]),
    ({"Entrypoint": [""]}, "entrypoint", [""]),
    ({"Labels": {"A": "b"}}, "labels", {"A": "b"}),
    ({"ExposedPorts": {"80/tcp": {}}}, "exposed", ["80/tcp"]),
    ({"Healthcheck": {"Test": ["CMD", "x"]}}, "healthcheck", True),
    ({"Healthcheck": {"Test": ["NONE"]}}, "healthcheck", False),
    ({"Healthcheck": {"Interval": 1}}, "healthcheck", False),
    ({"MacAddress": "AA:BB:CC:00:00:01"}, "mac", "aa:bb:cc:00:00:01"),
    ({"StopSignal": "SIGINT"}, "stop_signal", "SIGINT"),
    ({"Hostname": "h", "Domainname": "d"}, "domainname", "d"),
    ({"Image": "sha256:" + "0" * 64}, "image.id", "sha256:" + "0" * 64),
    ({"name": "/web"}, "name", "web"),
    ({"name": ""}, "name", None),
]


@pytest.mark.parametrize(("config", "route", "expected"), CONFIG)
def test_config(config: dict[str, Any], route: str, expected: Any) -> None:
    assert at(create(**config), route) == expected


def test_endpoints_beside_the_network_mode() -> None:
    settings = {
        "IPAMConfig": {"IPv4Address": "10.0.0.2", "LinkLocalIPs": ["169.254.0.1"]},
        "Aliases": ["a"],
        "Links": ["db:d"],
        "MacAddress": "AA:00:00:00:00:00",
        "DriverOpts": {"x": "y"},
        "GwPriority": 3,
    }
    found = create({"NetworkMode": "web"}, {"EndpointsConfig": {"own": settings, "two": None}})
    assert [one["name"] for one in found["networks"]] == ["web", "own", "two"]
    assert found["networks"][1] == {
        "name": "own",
        "aliases": ["a"],
        "links": ["db:d"],
        "ipv4": "10.0.0.2",
        "ipv6": None,
        "link_local_ips": ["169.254.0.1"],
        "mac": "aa:00:00:00:00:00",
        "driver_options": {"x": "y"},
        "priority": 3,
    }


def test_the_network_of_the_mode_is_not_listed_twice() -> None:
    found = create({"NetworkMode": "web"}, {"EndpointsConfig": {"web": {"Aliases": ["a"]}}})
    assert [one["aliases"] for one in found["networks"]] == [["a"]]


@pytest.mark.parametrize(
    ("host", "name", "settings", "code"),
    [
        ({}, "host", {}, "unclear-namespace"),
        ({"NetworkMode": "web"}, "host", {}, "unclear-namespace"),
        ({}, "HOST", {}, "unclear-namespace"),
        ({}, "container:x", {}, "unclear-namespace"),
        ({}, "", {}, "unclear-namespace"),
        ({}, "web", {"NetworkID": "0" * 64}, "refused-field"),
        ({}, "web", {"DNSNames": ["db"]}, "refused-field"),
        ({}, "web", {"IPAMConfig": {"IPv4Address": "10.0.0"}}, "bad-value"),
    ],
)
def test_endpoints_denied(host: Any, name: str, settings: Any, code: str) -> None:
    with pytest.raises(Denied) as caught:
        create(host, {"EndpointsConfig": {name: settings}})
    assert caught.value.code == code


def test_an_endpoint_on_the_hosts_network_with_its_mode() -> None:
    found = create({"NetworkMode": "host"}, {"EndpointsConfig": {"host": {}}})
    assert found["namespaces"]["network"]["mode"] == "host"


@pytest.mark.parametrize(
    ("add", "drop", "privileged", "expected"),
    [
        ([], [], False, DEFAULT),
        (["NET_ADMIN"], ["CHOWN"], False, DEFAULT - {"CAP_CHOWN"} | {"CAP_NET_ADMIN"}),
        (["ALL"], ["CHOWN"], False, EVERY - {"CAP_CHOWN"}),
        (["NET_ADMIN"], ["ALL"], False, frozenset({"CAP_NET_ADMIN"})),
        (["ALL"], ["ALL"], False, EVERY),
        ([], ["ALL"], True, EVERY),
    ],
)
def test_effective_capabilities(
    add: list[str], drop: list[str], privileged: bool, expected: frozenset[str]
) -> None:
    assert effective(add, drop, privileged) == expected


def test_every_capability_is_known_with_and_without_prefix() -> None:
    for name in CAPABILITIES:
        for said in (name, name[4:], name.lower(), name[4:].title()):
            assert create({"CapAdd": [said]})["capabilities"]["add"] == [name[4:]]


def test_profiles_are_read_with_the_containers_capabilities() -> None:
    reader = Reader()
    host = {"SecurityOpt": [f"seccomp={ALLOW_ALL}"], "CapDrop": ["ALL"], "CapAdd": ["kill"]}
    container.create({"Image": "a", "HostConfig": host}, "", reader)
    assert reader.asked == [(ALLOW_ALL, frozenset({"CAP_KILL"}))]


UPDATES: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "partial", True),
    ({"Memory": 9}, "resources.memory", 9),
    ({"PidsLimit": None}, "resources.pids", None),
    ({"PidsLimit": 0}, "resources.pids", -1),
    ({"PidsLimit": -1}, "resources.pids", -1),
    ({"PidsLimit": 5}, "resources.pids", 5),
    ({"MemorySwap": -1}, "resources.memory_swap", -1),
    ({"CpuQuota": 0}, "resources.nano_cpus", None),
    ({"CpuQuota": -1}, "resources.nano_cpus", -1),
    # The container's period, which stays, may be a hundredth of the default one.
    ({"CpuQuota": 100_000}, "resources.nano_cpus", -1),
    ({"CpuPeriod": 1000}, "resources.nano_cpus", -1),
    ({"CpuQuota": -1, "CpuPeriod": 1000}, "resources.nano_cpus", -1),
    ({"CpuQuota": 100_000, "CpuPeriod": 50_000}, "resources.nano_cpus", 2_000_000_000),
    ({"NanoCpus": 7}, "resources.nano_cpus", 7),
    ({"RestartPolicy": {"Name": "always"}}, "restart.policy", "always"),
    ({"Devices": [{"PathOnHost": "/dev/a"}]}, "devices.0.host", "/dev/a"),
    ({"CgroupParent": "/x"}, "cgroup_parent", "/x"),
    ({"Memory": 9}, "image", None),
]


@pytest.mark.parametrize(("body", "route", "expected"), UPDATES)
def test_updates(body: dict[str, Any], route: str, expected: Any) -> None:
    assert at(container.update(body), route) == expected


@pytest.mark.parametrize("body", [{"Binds": ["/:/h"]}, {"Privileged": True}, {"Memory": -1}])
def test_updates_denied(body: dict[str, Any]) -> None:
    with pytest.raises(Denied):
        container.update(body)
