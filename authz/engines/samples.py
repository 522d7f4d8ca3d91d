"""Plain requests as input documents, to try rules by: a ping, a create, an exec."""

from __future__ import annotations

import json
import time
from typing import cast

from ..canonical import canonicalize
from ..decide import Knowledge, input_document
from ..model import LOCAL, Json, ObjectReference, Phase, PluginRequest
from ..profiles import SeccompReader

_JSON = {"Content-Type": "application/json"}
_REQUESTS = (
    ("GET", "/_ping", None),
    ("POST", "/v1.41/containers/create?name=web", {"Image": "nginx:1", "Cmd": ["true"]}),
    ("POST", "/v1.41/containers/web/exec", {"Cmd": ["true"]}),
)


def documents() -> list[dict[str, Json]]:
    """The documents; the exec is in the container that the create would make."""
    world = _World()
    found = []
    for method, uri, body in _REQUESTS:
        raw = b"" if body is None else json.dumps(body).encode()
        headers = {} if body is None else _JSON
        request = PluginRequest(Phase.REQUEST, method, uri, raw, headers, "", "", ())
        canonical = canonicalize(request, LOCAL, cast(SeccompReader, world))
        found.append(input_document(canonical, cast(Knowledge, world), time.monotonic() + 1.0))
        world.spec = found[-1]["spec"] or world.spec
    return found


class _World:
    """One container, of the person who asks; no seccomp profiles."""

    spec: Json = None

    def resolve(self, reference: ObjectReference, deadline: float) -> Json:
        return {
            "kind": reference.kind, "reference": reference.text, "id": "0" * 64, "known": True,
            "name": reference.text, "owner": LOCAL.document(), "labels": {}, "image": None,
            "spec": self.spec,
        }  # fmt: skip
