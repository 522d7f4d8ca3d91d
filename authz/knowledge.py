"""Facts and the engine behind the one face that decisions look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .claims import claim
from .denied import Denied
from .facts import Facts
from .inspect import Daemon
from .learn import changing, learn_response
from .model import CanonicalRequest, Identity, Json, ObjectReference, PluginRequest
from .nonces import recognise
from .resolve import ReadSpec, Resolver, reconcile


class EngineKnowledge:
    """What is known of things: learned from responses, else asked of the engine."""

    def __init__(
        self,
        facts: Facts,
        daemon: Daemon,
        canonicalize: Callable[[PluginRequest, Identity], CanonicalRequest],
        read_spec: ReadSpec,
    ) -> None:
        """`canonicalize` and `read_spec` use the seccomp policies of the policy in force."""
        self._facts = facts
        self._daemon = daemon
        self._canonicalize = canonicalize
        self._resolver = Resolver(facts, daemon, read_spec)

    def resolve(self, reference: ObjectReference, deadline: float) -> dict[str, Json]:
        """The `object` of the input document. Raises Denied when it cannot be known in time."""
        return self._resolver.resolve(reference, deadline)

    def previous(self, service: ObjectReference, version: str, deadline: float) -> Json:
        """The specification that a service had before this version's, as the engine has it.

        The engine performs a rollback of no other version than the request names, so it is
        this specification that comes back. Raises Denied.
        """
        inspected = self._daemon.inspect("service", service.text, deadline)
        now = (inspected or {}).get("Version", {}).get("Index")
        if inspected is None or str(now) != version:
            raise Denied("rollback-unseen", f"there is no service {service.text!r} of this version")
        found = inspected.get("PreviousSpec")
        if not isinstance(found, dict):
            raise Denied("rollback-unseen", "the service has no earlier specification")
        return found

    def own_request(self, request: PluginRequest) -> bool:
        """Whether this is an inspect of our own. Raises Denied for a false claim."""
        return recognise(request, self._facts)

    def allowed(self, request: CanonicalRequest, document: Mapping[str, Json]) -> None:
        """To be called when a request is allowed, before the answer is given.

        Raises Denied; the request must be denied then.
        """
        changing(request, document, self._facts)
        claim(request, document, self._facts)

    def learn(self, request: PluginRequest, identity: Identity) -> None:
        """Remember what a response says was created, renamed or removed. Raises Denied."""
        learn_response(request, identity, self._canonicalize, self._facts, self._made)

    def _made(self, volume: str) -> str | None:
        inspected = self._daemon.inspect("volume", volume)
        if inspected is None:
            raise Denied("facts-unavailable", f"the engine did not make the volume {volume!r}")
        when = inspected.get("CreatedAt")
        return when if isinstance(when, str) else None

    def use(self, revision: str) -> None:
        """A policy of this revision is in force: specs read under another are read again."""
        self._facts.use(revision)

    def reconcile(self, deadline: float) -> int:
        """Forget what the engine no longer has; gives how many. Raises Denied."""
        return reconcile(self._facts, self._daemon, deadline)
