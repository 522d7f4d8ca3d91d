"""curl's words, and requests written plainly."""

import shlex

import pytest

from stockade.authz.curl import is_request, read_curl, read_request
from stockade.policies.errors import InputError

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("line", "method", "target", "body", "headers"),
    [
        ("curl http://localhost/v1.41/info", "GET", "/v1.41/info", None, {}),
        ("-s --unix-socket /run/docker.sock http://x/info", "GET", "/info", None, {}),
        ("curl -XPOST 'http://x/a?b=c'", "POST", "/a?b=c", None, {}),
        ("curl -sSX DELETE http://x/containers/web", "DELETE", "/containers/web", None, {}),
        ("curl http://x/a -d '{}' -H 'Content-Type: application/json'", "POST", "/a", "{}", JSON),
        ("curl http://x/a -d a=1 -d b=2", "POST", "/a", "a=1&b=2", FORM),
        ("curl --json '{\"a\":1}' http://x/a", "POST", "/a", '{"a":1}', JSON),
        ("curl -d @env http://x/a", "POST", "/a", None, FORM),
        ("curl --data-raw @env http://x/a", "POST", "/a", "@env", FORM),
        ("curl -G -d a=1 http://x/a?b=2", "GET", "/a?b=2&a=1", None, {}),
        ("curl -I x/_ping", "HEAD", "/_ping", None, {}),
        ("curl http://x", "GET", "/", None, {}),
        ("curl http://x/a%2Fb/../c#f", "GET", "/a%2Fb/../c", None, {}),
    ],
)
def test_the_request_of_a_curl_line(line, method, target, body, headers, machine):
    request = read_curl(shlex.split(line), machine)
    assert (request.method, request.target, request.headers) == (method, target, headers)
    assert request.body == body or "@env" in line
    if "-d @env" in line:
        assert request.body.startswith("A=1")


@pytest.mark.parametrize(
    "line", ["curl", "curl -X", "curl http://x/a http://x/b", "curl -F a=b http://x", "curl -H a x"]
)
def test_what_is_not_understood_is_an_error(line, machine):
    with pytest.raises(InputError):
        read_curl(shlex.split(line), machine)


def test_a_plain_request():
    assert read_request(["POST", "/a"], "{}").all_headers == JSON
    assert read_request(["GET /a"], None).target == "/a"
    assert is_request(["GET /info"])
    assert not is_request(["docker", "GET"])
    for words in (["GET"], ["GET", "a"], ["GET", "/a", "b"], ["get", "/a"]):
        with pytest.raises(InputError):
            read_request(words, None)
