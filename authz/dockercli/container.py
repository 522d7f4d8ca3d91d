"""The options of `docker run` and `docker create` as the body of POST /containers/create.

Fields that would have Go's zero value are left out: they mean the same. Source: docker/cli
cli/command/container/opts.go, 20.10 to 29.
"""

from __future__ import annotations

import json
import re

from ...policies.errors import InputError
from .devices import cgroup_rule, device_requests, devices, on_device
from .model import Json, Machine, pruned
from .networks import read_networks
from .options import Words
from .ports import read_ports
from .values import (
    address,
    cpus,
    duration,
    integer,
    labels,
    pairs,
    size,
    swap,
    ulimit,
    wrong,
)
from .volumes import read_mount, read_tmpfs, read_volumes

_SOCKET = "/var/run/docker.sock"


def container_body(
    words: Words, image: str, command: list[str], machine: Machine, client: int
) -> Json:
    """The request's body as a client of that major version sends it.

    Raises InputError for a value that docker's client refuses.
    """
    attached = {text.lower() for text in words.all("attach")}
    if attached - {"stdin", "stdout", "stderr"}:
        raise wrong("--attach", ",".join(sorted(attached)), "is none of stdin, stdout, stderr")
    interactive = words.flag("interactive")
    in_ = "stdin" in attached or interactive
    bindings, exposed = read_ports(words.all("publish"), words.all("expose"))
    binds, volumes = read_volumes(words.all("volume"), machine, client)
    host = _host_config(words, machine)
    host["Binds"] = binds
    host["PortBindings"] = bindings
    mode, endpoints = read_networks(words, client)
    host["NetworkMode"] = mode
    body = {
        "Hostname": words.last("hostname"),
        "Domainname": words.last("domainname"),
        "User": words.last("user"),
        "AttachStdin": in_,
        "AttachStdout": not attached or "stdout" in attached,
        "AttachStderr": not attached or "stderr" in attached,
        "ExposedPorts": exposed,
        "Tty": words.flag("tty"),
        "OpenStdin": interactive,
        "StdinOnce": interactive and in_,
        "Env": environment(words, machine),
        "Cmd": command,
        "Image": image,
        "Volumes": volumes,
        "WorkingDir": words.last("workdir"),
        "Labels": pairs(_with_files(words, machine, "label-file", labels(words.all("label")))),
        "StopSignal": words.last("stop-signal"),
        "Healthcheck": _health(words),
        "HostConfig": host,
    }
    kept: dict[str, Json] = {key: each for key, each in body.items() if each}
    if words.has("entrypoint"):
        kept["Entrypoint"] = [words.last("entrypoint")]
    if words.has("stop-timeout"):
        kept["StopTimeout"] = integer(words.last("stop-timeout"), "--stop-timeout")
    if client < 25 and words.has("mac-address"):
        kept["MacAddress"] = words.last("mac-address")
        for endpoint in endpoints.values():
            endpoint.pop("MacAddress", None)
    endpoints = {name: each for name, each in endpoints.items() if each or len(endpoints) > 1}
    if endpoints:
        kept["NetworkingConfig"] = {"EndpointsConfig": endpoints}
    return kept


def _host_config(words: Words, machine: Machine) -> dict[str, Json]:
    options, unmasked = _security(words.all("security-opt"), machine)
    driver = words.last("log-driver")
    if driver == "none" and words.has("log-opt"):
        raise InputError.of("`--log-opt`: the driver none has no options")
    storage = words.all("storage-opt")
    for text in storage:
        if "=" not in text:
            raise wrong("--storage-opt", text, "must be written key=value")
    restart = _restart(words)
    config = {
        "ContainerIDFile": words.last("cidfile"),
        "LogConfig": pruned({"Type": driver, "Config": pairs(words.all("log-opt"))}),
        "RestartPolicy": restart,
        "AutoRemove": words.flag("rm"),
        "VolumeDriver": words.last("volume-driver"),
        "VolumesFrom": words.all("volumes-from"),
        "Mounts": [read_mount(text, machine) for text in words.all("mount")],
        "Tmpfs": read_tmpfs(words.all("tmpfs")),
        "CapAdd": words.all("cap-add"),
        "CapDrop": words.all("cap-drop"),
        "CgroupnsMode": _mode(words, "cgroupns", "host", "private"),
        "Dns": [address(text, "--dns") for text in words.all("dns")],
        "DnsOptions": words.all("dns-option", "dns-opt"),
        "DnsSearch": words.all("dns-search"),
        "ExtraHosts": [_extra_host(text) for text in words.all("add-host")],
        "GroupAdd": words.all("group-add"),
        "IpcMode": words.last("ipc"),
        "Links": words.all("link"),
        "OomScoreAdj": _number(words, "oom-score-adj"),
        "PidMode": _mode(words, "pid", "host", container=True),
        "Privileged": words.flag("privileged"),
        "PublishAllPorts": words.flag("publish-all"),
        "ReadonlyRootfs": words.flag("read-only"),
        "SecurityOpt": options,
        "StorageOpt": pairs(storage),
        "UTSMode": _mode(words, "uts", "host"),
        "UsernsMode": _mode(words, "userns", "host"),
        "ShmSize": _size(words, "shm-size"),
        "Sysctls": pairs(_sysctls(words)),
        "Runtime": words.last("runtime"),
        "Isolation": words.last("isolation"),
        "Annotations": pairs(words.all("annotation")),
        **resources(words),
        "Devices": devices(words),
        "DeviceRequests": device_requests(words),
        "DeviceCgroupRules": [cgroup_rule(text) for text in words.all("device-cgroup-rule")],
        "Ulimits": _ulimits(words),
    }
    kept = {key: each for key, each in config.items() if each}
    if words.flag("use-api-socket"):
        socket = {"Type": "bind", "Source": _SOCKET, "Target": _SOCKET, "BindOptions": {}}
        kept.setdefault("Mounts", []).append(socket)
    if unmasked:
        kept["MaskedPaths"] = kept["ReadonlyPaths"] = []
    if words.has("init"):
        kept["Init"] = words.flag("init")
    if words.flag("rm") and restart.get("Name") not in ("no", None):
        raise InputError.of("`--restart` and `--rm` cannot go together")
    return kept


def resources(words: Words) -> dict[str, Json]:
    """The resource limits of run, create and update."""
    found: dict[str, Json] = pruned(
        {
            "Memory": _size(words, "memory"),
            "MemoryReservation": _size(words, "memory-reservation"),
            "MemorySwap": swap(words.last("memory-swap", "0"), "--memory-swap"),
            "KernelMemory": _size(words, "kernel-memory"),
            "NanoCpus": cpus(words.last("cpus", "0"), "--cpus"),
            "CpuShares": _number(words, "cpu-shares"),
            "CpuPeriod": _number(words, "cpu-period"),
            "CpuQuota": _number(words, "cpu-quota"),
            "CpuRealtimePeriod": _number(words, "cpu-rt-period"),
            "CpuRealtimeRuntime": _number(words, "cpu-rt-runtime"),
            "CpuCount": _number(words, "cpu-count"),
            "CpuPercent": _number(words, "cpu-percent"),
            "CpusetCpus": words.last("cpuset-cpus"),
            "CpusetMems": words.last("cpuset-mems"),
            "CgroupParent": words.last("cgroup-parent"),
            "PidsLimit": _number(words, "pids-limit"),
            "BlkioWeight": _number(words, "blkio-weight"),
            "BlkioWeightDevice": [
                {"Path": path, "Weight": integer(value, "--blkio-weight-device", 0, 1000)}
                for path, value in map(on_device, words.all("blkio-weight-device"))
            ],
            **{
                key: [
                    {"Path": path, "Rate": read(value, f"--{option}")}
                    for path, value in map(on_device, words.all(option))
                ]
                for option, key, read in (
                    ("device-read-bps", "BlkioDeviceReadBps", size),
                    ("device-write-bps", "BlkioDeviceWriteBps", size),
                    ("device-read-iops", "BlkioDeviceReadIOps", integer),
                    ("device-write-iops", "BlkioDeviceWriteIOps", integer),
                )
            },
            "OomKillDisable": words.flag("oom-kill-disable"),
            "IOMaximumIOps": _number(words, "io-maxiops"),
            "IOMaximumBandwidth": _size(words, "io-maxbandwidth"),
        }
    )
    return {**found, **_swappiness(words)}


def environment(words: Words, machine: Machine) -> list[str]:
    """`--env-file` then `--env`; a name alone takes the value of the client's own variable."""
    given = []
    for text in words.all("env"):
        name, equals, _ = text.partition("=")
        if not name:
            raise wrong("--env", text, "has no name")
        value = machine.variable(name)
        given.append(text if equals or value is None else f"{name}={value}")
    last = {text.partition("=")[0]: text for text in given}
    return _with_files(words, machine, "env-file", list(last.values()))


def _with_files(words: Words, machine: Machine, option: str, given: list[str]) -> list[str]:
    """The lines of key-value files, then what was given on the command line."""
    lines: list[str] = []
    for path in words.all(option):
        for line in machine.read(path).removeprefix("\ufeff").splitlines():
            text = line.lstrip()
            if not text or text.startswith("#"):
                continue
            name, equals, _ = text.partition("=")
            if not name or re.search(r"[ \t]", name):
                raise wrong(f"--{option}", path, f"has a bad name in the line {text[:40]!r}")
            value = machine.variable(name) if option == "env-file" else None
            if equals:
                lines.append(text)
            elif value is not None:
                lines.append(f"{name}={value}")
    return lines + given


def _security(values: list[str], machine: Machine) -> tuple[list[str], bool]:
    """SecurityOpt with profiles read in, and whether systempaths=unconfined was among them."""
    found: list[str] = []
    unmasked = False
    for text in values:
        key, equals, value = text.partition("=")
        if not equals and key != "no-new-privileges":
            key, equals, value = text.partition(":")
        if not value and key != "no-new-privileges":
            raise wrong("--security-opt", text, "has no value")
        if text == "systempaths=unconfined":
            unmasked = True
        elif key == "seccomp" and value not in ("builtin", "unconfined"):
            found.append(f"seccomp={_compact(machine.read(value), value)}")
        else:
            found.append(text)
    return found, unmasked


def _compact(text: str, path: str) -> str:
    """JSON without blanks between its parts, otherwise as written."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        raise wrong("--security-opt seccomp", path, "is no JSON") from None
    return re.sub(r'("(?:[^"\\]|\\.)*")|\s+', lambda match: match[1] or "", text)


def _restart(words: Words) -> Json:
    text = words.last("restart", "no")
    name, colon, count = text.partition(":")
    if colon and not name:
        raise wrong("--restart", text, "names no policy before the colon")
    number = integer(count, "--restart") if count else 0
    return pruned({"Name": name, "MaximumRetryCount": number})


def _health(words: Words) -> dict[str, Json]:
    times = {
        "Interval": "health-interval", "Timeout": "health-timeout",
        "StartPeriod": "health-start-period", "StartInterval": "health-start-interval",
    }  # fmt: skip
    found: dict[str, Json] = {
        key: duration(words.last(option, "0"), f"--{option}") for key, option in times.items()
    }
    found["Retries"] = integer(words.last("health-retries", "0"), "--health-retries", 0)
    if words.last("health-cmd"):
        found["Test"] = ["CMD-SHELL", words.last("health-cmd")]
    found = pruned(found) or {}
    if words.flag("no-healthcheck"):
        if found:
            raise InputError.of("`--no-healthcheck` contradicts the other `--health-*` options")
        return {"Test": ["NONE"]}
    return found


def _extra_host(text: str) -> str:
    """`name:ip`; `name=ip` is the newer spelling, brackets around IPv6 are dropped."""
    name, colon, ip = text.partition("=") if "=" in text else text.partition(":")
    if not colon or not name:
        raise wrong("--add-host", text, "must be written host:ip")
    if ip != "host-gateway":
        ip = ip[1:-1] if ip.startswith("[") and ip.endswith("]") else ip
        address(ip, "--add-host")
    return f"{name}:{ip}"


def _ulimits(words: Words) -> list[Json]:
    found = {str(each["Name"]): each for each in map(_ulimit, words.all("ulimit"))}
    return [found[name] for name in sorted(found)]


def _ulimit(text: str) -> dict[str, object]:
    return ulimit(text, "--ulimit")


def _sysctls(words: Words) -> list[str]:
    for text in words.all("sysctl"):
        if "=" not in text or text.startswith("="):
            raise wrong("--sysctl", text, "must be written name=value")
    return words.all("sysctl")


def _mode(words: Words, option: str, *allowed: str, container: bool = False) -> str:
    text = words.last(option)
    if text and text not in allowed and not (container and text.startswith("container:")):
        raise wrong(f"--{option}", text, f"is none of {', '.join(allowed)}")
    return text


def _swappiness(words: Words) -> dict[str, Json]:
    value = integer(words.last("memory-swappiness", "-1"), "--memory-swappiness", -1, 100)
    return {"MemorySwappiness": value} if words.command != "container update" else {}


def _number(words: Words, option: str) -> int:
    return integer(words.last(option, "0"), f"--{option}")


def _size(words: Words, option: str) -> int:
    return size(words.last(option, "0"), f"--{option}")
