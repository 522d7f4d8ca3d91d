"""Engines that decide by the rules: OPA's language, here in this process or in an OPA server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ..denied import Denied
from ..jsonbytes import dumps
from ..model import Json, Verdict

ENTRY_POINT = "data.stockade.authz.decision"
"""What is asked of every engine."""
PERMISSION = "data.stockade.authz.permission"
"""The same without reasons, for the many requests that are allowed."""


class Engine(Protocol):
    """Something that evaluates the shipped Rego."""

    @property
    def name(self) -> str:
        """For logs: `embedded` or `opa`."""

    @property
    def steady(self) -> bool:
        """Whether equal documents have equal answers for as long as it lives."""

    def decide(self, document: Mapping[str, Json]) -> Verdict:
        """What the rules say of an input document. Raises Denied on any failure."""

    def close(self) -> None:
        """Give back what it holds; it decides nothing afterwards."""


def encode(document: Mapping[str, Json]) -> str:
    """An input document as JSON. Raises Denied."""
    try:
        return dumps(document).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Denied(
            "engine-failed", f"the request cannot be shown to the rules: {error}"
        ) from None


def verdict(answer: Json, revision: str) -> Verdict:
    """A decision as the entry point gives it. Raises Denied for anything else.

    `revision` is that of the policy in force; rules of another must not decide.
    """
    if not isinstance(answer, dict):
        raise Denied("engine-undefined", "the rules gave no decision")
    allow, rule = answer.get("allow"), answer.get("rule")
    reasons, subjects = _texts(answer.get("reasons")), _texts(answer.get("subjects"))
    if (
        type(allow) is not bool
        or not (rule is None or isinstance(rule, str))
        or reasons is None
        or subjects is None
        or (allow and not rule)
    ):
        raise Denied("engine-failed", "the rules gave a decision of an unknown form")
    if answer.get("revision") != revision:
        if not allow and answer.get("revision") == "":
            raise Denied("engine-undefined", "; ".join(reasons))
        raise Denied("engine-revision", "the engine decides by another version of the policy")
    return Verdict(allow, rule, reasons, subjects)


def _texts(value: Json) -> tuple[str, ...] | None:
    texts = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return tuple(value) if texts else None
