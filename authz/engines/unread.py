"""What the shipped rules do not read of an input document.

Without it, a container that differs from the last one in its name, command, environment and in
labels that no rule names is decided from memory, and the engine reads a shorter text. So is what
happens to it afterwards: of a container that exists its id is only read to say why not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..model import Json

TOP = frozenset({"version", "parameters", "query"})
"""Keys of the document."""
SPEC = frozenset(
    """
    isolation dns dns_search dns_options extra_hosts hostname domainname exposed group_add restart
    auto_remove init entrypoint command env_names healthcheck stop_signal name
    """.split()
)
"""Keys of `spec`."""


View = Callable[[Mapping[str, Json]], Mapping[str, Json]]


def reader(policy: Mapping[str, Json]) -> View:
    """Gives a document as far as the shipped rules look at it under this policy.

    Of the labels of a new container they look at those that a rule asks for.
    """
    asked_for = {key for rule in policy["rules"] for key in rule["labels"]}

    def read(document: Mapping[str, Json]) -> Mapping[str, Json]:
        kept = {key: value for key, value in document.items() if key not in TOP}
        if type(kept.get("spec")) is dict:
            kept["spec"] = _spec(kept["spec"], asked_for)
        return kept

    return read


def permission_reader(policy: Mapping[str, Json]) -> View:
    """The same, without what is only read for reasons: which container it is that exists.

    Its name and labels are looked at where a rule's `on` asks for some.
    """
    read = reader(policy)
    asked_for = {key for rule in policy["rules"] for key in rule["labels"]}
    on_labels = {key for rule in policy["rules"] for key in rule["on"]["labels"]}
    on_names = any(rule["on"]["names"] is not None for rule in policy["rules"])

    def permitting(document: Mapping[str, Json]) -> Mapping[str, Json]:
        kept = dict(read(document))
        thing = kept.get("object")
        if type(thing) is not dict or thing.get("kind") != "container":
            return kept
        kept["object"] = thing = {**thing, "id": None, "reference": ""}
        if not on_names:
            thing["name"] = None
        if type(labels := thing.get("labels")) is dict:
            thing["labels"] = {key: labels[key] for key in labels if key in on_labels}
        if type(thing.get("spec")) is dict:
            thing["spec"] = _spec(thing["spec"], asked_for)
        return kept

    return permitting


def _spec(spec: Mapping[str, Json], labels_asked_for: set[str]) -> dict[str, Json]:
    kept = {key: value for key, value in spec.items() if key not in SPEC}
    labels = kept.get("labels")
    if type(labels) is dict and labels:
        kept["labels"] = {key: labels[key] for key in labels if key in labels_asked_for}
    return kept
