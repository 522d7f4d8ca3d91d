"""What docs/language.md says of a request, worked out from the section as its author wrote it.

Nothing here comes from the shipped Rego, from the data that is made for it, or from a regular
expression: patterns are matched letter by letter. It is about documents as the plugin makes them;
what it says of others means nothing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from stockade.authz.operations import expand, operations
from stockade.policies.authz_model import (
    Authz,
    AuthzRule,
    Bind,
    Image,
    Keyed,
    Port,
    Subject,
    Words,
)

Json = Any

# --- patterns -----------------------------------------------------------------------------


def glob(pattern: str, text: str) -> bool:
    """`*` is any run of characters without `/`, `**` any run."""
    places = {0}
    rest = pattern
    while rest:
        if rest.startswith("**"):
            places = set(range(min(places, default=0), len(text) + 1)) if places else places
            rest = rest[2:]
            continue
        if rest.startswith("*"):
            places = {end for start in places for end in _run(text, start)}
        else:
            places = {place + 1 for place in places if text[place : place + 1] == rest[0]}
        rest = rest[1:]
    return len(text) in places


def _run(text: str, start: int) -> Iterable[int]:
    yield start
    for place in range(start, len(text)):
        if text[place] == "/":
            return
        yield place + 1


def path_glob(pattern: str, path: str) -> bool:
    """The same of components: `*` is exactly one, `**` one or more."""
    if "/" in (pattern, path):
        return pattern == path
    if not path.startswith("/"):
        return False
    return _components(pattern.split("/")[1:], path.split("/")[1:])


def _components(wanted: list[str], given: list[str]) -> bool:
    if not wanted or not given:
        return wanted == given
    if wanted[0] == "**":
        ends = range(1, len(given) + 1)
        return any(all(given[:end]) and _components(wanted[1:], given[end:]) for end in ends)
    if wanted[0] == "*":
        return given[0] != "" and _components(wanted[1:], given[1:])
    return glob(wanted[0], given[0]) and _components(wanted[1:], given[1:])


def user_glob(pattern: str, text: str) -> bool:
    """Without a group in the pattern any group will do."""
    if glob(pattern, text):
        return True
    colons = [place for place, char in enumerate(text) if char == ":"]
    return ":" not in pattern and any(
        glob(pattern, text[:place]) and "/" not in text[place:] for place in colons
    )


def exactly(pattern: str, text: str) -> bool:
    """No wildcards."""
    return pattern == text


def listed(
    words: Words | None,
    text: str | None,
    default: Collection[str] = (),
    match: Callable[[str, str], bool] = glob,
) -> bool:
    """Whether a list permits a text; without a list only the default is permitted."""
    text = text or ""
    if words is None:
        return text in default
    if words.any or (text == "" and "default" in words.special):
        return True
    return any(match(name.text, text) for name in words.items)


def named(words: Words | None, name: str, default: Collection[str] = ()) -> bool:
    """The same of plain names, special words among them."""
    if words is None:
        return name in default
    return words.any or name in words.special or name in {item.text for item in words.items}


def keyed(pairs: Keyed | None, options: Mapping[str, str]) -> bool:
    """Whether every option may be there with its value."""
    if pairs is not None and pairs.any:
        return True
    values = {key.text: words for key, words in pairs.entries} if pairs is not None else {}
    return all(listed(values.get(key), value) for key, value in options.items())


def labelled(wanted: Keyed | None, labels: Mapping[str, str]) -> bool:
    """Whether every label that is asked for is there with one of its values."""
    pairs = wanted.entries if wanted is not None else ()
    return all(key.text in labels and listed(words, labels[key.text]) for key, words in pairs)


# --- paths --------------------------------------------------------------------------------


def parts(path: str) -> list[str]:
    """The components of a path."""
    return [part for part in path.split("/") if part not in ("", ".")]


def apart(path: str, protected: Iterable[str]) -> bool:
    """Neither one of the protected paths nor below nor above one."""
    mine = parts(path)
    others = [parts(other) for other in protected]
    return not any(mine[: len(other)] == other[: len(mine)] for other in others)


# --- people -------------------------------------------------------------------------------


def answers(subject: Subject, person: Json) -> bool:
    """Whether a person is of a subject."""
    if subject.local or person["method"] == "local":
        return subject.local and person["method"] == "local"
    pairs = ((subject.cn, [person["cn"]]), (subject.ou, person["ou"]), (subject.san, person["sans"]))
    return all(
        wanted is None or {name.text for name in wanted} & set(given) for wanted, given in pairs
    )


def names_of(authz: Authz, person: Json) -> set[str]:
    """The names that the policy gives to a person."""
    return {subject.name for subject in authz.subjects if answers(subject, person)}


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


HARMLESS_MODES = ("default", "private", "none", "bridge")
HARMLESS_NETWORKS = ("bridge", "default", "none")
OWNERLESS = ("image", "node", "plugin")
ENTERING = ("checkpoint.create", "container.attach", "container.copy-to", "container.restart",
            "container.start", "container.unpause", "exec.create", "exec.start")  # fmt: skip
PINNED = ("container.create", "image.pull", "service.create", "service.update")
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
}
SAFE_TMPFS = set(
    "async gid mode noatime nodev nodiratime noexec nosuid nr_inodes private relatime ro rprivate "
    "rw strictatime uid".split()
)


class Question:
    """One allow rule and one request."""

    def __init__(self, authz: Authz, rule: AuthzRule, document: Json, protected: list[str]):
        self.authz, self.rule, self.document, self.protected = authz, rule, document, protected
        self.operation: str = document["operation"]

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
            and self.empowered()
        )

    # --- existing things ---

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

    def existing(self) -> bool:
        """What is acted upon."""
        networks = ("network.connect", "network.disconnect")
        thing = self.document["container_object" if self.operation in networks else "object"]
        if thing is None:
            return operations()[self.operation].object is None
        if not self.owned(thing) and thing["kind"] not in OWNERLESS:
            return False
        objects = self.rule.objects
        if objects is not None and not labelled(objects.labels, thing["labels"]):
            return False
        if objects is not None and objects.names is not None:
            if thing["name"] is None or not listed(objects.names, thing["name"]):
                return False
        if self.operation in ENTERING:
            return thing["spec"] is not None and self.confined(thing["spec"])
        return True

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

    # --- what is required ---

    def demanded(self, spec: Json) -> bool:
        """limits, user, no-new-privileges, read-only."""
        rule, resources = self.rule, spec["resources"]
        for field, key in (("memory", "memory"), ("cpus", "nano_cpus"), ("pids", "pids")):
            limit = getattr(rule.limits, field, None)
            if spec["partial"] and resources[key] is None:
                continue
            if limit is not None and not _within(limit, resources[key]):
                return False
        if spec["partial"]:
            return True
        for field in ("read_bps", "write_bps", "read_iops", "write_iops"):
            limit = getattr(rule.limits, field, None)
            rates = [entry["rate"] for entry in resources[f"device_{field}"]]
            if limit is not None and not (rates and all(_within(limit, rate) for rate in rates)):
                return False
        return (
            self.user(spec["user"])
            and (spec["no_new_privileges"] or not rule.no_new_privileges)
            and (spec["read_only"] or not rule.read_only)
        )

    def user(self, user: Json) -> bool:
        """Who a process runs as."""
        words = self.rule.user
        if words is None or ("non-root" in words.special and user["root"] is False):
            return True
        return listed(words, user["text"], match=user_glob)

    def wishes(self) -> bool:
        """Whether the rule says anything about images."""
        return bool(self.rule.pinned) or not (self.rule.images is None or self.rule.images.any)

    def images(self) -> bool:
        """Every image that is named."""
        spec, images = self.document["spec"], list(self.document["images"])
        if spec is not None and not spec["partial"]:
            images.append(spec["image"])
        if not self.wishes():
            return True
        enough = bool(images) or self.operation not in NAMES_IMAGE
        return enough and all(self.image(image) for image in images)

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

    def labels(self) -> bool:
        """Labels of what is made."""
        where = LABELS.get(self.operation)
        wanted = self.rule.labels
        return where is None or wanted is None or labelled(wanted, where(self.document))

    # --- what may be asked for ---

    def confined(self, spec: Json) -> bool:
        """What a container is, or would be."""
        from authz_oracle_parts import confined

        return confined(self, spec)

    def service(self, service: Json) -> bool:
        from authz_oracle_parts import service as check

        return check(self, service)

    def command(self, command: Json) -> bool:
        """A command in a container; without a user it runs as the container's."""
        user = command["user"]
        if user["text"] == "":
            user = self.document["object"]["spec"]["user"]
        return (bool(self.rule.privileged) or not command["privileged"]) and self.user(user)
