"""Inspects of things that do not exist, and of what took their place meanwhile.

`docker inspect web` asks for a container, then for an image, a network, …, until one is not
"not found". So who may inspect things of their own must be told that there is none. The engine
looks after the decision: what it found then is decided once more before it is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace

from .model import CanonicalRequest, Json, ObjectReference, PluginRequest

INSPECTS: Mapping[str, str] = {
    "container.inspect": "Id",
    "network.inspect": "Id",
    "volume.inspect": "Name",
    "service.inspect": "ID",
    "secret.inspect": "ID",
    "config.inspect": "ID",
}
"""Operations that show one thing and do nothing, and where the answer has its id."""

_TARGETS = re.compile(r"/(containers|networks|volumes|services|secrets|configs)/")


def if_it_were_own(request: CanonicalRequest, document: Mapping[str, Json]) -> Json:
    """The input document of an inspect of nothing, as if the thing were the person's own.

    None for every other request.
    """
    thing = document["object"]
    if request.operation not in INSPECTS or thing is None or thing["known"] is not False:
        return None
    own = {**thing, "known": True, "name": thing["reference"], "owner": document["subject"]}
    return {**document, "object": own}


def may_show(request: PluginRequest) -> bool:
    """Whether a response may be that of an inspect that found something."""
    return request.method == "GET" and request.status == 200 and bool(_TARGETS.search(request.uri))


def what_is_shown(request: CanonicalRequest, body: bytes) -> CanonicalRequest | None:
    """The inspect as a request for just the thing in its answer; None for other requests."""
    key = INSPECTS.get(request.operation)
    if key is None or request.object is None:
        return None
    try:
        id_ = json.loads(body)[key]
    except (ValueError, LookupError, TypeError, RecursionError):
        return request
    if not isinstance(id_, str) or not id_:
        return request
    return replace(request, object=ObjectReference(request.object.kind, id_))
