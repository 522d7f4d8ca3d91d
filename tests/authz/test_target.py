"""Request targets have one spelling that is understood, or are denied."""

from __future__ import annotations

import pytest

from stockade.authz.denied import Denied
from stockade.authz.target import LIMIT, parse_target


def denied(uri: str) -> str:
    with pytest.raises(Denied) as caught:
        parse_target(uri)
    return caught.value.code


@pytest.mark.parametrize(
    ("uri", "path", "version"),
    [
        ("/_ping", "/_ping", None),
        ("/v1.41/containers/json", "/containers/json", "1.41"),
        ("/v1.24/info", "/info", "1.24"),
        ("/v10.0/info", "/info", "10.0"),
        ("/networks/", "/networks/", None),
        ("/v1.41/networks/", "/networks/", "1.41"),
        ("/debug/pprof/", "/debug/pprof/", None),
        ("/images/library/nginx:1@sha256:ab/json", "/images/library/nginx:1@sha256:ab/json", None),
        ("/images/a%2Fb/json", "/images/a/b/json", None),
        ("/%63ontainers/create", "/containers/create", None),
        ("/%76%31.41/info", "/info", "1.41"),
        ("/v1%2E41/info", "/info", "1.41"),
        ("/containers/a+b/json", "/containers/a+b/json", None),
        ("/volumes/%C3%A9", "/volumes/é", None),
        ("/containers/.a/json", "/containers/.a/json", None),
        ("/containers/a../json", "/containers/a../json", None),
        ("/containers/%2541/json", "/containers/%41/json", None),
        ("/versions", "/versions", None),
        ("/vx/json", "/vx/json", None),
    ],
)
def test_paths(uri: str, path: str, version: str | None) -> None:
    target = parse_target(uri)
    assert (target.path, target.version) == (path, version)


@pytest.mark.parametrize(
    "uri",
    [
        "http://x/v1.41/containers/create?name=a",
        "unix://x/v1.41/containers/create?name=a",
        "foo://auth/v1.41/containers/create?name=a",
        "HTTP://auth:80/v1.41/%63ontainers/create?name=a",
        "http://[::1]:2375/v1.41/containers/create?name=a",
        "http:///v1.41/containers/create?name=a",
    ],
)
def test_absolute_form(uri: str) -> None:
    target = parse_target(uri)
    assert (target.path, target.version) == ("/containers/create", "1.41")
    assert target.query == {"name": "a"}


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("*", "bad-target"),
        ("x", "bad-target"),
        ("x:80", "bad-target"),
        ("http://x", "bad-target"),
        ("http://x?y=/z", "bad-target"),
        ("http:/containers/json", "bad-target"),
        ("http:containers/json", "bad-target"),
        ("http://user@x/info", "bad-target"),
        ("://x/info", "bad-target"),
        ("1http://x/info", "bad-target"),
        (" /info", "bad-target"),
        ("?all=1", "bad-target"),
        ("//info", "bad-path"),
        ("//x/info", "bad-path"),
        ("http://x//info", "bad-path"),
        ("/containers//json", "bad-path"),
        ("/containers/%2Fjson", "bad-path"),
        ("/v1.41//info", "bad-path"),
        ("/./info", "bad-path"),
        ("/info/.", "bad-path"),
        ("/x/../info", "bad-path"),
        ("/x/%2e%2E/info", "bad-path"),
        ("/x%2F..%2Finfo", "bad-path"),
        ("/info/..", "bad-path"),
        ("/v1.41/../info", "bad-path"),
        ("/info/", "bad-path"),
        ("/containers/json/", "bad-path"),
        ("/containers/json%2F", "bad-path"),
        ("/", "bad-path"),
        ("/v1.41/", "bad-path"),
        ("/info;x", "bad-path"),
        ("/info%3Bx", "bad-path"),
        ("/info%3Fx", "bad-path"),
        ("/info%23x", "bad-path"),
        ("/x%5Cy", "bad-path"),
        ("/info%00", "bad-path"),
        ("/info%0A", "bad-path"),
        ("/info%7F", "bad-path"),
        ("/info%C2%85", "bad-path"),
        ("/info\n", "bad-path"),
        ("/info#x", "bad-target"),
        ("/info?a=1#x", "bad-query"),
        ("/é", "bad-target"),
        ("/info?a=é", "bad-target"),
        ("/info\ufffd", "bad-target"),
        ("/%C3", "bad-escape"),
        ("/%ED%A0%80", "bad-escape"),
        ("/%C0%AF", "bad-escape"),
        ("/%zz", "bad-escape"),
        ("/%4", "bad-escape"),
        ("/%", "bad-escape"),
        ("/% 41", "bad-escape"),
        ("/v01.41/info", "bad-version"),
        ("/v1.041/info", "bad-version"),
        ("/v1.41.0/info", "bad-version"),
        ("/v1.44./info", "bad-version"),
        ("/v1/info", "bad-version"),
        ("/v./info", "bad-version"),
        ("/v.41/info", "bad-version"),
        ("/v1.41", "bad-version"),
        ("/x" + "/y" * 3000, "target-too-long"),
        ("/info?" + "a" * LIMIT, "target-too-long"),
    ],
)
def test_what_has_no_one_meaning(uri: str, code: str) -> None:
    assert denied(uri) == code


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("&&", {}),
        ("all", {"all": ""}),
        ("all=", {"all": ""}),
        ("all=1&size=0", {"all": "1", "size": "0"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=b?c", {"a": "b?c"}),
        ("a=/b/../c//", {"a": "/b/../c//"}),
        ("a=b+c%2Bd%20e", {"a": "b c+d e"}),
        ("a=%2541", {"a": "%41"}),
        ("a=%3B%26%23", {"a": ";&#"}),
        ("a=%C3%A9%0A", {"a": "é\n"}),
        ("%61=1", {"a": "1"}),
        ("=x", {"": "x"}),
        ("a=1&A=2", {"a": "1", "A": "2"}),
    ],
)
def test_queries(query: str, expected: dict[str, str]) -> None:
    assert parse_target("/info?" + query).query == expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("name=a&name=b", "duplicate-query"),
        ("name=a&name=a", "duplicate-query"),
        ("name&name", "duplicate-query"),
        ("name=a&n%61me=b", "duplicate-query"),
        ("a+b=1&a%20b=2", "duplicate-query"),
        ("a=1;b=2", "bad-query"),
        (";", "bad-query"),
        ("a=%00", "bad-query"),
        ("a=%", "bad-escape"),
        ("a=%4", "bad-escape"),
        ("%zz=1", "bad-escape"),
        ("a=%FF", "bad-escape"),
        ("a&" * 300, "bad-query"),
    ],
)
def test_queries_without_one_meaning(query: str, code: str) -> None:
    assert denied("/build?" + query) == code


def test_keys_that_clients_repeat() -> None:
    target = parse_target("/build?t=a&t=b:1&q=1&t=")
    assert target.query == {"t": ("a", "b:1", ""), "q": "1"}
    assert parse_target("/build?t=a").query == {"t": "a"}
