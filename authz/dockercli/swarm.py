"""docker swarm, service and node commands (docker/cli cli/command/service/opts.go).

What `service update`, `scale` and `node update` send depends on what the engine has; they
cannot be read from the command line alone.
"""

from __future__ import annotations

from ...policies.errors import InputError
from .container import environment
from .images import Handler, given_filters, split_reference
from .model import Api, ApiRequest, Json, Machine, filters, pruned, segment
from .networks import read_network
from .options import Words
from .ports import read_published, span
from .things import several
from .values import (
    address,
    boolean,
    cpus,
    duration,
    fields,
    integer,
    labels,
    pairs,
    size,
    ulimit,
    wrong,
)
from .volumes import read_mount

NEW_SERVICE = "s" * 25
"""How requests call the service that an earlier request made."""
_SERVICE = (
    "cap-add cap-drop constraint container-label detach dns dns-option dns-search endpoint-mode "
    "entrypoint env env-file group health-cmd health-interval health-retries "
    "health-start-interval health-start-period health-timeout host hostname init isolation label "
    "limit-cpu limit-memory limit-pids log-driver log-opt mode mount name network "
    "no-healthcheck no-resolve-image oom-score-adj placement-pref publish quiet read-only "
    "replicas replicas-max-per-node reserve-cpu reserve-memory restart-condition restart-delay "
    "restart-max-attempts restart-window stop-grace-period stop-signal sysctl tty ulimit user "
    "with-registry-auth workdir"
)


def service_create(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker service create; networks stand by name where the client would put ids."""
    words.only(*_SERVICE.split())
    words.need(1, None, "an image, and perhaps a command")
    networks = []
    found = []
    for text in words.all("network"):
        name, endpoint = read_network(text)
        if set(endpoint) - {"Aliases", "DriverOpts"}:
            raise wrong("--network", text, "has options that services do not take")
        networks.append({"Target": name, **endpoint})
        found.append(api.call("GET", f"/networks/{segment(name)}", {"scope": "swarm"}))
    task = {
        "ContainerSpec": _container(words, machine),
        "Networks": networks,
        "Resources": _resources(words),
        "RestartPolicy": {
            "Condition": words.last("restart-condition"),
            "Delay": _time(words, "restart-delay"),
            "MaxAttempts": _number(words, "restart-max-attempts"),
            "Window": _time(words, "restart-window"),
        },
        "Placement": {
            "Constraints": words.all("constraint"),
            "Preferences": [_preference(text) for text in words.all("placement-pref")],
            "MaxReplicas": _number(words, "replicas-max-per-node"),
        },
        "LogDriver": {
            "Name": words.last("log-driver"),
            "Options": pairs(words.all("log-opt")) if words.has("log-driver") else {},
        },
    }
    body = pruned(
        {
            "Name": words.last("name"),
            "Labels": pairs(labels(words.all("label"))),
            "TaskTemplate": task,
            "EndpointSpec": {
                "Mode": words.last("endpoint-mode", "vip"),
                "Ports": [port for text in words.all("publish") for port in _ports(text)],
            },
        }
    )
    if words.has("init"):
        body["TaskTemplate"]["ContainerSpec"]["Init"] = words.flag("init")
    body["Mode"] = _mode(words)
    if not words.flag("no-resolve-image"):
        found.append(api.call("GET", f"/distribution/{segment(_tagged(words.arguments[0]))}/json"))
    made = ("service", NEW_SERVICE)
    found.append(api.call("POST", "/services/create", body=body, creates=made))
    if not words.flag("detach"):
        chosen = filters({"service": [NEW_SERVICE]})
        found.append(api.call("GET", f"/services/{NEW_SERVICE}"))
        found.append(api.call("GET", "/tasks", {"filters": chosen}))
    return found


def _tagged(image: str) -> str:
    name, tag = split_reference(image)
    return f"{name}{'@' if ':' in tag else ':'}{tag}"


def _container(words: Words, machine: Machine) -> dict[str, Json]:
    image, *arguments = words.arguments
    add, drop = _capabilities(words)
    return {
        "Image": _tagged(image),
        "Args": arguments,
        "Command": words.last("entrypoint").split(),
        "Env": environment(words, machine),
        "Hostname": words.last("hostname"),
        "Labels": pairs(labels(words.all("container-label"), "--container-label")),
        "Dir": words.last("workdir"),
        "User": words.last("user"),
        "Groups": words.all("group"),
        "StopSignal": words.last("stop-signal"),
        "TTY": words.flag("tty"),
        "ReadOnly": words.flag("read-only"),
        "Mounts": [read_mount(text, machine) for text in words.all("mount")],
        "DNSConfig": {
            "Nameservers": [address(text, "--dns") for text in words.all("dns")],
            "Search": words.all("dns-search"),
            "Options": words.all("dns-option"),
        },
        "Hosts": [_host(text) for text in words.all("host")],
        "StopGracePeriod": _time(words, "stop-grace-period"),
        "Healthcheck": _health(words),
        "Isolation": words.last("isolation"),
        "Sysctls": pairs(words.all("sysctl")),
        "CapabilityAdd": add,
        "CapabilityDrop": drop,
        "Ulimits": sorted(
            (ulimit(text, "--ulimit") for text in words.all("ulimit")),
            key=lambda each: str(each["Name"]),
        ),
        "OomScoreAdj": _number(words, "oom-score-adj"),
    }


def _capabilities(words: Words) -> tuple[list[str], list[str]]:
    """As the client joins them: what is added is not dropped, ALL swallows the others."""

    def named(option: str) -> set[str]:
        upper = {text.strip().upper() for text in words.all(option)}
        return {
            text if text in ("ALL", "RESET") or text.startswith("CAP_") else f"CAP_{text}"
            for text in upper
        }

    add, drop = named("cap-add"), named("cap-drop")
    if "ALL" in add:
        add = {"ALL"}
    if "ALL" in drop:
        drop = {"ALL"}
    return sorted(add - {"RESET"}), sorted(drop - add - {"RESET"})


def _health(words: Words) -> dict[str, Json]:
    if words.flag("no-healthcheck"):
        return {"Test": ["NONE"]}
    command = words.last("health-cmd")
    return {
        "Test": ["CMD-SHELL", command] if command else [],
        "Interval": _time(words, "health-interval"),
        "Timeout": _time(words, "health-timeout"),
        "StartPeriod": _time(words, "health-start-period"),
        "StartInterval": _time(words, "health-start-interval"),
        "Retries": _number(words, "health-retries"),
    }


def _resources(words: Words) -> dict[str, Json]:
    return {
        "Limits": {
            "NanoCPUs": cpus(words.last("limit-cpu", "0"), "--limit-cpu"),
            "MemoryBytes": size(words.last("limit-memory", "0"), "--limit-memory"),
            "Pids": _number(words, "limit-pids"),
        },
        "Reservations": {
            "NanoCPUs": cpus(words.last("reserve-cpu", "0"), "--reserve-cpu"),
            "MemoryBytes": size(words.last("reserve-memory", "0"), "--reserve-memory"),
        },
    }


def _mode(words: Words) -> dict[str, Json]:
    mode = words.last("mode", "replicated")
    replicas = {"Replicas": _number(words, "replicas")} if words.has("replicas") else {}
    if mode == "replicated":
        return {"Replicated": replicas}
    if mode == "global":
        if replicas:
            raise InputError.of("`--replicas` does not go with `--mode global`")
        return {"Global": {}}
    raise InputError.of(f"`--mode`: `{mode}` cannot be read here; replicated and global can")


def _ports(text: str) -> list[dict[str, Json]]:
    """`8080:80`, or `published=8080,target=80,mode=host`."""
    if "=" in text:
        given = {"protocol": "tcp", "mode": "ingress", **pairs(fields(text.lower(), "--publish"))}
        if not given.get("target") or set(given) - {"protocol", "mode", "target", "published"}:
            raise wrong("--publish", text, "has no target, or an unknown key")
        return [
            {
                "Protocol": given["protocol"],
                "TargetPort": integer(given["target"], "--publish", 1, 65535),
                "PublishedPort": integer(given.get("published", "0"), "--publish", 0, 65535),
                "PublishMode": given["mode"],
            }
        ]
    found: list[dict[str, Json]] = []
    for port, binding in read_published(text):
        number, _, protocol = port.partition("/")
        if binding["HostIp"]:
            raise wrong("--publish", text, "has a host address, which services do not take")
        low, high = span(binding["HostPort"], "--publish") if binding["HostPort"] else (0, 0)
        found += [
            {
                "Protocol": protocol,
                "TargetPort": int(number),
                "PublishedPort": published,
                "PublishMode": "ingress",
            }
            for published in range(low, high + 1)
        ]
    return found


def _preference(text: str) -> Json:
    kind, _, value = text.partition("=")
    if kind.lower().strip() != "spread" or not value:
        raise wrong("--placement-pref", text, "must be written spread=…")
    return {"Spread": {"SpreadDescriptor": value}}


def _host(text: str) -> str:
    """The engine takes `ip name`."""
    name, colon, ip = text.partition(":")
    if not colon:
        raise wrong("--host", text, "must be written host:ip")
    return f"{ip} {name}"


def service_seen(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker service logs and ps."""
    words.need(1, None, "a service")
    name = segment(words.arguments[0])
    if words.command == "service ps":
        words.only("filter", "format", "no-resolve", "no-trunc", "quiet")
        chosen = {"service": list(words.arguments), **given_filters(words)}
        return [
            api.call("GET", "/services", {"filters": filters({"id": list(words.arguments)})}),
            api.call("GET", "/tasks", {"filters": filters(chosen)}),
        ]
    words.only("details", "follow", "no-resolve", "no-task-ids", "no-trunc", "raw", "since",
               "tail", "timestamps")  # fmt: skip
    query = {
        "stdout": True, "stderr": True, "follow": words.flag("follow"),
        "details": words.flag("details"), "timestamps": words.flag("timestamps"),
        "since": words.last("since"), "tail": words.last("tail", "all"),
    }  # fmt: skip
    return [
        api.call("GET", f"/services/{name}"),
        api.call("GET", f"/services/{name}/logs", query),
    ]


def swarm_init(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker swarm init."""
    words.only("advertise-addr", "autolock", "availability", "cert-expiry", "data-path-addr",
               "data-path-port", "default-addr-pool", "default-addr-pool-mask-length",
               "dispatcher-heartbeat", "force-new-cluster", "listen-addr", "max-snapshots",
               "snapshot-interval", "task-history-limit")  # fmt: skip
    words.need(0, 0, "no argument")
    body = pruned(
        {
            "ListenAddr": _listener(words.last("listen-addr", "0.0.0.0:2377")),
            "AdvertiseAddr": words.last("advertise-addr"),
            "DataPathAddr": words.last("data-path-addr"),
            "DataPathPort": _number(words, "data-path-port"),
            "DefaultAddrPool": several(words, "default-addr-pool"),
            "SubnetSize": integer(words.last("default-addr-pool-mask-length", "24"), "--…-length"),
            "ForceNewCluster": words.flag("force-new-cluster"),
            "AutoLockManagers": words.flag("autolock"),
            "Availability": words.last("availability").lower(),
            "Spec": _swarm_spec(words),
        }
    )
    return [api.call("POST", "/swarm/init", body=body)]


def _swarm_spec(words: Words) -> dict[str, Json]:
    spec: dict[str, Json] = {
        "Raft": {
            "SnapshotInterval": _number(words, "snapshot-interval"),
            "KeepOldSnapshots": _number(words, "max-snapshots"),
        },
        "Dispatcher": {"HeartbeatPeriod": _time(words, "dispatcher-heartbeat")},
        "CAConfig": {"NodeCertExpiry": _time(words, "cert-expiry")},
        "EncryptionConfig": {"AutoLockManagers": words.flag("autolock")},
    }
    if words.has("task-history-limit"):
        limit = _number(words, "task-history-limit")
        spec["Orchestration"] = {"TaskHistoryRetentionLimit": limit}
    return spec


def swarm_join(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker swarm join."""
    words.only("advertise-addr", "availability", "data-path-addr", "listen-addr", "token")
    words.need(1, 1, "the address of a manager")
    body = {
        "ListenAddr": _listener(words.last("listen-addr", "0.0.0.0:2377")),
        "AdvertiseAddr": words.last("advertise-addr"),
        "DataPathAddr": words.last("data-path-addr"),
        "RemoteAddrs": list(words.arguments),
        "JoinToken": words.last("token"),
        "Availability": words.last("availability").lower(),
    }
    return [api.call("POST", "/swarm/join", body=pruned(body)), api.call("GET", "/info")]


def swarm_other(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker swarm leave, unlock, unlock-key and join-token, without rotation."""
    words.only("force", "quiet", "rotate")
    if words.flag("rotate"):
        raise InputError.of("`--rotate` needs the engine's own settings and cannot be read here")
    action = words.command.rpartition(" ")[2]
    if action == "leave":
        return [api.call("POST", "/swarm/leave", {"force": words.flag("force")})]
    if action == "unlock":
        return [api.call("POST", "/swarm/unlock", body={"UnlockKey": "…"})]
    if action == "unlock-key":
        return [api.call("GET", "/swarm/unlockkey")]
    return [api.call("GET", "/swarm")]


def depends(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """What the client builds from the engine's answers."""
    raise InputError.of(
        f"what `docker {words.command}` sends depends on what the engine has",
        hint="give the request itself: `POST /services/NAME/update?version=N --body FILE`",
    )


def checkpoint(words: Words, api: Api, machine: Machine) -> list[ApiRequest]:
    """docker checkpoint create, ls and rm."""
    words.need(1, 2, "a container, and a checkpoint")
    path = f"/containers/{segment(words.arguments[0])}/checkpoints"
    directory = {"dir": words.last("checkpoint-dir")}
    if words.command == "checkpoint ls":
        return [api.call("GET", path, directory)]
    words.need(2, 2, "a container and a checkpoint")
    if words.command == "checkpoint rm":
        return [api.call("DELETE", f"{path}/{segment(words.arguments[1])}", directory)]
    body = {
        "CheckpointID": words.arguments[1],
        "CheckpointDir": words.last("checkpoint-dir"),
        "Exit": not boolean(words.last("leave-running", "false"), "--leave-running"),
    }
    return [api.call("POST", path, body=pruned(body))]


def _listener(text: str) -> str:
    return text if text.rpartition(":")[2].isdigit() and ":" in text else f"{text}:2377"


def _number(words: Words, option: str) -> int:
    return integer(words.last(option, "0"), f"--{option}")


def _time(words: Words, option: str) -> int:
    return duration(words.last(option, "0"), f"--{option}")


HANDLERS: dict[str, Handler] = {
    "service create": service_create, "service logs": service_seen, "service ps": service_seen,
    "service update": depends, "service scale": depends, "service rollback": depends,
    "swarm init": swarm_init, "swarm join": swarm_join, "swarm leave": swarm_other,
    "swarm unlock": swarm_other, "swarm unlock-key": swarm_other, "swarm join-token": swarm_other,
    "swarm update": depends, "swarm ca": depends, "node update": depends, "node promote": depends,
    "node demote": depends, "node ps": depends, "checkpoint create": checkpoint,
    "checkpoint ls": checkpoint, "checkpoint rm": checkpoint, "system prune": depends,
}  # fmt: skip
