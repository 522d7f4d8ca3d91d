"""A decision as a record of the decision log: OPA's fields, and ours beside them.

OPA: decision_id, timestamp, path, labels, bundles, input, result, requested_by, metrics, erased
(https://www.openpolicyagent.org/docs/management-decision-logs). Ours: phase, code, reason, rule,
subjects, operation, user, method, uri, version, body (length and hash), user_agent, truncated.
`chain` is added by the log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from .jsonbytes import dumps
from .model import Decision, Json, Phase, PluginRequest
from .redact import may_have_secrets, redact, redact_uri, scrub

PATH = "stockade/authz/decision"
"""The rule that was asked, as OPA writes it."""

MOST = 65_536
"""Bytes of a record. A request body has up to 4 MiB; its hash is what the log keeps of it."""

_LONGEST_URI = 2048
_LONGEST_REASON = 2048


def record(
    decision: Decision,
    request: PluginRequest | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Json]:
    """The record, without secrets.

    `request` is what came over the wire, where it could be read at all; `labels` says which
    service this is (id, version).
    """
    return {**_about(decision, request, labels), "input": redact(_input(decision))}


def line(
    decision: Decision,
    request: PluginRequest | None = None,
    labels: Mapping[str, str] | None = None,
) -> bytes:
    """`encode(record(...))`, and quicker: most have nothing to look for, and those with a mould
    are written as the one before. A process has one set of labels."""
    mould = decision.mould
    if mould is not None and mould.pieces is not None:
        before, after = mould.pieces
        return b'%s%s","timestamp":"%s%s%d%s' % (
            _OPENING, decision.id.encode(), decision.timestamp.encode(), before,
            _nanoseconds(decision), after,
        )  # fmt: skip
    made = {**_about(decision, request, labels), "input": _input(decision)}
    text = dumps(made)
    if may_have_secrets(text):
        text = encode({**made, "input": redact(made["input"])})
    elif len(text) > MOST:
        text = encode(made)
    if mould is not None:
        mould.pieces = _pieces(decision, text)
    return text


_OPENING = b'{"decision_id":"'
_DURATION = b'"metrics":{"timer_server_handler_ns":'


def _pieces(decision: Decision, text: bytes) -> tuple[bytes, bytes] | None:
    """The record around id, timestamp and duration; None where it was cut short.

    Quotes inside of texts are escaped, and no name before ours is anybody else's: the first place
    that looks like the duration's is.
    """
    begin = b'%s%s","timestamp":"%s' % (
        _OPENING, decision.id.encode(), decision.timestamp.encode(),
    )  # fmt: skip
    before, found, after = text.removeprefix(begin).partition(_DURATION)
    digits = b"%d" % _nanoseconds(decision)
    if not text.startswith(begin) or not found or not after.startswith(digits + b"}"):
        return None
    return before + found, after.removeprefix(digits)


def _nanoseconds(decision: Decision) -> int:
    return round(decision.duration * 1e9)


def _about(
    decision: Decision, request: PluginRequest | None, labels: Mapping[str, str] | None
) -> dict[str, Json]:
    """The record but for its `input`."""
    canonical, verdict = decision.request, decision.verdict
    identity = canonical.identity if canonical is not None else decision.identity
    user = identity.principal if identity is not None else None
    made: dict[str, Json] = {
        "decision_id": decision.id,
        "timestamp": decision.timestamp,
        "labels": dict(labels or {}),
        "bundles": {"stockade": {"revision": decision.revision}},
        "path": PATH,
        "phase": "request" if decision.phase is Phase.REQUEST else "response",
        "operation": canonical.operation if canonical is not None else None,
        "user": _cut(user, 512),
        "method": _cut(decision.method, 64),
        "uri": _cut(redact_uri(decision.uri), _LONGEST_URI),
        "version": canonical.version if canonical is not None else None,
        "result": {
            "allow": decision.allow,
            "rule": verdict.rule if verdict is not None else None,
            "reasons": [scrub(each) for each in verdict.reasons] if verdict is not None else [],
            "subjects": list(verdict.subjects) if verdict is not None else [],
        },
        "code": decision.code,
        "reason": _cut(scrub(decision.reason), _LONGEST_REASON),
        "rule": verdict.rule if verdict is not None else None,
        "subjects": list(verdict.subjects) if verdict is not None else [],
        "requested_by": _cut(user, 512) or "",
        "metrics": {"timer_server_handler_ns": _nanoseconds(decision)},
    }
    if decision.status is not None:
        made["status"] = decision.status
    if request is not None:
        made["body"] = {
            "bytes": len(request.body),
            "sha256": hashlib.sha256(request.body).hexdigest() if request.body else None,
        }
        agent = next((v for k, v in request.headers.items() if k.lower() == "user-agent"), None)
        made["user_agent"] = _cut(agent and scrub(agent), 256)
    return made


def _input(decision: Decision) -> Json:
    """What was decided upon: the input document, or as much of it as was understood."""
    if decision.input is not None or decision.request is None:
        return decision.input
    canonical = decision.request
    return {
        "operation": canonical.operation,
        "version": canonical.version,
        "subject": canonical.identity.document(),
        "parameters": dict(canonical.parameters),
        "query": dict(canonical.query),
        "body": canonical.redacted_body(),
    }


def _cut(text: str | None, most: int) -> str | None:
    if text is None or len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text)} characters)"


def encode(made: Mapping[str, Json]) -> bytes:
    """The record as JSON of at most 64 KiB; where it would be longer, `input` is shortened.

    It then has `truncated: true`, and such a decision cannot be replayed.
    """
    text = dumps(made)
    if len(text) <= MOST:
        return text
    shorter = dict(made)
    shorter["truncated"] = True
    for longest, most in ((256, 32), (64, 8), (32, 2)):
        shorter = {key: _shorten(value, longest * 4, most) for key, value in shorter.items()}
        shorter["input"] = _shorten(made.get("input"), longest, most)
        text = dumps(shorter)
        if len(text) <= MOST:
            return text
    shorter["input"] = None
    shorter["erased"] = ["/input"]
    text = dumps(shorter)
    if len(text) <= MOST:
        return text
    kept = ("decision_id", "timestamp", "path", "phase", "operation", "code", "body")
    minimal = {key: _shorten(made.get(key), 256, 8) for key in kept if key in made}
    minimal |= {"truncated": True, "erased": ["/"]}
    return dumps(minimal)


def _shorten(value: Json, longest: int, most: int, depth: int = 12) -> Json:
    """The value with long texts cut, and long lists and maps ended with a note of what is left."""
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[:longest]}… (+{len(value) - longest})"
    if isinstance(value, Mapping | list | tuple) and depth == 0:
        return f"… ({len(value)} inside)"
    # The input document has some 60 keys of its own in one place, all of them wanted.
    room = most + 64 if isinstance(value, Mapping) else most
    if isinstance(value, list | tuple):
        short = [_shorten(each, longest, most, depth - 1) for each in value[:room]]
        return short if len(value) <= room else [*short, f"… (+{len(value) - room})"]
    if isinstance(value, Mapping):
        kept = list(value.items())[:room]
        map_ = {
            _shorten(key, longest, most): _shorten(each, longest, most, depth - 1)
            for key, each in kept
        }
        if len(value) > room:
            map_["…"] = f"+{len(value) - room}"
        return map_
    if isinstance(value, int) and value.bit_length() > 1024:
        return "… (a number)"
    return value
