"""For each constraint of the language: requests that a rule with it allows, and ones it denies.

Whoever asks is `@me@`, a person of the unit `@me@`; `policy` gives each case a rule and a unit of
its own, so that one policy holds them all. What the table says is what docs/language.md says.
"""

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from authz_samples import create, document, endpoint, image, mount, person, port, resources, spec
from authz_samples import thing as unknown
from authz_samples import user as who

Json = Any

ME = person("@me@", ("@me@",))
COLLEAGUE = {**ME, "principal": "CN=colleague,OU=@me@", "cn": "colleague"}
STRANGER = person("stranger", ("strangers",))
A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
"""Digests and ids."""


@dataclass(frozen=True)
class Case:
    """A constraint with a value, and requests."""

    key: str
    value: Json
    allowed: Sequence[Json]
    denied: Sequence[Json]
    others: Mapping[str, Json]
    """More constraints of the rule."""

    @property
    def rule(self) -> dict[str, Json]:
        """The constraints of the rule."""
        return {self.key: self.value, **self.others}


def thing(kind: str, reference: str, owner: Json = ME, **changes: Json) -> Json:
    """Something that exists."""
    made = {"known": True, "id": f"{reference}-id", "name": reference, "owner": owner, **changes}
    return unknown(kind, reference, **made)


def caps(*added: str) -> Json:
    return {"add": sorted(added), "drop": []}


def spaces(**modes: tuple[str, str | None]) -> Json:
    found = spec()["namespaces"]
    return found | {key: {"mode": mode, "target": to} for key, (mode, to) in modes.items()}


def mine(**changes: Json) -> Json:
    """A create."""
    return create(ME, **changes)


def using(*things: Json, **changes: Json) -> Json:
    """A create that makes use of things."""
    return {**mine(**changes), "references": list(things)}


def mounting(*mounts: Json) -> Json:
    return mine(mounts=list(mounts))


def about(operation: str, **changes: Json) -> Json:
    """Any other request."""
    return document(operation, subject=ME, **changes)


def on(operation: str, kind: str = "container", owner: Json = ME, **changes: Json) -> Json:
    """Something done to a thing that exists."""
    made = {"spec": spec(), **changes} if kind == "container" else changes
    return about(operation, object=thing(kind, "web", owner, **made))


def device(host: str, permissions: str = "rwm") -> Json:
    return {"host": host, "container": host, "permissions": permissions}


def requested(driver: str, count: int) -> Json:
    """Devices that a driver chooses."""
    return {
        "driver": driver, "count": count, "ids": [], "capabilities": [["gpu"]], "options": {},
    }  # fmt: skip


FILE = {"id": "s", "name": "s", "target": "/run/secrets/s"}
"""A secret or config in a service's containers."""


def seccomp(kind: str, *policies: str) -> Json:
    return {"kind": kind, "policies": list(policies), "sha256": None}


def volume(name: str = "data", references: Sequence[Json] = (), **changes: Json) -> Json:
    made = {"name": name, "driver": "local", "driver_options": {}, "labels": {}, "cluster": False}
    return about("volume.create", volume=made | changes, references=list(references))


def network(**changes: Json) -> Json:
    made = {
        "name": "web", "driver": "bridge", "internal": False, "attachable": False,
        "ingress": False, "ipv6": False, "driver_options": {}, "labels": {}, "subnets": [],
        "ipam_driver": "default", "ipam_options": {}, "scope": "", "config_from": None,
        "config_only": False, "check_duplicate": True,
    }  # fmt: skip
    return about("network.create", network=made | changes)


def build(**changes: Json) -> Json:
    made = {
        "tags": [], "remote": "", "network": "", "dockerfile": "", "args_names": [], "target": "",
        "pull": False, "platform": "", "outputs": "", "version": "1", "memory": None,
        "memory_swap": None, "nano_cpus": None, "cpu_shares": None, "cpuset_cpus": "",
        "cpuset_mems": "", "shm_size": None, "cgroup_parent": "", "security_options": [],
        "extra_hosts": [], "ulimits": [], "labels": {}, "session": "", "cache_from": [],
        "squash": False,
    }  # fmt: skip
    return about("image.build", build=made | changes)


def command(text: str = "", root: bool | None = True, privileged: bool = False) -> Json:
    """A command in a container that runs as root."""
    made = {
        "privileged": privileged, "user": who(text, root), "tty": False, "command": ["id"],
        "env_names": [], "workdir": "", "detach_keys": "",
    }  # fmt: skip
    return {**on("exec.create"), "exec": made}


def service(references: Sequence[Json] = (), **changes: Json) -> Json:
    made = {
        "mode": "replicated", "replicas": 1, "name": "web", "labels": {}, "secrets": [],
        "configs": [], "constraints": [], "networks": [], "ports": [], "credential_spec": None,
    }  # fmt: skip
    made |= changes
    parts = {"spec": spec(service=made), "images": [image("nginx:1")]}
    return about("service.create", service=made, references=list(references), **parts)


def update(**changes: Json) -> Json:
    """A container.update of one's own container."""
    return {**on("container.update"), "spec": spec(partial=True, resources=resources(**changes))}


def pull(operation: str = "image.pull", **changes: Json) -> Json:
    return about(operation, images=[image("nginx:1", **changes)])


def of(text: str, **changes: Json) -> Json:
    return mine(image=image(text, **changes))


def connect(name: str, references: Sequence[Json] = (), **changes: Json) -> Json:
    joined = {"network": name, "container": "web", "endpoint": endpoint(**changes)}
    things = {"object": thing("network", name, None), "container_object": thing("container", "web")}
    return about("network.connect", connect=joined, references=list(references), **things)


def rates(field: str, *given: int) -> Json:
    return mine(resources=resources(**{field: [{"path": "/dev/sda", "rate": n} for n in given]}))


def net(name: str, *things: Json, **changes: Json) -> Json:
    return using(*things, networks=[endpoint(name, **changes)])


def case(
    key: str, value: Json, allowed: Iterable[Json], denied: Iterable[Json], **others: Json
) -> Case:
    """One entry of the table."""
    return Case(key, value, list(allowed), list(denied), others)


ENTERED = partial(on, "container.start")
OLD = thing("volume", "old", None)
HIS_BOX, MY_BOX = thing("container", "box", STRANGER), thing("container", "box")
PEER = thing("container", "box", COLLEAGUE)
FROM_BOX = [{"container": "box", "read_only": False}]

CASES = [
    case("privileged", True,
         [mine(privileged=True), command(privileged=True),
          mine(privileged=True, apparmor="unconfined", seccomp=seccomp("unconfined"),
               paths={"masked": "none", "read_only": "none"}),
          service(credential_spec="file://x")],
         [mine(privileged=True, capabilities=caps("BPF")), mine(apparmor="unconfined")]),
    case("capabilities", ["NET_ADMIN", "CAP_BPF"],
         [mine(capabilities=caps("NET_ADMIN", "BPF")),
          ENTERED(spec=spec(capabilities=caps("BPF")))],
         [mine(capabilities=caps("BPF", "SYS_ADMIN")), mine(capabilities=caps("ALL")),
          ENTERED(spec=spec(capabilities=caps("SYS_ADMIN")))]),
    case("capabilities", "any", [mine(capabilities=caps("ALL"))], [mine(privileged=True)]),
    case("namespaces", {"pid": "host", "ipc": ["shareable", "container"], "uts": "host"},
         [mine(namespaces=spaces(pid=("host", None), uts=("host", None))),
          mine(namespaces=spaces(ipc=("shareable", None))),
          using(MY_BOX, namespaces=spaces(ipc=("container", "box")))],
         [mine(namespaces=spaces(ipc=("host", None))), mine(namespaces=spaces(user=("host", None))),
          mine(namespaces=spaces(cgroup=("host", None))),
          using(HIS_BOX, namespaces=spaces(ipc=("container", "box"))),
          mine(namespaces=spaces(ipc=("container", "box"))),
          using(MY_BOX, namespaces=spaces(pid=("container", "box"))),
          mine(namespaces=spaces(network=("host", None)))]),
    case("namespaces", {"network": ["host", "container"]},
         [net("host"), mine(namespaces=spaces(network=("host", None))),
          using(MY_BOX, namespaces=spaces(network=("container", "box")))],
         [net("hosts"), using(HIS_BOX, namespaces=spaces(network=("container", "box")))]),
    case("binds", ["/srv/*:ro", "/srv/in/**:/data/*", "/etc/docker:ro", "/run/x.so"],
         [mounting(mount("bind", "/srv/a", read_only=True)),
          mounting(mount("bind", "/srv/in/a/b", "/data/x")),
          mounting(mount("bind", "/srv/in/a", "/data/x"), mount("bind", "/run/x.so")),
          mounting(mount("bind", "/etc/docker", read_only=True))],
         [mounting(mount("bind", "/srv/a")), mounting(mount("bind", "/srv", read_only=True)),
          mounting(mount("bind", "/srv/a/b", read_only=True)),
          mounting(mount("bind", "/srv/a", read_only=True, selinux="z")),
          mounting(mount("bind", "/srv/a", read_only=True, resolved="/etc/docker/x")),
          mounting(mount("bind", "/srv/a", read_only=True, resolved=None)),
          mounting(mount("bind", "/srv/in/a", "/data")), mounting(mount("bind", "/srv/in")),
          mounting(mount("bind", "/srv/in/a", "/data/x", propagation="rshared")),
          mounting(mount("bind", "/etc/docker")), mounting(mount("bind", "/run/xxso")),
          mounting(mount("bind", "/etc/docker/x", read_only=True)),
          mounting(mount("bind", "/srv/x/../a", read_only=True)),
          mounting(mount("bind", "/etc", read_only=True)), mounting(mount("bind", "/"))]),
    case("binds", [{"source": "/srv/**", "propagation": ["rslave"]}],
         [mounting(mount("bind", "/srv/a", propagation="rslave")),
          mounting(mount("bind", "/srv/a", propagation="private"))],
         [mounting(mount("bind", "/srv/a", propagation="shared"))]),
    case("binds", "any",
         [mounting(mount("bind", "/home", propagation="rprivate")),
          mounting(mount("bind", "/etc/dockers")),
          ENTERED(spec=spec(mounts=[mount("bind", "/x")]))],
         [mounting(mount("bind", path)) for path in
          ("/", "/etc", "/run", "/var/lib", "/etc/docker", "/etc/docker/x", "/run/docker.sock")]
         + [mounting(mount("bind", "/home", resolved="/var/lib/docker")), mounting(mount("volume",
            "x"))]),
    case("volumes", ["ci-*", "own"],
         [mounting(mount("volume", "ci-a")), volume("ci-b"), volume("data", [unknown("volume",
          "data")]),
          using(thing("volume", "data"), mounts=[mount("volume", "data")])],
         [mounting(mount("volume", "x-ci-a")), volume("data"), volume("ci/b"),
          using(thing("volume", "data", STRANGER), mounts=[mount("volume", "data")]),
          using(OLD, mounts=[mount("volume", "old")])]),
    case("volumes", "any", [mounting(mount("volume", "x/y")), volume("x")],
         [mounting(mount("volume", "x", driver="nfs")), volume("x", driver_options={"o": "x"})]),
    case("volume-drivers", ["nfs", "default"],
         [mounting(mount("volume", "", driver="nfs")), volume("", driver="")
          | {"references": []}, volume("", driver="nfs")],
         [volume("", driver="local"), volume("", driver="nf"), volume("", driver="nfs",
          cluster=True)]),
    case("volume-drivers", "any", [volume("", driver="x", cluster=True)], [volume("x")]),
    case("volume-options", {"type": "nfs", "o": ["addr=*", "[x]"]},
         [volume("", driver_options={"type": "nfs", "o": "addr=10.0.0.1"}),
          mounting(mount("volume", "", driver_options={"o": "[x]"}))],
         [volume("", driver_options={"type": "nfs4"}), volume("", driver_options={"device": "nfs"}),
          volume("", driver_options={"o": "x"}),
          volume("", driver_options={"o": "addr=../etc/docker"})]),
    case("volume-options", "any",
         [volume("", driver_options={"o": "bind", "device": "/srv"}),
          volume("", driver_options={"device": "/run/x"})],
         [volume("", driver_options={"device": path}) for path in
          ("/", "/run", "run", "/etc//docker", "/etc/./docker/x", "/srv/../etc", "/et\\c/docker",
           "lowerdir=/srv:/var/lib,upperdir=/x")],
         binds=["/run/x", "/etc:ro"]),
    case("volumes-from", True, [using(MY_BOX, volumes_from=FROM_BOX)],
         [using(HIS_BOX, volumes_from=FROM_BOX), using(PEER, volumes_from=FROM_BOX),
          using(volumes_from=FROM_BOX)]),
    case("devices", ["/dev/fuse:rw", "/dev/snd/*"],
         [mine(devices=[device("/dev/fuse", "r"), device("/dev/snd/a")])],
         [mine(devices=[device("/dev/fuse")]), mine(devices=[device("/dev/snd", "r")]),
          mine(devices=[device("/dev/snd/..", "r")]), mine(devices=[device("/dev/kvm", "r")])]),
    case("devices", "any", [mine(devices=[device("/dev/sda")])],
         [mine(device_cgroup_rules=["a *:* rwm"])]),
    case("device-rules", "c 10:* rwm", [mine(device_cgroup_rules=["c 10:* rwm"])],
         [mine(device_cgroup_rules=["c 10:1 rwm"])]),
    case("device-requests", ["default", "nv*"],
         [mine(device_requests=[requested("", -1), requested("nvidia", 1)])],
         [mine(device_requests=[requested("amd", 1)])]),
    case("tmpfs", {"options": ["exec"]},
         [mounting(mount("tmpfs", tmpfs_options=["exec"], size=5)),
          mounting(mount("tmpfs", tmpfs_options=["exec", "mode=755"]))],
         [mounting(mount("tmpfs", tmpfs_options=["suid", "exec"]))]),
    case("tmpfs", {"max-size": "1k"}, [mounting(mount("tmpfs", size=1024))],
         [mounting(mount("tmpfs", size=1025)), mounting(mount("tmpfs")),
          mounting(mount("tmpfs", tmpfs_options=["size=1%"], size=5)),
          mounting(mount("tmpfs", size=0))]),
    case("networks", ["web*", "own"],
         [net("web1"), net("x", thing("network", "x")), net("web1", thing("network", "web1", None)),
          connect("web"), build(network="bridge"), network(config_from="web2"),
          mine(namespaces=spaces(network=("named", "web")))],
         [net("x"), net("host"), net("x", thing("network", "x", STRANGER)),
          net("web1", thing("network", "web1", None, name="secret")), connect("other"),
          mine(namespaces=spaces(network=("named", "x"))), network(config_from="x"),
          connect("web", ipv4="10.0.0.1")]),
    case("networks", "any", [net("x"), connect("y")], [net("host")]),
    case("endpoint", ["links", "fixed-ip", "fixed-mac"],
         [net("bridge", MY_BOX, links=["box:db"], ipv4="10.0.0.2"), mine(mac="02::"),
          net("default", mac="02::"), using(MY_BOX, links=["box"])],
         [net("bridge", HIS_BOX, links=["box:db"]), net("bridge", aliases=["a"]),
          net("bridge", driver_options={"a": "b"}), using(links=["box"])]),
    case("endpoint", "any", [net("bridge", driver_options={"a": "b"}, aliases=["x"])], [net("x")]),
    case("ports", [80, "8000-8999/udp", "127.0.0.1:90"],
         [mine(ports=[port(80, 80), port(8000, 8999, protocol="udp"), port(90, ip="127.0.0.1")]),
          service(ports=[port(80)])],
         [mine(ports=[port(81)]), mine(ports=[port(80, 81)]), mine(ports=[port(8000)]),
          mine(ports=[port(90)]), mine(ports=[port(None)]), mine(publish_all=True),
          service(ports=[port(81)]), mine(ports=[port(7999, 8000, protocol="udp")])]),
    case("ports", "ephemeral",
         [mine(ports=[port(None)], publish_all=True)], [mine(ports=[port(9)])]),
    case("ports", "any", [mine(ports=[port(1), port(None)], publish_all=True)], [net("host")]),
    *(case(key, ["net.*", "b"], [mine(**{field: {"net.x": "1", "b": "/"}})],
           [mine(**{field: {"net.x": "1", "c": ""}}), mine(**{field: {"netzx": "1"}})])
      for key, field in (("sysctls", "sysctls"), ("annotations", "annotations"),
                         ("storage-options", "storage_options"))),
    case("runtimes", ["kata-*"], [mine(runtime="kata-qemu")], [mine(), mine(runtime="runc")]),
    case("cgroup-parents", ["default", "/ci/**"], [mine(cgroup_parent="/ci/a/b")],
         [mine(cgroup_parent="/ci/a/../../b"), mine(cgroup_parent="/ops")]),
    case("cgroup-parents", "any", [mine(cgroup_parent="/a/../b")], [mine(runtime="x")]),
    case("log-drivers", ["syslog", "default"], [mine(log={"driver": "syslog", "options": {}})],
         [mine(log={"driver": each, "options": {}}) for each in ("json-file", "syslogs")]),
    case("seccomp", ["web", "unconfined"],
         [mine(seccomp=seccomp("profile", "x", "web")), mine(seccomp=seccomp("unconfined"))],
         [mine(), mine(seccomp=seccomp("profile", "x")), mine(seccomp=seccomp("builtin"))]),
    case("seccomp", "any", [mine(seccomp=seccomp("profile"))], [mine(apparmor="unconfined")]),
    case("apparmor", ["x", "default"], [mine(apparmor="x")],
         [mine(apparmor="unconfined"), mine(apparmor="xx")]),
    case("apparmor", ["unconfined"], [mine(apparmor="unconfined")], [mine(), mine(apparmor="x")]),
    case("selinux", ["type:*", "[a]"], [mine(selinux=["type:x", "[a]"])],
         [mine(selinux=["type:x", "disable"]), mine(selinux=["a"])]),
    case("masked-paths", "any", [mine(paths={"masked": "none", "read_only": "custom"})],
         [mine(seccomp=seccomp("unconfined"))]),
    case("oom", True, [mine(resources=resources(oom_kill_disable=True, oom_score_adj=-9))],
         [mine(resources=resources(cpu_realtime=True))]),
    case("realtime", True, [mine(resources=resources(cpu_realtime=True))],
         [mine(resources=resources(oom_score_adj=-1))]),
    case("build", {"networks": ["web", "container:*"], "remote": "https://x/**", "security": True,
                   "outputs": True, "cgroup-parents": "/ci"},
         [build(network="web", remote="https://x/y/z.git", outputs="[{}]"),
          build(security_options=["x"], cgroup_parent="/ci"), build() | {"object": None},
          build(network="container:box") | {"references": [MY_BOX]},
          about("image.import", images=[image("a")], other={"source": "https://x/y"})],
         [build(network="host"), build(remote="https://y/"), build(cgroup_parent="/ops"),
          build(network="container:box"),
          build(network="container:box") | {"references": [HIS_BOX]},
          about("image.import", images=[image("a")], other={"source": "http://x/y"})]),
    case("network-drivers", ["macvlan", "default"], [network(driver="macvlan"),
         network(driver="macvlan", ipam_driver="macvlan")],
         [network(driver="bridge"), network(driver="overlay"),
          network(driver="macvlan", ipam_driver="x")]),
    case("network-options", {"mtu": ["1*"]},
         [network(driver_options={"mtu": "1500"}, ipam_options={"mtu": "1"})],
         [network(driver_options={"mtu": "9000"}), network(ipam_options={"x": "1"})]),
    case("plugin-privileges", "any", [about("plugin.create"),
         about("plugin.pull", other={"privileges": [{"Name": "host"}]})], [mine(privileged=True)]),
    case("images", ["nginx", "r.example.org/a/**:v*", f"r.example.org/b@{A}", B],
         [mine(), of("r.example.org/a/b/c:v1"), of("r.example.org/b:x", digest=A),
          mine(image=image("x", id=B, registry=None, repository=None, tag=None)), pull()],
         [of("nginxx:1"), of("x.example.org/a/b:v1"), of("r.example.org/a/b:w"),
          of("r.example.org/a/b:v1", digest=A), of("r.example.org/b:x", digest=B),
          of("r.example.org/b:x"), of("nginx:1", ambiguous=True), mine(image=None),
          mine(image=image("nginx", id=A)), about("image.load"), pull("image.tag", registry="x"),
          about("registry.login"), mounting(mount("image", "x"))]),
    case("pinned", True, [pull(digest=A), pull("image.search"), mine(image=image("x", id=A))],
         [pull(), mine()]),
    case("limits", {"memory": "1k", "cpus": 1.5, "pids": 5},
         [mine(resources=resources(memory=1024, nano_cpus=1500000000, pids=5)), update(),
          update(memory=5)],
         [mine(), mine(resources=resources(memory=1025, nano_cpus=1, pids=1)),
          mine(resources=resources(memory=1, nano_cpus=1500000001, pids=1)),
          mine(resources=resources(memory=1, nano_cpus=1)), update(memory=-1), update(pids=6),
          mine(resources=resources(memory=0, nano_cpus=1, pids=1))]),
    *(case("limits", {key: 10}, [rates(f"device_{key.replace('-', '_')}", 10, 1)],
           [mine(), rates(f"device_{key.replace('-', '_')}", 11, 1),
            rates(f"device_{key.replace('-', '_')}", 1, 0)])
      for key in ("read-bps", "write-bps", "read-iops", "write-iops")),
    case("user", ["non-root", "app", "1*:0"],
         [mine(user=who("5", False)), mine(user=who("app:x", None)), mine(user=who("10:0", False)),
          command("app", None)],
         [mine(), mine(user=who("root:app", True)), mine(user=who("ap", None)), command()]),
    case("no-new-privileges", True, [mine(no_new_privileges=True)], [mine()]),
    case("read-only", True, [mine(read_only=True), update()], [mine()]),
    case("labels", {"team": ["ci*"], "env": "any"},
         [mine(labels={"team": "ci-1", "env": "a/b", "x": ""}), command("x"),
          network(labels={"team": "ci", "env": ""}),
          about("secret.create", other={"Labels": {"team": "ci", "env": ""}})],
         [mine(labels={"team": "ci"}), mine(labels={"team": "ops", "env": ""}), volume(""),
          network(), build(labels={"env": "x"}), service(labels={"team": "ci"}),
          about("config.create", other={"Labels": {}})]),
    case("internal", True, [network(internal=True)], [network()]),
    case("owner", "self", [on("container.stop"), on("volume.remove", "volume"),
         on("image.remove", "image", None),
         service([thing("secret", "s")], secrets=[FILE])],
         [on("container.stop", owner=STRANGER), on("container.stop", owner=COLLEAGUE),
          on("container.stop", owner=None), on("network.remove", "network", None),
          service([thing("secret", "s", STRANGER)], secrets=[FILE]),
          service(configs=[FILE]), about("container.stop")]),
    case("owner", "subject", [on("container.stop"), on("container.stop", owner=COLLEAGUE)],
         [on("container.stop", owner=STRANGER), on("container.stop", owner=None)]),
    case("owner", "any", [on("container.stop", owner=None), on("exec.start", owner=STRANGER),
         using(HIS_BOX, volumes_from=FROM_BOX), service(configs=[FILE])],
         [about("container.stop"), ENTERED(spec=None), ENTERED(spec=spec(privileged=True))],
         **{"volumes-from": True}),
    case("objects", {"labels": {"env": ["dev"]}, "names": "ci-*"},
         [on("container.stop", name="ci-a", labels={"env": "dev", "x": ""}),
          on("image.remove", "image", None, name="ci-a", labels={"env": "dev"}), mine()],
         [on("container.stop", name="ci-a"), on("container.stop", labels={"env": "dev"}),
          on("container.stop", name=None, labels={"env": "dev"}),
          on("container.stop", name="ci-a", labels={"env": "prod"})]),
]  # fmt: skip

HEAD: dict[str, Json] = {"stockade": 1, "name": "cases"}


def unit(number: int) -> str:
    """The subject of a case."""
    return f"unit{number}"


def policy(rules: Sequence[Mapping[str, Json]]) -> str:
    """A policy (JSON) in which each unit has one rule, for all operations."""
    subjects = {unit(number): {"ou": unit(number)} for number in range(len(rules))}
    listed = [{"allow": "*", "subjects": unit(number), **rule} for number, rule in enumerate(rules)]
    return json.dumps({**HEAD, "authz": {"subjects": subjects, "rules": listed}})


def asked_by(document: Json, number: int) -> Json:
    """The request from a person of a unit."""
    return json.loads(json.dumps(document).replace("@me@", unit(number)))


def joined(one: Json, other: Json) -> Json:
    """Two creates as one: what the other has that a plain create has not."""
    made, plain = copy.deepcopy(one), spec()
    for key, value in other["spec"].items():
        if value != plain.get(key):
            made["spec"][key] = value
    made["references"] += other["references"]
    made["images"] = [made["spec"]["image"]]
    return made
