"""Input documents from requests that exist elsewhere: the tricks, and the docker command lines."""

import copy
import json
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tricks
from raw_http import split_request

from stockade.authz.canonical import canonicalize
from stockade.authz.decide import input_document
from stockade.authz.denied import Denied
from stockade.authz.dockercli import api_requests
from stockade.authz.dockercli.model import Api
from stockade.authz.model import LOCAL, Identity, ObjectReference, Phase, PluginRequest
from stockade.policies.errors import InputError

TESTS = Path(__file__).resolve().parents[1]
"""`tests`."""
PEOPLE = {
    "alice": Identity("tls", "CN=alice,OU=ops", "alice", ("ops",)),
    "bob": Identity("tls", "CN=bob,OU=builders", "bob", ("builders",)),
    "carol": Identity("tls", "CN=carol", "carol", (), ("URI:spiffe://example.org/deploy",)),
    "mallory": Identity("tls", "CN=mallory", "mallory"),
    "local": LOCAL,
}
SRV = "/srv/test"
PLACES = {"SRV": SRV, "PLUGIN": "/run/p.sock", "HOME": "/srv/home", "SOCKET": "/run/docker.sock",
          "DATA": "/var/lib/docker"}  # fmt: skip
"""Paths in requests that are not names of things."""


NAMES = {
    **PLACES,
    "IMAGE": "stockade-test:busybox",
    "IMAGE_ID": f"sha256:{'5' * 64}",
    "IMAGE_SHORT": "5" * 12,
    "SECCOMP": "seccomp=unconfined",
    "OPS_WEB_SHORT": "b" * 12,
    **{
        name.upper().replace("-", "_"): f"{name}-id"
        for name in (
            "ops-web", "ops-box", "ci-web", "ci-box", "ops-web-exec", "ci-web-exec", "service",
            "node", "swarm", "secret", "config", "service-version", "node-version",
            "swarm-version", "secret-version", "config-version",
        )
    },
}  # fmt: skip
"""What stands for <<NAME>> in a trick."""


class Known:
    """Things by their names: ops-… are alice's, ci-… bob's, deploy-… carol's, the others nobody's.

    Containers are what a plain create would make; those called …-box are privileged.
    """

    def __init__(self, spec: Any = None) -> None:
        self.spec = spec

    def resolve(self, reference: ObjectReference, deadline: float) -> Any:
        """The object of the input document."""
        name = reference.text.lstrip("/")
        owner = {"ops": "alice", "ci": "bob", "deploy": "carol"}.get(name.split("-")[0])
        spec = copy.deepcopy(self.spec) if reference.kind in ("container", "exec") else None
        if spec is not None and name.endswith("-box"):
            spec["privileged"] = True
        return {
            "kind": reference.kind,
            "reference": reference.text,
            "id": name,
            "known": owner is not None,
            "name": name,
            "owner": PEOPLE[owner].document() if owner is not None else None,
            "labels": {"team": "deploy"} if owner == "carol" else {},
            "image": None,
            "spec": spec,
        }


class NoProfiles:
    """No seccomp policy is the same as any profile."""

    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        return ("docker-default",)


def understood(request: PluginRequest, who: Identity, known: Known) -> Any:
    """The input document; None for a request that is denied before any rule is asked."""
    try:
        canonical = canonicalize(request, who, NoProfiles())
        return input_document(canonical, known, time.monotonic() + 5.0)  # type: ignore[arg-type]
    except Denied:
        return None


def plain_spec() -> Any:
    """The spec of `docker create stockade-test:busybox`."""
    body = json.dumps({"Image": "stockade-test:busybox"}).encode()
    document = understood(_request("POST", "/containers/create", body), LOCAL, Known())
    return document["spec"]


def documents() -> list[Any]:
    """Every document of both corpora, as each person."""
    known = Known(plain_spec())
    found = []
    for request in [*_of_tricks(), *_of_command_lines()]:
        for who in PEOPLE.values():
            document = understood(request, who, known)
            if document is None:
                break
            found.append(document)
    return found


def _of_tricks() -> Iterator[PluginRequest]:
    for trick in tricks.load(TESTS / "e2e" / "authz" / "tricks"):
        method, target, headers, body = split_request(trick.raw(NAMES))
        if headers.get("Content-Type", "").startswith("application/json"):
            yield PluginRequest(Phase.REQUEST, method, target, body, headers, "", "", ())
        else:
            yield PluginRequest(Phase.REQUEST, method, target, b"", headers, "", "", ())


def _of_command_lines() -> Iterator[PluginRequest]:
    lines = (TESTS / "authz" / "tools" / "command_lines.txt").read_text().splitlines()
    for line in lines:
        if not line or line.startswith("#"):
            continue
        try:
            asked = api_requests(shlex.split(line), Api("1.44"), _Nowhere())
        except InputError:
            continue
        for each in asked:
            media = each.all_headers.get("Content-Type", "")
            body = each.raw if media == "application/json" else b""
            yield _request(each.method, each.target, body)


def _request(method: str, target: str, body: bytes) -> PluginRequest:
    headers = {"Content-Type": "application/json"} if body else {}
    return PluginRequest(Phase.REQUEST, method, target, body, headers, "", "", ())


class _Nowhere:
    """A client's machine without files and variables."""

    def read(self, path: str) -> str:
        return ""

    def variable(self, name: str) -> str | None:
        return None

    def absolute(self, path: str) -> str:
        return path if path.startswith("/") else f"/work/{path}"
