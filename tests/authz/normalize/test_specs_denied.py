"""Creates that are not understood, or mean different things to different engines."""

from __future__ import annotations

from typing import Any

import pytest

from stockade.authz.denied import Denied
from stockade.authz.normalize import container


class Reader:
    """Every profile equals `web`."""

    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        return ("web",)


def create(host: Any = None, name: str = "", **config: Any) -> Any:
    return container.create({"Image": "a", "HostConfig": host, **config}, name, Reader())


DENIED: list[tuple[dict[str, Any], str]] = [
    ({"CapAdd": "ALL"}, "wrong-type"),
    ({"CapAdd": ["NOVEL"]}, "unknown-capability"),
    ({"CapAdd": ["CAP_ALL"]}, "unknown-capability"),
    ({"CapAdd": [""]}, "unknown-capability"),
    ({"CapAdd": ["\u017fys_admin"]}, "unknown-capability"),
    ({"CapDrop": ["CAP_CAP_KILL"]}, "unknown-capability"),
    # The engine's own choice may be syslog, and would send what is logged there.
    ({"LogConfig": {"Config": {"syslog-address": "tcp://x"}}}, "unknown-option"),
    ({"LogConfig": {"Type": "", "Config": {"max-size": "1m", "x": "y"}}}, "unknown-option"),
    ({"PidMode": "HOST"}, "unclear-namespace"),
    ({"PidMode": "private"}, "unclear-namespace"),
    ({"PidMode": "host:x"}, "unclear-namespace"),
    ({"PidMode": "container:"}, "unclear-namespace"),
    ({"PidMode": "container"}, "unclear-namespace"),
    ({"PidMode": "Container:x"}, "unclear-namespace"),
    ({"PidMode": "container:x:y"}, "unclear-namespace"),
    ({"PidMode": " host"}, "unclear-namespace"),
    ({"IpcMode": "Host"}, "unclear-namespace"),
    ({"UTSMode": "private"}, "unclear-namespace"),
    ({"UTSMode": "container:x"}, "unclear-namespace"),
    ({"UsernsMode": "HOST"}, "unclear-namespace"),
    ({"UsernsMode": "keep-id"}, "unclear-namespace"),
    ({"CgroupnsMode": "container:x"}, "unclear-namespace"),
    ({"NetworkMode": "HOST"}, "unclear-namespace"),
    ({"NetworkMode": "Default"}, "unclear-namespace"),
    ({"NetworkMode": "ns:/proc/1/ns/net"}, "unclear-namespace"),
    ({"NetworkMode": "container:"}, "unclear-namespace"),
    ({"NetworkMode": "web "}, "unclear-namespace"),
    ({"SecurityOpt": ["novel"]}, "unknown-option"),
    ({"SecurityOpt": ["novel=1"]}, "unknown-option"),
    ({"SecurityOpt": [""]}, "unknown-option"),
    ({"SecurityOpt": ["SECCOMP=unconfined"]}, "unknown-option"),
    ({"SecurityOpt": ["seccomp=Unconfined"]}, "bad-profile"),
    ({"SecurityOpt": ["seccomp=/etc/p.json"]}, "bad-profile"),
    ({"SecurityOpt": ["seccomp=builtin", "seccomp=unconfined"]}, "duplicate-key"),
    ({"SecurityOpt": ["apparmor=a", "apparmor=b"]}, "duplicate-key"),
    ({"SecurityOpt": ["no-new-privileges", "no-new-privileges=0"]}, "duplicate-key"),
    ({"SecurityOpt": ["no-new-privileges=yes"]}, "unknown-option"),
    ({"SecurityOpt": ["systempaths=x"]}, "unknown-option"),
    ({"SecurityOpt": "seccomp=unconfined"}, "wrong-type"),
    ({"MaskedPaths": {}}, "wrong-type"),
    ({"Devices": [{"PathOnHost": "/dev/../dev/sda"}]}, "unclear-path"),
    ({"Devices": [{"PathOnHost": "class/x"}]}, "relative-path"),
    ({"Devices": [{"PathOnHost": "/dev/a", "CgroupPermissions": "x"}]}, "bad-value"),
    ({"DeviceCgroupRules": ["x 1:1 r"]}, "bad-value"),
    ({"DeviceCgroupRules": ["c 1:1 r\n"]}, "bad-value"),
    ({"CgroupParent": "../../x"}, "unclear-path"),
    ({"CgroupParent": "/a/.."}, "unclear-path"),
    ({"Isolation": "hyperv"}, "bad-value"),
    ({"Memory": -1}, "bad-value"),
    ({"MemorySwap": -2}, "bad-value"),
    ({"NanoCpus": -1}, "bad-value"),
    ({"NanoCpus": 1, "CpuQuota": 1}, "conflict"),
    ({"NanoCpus": 1, "CpuPeriod": 1}, "conflict"),
    ({"ShmSize": -1}, "bad-value"),
    ({"RestartPolicy": {"Name": "sometimes"}}, "bad-value"),
    ({"Cgroup": "container:x"}, "refused-field"),
    ({"Novel": 1}, "unknown-field"),
    ({"RestartPolicy": {"Novel": 1}}, "unknown-field"),
    ({"Privileged": "true"}, "wrong-type"),
    ({"PortBindings": {"80-90/tcp": []}}, "bad-port"),
    ({"PortBindings": {"0/tcp": []}}, "bad-port"),
    ({"PortBindings": {"80/x": []}}, "bad-port"),
    ({"PortBindings": {"80/tcp": [{"HostPort": "70000"}]}}, "bad-port"),
    ({"PortBindings": {"80/tcp": [{"HostPort": "9-8"}]}}, "bad-port"),
    ({"PortBindings": {"80/tcp": [{"HostPort": "0-9"}]}}, "bad-port"),
    ({"PortBindings": {"80/tcp": [{"HostPort": "+80"}]}}, "bad-port"),
    ({"PortBindings": {"80/tcp": [{"HostPort": " 80"}]}}, "bad-port"),
    ({"PortBindings": {"80/tcp": [{"HostIp": "localhost"}]}}, "bad-value"),
    ({"PortBindings": {"80/tcp": [{"HostIp": "127.000.0.1"}]}}, "bad-value"),
]


@pytest.mark.parametrize(("host", "code"), DENIED)
def test_host_config_denied(host: dict[str, Any], code: str) -> None:
    with pytest.raises(Denied) as caught:
        create(host)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"name": "0" * 64}, "bad-name"),
        ({"name": "a"}, "bad-name"),
        ({"name": "//a1"}, "bad-name"),
        ({"name": "a/b"}, "bad-name"),
        ({"name": "web\n"}, "bad-name"),
        ({"name": "w\u00e9b"}, "bad-name"),
        ({"Image": ""}, "missing-field"),
        ({"Image": "A"}, "bad-image"),
        ({"ArgsEscaped": True}, "refused-field"),
        ({"Privileged": True}, "unknown-field"),
        ({"ExposedPorts": {"x": {}}}, "bad-port"),
    ],
)
def test_config_denied(config: dict[str, Any], code: str) -> None:
    with pytest.raises(Denied) as caught:
        create(**config)
    assert caught.value.code == code
