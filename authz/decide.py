"""The way of one request through the plugin: wire, identity, meaning, facts, rules, log, answer.

Whatever happens on the way, there is an answer, and unless every step said yes it is no.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from . import identity, wire
from .canonical import canonicalize
from .denied import Denied
from .engines import Engine
from .existing import bring_back, used_by
from .model import (
    CanonicalRequest,
    Decision,
    Identity,
    Json,
    ObjectReference,
    Phase,
    PluginRequest,
    Verdict,
)
from .profiles import SeccompReader
from .repeats import Repeats
from .shown import if_it_were_own, may_show, what_is_shown
from .this_host import on_this_host, partly_writable, refuse_links

ALLOWED = "allowed"
RULE_DENIED = "rule-denied"
ABSENT = "absent"
OWN_INSPECT = "own-inspect"
RESPONSE = "response"
_STANDING = (ALLOWED, RULE_DENIED, RESPONSE)
"""Codes of what was decided to the end; a decision that came too late is not to be repeated."""
SHOWN_REASONS = 3
"""Reasons in the message to the person; the log has all."""


Understand = Callable[[PluginRequest, Identity, SeccompReader], CanonicalRequest]
"""`canonicalize`. Raises Denied."""


class Knowledge(Protocol):
    """What the plugin knows of things that exist."""

    def resolve(self, reference: ObjectReference, deadline: float) -> Json:
        """The `object` of the input document. Raises Denied when it cannot be known in time."""

    def previous(self, service: ObjectReference, version: str, deadline: float) -> Json:
        """The specification that a service had before this version's. Raises Denied."""

    def own_request(self, request: PluginRequest) -> bool:
        """Whether this is an inspect of the plugin's own. Raises Denied for a false claim."""

    def allowed(self, request: CanonicalRequest, document: Mapping[str, Json]) -> None:
        """Notes that a request goes through, before it does. Raises Denied; it does not then."""

    def learn(self, request: PluginRequest, identity: Identity) -> None:
        """Remembers what a response says was created, renamed or removed."""

    def use(self, revision: str) -> None:
        """What was read under another policy is read again."""

    def reconcile(self, deadline: float) -> int:
        """Forgets what the engine no longer has; gives how many. Raises Denied."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A policy ready to decide; replaced as a whole on reload."""

    revision: str
    engine: Engine
    seccomp: SeccompReader


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service was told."""

    deadline: float = 2.0
    """Seconds from a request's arrival after which it is denied."""
    allow_unlogged: bool = False
    """`--log-failure allow`: a decision stands although its line could not be written."""
    dry_run: bool = False
    """Everything is allowed; the log says what would have been denied."""


class Decider:
    """Answers plugin calls. One per worker process; `swap` replaces the policy between calls."""

    def __init__(
        self,
        rules: Rules,
        knowledge: Knowledge,
        log: Callable[[Decision], None],
        limits: Limits,
        observe: Callable[[Decision], None] = lambda decision: None,
        understand: Understand = canonicalize,
    ) -> None:
        """`log` writes a decision or raises OSError; `observe` counts it; `understand` may
        remember what it was asked before."""
        self._rules = rules
        self._repeats = Repeats(rules.engine.steady)
        self._knowledge = knowledge
        self._log = log
        self._limits = limits
        self._observe = observe
        self._understand = understand
        knowledge.use(rules.revision)

    @property
    def revision(self) -> str:
        """Of the policy that decides now."""
        return self._rules.revision

    @property
    def knowledge(self) -> Knowledge:
        """What is known of things that exist."""
        return self._knowledge

    @property
    def seccomp(self) -> SeccompReader:
        """The seccomp policies of the rules that decide now."""
        return self._rules.seccomp

    def swap(self, rules: Rules) -> None:
        """Decide by these rules from the next request on."""
        self._knowledge.use(rules.revision)
        self._rules, self._repeats = rules, Repeats(rules.engine.steady)

    def answer(self, phase: Phase, raw: bytes, arrived: float | None = None) -> bytes:
        """The answer's JSON; never raises. `arrived` is a time.monotonic()."""
        begin = time.monotonic() if arrived is None else arrived
        decision = self.decide(phase, raw, begin)
        allow, reason = decision.allow, decision.reason
        try:
            self._log(decision)
        except BaseException as error:
            if not self._limits.allow_unlogged:
                allow = False
                reason = f"the decision could not be logged: {_named(error)}"
            print(f"stockade: decision {decision.id} not logged: {_named(error)}", file=sys.stderr)
        self._observe(decision)
        if self._limits.dry_run:
            return wire.answer(True, "")
        return wire.answer(allow, "" if allow else f"{reason} [decision {decision.id[:13]}]")

    def decide(self, phase: Phase, raw: bytes, begin: float) -> Decision:
        """The decision on a document of dockerd's, not logged yet; never raises."""
        rules, repeats, deadline = self._rules, self._repeats, begin + self._limits.deadline
        known = repeats.find(phase, raw)
        if known is not None and time.monotonic() <= deadline:
            return known.again(_new_id(), _now(), time.monotonic() - begin)
        steps = _Steps(rules, self._knowledge, self._understand, deadline)
        try:
            allow, code, reason = steps.run(phase, raw)
            _in_time(deadline)
        except Denied as denied:
            allow, code, reason = False, denied.code, denied.reason
        except BaseException as error:
            # Also what is no Exception (an engine's panic, a kill of this greenlet).
            traceback.print_exc(file=sys.stderr)
            allow, code, reason = False, "internal", f"a fault of the plugin: {_named(error)}"
        decision = Decision(
            id=_new_id(),
            allow=allow is True,
            code=code,
            reason=reason,
            phase=phase,
            timestamp=_now(),
            duration=time.monotonic() - begin,
            revision=rules.revision,
            request=steps.canonical,
            verdict=steps.verdict,
            method=wire_.method if (wire_ := steps.wire) is not None else "",
            uri=wire_.uri if wire_ is not None else "",
            input=steps.document,
            identity=steps.identity,
            status=wire_.status if wire_ is not None else None,
            wire=wire_,
        )
        return repeats.keep(raw, decision) if code in _STANDING else decision


class _Steps:
    """The steps of one decision, with what each has found so far, for the log."""

    def __init__(
        self, rules: Rules, knowledge: Knowledge, understand: Understand, deadline: float
    ) -> None:
        self._rules = rules
        self._knowledge = knowledge
        self._understand = understand
        self._deadline = deadline
        self.wire: PluginRequest | None = None
        self.identity: Identity | None = None
        self.canonical: CanonicalRequest | None = None
        self.document: Mapping[str, Json] | None = None
        self.verdict: Verdict | None = None

    def run(self, phase: Phase, raw: bytes) -> tuple[bool, str, str]:
        """Allow or not, the code and the reason. Raises Denied."""
        _in_time(self._deadline)  # it may have waited behind others
        self.wire = request = wire.parse_request(phase, raw)
        self.identity = identity.identify(request)
        if phase is Phase.RESPONSE:
            return self._respond(request)
        if self._knowledge.own_request(request):
            return True, OWN_INSPECT, "the plugin's own inspect"
        self.canonical = self._understand(request, self.identity, self._rules.seccomp)
        self.canonical = bring_back(self.canonical, self._previous, self._rules.seccomp)
        _in_time(self._deadline)
        self.document = input_document(self.canonical, self._knowledge, self._deadline)
        _in_time(self._deadline)
        self.verdict = self._rules.engine.decide(self.document)
        if self.verdict.allow is True:
            self._knowledge.allowed(self.canonical, self.document)
            return True, ALLOWED, f"allowed by {self.verdict.rule}"
        own = if_it_were_own(self.canonical, self.document)
        if own is not None and (verdict := self._rules.engine.decide(own)).allow is True:
            self.verdict = verdict
            return True, ABSENT, f"there is no such thing; {verdict.rule} would allow an own one"
        return False, RULE_DENIED, _said(self.verdict) + self._explained()

    def _explained(self) -> str:
        """What no rule can say: why a bind that was asked for read-only is not."""
        assert self.canonical is not None
        assert self.document is not None
        asked = self.canonical.details.get("spec")
        found = partly_writable(asked, self.document["spec"])
        return "".join(f"; what is mounted below {each} would stay writable" for each in found)

    def _previous(self, service: ObjectReference, version: str) -> Json:
        return self._knowledge.previous(service, version, self._deadline)

    def _respond(self, request: PluginRequest) -> tuple[bool, str, str]:
        """The daemon has acted already: a denial would only hide what it did."""
        assert self.identity is not None
        try:
            self._knowledge.learn(request, self.identity)
        except Denied as denied:
            return True, RESPONSE, f"nothing learned: {denied.reason}"
        return self._show(request, self.identity) if may_show(request) else (True, RESPONSE, "")

    def _show(self, request: PluginRequest, identity: Identity) -> tuple[bool, str, str]:
        """An inspect is decided by what it found; see shown.py. Raises Denied."""
        if self._knowledge.own_request(request):
            return True, OWN_INSPECT, "the plugin's own inspect"
        canonical = self._understand(request, identity, self._rules.seccomp)
        found = what_is_shown(canonical, request.response_body)
        if found is None:
            return True, RESPONSE, ""
        self.canonical = found
        self.document = input_document(found, self._knowledge, self._deadline)
        self.verdict = self._rules.engine.decide(self.document)
        if self.verdict.allow is True:
            return True, RESPONSE, ""
        return False, RULE_DENIED, _said(self.verdict)


def input_document(
    request: CanonicalRequest, knowledge: Knowledge, deadline: float
) -> dict[str, Json]:
    """What Rego reads as `input`; docs/authz.md describes it. Raises Denied."""

    def known(reference: ObjectReference | None) -> Json:
        if reference is None:
            return None
        found = knowledge.resolve(reference, deadline)
        return {**found, "spec": on_this_host(found["spec"], request.version)}

    details = request.details
    refuse_links(details)
    thing = known(request.object)
    references = dict.fromkeys([*request.references, *used_by(request.operation, thing)])
    return {
        "operation": request.operation,
        "version": request.version,
        "subject": request.identity.document(),
        "parameters": request.parameters,
        "query": request.query,
        "object": thing,
        "container_object": known(request.container_object),
        "references": [known(reference) for reference in references],
        **details,
        "spec": on_this_host(details.get("spec"), request.version),
    }


def _new_id() -> str:
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


def _now() -> str:
    """RFC 3339, UTC, always of 27 characters."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def _in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise Denied("deadline", "the decision took too long")


def _said(verdict: Verdict) -> str:
    reasons = sorted(verdict.reasons, key=_telling)
    shown = reasons[:SHOWN_REASONS]
    more = len(verdict.reasons) - len(shown)
    if more > 0:
        shown.append(f"and {more} more")
    return "; ".join(shown) or "no rule allows it"


def _telling(reason: str) -> int:
    """What is said first: a privileged container has seccomp and AppArmor off by that alone."""
    if ": privileged:" in reason:
        return 0
    return 2 if ": apparmor:" in reason or ": seccomp:" in reason else 1


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
