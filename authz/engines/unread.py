"""What the shipped rules do not read of an input document.

Without it, a container that differs from the last one in its name, command, environment and in
labels that no rule names is decided from memory, and the engine reads a shorter text.
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


def reader(policy: Mapping[str, Json]) -> Callable[[Mapping[str, Json]], Mapping[str, Json]]:
    """Gives a document as far as the shipped rules look at it under this policy.

    Of the labels of a new container they look at those that a rule asks for.
    """
    asked_for = {key for rule in policy["rules"] for key in rule["labels"]}

    def read(document: Mapping[str, Json]) -> Mapping[str, Json]:
        kept = {key: value for key, value in document.items() if key not in TOP}
        spec = kept.get("spec")
        if type(spec) is dict:
            kept["spec"] = spec = {key: value for key, value in spec.items() if key not in SPEC}
            labels = spec.get("labels")
            if type(labels) is dict and labels:
                spec["labels"] = {key: labels[key] for key in labels if key in asked_for}
        return kept

    return read
