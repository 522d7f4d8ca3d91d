"""Deciding requests without an engine: in a world that holds only what was made in it.

    ApiRequest ─judge─► Judged (and, when it would make something, the world remembers it)

The pipeline is the plugin's own: canonicalize, input_document, Engine. Facts are kept in a
database of a temporary directory; the engine is one that knows just these facts.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from .canonical import canonicalize
from .decide import Rules, input_document
from .denied import Denied
from .dockercli.model import ApiRequest
from .existing import bring_back
from .facts import Facts
from .inspect import Daemon
from .knowledge import EngineKnowledge
from .learn import learn
from .model import CanonicalRequest, Identity, Json, Phase, PluginRequest, Verdict

_AMPLE = 30.0
"""Seconds for one decision; nobody waits on a deadline here."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the plugin would answer to one request."""

    request: ApiRequest
    allow: bool
    code: str
    """`allowed`, `rule-denied`, or why it was denied before any rule was asked."""
    reasons: tuple[str, ...]
    """Of a denial."""
    canonical: CanonicalRequest | None
    verdict: Verdict | None
    document: Json
    """What the rules were asked."""
    creates: str | None = None
    """The id of what it would make, where requests after it name that."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names in the request that stand for nothing in this world: `container web`."""
        if not isinstance(self.document, Mapping):
            return ()
        found = [self.document.get("object"), self.document.get("container_object")]
        found += self.document.get("references") or []
        return tuple(
            f"{each['kind']} {each['reference']}"
            for each in found
            if each is not None and not each["known"] and each["kind"] in _MADE
        )


_MADE = ("container", "exec", "volume", "network", "service", "secret", "config")


class World:
    """What exists, as far as this command line made it. Close it, or use it in a `with`."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._directory = TemporaryDirectory(prefix="stockade-")
        path = Path(self._directory.name)
        self._facts = Facts(path / "facts.db")
        self._engine = _Imagined(path / "none.sock", self._facts)
        self._knowledge = EngineKnowledge(
            self._facts,
            self._engine,
            lambda request, identity: canonicalize(request, identity, rules.seccomp),
            lambda inspected: (None, inspected["Config"]["Labels"], None),
        )
        self._made = 0

    def __enter__(self) -> World:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drops everything."""
        self._facts.close()
        self._directory.cleanup()

    def judge_all(self, requests: Sequence[ApiRequest], identity: Identity) -> list[Judged]:
        """The decisions on a command line's requests, each as if those before were allowed."""
        names: dict[str, str] = {}
        found = []
        for request in requests:
            asked = _renamed(request, names)
            new = None
            if request.creates is not None:
                kind, placeholder = request.creates
                new = names[placeholder] = self._fresh(kind)
            judged = replace(self.judge(asked, identity), creates=new)
            if judged.canonical is not None and request.method in ("POST", "DELETE"):
                if judged.document is not None:
                    self._knowledge.allowed(judged.canonical, judged.document)
                self._happened(asked, judged.canonical, new or "")
            found.append(judged)
        return found

    def judge(self, request: ApiRequest, identity: Identity) -> Judged:
        """The decision on one request; never raises for what a request holds."""
        plugin = _plugin_request(request, Phase.REQUEST)
        canonical: CanonicalRequest | None = None
        document: Json = None
        try:
            canonical = canonicalize(plugin, identity, self._rules.seccomp)
            end = time.monotonic() + _AMPLE
            previous = partial(self._knowledge.previous, deadline=end)
            canonical = bring_back(canonical, previous, self._rules.seccomp)
            document = input_document(canonical, self._knowledge, end)
            verdict = self._rules.engine.decide(document)
        except Denied as denied:
            why = (denied.reason,)
            return Judged(request, False, denied.code, why, canonical, None, document)
        code = "allowed" if verdict.allow is True else "rule-denied"
        reasons = () if verdict.allow is True else verdict.reasons
        return Judged(request, verdict.allow is True, code, reasons, canonical, verdict, document)

    def _fresh(self, kind: str) -> str:
        """An id that nothing has yet, in the form of the engine's."""
        self._made += 1
        digest = hashlib.sha256(str(self._made).encode()).hexdigest()
        return digest[:25] if kind == "service" else digest

    def _happened(self, request: ApiRequest, canonical: CanonicalRequest, new: str) -> None:
        """Learn what the engine's answer would have taught the plugin."""
        operation = canonical.operation
        answer: dict[str, Json] = {"Id": new, "ID": new}
        if operation == "network.create":
            answer = {"Id": self._fresh("network")}
        elif operation in ("secret.create", "config.create"):
            answer = {"ID": self._fresh("service")}
        elif operation == "volume.create":
            name = (canonical.details.get("volume") or {}).get("name")
            answer = {"Name": name or self._fresh("volume")}
        elif operation == "exec.create" and canonical.object is not None:
            self._engine.execs[new] = canonical.object.text
        response = _plugin_request(request, Phase.RESPONSE)
        response = replace(response, status=201, response_body=json.dumps(answer).encode())
        learn(response, canonical, self._facts)


class _Imagined(Daemon):
    """An engine that has what the facts say and nothing else."""

    def __init__(self, path: Path, facts: Facts) -> None:
        super().__init__(path, facts)
        self._known = facts
        self.execs: dict[str, str] = {}
        """The container of each exec, as the request named it."""

    def inspect(self, kind: str, reference: str, deadline: float | None = None) -> Json | None:
        """The engine's document about a thing, no more of it than is asked here."""
        if kind == "exec":
            container = self.inspect("container", self.execs.get(reference, ""))
            return container and {"ID": reference, "ContainerID": container["Id"]}
        if not reference:
            return None
        fact = self._known.lookup(kind, reference)
        fact = fact or self._known.find_by_name(kind, reference.removeprefix("/"))
        if fact is None:
            return None
        labels = dict(fact.labels)
        about = {"Name": fact.name or "", "Labels": labels}
        return {"Id": fact.id, "ID": fact.id, **about, "Config": about, "Spec": about}

    def list(
        self, kind: str, deadline: float | None = None, id_prefix: str | None = None
    ) -> list[dict[str, Json]] | None:
        """Nothing: no name here begins another thing's id."""
        return []


def _renamed(request: ApiRequest, names: Mapping[str, str]) -> ApiRequest:
    target = request.target
    for placeholder, real in names.items():
        target = target.replace(placeholder, real)
    return replace(request, target=target)


def _plugin_request(request: ApiRequest, phase: Phase) -> PluginRequest:
    """As dockerd would pass it on: a body only when it is said to be JSON."""
    headers = {_go_name(name): value for name, value in request.all_headers.items()}
    media = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    body = request.raw if media == "application/json" else b""
    return PluginRequest(phase, request.method, request.target, body, headers, "", "", ())


def _go_name(name: str) -> str:
    """`content-type` as Go spells it: `Content-Type`."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))
