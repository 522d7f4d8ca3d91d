"""The protocol's documents: what is no such document is denied, never guessed at."""

from __future__ import annotations

import base64
import json

import pytest

from stockade.authz import wire
from stockade.authz.denied import Denied
from stockade.authz.model import Phase

GOOD = {"RequestMethod": "GET", "RequestUri": "/_ping"}


def parse(document: object, phase: Phase = Phase.REQUEST) -> wire.PluginRequest:
    return wire.parse_request(phase, json.dumps(document).encode())


def code_of(raw: bytes) -> str:
    with pytest.raises(Denied) as caught:
        wire.parse_request(Phase.REQUEST, raw)
    return caught.value.code


def test_every_field() -> None:
    pem = "-----BEGIN CERTIFICATE-----\n"
    request = parse(
        {
            **GOOD,
            "User": "alice",
            "UserAuthNMethod": "TLS",
            "RequestBody": base64.b64encode(b"{}").decode(),
            "RequestHeaders": {"Content-Type": "application/json"},
            "RequestPeerCertificates": [base64.b64encode(pem.encode()).decode()],
            "ResponseStatusCode": 201,
            "ResponseHeaders": {"Api-Version": "1.41"},
            "ResponseBody": base64.b64encode(b"[]").decode(),
        },
        Phase.RESPONSE,
    )
    assert request == wire.PluginRequest(
        Phase.RESPONSE,
        "GET",
        "/_ping",
        b"{}",
        {"Content-Type": "application/json"},
        "alice",
        "TLS",
        (pem,),
        201,
        {"Api-Version": "1.41"},
        b"[]",
    )


@pytest.mark.parametrize(
    "absent", [{}, {"User": None, "RequestBody": None, "RequestHeaders": None}]
)
def test_what_may_be_absent(absent: dict[str, object]) -> None:
    request = parse({**GOOD, **absent})
    assert (request.user, request.body, dict(request.headers)) == ("", b"", {})
    assert (request.certificates, request.status) == ((), None)


def test_a_newer_engine_may_have_more_fields() -> None:
    assert parse({**GOOD, "RequestTrailers": {"a": [1]}}).method == "GET"


def test_nothing_at_all_is_what_comes_after_a_dropped_connection() -> None:
    assert code_of(b"") == "empty-request"


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b"null",
        b"[]",
        b" ",
        b'"x"',
        b'{"RequestMethod": "GET"}',
        b'{"RequestUri": "/_ping"}',
        b'{"RequestMethod": "", "RequestUri": "/_ping"}',
        b'{"RequestMethod": "GET", "RequestUri": ""}',
        b'{"RequestMethod": "GET", "RequestUri": "/_ping"} x',
        b'{"RequestMethod": "GET", "RequestUri": "/_ping"}{}',
        b'{"RequestMethod": "GET", "RequestMethod": "GET", "RequestUri": "/_ping"}',
        b'{"RequestMethod": "GET", "RequestUri": "/_ping", "X": {"a": 1, "a": 1}}',
        b'{"RequestMethod": "GET", "RequestUri": "/_ping", "User": "\\ud800"}',
        b'{"RequestMethod": "GET", "RequestUri": "/_ping", "X": NaN}',
        b'{"RequestMethod": "GET", "RequestUri": "/_ping", "X": 1e999}',
        b'\xef\xbb\xbf{"RequestMethod": "GET", "RequestUri": "/_ping"}',
        b'{"RequestMethod": "GET", "RequestUri": "/\xff"}',
        b"[" * 100_000,
        b'{"X": ' + b"9" * 5000 + b"}",
        json.dumps(GOOD).encode("utf-16"),
    ],
)
def test_what_is_no_document(raw: bytes) -> None:
    assert code_of(raw) == "malformed-request"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("RequestMethod", 1),
        ("RequestUri", ["/"]),
        ("User", 1),
        ("UserAuthNMethod", False),
        ("RequestBody", {}),
        ("RequestBody", "e30"),
        ("RequestBody", "e30=\n"),
        ("RequestBody", "e3$0="),
        ("RequestBody", "e30=e30="),
        ("RequestHeaders", []),
        ("RequestHeaders", {"A": 1}),
        ("RequestHeaders", {"A": ["b"]}),
        ("RequestPeerCertificates", "e30="),
        ("RequestPeerCertificates", [1]),
        ("RequestPeerCertificates", ["gA=="]),
        ("ResponseStatusCode", "200"),
        ("ResponseStatusCode", True),
        ("ResponseStatusCode", 200.0),
        ("ResponseHeaders", "x"),
        ("ResponseBody", 5),
    ],
)
def test_wrong_types(field: str, value: object) -> None:
    assert code_of(json.dumps({**GOOD, field: value}).encode()) == "malformed-request"


def test_the_limit_is_above_the_largest_that_engines_send() -> None:
    body = base64.b64encode(b" " * (4 << 20)).decode()
    assert len(parse({**GOOD, "RequestBody": body}).body) == 4 << 20
    assert code_of(b" " * (wire.LIMIT + 1)) == "request-too-large"


@pytest.mark.parametrize("allow", [True, False])
def test_the_answer_has_no_error_and_a_real_boolean(allow: bool) -> None:
    assert json.loads(wire.answer(allow, 'no "x"')) == {
        "Allow": allow,
        "Msg": 'no "x"',
        "Err": "",
    }
