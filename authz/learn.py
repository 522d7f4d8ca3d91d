"""What the response phase teaches: whose a thing is that the engine has just made or removed.

Only an answer with a status of 2xx teaches. Without one the handler failed (the engine writes
its error later), or wrote nothing (removing a service), or streams: they look alike, so what is
gone then is found by `reconcile`. Containers with --rm vanish without any response.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from .claims import MAKES, Made, drop, settle
from .denied import Denied
from .facts import Facts
from .model import CanonicalRequest, Fact, Identity, Json, ObjectReference, Phase, PluginRequest

CHANGES = frozenset(
    {
        "container.update",
        "container.rename",
        "network.connect",
        "network.disconnect",
        "service.update",
        "secret.update",
        "config.update",
    }
)
"""Operations after which a thing's name or spec is not what it was."""

_ID = re.compile(r"[0-9a-zA-Z]{1,128}")
_CLAIMS = re.compile(r"/(containers|volumes)/create\b")
"""Targets whose failure frees the names of volumes."""
_FULL = re.compile(r"[0-9a-f]{64}")
_PRUNED = {
    "container.prune": (("container", "ContainersDeleted"),),
    "volume.prune": (("volume", "VolumesDeleted"),),
    "network.prune": (("network", "NetworksDeleted"),),
}


def changing(request: CanonicalRequest, document: Mapping[str, Json], facts: Facts) -> None:
    """Before an allowed request is answered: forget what it will make untrue.

    `document` is the input that was decided upon. Raises Denied; the request must be denied then.
    """
    if request.operation not in CHANGES:
        return
    connects = request.operation.startswith("network.")
    key = "container_object" if connects else "object"
    found = document.get(key)
    kind = "container" if connects else request.operation.partition(".")[0]
    id_ = found.get("id") if isinstance(found, dict) and found.get("known") is True else None
    facts.changing(kind, id_)


def teaches(request: PluginRequest) -> bool:
    """Whether a response can teach anything at all; False spares understanding the request."""
    return (
        request.phase is Phase.RESPONSE
        and request.method in ("POST", "DELETE")
        and request.status is not None
        and 200 <= request.status < 300
    )


def teaches_nothing(request: PluginRequest) -> bool:
    """Whether a response neither teaches anything nor frees what a failure leaves claimed."""
    return not teaches(request) and not _CLAIMS.search(request.uri)


def learn(
    request: PluginRequest, canonical: CanonicalRequest, facts: Facts, made: Made = lambda _: None
) -> None:
    """Learn from a response. An error of the engine's, or an answer that is not whole, teaches
    nothing.

    `made` asks the engine about volumes. Raises Denied when the facts cannot be written.
    """
    if not teaches(request):
        drop(canonical, facts)
        return
    operation = canonical.operation
    answer = _answer(request.response_body)
    if operation in _CREATED:
        fact = _CREATED[operation](canonical, answer, canonical.identity.document())
        if fact is not None:
            facts.remember(fact)
    elif operation == "exec.create":
        _learn_exec(canonical, answer, facts)
    elif operation in _REMOVES and canonical.object is not None:
        _forget(canonical.object, facts)
    elif operation == "container.rename" and canonical.object is not None:
        name = canonical.query.get("name", "").removeprefix("/")
        id_ = canonical.object.text
        if name and _FULL.fullmatch(id_):
            facts.rename("container", id_, name)
    elif operation in _PRUNED:
        for kind, key in _PRUNED[operation]:
            _forget_listed(kind, answer.get(key), facts)
    elif operation == "swarm.leave":
        facts.forget_kinds(["service", "secret", "config"])
    if canonical.references and operation in MAKES:
        created = _text(answer, "CreatedAt")
        settle(canonical, facts, made if operation != "volume.create" else lambda _: created)


def _answer(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _text(answer: Mapping[str, Any], key: str) -> str | None:
    value = answer.get(key)
    return value if isinstance(value, str) and 0 < len(value) <= 255 else None


def _id(answer: Mapping[str, Any], key: str) -> str | None:
    value = _text(answer, key)
    return value if value is not None and _ID.fullmatch(value) else None


def _part(canonical: CanonicalRequest, key: str) -> dict[str, Any]:
    value = canonical.details.get(key)
    return dict(value) if isinstance(value, Mapping) else {}


def _labels(part: Mapping[str, Any], key: str = "labels") -> dict[str, str]:
    value = part.get(key)
    if not isinstance(value, Mapping):
        return {}
    return {name: text for name, text in value.items() if isinstance(text, str)}


def _container(request: CanonicalRequest, answer: dict[str, Any], owner: Json) -> Fact | None:
    id_ = _id(answer, "Id")
    if id_ is None:
        return None
    spec = request.details.get("spec")
    part = _part(request, "spec")
    name = request.query.get("name", "").removeprefix("/") or None
    return Fact("container", id_, name, owner, _labels(part), part.get("image"), spec)


def _volume(request: CanonicalRequest, answer: dict[str, Any], owner: Json) -> Fact | None:
    """One whose name the engine made up: it is new. Others are claimed."""
    part = _part(request, "volume")
    name = _text(answer, "Name")
    if name is None or part.get("name"):
        return None
    return Fact("volume", name, name, owner, _labels(part))


def _network(request: CanonicalRequest, answer: dict[str, Any], owner: Json) -> Fact | None:
    id_ = _id(answer, "Id")
    part = _part(request, "network")
    name = part.get("name")
    return None if id_ is None else Fact("network", id_, name, owner, _labels(part))


def _service(request: CanonicalRequest, answer: dict[str, Any], owner: Json) -> Fact | None:
    id_ = _id(answer, "ID") or _id(answer, "Id")
    if id_ is None:
        return None
    spec = request.details.get("spec")
    part = _part(request, "spec")
    service = part.get("service")
    about = service if isinstance(service, Mapping) else {}
    name = about.get("name")
    return Fact("service", id_, name, owner, _labels(about), part.get("image"), spec)


def _swarm_object(kind: str) -> _Maker:
    def make(request: CanonicalRequest, answer: dict[str, Any], owner: Json) -> Fact | None:
        id_ = _id(answer, "ID") or _id(answer, "Id")
        part = _part(request, "other")
        name = part.get("Name")
        return None if id_ is None else Fact(kind, id_, name, owner, _labels(part, "Labels"))

    return make


_Maker = Callable[[CanonicalRequest, dict[str, Any], Json], Fact | None]
_CREATED: Mapping[str, _Maker] = {
    "container.create": _container,
    "volume.create": _volume,
    "network.create": _network,
    "service.create": _service,
    "secret.create": _swarm_object("secret"),
    "config.create": _swarm_object("config"),
}
_REMOVES = frozenset(
    f"{kind}.remove" for kind in ("container", "volume", "network", "service", "secret", "config")
)


def _learn_exec(canonical: CanonicalRequest, answer: dict[str, Any], facts: Facts) -> None:
    """Only where the container was named by its full id; else the engine is asked when needed."""
    id_ = _id(answer, "Id")
    container = canonical.object.text if canonical.object is not None else ""
    if id_ is not None and _FULL.fullmatch(container):
        owner = canonical.identity.document()
        facts.remember(Fact("exec", id_, None, owner), container=container)


def _forget(reference: ObjectReference, facts: Facts) -> None:
    """The thing is gone. One that cannot be told apart stays: an id is never given again."""
    kind, text = reference.kind, reference.text.removeprefix("/")
    if kind == "volume" or facts.lookup(kind, text) is not None:
        facts.forget(kind, text)
        return
    fact = facts.find_by_name(kind, text) or facts.find_by_prefix(kind, text)
    if fact is not None:
        facts.forget(kind, fact.id)


def _forget_listed(kind: str, listed: Json, facts: Facts) -> None:
    if not isinstance(listed, list):
        return
    names = [each for each in listed if isinstance(each, str)]
    if kind != "network":
        facts.forget_many(kind, names)
        return
    for name in names:  # the engine lists networks by name
        _forget(ObjectReference(kind, name), facts)


def learn_response(
    request: PluginRequest,
    identity: Identity,
    canonicalize: Callable[[PluginRequest, Identity], CanonicalRequest],
    facts: Facts,
    made: Made = lambda _: None,
) -> None:
    """`learn` for a response as it came, whose request is understood here once more.

    Raises Denied when that fails, or when the facts cannot be written.
    """
    if teaches_nothing(request):
        return
    if any(name.lower() == "x-stockade-nonce" for name in request.headers):
        raise Denied("bad-nonce", "the plugin's own requests create nothing")
    learn(request, canonicalize(request, identity), facts, made)
