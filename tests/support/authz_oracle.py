"""What docs/language.md says of a request, worked out from the section as its author wrote it.

Nothing here comes from the shipped Rego, from the data that is made for it, or from a regular
expression. It is about documents as the plugin makes them; what it says of others means nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from authz_asked import HARMLESS_NETWORKS, PINNED, Containers, names_of, within
from authz_words import keyed, labelled, listed

from stockade.authz.operations import expand, operations
from stockade.policies.authz_model import Authz

Json = Any

# --- the decision -------------------------------------------------------------------------


def decide(authz: Authz, document: Json, protected: Iterable[str]) -> tuple[bool, str | None]:
    """Whether the request is allowed, and the rule that allows or denies it; None: no rule."""
    asking = names_of(authz, document["subject"])
    about = [
        rule
        for rule in authz.rules
        if asking & {name.text for name in rule.subjects}
        and any(document["operation"] in expand(name.text) for name in rule.operations)
    ]
    for rule in about:
        if not rule.allow:
            return False, rule.route
    paths = list(protected)
    for rule in about:
        if rule.allow and Question(authz, rule, document, paths).holds():
            return True, rule.route
    return False, None


OWNERLESS = ("image", "node", "plugin")
ENTERING = ("checkpoint.create", "container.attach", "container.copy-to", "container.restart",
            "container.start", "container.unpause", "exec.create", "exec.start")  # fmt: skip
NAMES_IMAGE = (*PINNED, "image.load", "image.push", "image.tag")
EMPOWERING = ("plugin.create", "plugin.pull", "plugin.set", "plugin.upgrade")
LABELS: Mapping[str, Callable[[Json], Json]] = {
    "container.create": lambda document: document["spec"]["labels"],
    "service.create": lambda document: document["service"]["labels"],
    "service.update": lambda document: document["service"]["labels"],
    "volume.create": lambda document: document["volume"]["labels"],
    "network.create": lambda document: document["network"]["labels"],
    "image.build": lambda document: document["build"]["labels"],
    "secret.create": lambda document: document["other"].get("Labels", {}),
    "config.create": lambda document: document["other"].get("Labels", {}),
    "secret.update": lambda document: document["other"].get("Labels", {}),
    "config.update": lambda document: document["other"].get("Labels", {}),
}


class Question(Containers):
    """One allow rule and one request."""

    def holds(self) -> bool:
        """Whether every constraint of the rule holds."""
        document, spec = self.document, self.document["spec"]
        made: list[tuple[Json, Callable[[Json], bool]]] = [
            (spec, self.demanded),
            (spec, self.confined),
            (document["service"], self.service),
            (document["exec"], self.command),
            (document["volume"], self.volume),
            (document["network"], self.network),
            (document["connect"], self.connect),
            (document["build"], self.build),
        ]
        return (
            self.existing()
            and self.images()
            and self.labels()
            and all(part is None or check(part) for part, check in made)
            and self.imported()
            and self.logged_in()
            and self.empowered()
        )

    # --- existing things ---

    def existing(self) -> bool:
        """What is acted upon."""
        networks = ("network.connect", "network.disconnect")
        thing = self.document["container_object" if self.operation in networks else "object"]
        if thing is None:
            several = self.operation == "image.save" and self.rule.objects is None
            return several or operations()[self.operation].object is None
        if not self.owned(thing) and thing["kind"] not in OWNERLESS:
            return False
        objects = self.rule.objects
        if objects is not None and not labelled(objects.labels, thing["labels"]):
            return False
        names = objects.names if objects is not None else None
        if names is not None and (thing["name"] is None or not listed(names, thing["name"])):
            return False
        if self.operation in ENTERING:
            return thing["spec"] is not None and self.confined(thing["spec"])
        return True

    # --- what is required ---

    def demanded(self, spec: Json) -> bool:
        """limits, user, no-new-privileges, read-only."""
        rule, resources = self.rule, spec["resources"]
        for field, key in (("memory", "memory"), ("cpus", "nano_cpus"), ("pids", "pids")):
            limit = getattr(rule.limits, field, None)
            if spec["partial"] and resources[key] is None:
                continue
            if limit is not None and not within(limit, resources[key]):
                return False
        if spec["partial"]:
            return True
        for field in ("read_bps", "write_bps", "read_iops", "write_iops"):
            limit = getattr(rule.limits, field, None)
            rates = [entry["rate"] for entry in resources[f"device_{field}"]]
            if limit is not None and not (rates and all(within(limit, rate) for rate in rates)):
                return False
        return (
            self.user(spec["user"])
            and (spec["no_new_privileges"] or not rule.no_new_privileges)
            and (spec["read_only"] or not rule.read_only)
        )

    def images(self) -> bool:
        """Every image that is named."""
        spec, images = self.document["spec"], list(self.document["images"])
        if spec is not None and not spec["partial"]:
            images.append(spec["image"])
        if not self.wishes():
            return True
        enough = bool(images) or self.operation not in NAMES_IMAGE
        return enough and all(self.image(image) for image in images)

    def labels(self) -> bool:
        """Labels of what is made."""
        where = LABELS.get(self.operation)
        wanted = self.rule.labels
        return where is None or wanted is None or labelled(wanted, where(self.document))

    # --- what may be asked for ---

    def command(self, command: Json) -> bool:
        """A command in a container; without a user it runs as the container's."""
        user = command["user"]
        if user["text"] == "":
            user = self.document["object"]["spec"]["user"]
        return (bool(self.rule.privileged) or not command["privileged"]) and self.user(user)

    # --- what else is made ---

    def volume(self, volume: Json) -> bool:
        """A volume to be made, which will be the person's own."""
        words, drivers = self.rule.volumes, self.rule.volume_drivers
        new = any(not thing["known"] for thing in self.referred("volume", volume["name"]))
        return (
            (
                self.volume_name(volume["name"])
                or (words is not None and "own" in words.special and new)
            )
            and listed(drivers, volume["driver"], ("", "local"))
            and self.volume_options(volume["driver_options"])
            and (not volume["cluster"] or (drivers is not None and drivers.any))
        )

    def network(self, network: Json) -> bool:
        """A network to be made."""
        rule, ipam = self.rule, network["ipam_driver"]
        return (
            listed(rule.network_drivers, network["driver"], ("", "bridge"))
            and (ipam in (None, "", "default") or listed(rule.network_drivers, ipam, ("bridge",)))
            and keyed(rule.network_options, network["driver_options"])
            and keyed(rule.network_options, network["ipam_options"])
            and (network["internal"] or not rule.internal)
            and (not network["config_from"] or self.joinable(network["config_from"]))
        )

    def connect(self, connect: Json) -> bool:
        """A container joining a network; it may leave any."""
        if self.operation == "network.disconnect":
            return True
        end = connect["endpoint"]
        return self.joinable(connect["network"]) and (end is None or self.endpoint(end))

    # --- services, builds, plugins ---

    def service(self, service: Json) -> bool:
        """What a service is beyond its containers."""
        things = [("secret", each) for each in service["secrets"]]
        things += [("config", each) for each in service["configs"]]
        return (
            self.ports(service["ports"])
            and self.networks(service["networks"])
            and all(self.rule.owner == "any" or self.own(kind, t["id"]) for kind, t in things)
            and (not service["credential_spec"] or bool(self.rule.privileged))
        )

    def build(self, build: Json) -> bool:
        """A build."""
        said = self.rule.build
        network, remote = build["network"] or "", build["remote"] or ""
        parents = said.cgroup_parents if said is not None else None
        return (
            self.build_network(network)
            and (remote in ("", "client-session") or self.remote(remote))
            and (not build["security_options"] or (said is not None and said.security))
            and (not build["cgroup_parent"] or self.parent(parents, build["cgroup_parent"]))
            and (not build["outputs"] or (said is not None and said.outputs))
        )

    def remote(self, source: str) -> bool:
        """Something that the daemon fetches."""
        return self.rule.build is not None and listed(self.rule.build.remote, source)

    def build_network(self, network: str) -> bool:
        """The network of a build's steps."""
        words = self.rule.build.networks if self.rule.build is not None else None
        if network in ("", *HARMLESS_NETWORKS):
            return True
        if network.startswith("container:"):
            return listed(words, network) and self.container(network.removeprefix("container:"))
        true = [thing["name"] for thing in self.referred("network", network)]
        names = {network, *(name for name in true if name is not None)}
        return all(listed(words, name, HARMLESS_NETWORKS) for name in names)

    def imported(self) -> bool:
        """An image made from an archive, which comes with the request or is fetched."""
        source = self.document["other"].get("source")
        return self.operation != "image.import" or source == "-" or self.remote(source)

    def logged_in(self) -> bool:
        """A login, whose registry nobody sees."""
        images = self.rule.images
        return self.operation != "registry.login" or images is None or "any" in images.special

    def empowered(self) -> bool:
        """A plugin that gets what its configuration asks for."""
        if self.operation not in EMPOWERING or self.rule.plugin_privileges:
            return True
        return (
            self.operation in ("plugin.pull", "plugin.upgrade")
            and self.document["other"].get("privileges") == []
        )
