"""Which bodies there may be, and that the body which was seen is the one that the engine reads."""

from __future__ import annotations

import json

import pytest

from stockade.authz.canonical import canonicalize
from stockade.authz.denied import Denied
from stockade.authz.model import LOCAL, CanonicalRequest, ObjectReference, Phase, PluginRequest

JSON = "application/json"
CREATE = {"Image": "nginx:1", "HostConfig": {"Memory": 1 << 30}}


class NoProfiles:
    """No policy equals any profile."""

    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        return ()


def ask(
    method: str,
    uri: str,
    body: object = b"",
    media_type: str | None = None,
    **headers: str,
) -> CanonicalRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if media_type is None and raw:
        media_type = JSON
    if media_type is not None:
        named["Content-Type"] = media_type
    request = PluginRequest(Phase.REQUEST, method, uri, raw, named, "", "", ())
    return canonicalize(request, LOCAL, NoProfiles())


def denied(
    method: str, uri: str, body: object = b"", media_type: str | None = None, **headers: str
) -> str:
    with pytest.raises(Denied) as caught:
        ask(method, uri, body, media_type, **headers)
    return caught.value.code


def test_a_create() -> None:
    found = ask("POST", "/v1.41/containers/create?name=web", CREATE)
    assert (found.operation, found.version, found.risk) == ("container.create", "1.41", "root")
    assert (found.method, found.path) == ("POST", "/containers/create")
    assert (dict(found.query), dict(found.parameters)) == ({"name": "web"}, {})
    assert (found.object, found.identity) == (None, LOCAL)
    assert found.details["spec"]["resources"]["memory"] == 1 << 30


def test_what_is_acted_upon() -> None:
    assert ask("POST", "/containers/web/start").object == ObjectReference("container", "web")
    assert ask("GET", "/images/a/b:1/json").object == ObjectReference("image", "a/b:1")
    assert ask("DELETE", "/volumes/v").object == ObjectReference("volume", "v")
    assert ask("GET", "/containers/json").object is None
    commit = ask("POST", "/commit?container=web&repo=a", b"null\n")
    assert commit.object == ObjectReference("container", "web")
    assert denied("POST", "/commit?repo=a", b"null") == "missing-field"
    connect = ask("POST", "/networks/n/connect", {"container": "web"})
    assert connect.object == ObjectReference("network", "n")
    assert connect.container_object == ObjectReference("container", "web")
    assert denied("POST", "/networks/n/connect", {"Container": ""}) == "missing-field"


def test_pull_or_import() -> None:
    assert ask("POST", "/images/create?fromImage=nginx&tag=1").operation == "image.pull"
    assert ask("POST", "/images/create?fromSrc=-&repo=a").operation == "image.import"
    for query in ("", "?fromImage=a&fromSrc=b", "?tag=1"):
        assert denied("POST", "/images/create" + query)


@pytest.mark.parametrize(
    "media_type",
    [
        JSON,
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; x=y",
        " application/json ",
    ],
)
def test_media_types_of_json(media_type: str) -> None:
    assert ask("POST", "/containers/create", CREATE, media_type).operation == "container.create"


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/jsonx", "text/json", "application/json; charset=utf-16"],
)
def test_other_media_types(media_type: str) -> None:
    assert denied("POST", "/containers/create", CREATE, media_type) == "bad-media-type"


def test_the_length_need_not_be_known() -> None:
    chunked = ask("POST", "/containers/create", CREATE)
    with_length = ask("POST", "/containers/create", CREATE, Content_Length="99")
    assert chunked == with_length


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("POST", "/containers/a/kill"),
        ("POST", "/images/a/tag?repo=b"),
        ("POST", "/containers/create"),
        ("POST", "/build"),
        ("POST", "/images/create?fromImage=a"),
        ("POST", "/auth"),
        ("POST", "/containers/a/attach"),
        ("PUT", "/containers/a/archive?path=/"),
        ("PUT", "/volumes/a?version=1"),
    ],
)
@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-URLencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        " application/x-www-form-urlencoded ;",
        "multipart/form-data; boundary=x",
        "Multipart/Mixed",
    ],
)
def test_forms(method: str, uri: str, media_type: str) -> None:
    assert denied(method, uri, b"", media_type) == "form-body"
    assert denied(method, uri, b"", media_type, Content_Length="0") == "form-body"


def test_a_get_may_say_what_it_likes_of_no_body() -> None:
    form = "application/x-www-form-urlencoded"
    assert ask("GET", "/containers/json", b"", form).operation == "container.list"


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("POST", "/containers/create"),
        ("POST", "/containers/a/exec"),
        ("POST", "/containers/a/update"),
        ("POST", "/exec/a/start"),
        ("POST", "/networks/create"),
        ("POST", "/volumes/create"),
        ("POST", "/services/create"),
        ("POST", "/swarm/init"),
        ("POST", "/plugins/pull?remote=a"),
        ("POST", "/plugins/a/set"),
    ],
)
def test_a_body_that_must_be_there(method: str, uri: str) -> None:
    # Older engines pass on a body of 1 MiB and more as an empty one.
    assert denied(method, uri) == "missing-body"
    assert denied(method, uri, b"", JSON, Content_Length="2000000") == "missing-body"


def test_a_start_has_no_body_at_all() -> None:
    for body in (b"{}", b"null", b'{"Binds": ["/:/h"]}', b" "):
        assert denied("POST", "/containers/a/start", body) in ("unexpected-body", "bad-media-type")
    assert ask("POST", "/containers/a/start", b"", "text/plain", Content_Length="0")


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("POST", "/containers/a/stop"),
        ("POST", "/images/a/tag?repo=b"),
        ("GET", "/containers/json"),
        ("DELETE", "/containers/a"),
        ("POST", "/build"),
        ("POST", "/containers/a/attach"),
        ("OPTIONS", "/containers/json"),
    ],
)
def test_bodies_where_none_is_read(method: str, uri: str) -> None:
    assert denied(method, uri, {"repo": "x"}) == "unexpected-body"
    assert denied(method, uri, b"[]") == "unexpected-body"
    for nothing in (b"{}", b"null\n", b" { } "):
        assert ask(method, uri, nothing) == ask(method, uri)


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("POST", "/containers/a/kill"),
        ("POST", "/images/a/tag?repo=b"),
        ("POST", "/commit?container=a"),
        ("POST", "/images/a/push"),
        ("POST", "/images/create?fromImage=a"),
        ("PUT", "/volumes/a?version=1"),
    ],
)
def test_a_body_that_was_not_passed_on(method: str, uri: str) -> None:
    assert denied(method, uri, b"", None, Content_Length="3") == "unseen-body"
    assert denied(method, uri, b"", JSON, Content_Length="3") == "unseen-body"
    # The last of two Content-Type headers; the first may be a form's, its body in chunks.
    assert denied(method, uri, b"", JSON) == "unseen-body"
    assert denied(method, uri, b"", "text/plain") == "unseen-body"
    assert ask(method, uri, b"", "text/plain", Content_Length="0")
    assert ask(method, uri)


def test_bodies_that_engines_keep_to_themselves() -> None:
    assert ask("POST", "/build?t=a&t=b", b"", "application/x-tar").query == {"t": ["a", "b"]}
    assert ask("POST", "/auth", b"", JSON, Content_Length="40").operation == "registry.login"
    shown = ask("POST", "/auth", {"username": "u", "Password": "secret"})
    assert "secret" not in repr(shown)
    assert denied("POST", "/auth", {"user": "u"}) == "unknown-field"
    assert ask("POST", "/images/load", b"", "application/x-tar", Content_Length="1024")
    assert ask("PUT", "/containers/a/archive?path=/", b"", "application/x-tar")


def test_no_settings() -> None:
    # docker 20.10 commits with null, docker-py pushes with {}.
    for body in (b"", b"null\n", b"{}"):
        assert ask("POST", "/commit?container=a", body).operation == "image.commit"
        assert ask("POST", "/images/a/push", body).operation == "image.push"
    assert ask("POST", "/plugins/pull?remote=a&name=b", b"null\n").operation == "plugin.pull"


@pytest.mark.parametrize(
    ("method", "uri", "code"),
    [
        ("GET", "/containers/json?al=1", "unknown-query"),
        ("GET", "/containers/json?All=1", "unknown-query"),
        ("GET", "/containers/json?=1", "unknown-query"),
        ("GET", "/info?debug=1", "unknown-query"),
        ("POST", "/containers/a/stop?t=1&t=2", "duplicate-query"),
        ("GET", "/images/a/json?platform=a&platform=b", "duplicate-query"),
        ("GET", "/images/get?names=a&Names=b", "unknown-query"),
    ],
)
def test_query_keys(method: str, uri: str, code: str) -> None:
    assert denied(method, uri) == code


def test_query_keys_that_are_lists() -> None:
    assert ask("GET", "/images/get?names=a&names=b").query == {"names": ["a", "b"]}
    assert ask("GET", "/images/get?names=a").query == {"names": ["a"]}
    assert ask("GET", "/system/df?type=image&type=volume").query["type"] == ["image", "volume"]
    assert ask("POST", "/containers/a/stop?t=1").query == {"t": "1"}
