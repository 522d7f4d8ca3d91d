"""What the oracle of tests says of containers and of what they use: see authz_oracle.py."""

from collections.abc import Mapping
from typing import Any

from authz_words import (
    apart,
    exactly,
    glob,
    keyed,
    listed,
    named,
    path_glob,
    user_glob,
)

from stockade.policies.authz_model import Authz, AuthzRule, Bind, Image, Port, Subject, Words

Json = Any

HARMLESS_MODES = ("default", "private", "none", "bridge")
HARMLESS_NETWORKS = ("bridge", "default", "none")
SAFE_TMPFS = set(
    "async gid mode noatime nodev nodiratime noexec nosuid nr_inodes private relatime ro rprivate "
    "rw strictatime uid".split()
)
PINNED = ("container.create", "image.pull", "service.create", "service.update")


# --- people -------------------------------------------------------------------------------


def answers(subject: Subject, person: Json) -> bool:
    """Whether a person is of a subject."""
    if subject.local or person["method"] == "local":
        return subject.local and person["method"] == "local"
    pairs = (
        (subject.cn, [person["cn"]]),
        (subject.ou, person["ou"]),
        (subject.san, person["sans"]),
    )
    return all(
        wanted is None or {name.text for name in wanted} & set(given) for wanted, given in pairs
    )


def names_of(authz: Authz, person: Json) -> set[str]:
    """The names that the policy gives to a person."""
    return {subject.name for subject in authz.subjects if answers(subject, person)}


class Containers:
    """One allow rule and one request, as far as these are about containers."""

    def __init__(self, authz: Authz, rule: AuthzRule, document: Json, protected: list[str]):
        self.authz, self.rule, self.document, self.protected = authz, rule, document, protected
        self.operation: str = document["operation"]

    # --- things, people, images ---

    def owned(self, thing: Json) -> bool:
        """Whether a thing is one that `owner` accepts."""
        owner, person = thing["owner"], self.document["subject"]
        if self.rule.owner == "any":
            return True
        if owner is None:
            return False
        if self.rule.owner == "subject":
            both = names_of(self.authz, owner) & names_of(self.authz, person)
            return bool(both & {name.text for name in self.rule.subjects})
        return (owner["principal"], owner["method"]) == (person["principal"], person["method"])

    def referred(self, kind: str, text: str) -> list[Json]:
        """The things of a kind that a text in the request stands for."""
        things = [*self.document["references"], self.document["object"]]
        return [t for t in things if t is not None and (t["kind"], t["reference"]) == (kind, text)]

    def container(self, text: str) -> bool:
        """A container that the request makes use of."""
        found = self.referred("container", text)
        return self.rule.owner == "any" or any(self.owned(thing) for thing in found)

    def own(self, kind: str, text: str) -> bool:
        """A thing that the plugin saw being made by whom `owner` says."""
        found = self.referred(kind, text)
        return any(thing["owner"] is not None and self.owned(thing) for thing in found)

    def user(self, user: Json) -> bool:
        """Who a process runs as."""
        words = self.rule.user
        if words is None or ("non-root" in words.special and user["root"] is False):
            return True
        return listed(words, user["text"], match=user_glob)

    def wishes(self) -> bool:
        """Whether the rule says anything about images."""
        return bool(self.rule.pinned) or not (self.rule.images is None or self.rule.images.any)

    def image(self, image: Json) -> bool:
        """One image."""
        if image is None:
            return False
        if self.rule.pinned and self.operation in PINNED and not (image["digest"] or image["id"]):
            return False
        images = self.rule.images
        if images is None or images.any:
            return True
        return not image["ambiguous"] and any(_is(entry, image) for entry in images.items)

    # --- what a container is ---

    def confined(self, spec: Json) -> bool:
        """What a container is, or would be."""
        rule = self.rule
        privileged = bool(rule.privileged) and spec["privileged"]
        return (
            (privileged or not spec["privileged"])
            and all(named(rule.capabilities, f"CAP_{n}") for n in spec["capabilities"]["add"])
            and all(self.namespace(*pair) for pair in spec["namespaces"].items())
            and (privileged or self.hardened(spec))
            and self.settings(spec)
            and self.hardware(spec)
            and (rule.oom or not _evades_oom(spec["resources"]))
            and (rule.realtime or not spec["resources"]["cpu_realtime"])
            and self.networks(spec["networks"])
            and self.links(spec["links"])
            and self.feature("fixed-mac", spec["mac"])
            and self.ports(spec["ports"])
            and (not spec["publish_all"] or self.port_words("any", "ephemeral"))
            and all(self.mount(mount) for mount in spec["mounts"])
            and (not spec["volumes_from"] or bool(rule.volumes_from))
            and all(self.container(each["container"]) for each in spec["volumes_from"])
        )

    def namespace(self, kind: str, asked: Json) -> bool:
        """One namespace of a container."""
        mode, target = asked["mode"], asked["target"]
        words = (self.rule.namespaces or {}).get(kind)
        if mode in HARMLESS_MODES:
            return True
        if kind == "network" and mode == "named":
            return self.joinable(target)
        if words is None or mode not in {name.text for name in words.items}:
            return False
        return mode != "container" or self.container(target)

    def hardened(self, spec: Json) -> bool:
        """seccomp, AppArmor and masked paths of a container that is not privileged."""
        rule, kind = self.rule, spec["seccomp"]["kind"]
        policies = spec["seccomp"]["policies"] if kind == "profile" else []
        words = {"builtin": "default"}.get(kind, kind)
        filtered = (
            (kind != "profile" and named(rule.seccomp, words, ("default",)))
            or (rule.seccomp is not None and rule.seccomp.any)
            or any(
                each in {n.text for n in rule.seccomp.items} for each in policies if rule.seccomp
            )
        )
        unsaid = spec["partial"]
        return (
            (filtered or (unsaid and kind == "default"))
            and (
                named(rule.apparmor, spec["apparmor"], ("default",))
                or (unsaid and spec["apparmor"] == "default")
            )
            and (bool(rule.masked_paths) or set(spec["paths"].values()) == {"default"})
        )

    def settings(self, spec: Json) -> bool:
        """Words and keys."""
        rule, unsaid = self.rule, spec["partial"]
        logs = ("", "json-file", "local", "none", "journald")
        parent, runtime, log = spec["cgroup_parent"], spec["runtime"], spec["log"]["driver"]
        return (
            all(listed(rule.sysctls, key) for key in spec["sysctls"])
            and all(listed(rule.annotations, key) for key in spec["annotations"])
            and all(listed(rule.storage_options, key) for key in spec["storage_options"])
            and all(listed(rule.selinux, text) for text in spec["selinux"])
            and ((unsaid and runtime == "") or listed(rule.runtimes, runtime, ("",)))
            and ((unsaid and parent == "") or self.parent(rule.cgroup_parents, parent))
            and ((unsaid and log == "") or listed(rule.log_drivers, log, logs))
        )

    def parent(self, words: Words | None, text: str) -> bool:
        """A cgroup parent, which must not lead out of where its name says."""
        return listed(words, text, ("",)) and (
            ".." not in text or (words is not None and words.any)
        )

    def hardware(self, spec: Json) -> bool:
        """Devices."""
        rule = self.rule
        return (
            all(self.device(device) for device in spec["devices"])
            and all(listed(rule.device_rules, t, (), exactly) for t in spec["device_cgroup_rules"])
            and all(listed(rule.device_requests, r["driver"]) for r in spec["device_requests"])
        )

    def device(self, device: Json) -> bool:
        """One device of the host."""
        devices = self.rule.devices
        if devices is None or devices.any:
            return devices is not None
        return ".." not in device["host"].split("/") and any(
            path_glob(entry.host.text, device["host"])
            and set(device["permissions"]) <= entry.permissions
            for entry in devices.items
        )

    # --- mounts ---

    def mount(self, mount: Json) -> bool:
        """Something in a container's file system from outside its image."""
        if mount["type"] == "bind":
            return all(self.source(mount, mount[key]) for key in ("source", "resolved"))
        if mount["type"] == "tmpfs":
            return self.tmpfs(mount)
        if mount["type"] == "image":
            images = [each for each in self.document["images"] if each["text"] == mount["source"]]
            return not self.wishes() or any(self.image(each) for each in images)
        return mount["type"] in ("volume", "cluster") and (
            self.volume_name(mount["source"])
            and listed(self.rule.volume_drivers, mount["driver"], ("", "local"))
            and self.volume_options(mount["driver_options"])
        )

    def source(self, mount: Json, path: str | None) -> bool:
        """A bind's source, as written or as it is with links followed."""
        binds = self.rule.binds
        if binds is None or path is None or not _clean(path):
            return False
        free = apart(path, self.protected)
        return (free and binds.any) or any(
            _permits(entry, mount)
            and (entry.source.text == path or (free and path_glob(entry.source.text, path)))
            for entry in binds.items
        )

    def tmpfs(self, mount: Json) -> bool:
        """A file system in memory."""
        tmpfs = self.rule.tmpfs
        most = tmpfs.max_size if tmpfs is not None else None
        safe = SAFE_TMPFS | ({"size", "nr_blocks"} if most is None else set())
        safe |= {name.text for name in tmpfs.options} if tmpfs is not None else set()
        options = {option.partition("=")[0] for option in mount["tmpfs_options"]}
        return options <= safe and (most is None or within(most, mount["size"]))

    def volume_name(self, name: str) -> bool:
        """A volume that is mounted."""
        words = self.rule.volumes
        own = words is not None and "own" in words.special and self.own("volume", name)
        return name == "" or listed(words, name) or own

    def volume_options(self, options: Mapping[str, str]) -> bool:
        """Options of a volume's driver: permitted, and no bind of a protected path."""
        binds = self.rule.binds.items if self.rule.binds is not None else ()
        open_ = {entry.source.text for entry in binds if not entry.read_only}

        def harmless(piece: str) -> bool:
            spellings = [f"/{each}" for each in (piece, piece.replace("\\", ""))]
            return piece in open_ or all(
                ".." not in each.split("/") and apart(each, self.protected) for each in spellings
            )

        pieces = [
            piece
            for value in options.values()
            for piece in value.replace("=", ",").replace(":", ",").split(",")
            if piece
        ]
        return keyed(self.rule.volume_options, options) and all(map(harmless, pieces))

    # --- networks ---

    def joinable(self, name: str) -> bool:
        """A network by the name that is asked for, and by its own."""
        words = self.rule.networks
        host = (self.rule.namespaces or {}).get("network")
        found = self.referred("network", name)
        own = words is not None and "own" in words.special and self.own("network", name)

        def good(each: str) -> bool:
            if each == "host":
                return host is not None and "host" in {word.text for word in host.items}
            return each in HARMLESS_NETWORKS or listed(words, each) or own

        return all(map(good, {name, *(t["name"] for t in found if t["name"] is not None)}))

    def feature(self, word: str, value: Any) -> bool:
        """A part of an endpoint that must be permitted where it is asked for."""
        return not value or named(self.rule.endpoint, word, ("aliases",))

    def links(self, links: list[str]) -> bool:
        """Links to containers."""
        return self.feature("links", links) and all(
            self.container(link.split(":")[0]) for link in links
        )

    def endpoint(self, end: Json) -> bool:
        """How a container takes part in a network."""
        return (
            self.feature("aliases", end["aliases"])
            and self.links(end["links"])
            and self.feature("fixed-ip", end["ipv4"] or end["ipv6"] or end["link_local_ips"])
            and self.feature("fixed-mac", end["mac"])
            and self.feature("driver-options", end["driver_options"])
        )

    def networks(self, networks: list[Json]) -> bool:
        """Networks of a container or service."""
        return all(self.joinable(each["name"]) and self.endpoint(each) for each in networks)

    def port_words(self, *words: str) -> bool:
        """Whether `ports` says one of these."""
        return self.rule.ports is not None and bool(self.rule.ports.special & set(words))

    def ports(self, ports: list[Json]) -> bool:
        """Published ports."""
        entries = self.rule.ports.items if self.rule.ports is not None else ()
        return all(
            self.port_words("any")
            or (port["host_port"] is None and self.port_words("ephemeral"))
            or (port["host_port"] is not None and any(_holds(each, port) for each in entries))
            for port in ports
        )


def within(limit: int, value: Any) -> bool:
    return value is not None and 0 < value <= limit


def _evades_oom(resources: Json) -> bool:
    return resources["oom_kill_disable"] or resources["oom_score_adj"] < 0


def _clean(path: str) -> bool:
    inner = path.split("/")[1:-1] if path.endswith("/") else path.split("/")[1:]
    return path == "/" or (path.startswith("/") and not {"", ".", ".."} & set(inner))


def _permits(entry: Bind, mount: Json) -> bool:
    """The parts of a bind other than its source."""
    private = (None, "", "private", "rprivate")
    return (
        (entry.target is None or path_glob(entry.target.text, mount["target"]))
        and (not entry.read_only or (mount["read_only"] and not mount["selinux"]))
        and mount["propagation"] in (*private, *entry.propagation)
    )


def _holds(entry: Port, port: Json) -> bool:
    first = port["host_port"]
    last = first if port["host_port_end"] is None else port["host_port_end"]
    return (
        entry.low <= first <= last <= entry.high
        and entry.host_ip in (None, port["host_ip"])
        and entry.protocol in (None, port["protocol"])
    )


def _is(entry: Image, image: Json) -> bool:
    """Whether an image is the one, or one of those, that an entry of `images` names."""
    if entry.id is not None or image["id"] is not None:
        return entry.id == image["id"]
    if not (
        glob(entry.registry, image["registry"]) and glob(entry.repository, image["repository"])
    ):
        return False
    if entry.digest is not None:
        return entry.digest == image["digest"]
    tag = None if image["digest"] is not None else image["tag"]
    return entry.tag is None or (tag is not None and glob(entry.tag, tag))
