"""Requests by which plugins that read them otherwise than the engine were bypassed.

Each is either denied, or read as the engine reads it; which engines fall for it stands beside it.
"""

from __future__ import annotations

import base64
import json

import pytest

from stockade.authz.canonical import canonicalize
from stockade.authz.denied import Denied
from stockade.authz.identity import identify
from stockade.authz.model import CanonicalRequest, Phase
from stockade.authz.wire import parse_request

CREATE = "/v1.41/containers/create"


class NoProfiles:
    """No policy equals any profile."""

    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        return ()


def send(
    body: str | bytes = "",
    uri: str = CREATE,
    method: str = "POST",
    media_type: str = "application/json",
) -> CanonicalRequest:
    """From dockerd's document to the canonical request."""
    raw = body.encode() if isinstance(body, str) else body
    document = {
        "RequestMethod": method,
        "RequestUri": uri,
        "RequestHeaders": {"Content-Length": str(len(raw)), "Content-Type": media_type},
        "RequestBody": base64.b64encode(raw).decode(),
    }
    request = parse_request(Phase.REQUEST, json.dumps(document).encode())
    return canonicalize(request, identify(request), NoProfiles())


def denied(
    body: str | bytes = "",
    uri: str = CREATE,
    method: str = "POST",
    media_type: str = "application/json",
) -> str:
    with pytest.raises(Denied) as caught:
        send(body, uri, method, media_type)
    assert caught.value.reason
    return caught.value.code


@pytest.mark.parametrize(
    "body",
    [
        '{"Image": "a", "hostconfig": {"privileged": true}}',
        '{"Image": "a", "HOSTCONFIG": {"PRIVILEGED": true}}',
        '{"Image": "a", "Ho\u017ftConfig": {"Privileged": true}}',
        '{"Image": "a", "Ho\\u017ftConfig": {"Privileged": true}}',
        '{"Image": "a", "\\u0048ostConfig": {"Privileged": true}}',
    ],
)
def test_keys_in_another_case(body: str) -> None:
    # All engines.
    assert send(body).details["spec"]["privileged"] is True


@pytest.mark.parametrize("key", ["Networ\u212aMode", "networ\\u212amode"])
def test_the_sign_kelvin(key: str) -> None:
    # All engines.
    spec = send(f'{{"Image": "a", "HostConfig": {{"{key}": "host"}}}}').details["spec"]
    assert spec["namespaces"]["network"]["mode"] == "host"


@pytest.mark.parametrize(
    "body",
    [
        '{"Image": "a", "HostConfig": {}, "HostConfig": {"Privileged": true}}',
        '{"Image": "a", "HostConfig": {"Privileged": true}, "HostConfig": {}}',
        '{"Image": "a", "HostConfig": {"Privileged": true}, "HostConfig": null}',
        '{"Image": "a", "HostConfig": {"Privileged": true, "privileged": null}}',
        '{"Image": "a", "HostConfig": {"Privileged": false, "privileged": true}}',
    ],
)
def test_duplicates_merge_or_the_last_one_wins(body: str) -> None:
    # All engines.
    assert denied(body) == "duplicate-key"


def test_host_settings_at_the_top() -> None:
    # 20.10.
    assert denied('{"Image": "a", "Privileged": true}') == "unknown-field"
    assert denied('{"Image": "a", "Binds": ["/:/h"]}') == "unknown-field"


@pytest.mark.parametrize("rest", ["x", "\0", "}x", "{}", ' {"HostConfig": {}}', "]"])
def test_what_follows_the_document(rest: str) -> None:
    # 20.10; some on all.
    assert denied('{"Image": "a"}' + rest) == "bad-json"


@pytest.mark.parametrize(
    "body",
    [
        b'{"Image": "a\xff"}',
        b'{"Image": "a", "Labels": ' + b"[" * 1200 + b"]" * 1200 + b"}",
        b'{"Image": "a", "Labels": ' + b'{"a":' * 9990 + b"1" + b"}" * 9990 + b"}",
        b'{"Image": "a", "HostConfig": {"Memory": ' + b"1" * 5000 + b"}}",
        b'{"Image": "a", "HostConfig": {"Memory": NaN}}',
        b'\xef\xbb\xbf{"Image": "a"}',
        '{"Image": "a"}'.encode("utf-16"),
        b'{"Image": "\\ud800"}',
    ],
)
def test_what_breaks_parsers(body: bytes) -> None:
    # All engines read the first four, Python's parser the others.
    assert denied(body)


def test_capabilities_as_a_string() -> None:
    # 20.10, 28.5.
    assert denied('{"Image": "a", "HostConfig": {"CapAdd": "ALL"}}') == "wrong-type"


@pytest.mark.parametrize(
    "uri",
    [
        "http://x/v1.41/containers/create",
        "unix://x/v1.41/containers/create",
        "foo://auth/v1.41/containers/create",
        "/v1.41/%63ontainers/create",
        "/v1.41/containers%2Fcreate",
        "/%76%31.41/containers/%63%72eate",
    ],
)
def test_other_spellings_of_a_path(uri: str) -> None:
    # All engines.
    assert send('{"Image": "a"}', uri).operation == "container.create"


@pytest.mark.parametrize(
    "uri",
    [
        "//containers/create",
        "/v1.41//containers/create",
        "/./containers/create",
        "/%2e/containers/create",
        "/x/../containers/create",
        "/containers/create/",
        "/Containers/Create",
        "/containers/create;x",
        "/containers/create%00",
        "/containers/create%20",
        "/v01.41/containers/create",
        "/v1.041/containers/create",
        "/v1.41.0/containers/create",
        "/v1.44./containers/create",
        "/libpod/containers/create",
    ],
)
def test_paths_that_engines_clean_up_or_refuse(uri: str) -> None:
    assert denied('{"Image": "a"}', uri)


def test_forms_override_the_query() -> None:
    # All engines; plugins do not see the form.
    form = "application/x-www-form-urlencoded"
    for uri in ("/images/a/tag?repo=b", "/containers/create?name=a", "/containers/a/kill"):
        assert denied("", uri, media_type=form) == "form-body"


def test_a_form_behind_a_second_media_type() -> None:
    # All engines; of two Content-Type headers a plugin sees the last.
    document = {
        "RequestMethod": "POST",
        "RequestUri": "/images/a/tag?repo=b",
        "RequestHeaders": {"Content-Length": "6", "Content-Type": "application/json"},
    }
    request = parse_request(Phase.REQUEST, json.dumps(document).encode())
    with pytest.raises(Denied, match="did not pass on"):
        canonicalize(request, identify(request), NoProfiles())


def test_the_first_of_two_query_keys_wins() -> None:
    # All engines.
    assert denied("", "/containers/a?force=0&force=1", "DELETE") == "duplicate-query"
    assert denied("", "/containers/a?force=0&f%6frce=1", "DELETE") == "duplicate-query"


def test_a_body_too_large_to_be_passed_on() -> None:
    # 20.10, 28.5.
    document = {
        "RequestMethod": "POST",
        "RequestUri": CREATE,
        "RequestHeaders": {"Content-Length": "1048577", "Content-Type": "application/json"},
    }
    request = parse_request(Phase.REQUEST, json.dumps(document).encode())
    with pytest.raises(Denied, match="needs a body") as caught:
        canonicalize(request, identify(request), NoProfiles())
    assert caught.value.code == "missing-body"


def test_settings_in_the_body_of_a_start() -> None:
    # 20.10 before API 1.24.
    body = '{"Binds": ["/:/h"], "Privileged": true}'
    assert denied(body, "/v1.23/containers/a/start") == "unexpected-body"
    assert denied("{}", "/containers/a/start") == "unexpected-body"


def test_a_retry_without_a_document() -> None:
    # All engines, after a connection that ended without an answer.
    with pytest.raises(Denied) as caught:
        parse_request(Phase.REQUEST, b"")
    assert caught.value.code == "empty-request"


def test_forged_headers_name_nobody() -> None:
    document = {
        "RequestMethod": "GET",
        "RequestUri": "/_ping",
        "RequestHeaders": {"User": "root", "X-Forwarded-User": "root"},
    }
    request = parse_request(Phase.REQUEST, json.dumps(document).encode())
    assert identify(request).principal == "local"
