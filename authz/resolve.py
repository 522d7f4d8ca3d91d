"""From a reference in a request to what is known of the thing: the `object` of the input.

Whose a thing is comes from the facts, by its full id. What a name or a short id stands for says
the engine alone, at this moment; so does a container's state, unless it is known that nothing
has changed it.

Between our question and the engine's own lookup the meaning of a name may change: whoever owns
a container called `b7` could remove or rename it just then, and `b7` would be short for
somebody else's `b7c2…`. A name that is also the beginning of another thing's id is denied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .denied import Denied
from .facts import Facts
from .inspect import Daemon
from .model import Fact, Json, ObjectReference

ReadSpec = Callable[[Json], tuple[Json, Mapping[str, str], Json]]
"""GET /containers/X/json -> (spec or None, labels, image reference)."""

_FULL_ID = {
    "container": re.compile(r"[0-9a-f]{64}"),
    "exec": re.compile(r"[0-9a-f]{64}"),
    "network": re.compile(r"[0-9a-f]{64}|[0-9a-z]{25}"),
    "service": re.compile(r"[0-9a-z]{25}"),
    "secret": re.compile(r"[0-9a-z]{25}"),
    "config": re.compile(r"[0-9a-z]{25}"),
}
_MAYBE_PREFIX = {
    "container": re.compile(r"[0-9a-f]{1,63}"),
    "network": re.compile(r"[0-9a-z]{1,63}"),
    "service": re.compile(r"[0-9a-z]{1,24}"),
    "secret": re.compile(r"[0-9a-z]{1,24}"),
    "config": re.compile(r"[0-9a-z]{1,24}"),
}

_CHANGES = ("name", "networks", "resources", "restart", "seccomp")
"""Keys of a spec that requests change, or that are read with the policy in force."""


class Resolver:
    """Answers what references stand for."""

    def __init__(self, facts: Facts, daemon: Daemon, read_spec: ReadSpec) -> None:
        self._facts = facts
        self._daemon = daemon
        self._read_spec = read_spec

    def resolve(self, reference: ObjectReference, deadline: float) -> dict[str, Json]:
        """The object document. `known` says whether the thing exists.

        Kinds without facts (image, node, task, plugin) are never known. `deadline` is a
        time.monotonic(). Raises Denied("facts-unavailable") when the engine does not say, and
        Denied("ambiguous-reference").
        """
        kind, text = reference.kind, reference.text
        if kind == "container":
            return _document(reference, self._container(text, deadline))
        if kind == "exec":
            return self._exec(reference, deadline)
        if kind == "volume":
            return _document(reference, self._volume(text, deadline))
        if kind in _FULL_ID:
            return _document(reference, self._other(kind, text, deadline))
        return _document(reference, None)

    def _container(self, text: str, deadline: float) -> Fact | None:
        text = text.removeprefix("/")
        full = _FULL_ID["container"].fullmatch(text) is not None
        fact = self._facts.lookup("container", text) if full else None
        if fact is not None and fact.name is not None and fact.spec is not None:
            return fact
        inspected = self._daemon.container(text, deadline)
        if inspected is None:
            if fact is not None:
                self._facts.forget("container", text)
            return None
        id_ = _string(inspected, "Id")
        if _FULL_ID["container"].fullmatch(id_) is None:
            raise Denied("facts-unavailable", "the engine named no id for the container")
        if not id_.startswith(text):
            self._refuse_prefix("container", text, id_, deadline)
        name = _string(inspected, "Name").removeprefix("/") or None
        spec, labels, image = self._read_spec(inspected)
        fact = self._facts.lookup("container", id_)
        if fact is None:
            return Fact("container", id_, name, None, labels, image, spec)
        kept = fact.spec
        if kept is None:
            kept = brought_up_to_date(self._facts.as_created("container", id_), spec)
        if fact.name is None or (fact.spec is None and spec is not None):
            self._facts.complete("container", id_, name, fact.image or image, kept)
        return Fact("container", id_, name, fact.owner, labels, fact.image or image, kept)

    def _exec(self, reference: ObjectReference, deadline: float) -> dict[str, Json]:
        """An exec's owner, labels and spec are those of its container."""
        container = self._facts.container_of(reference.text)
        if container is None:
            inspected = self._daemon.exec(reference.text, deadline)
            if inspected is None:
                return _document(reference, None)
            container = _string(inspected, "ContainerID")
            if _FULL_ID["container"].fullmatch(container) is None:
                raise Denied("facts-unavailable", "the engine named no container for the exec")
            id_ = _string(inspected, "ID")
            if id_ == reference.text:
                self._facts.remember(Fact("exec", id_, None, None), container=container)
        found = self._container(container, deadline)
        document = _document(reference, found)
        if found is not None:
            document["id"] = reference.text
        return document

    def _volume(self, name: str, deadline: float) -> Fact | None:
        """Its name is all there is; what is gone is forgotten before a new one is claimed."""
        inspected = self._daemon.inspect("volume", name, deadline)
        fact = self._facts.lookup("volume", name)
        if inspected is None:
            if fact is not None:
                self._facts.forget("volume", name)
            return None
        name_now = _string(inspected, "Name") or name
        if name_now != name:
            fact = self._facts.lookup("volume", name_now)
        owner = fact.owner if fact is not None else None
        return Fact("volume", name_now, name_now, owner, _labels(inspected.get("Labels")))

    def _other(self, kind: str, text: str, deadline: float) -> Fact | None:
        fact = self._facts.lookup(kind, text) if _FULL_ID[kind].fullmatch(text) else None
        if fact is not None and fact.name is not None and kind == "network":
            return fact  # cannot be renamed or given other labels
        inspected = self._daemon.inspect(kind, text, deadline)
        if inspected is None:
            if fact is not None:
                self._facts.forget(kind, text)
            return None
        id_ = _string(inspected, "Id" if kind == "network" else "ID")
        if not id_:
            raise Denied("facts-unavailable", f"the engine named no id for the {kind}")
        if not id_.startswith(text):
            self._refuse_prefix(kind, text, id_, deadline)
        fact = self._facts.lookup(kind, id_)
        about = inspected if kind == "network" else inspected.get("Spec")
        about = about if isinstance(about, dict) else {}
        return Fact(
            kind,
            id_,
            _string(about, "Name") or None,
            fact.owner if fact is not None else None,
            _labels(about.get("Labels")),
            fact.image if fact is not None else None,
            fact.spec if fact is not None else None,
        )

    def _refuse_prefix(self, kind: str, text: str, id_: str, deadline: float) -> None:
        if _MAYBE_PREFIX[kind].fullmatch(text) is None:
            return
        key = "ID" if kind not in ("container", "network") else "Id"
        for each in self._daemon.list(kind, deadline, id_prefix=text) or []:
            other = _string(each, key)
            if other != id_ and other.startswith(text):
                raise Denied(
                    "ambiguous-reference",
                    f"`{text}` is a {kind}'s name and begins another one's id; use the full id",
                )


def reconcile(facts: Facts, daemon: Daemon, deadline: float) -> int:
    """Forget what the engine no longer has (containers with --rm vanish unseen).

    Gives how many facts were forgotten. Raises Denied when the engine cannot be asked; what was
    done until then is right.
    """
    gone = 0
    for kind, key in (
        ("container", "Id"),
        ("volume", "Name"),
        ("network", "Id"),
        ("service", "ID"),
        ("secret", "ID"),
        ("config", "ID"),
    ):
        mark = facts.mark()
        listed = daemon.list(kind, deadline)
        if listed is not None:
            gone += facts.forget_absent(kind, {_string(each, key) for each in listed}, mark)
    return gone


def brought_up_to_date(created: Json, inspected: Json) -> Json:
    """The spec that a container was created with, with what may have changed since then.

    An inspect alone cannot tell what was asked for from what the engine chose: a container
    that says nothing of its cgroup namespace is shown with the engine's default mode.
    """
    if inspected is None or created is None or created.keys() != inspected.keys():
        return inspected
    return {**created, **{key: inspected[key] for key in _CHANGES}}


def _document(reference: ObjectReference, fact: Fact | None) -> dict[str, Json]:
    return {
        "kind": reference.kind,
        "reference": reference.text,
        "id": fact.id if fact is not None else None,
        "known": fact is not None,
        "name": fact.name if fact is not None else None,
        "owner": fact.owner if fact is not None else None,
        "labels": dict(fact.labels) if fact is not None else {},
        "image": fact.image if fact is not None else None,
        "spec": fact.spec if fact is not None else None,
    }


def _string(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _labels(value: Json) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}
