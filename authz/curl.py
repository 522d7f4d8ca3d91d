"""A request written for curl, or as `METHOD /path`: the same request for `authz explain`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..policies.errors import InputError
from .dockercli.model import ApiRequest, Json, Machine

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
_VALUED = {
    "-X": "method", "--request": "method", "-H": "header", "--header": "header",
    "-d": "data", "--data": "data", "--data-raw": "raw", "--data-binary": "data",
    "--data-ascii": "data", "--json": "json", "--url": "url",
    "--unix-socket": "", "-o": "", "--output": "", "-w": "", "--write-out": "", "-m": "",
    "--max-time": "", "--connect-timeout": "", "--cacert": "", "--cert": "", "-E": "",
    "--key": "", "-A": "agent", "--user-agent": "agent",
}  # fmt: skip
"""Options of curl with a value -> what it is; empty: it changes nothing about the request."""
_PLAIN = {
    "-s": "", "--silent": "", "-S": "", "--show-error": "", "-v": "", "--verbose": "", "-f": "",
    "--fail": "", "-N": "", "--no-buffer": "", "-k": "", "--insecure": "", "-i": "",
    "--include": "", "--http1.1": "", "-I": "head", "--head": "head", "-G": "get", "--get": "get",
    "--compressed": "", "-g": "", "--globoff": "", "--path-as-is": "",
}  # fmt: skip


def read_curl(words: Sequence[str], machine: Machine) -> ApiRequest:
    """The request of a curl command line (`curl` in front or not).

    Raises InputError for an option that is not known, or no URL.
    """
    given = _options(list(words[1:] if words and words[0] == "curl" else words))
    urls = given.get("url", [])
    if len(urls) != 1:
        raise InputError.of(f"curl is given {len(urls)} URLs, one is wanted")
    headers = dict(_header(text) for text in given.get("header", []))
    if "agent" in given:
        headers["User-Agent"] = given["agent"][-1]
    parts = [_data(text, machine) for text in given.get("data", [])] + given.get("raw", [])
    body = "&".join(parts)
    typed = "application/x-www-form-urlencoded"
    if "json" in given:
        body = "".join(_data(text, machine) for text in given["json"])
        typed = "application/json"
    has_body = bool(given.get("data") or given.get("raw") or given.get("json"))
    method = "POST" if has_body else "GET"
    method = "HEAD" if "head" in given else method
    target = _target(urls[0])
    if "get" in given and has_body:
        target += ("&" if "?" in target else "?") + body
        method, has_body = "GET", False
    method = given.get("method", [method])[-1]
    if has_body and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = typed
    return ApiRequest(method, target, body if has_body else None, headers=headers)


def read_request(words: Sequence[str], body: str | None) -> ApiRequest:
    """`POST /containers/create?name=x`, with a body from elsewhere; raises InputError."""
    if len(words) == 1 and " " in words[0]:
        words = words[0].split()
    if len(words) != 2 or words[0] not in METHODS or not words[1].startswith("/"):
        raise InputError.of(
            f"`{' '.join(words)}` is no request", hint="write it like `POST /containers/create`"
        )
    return ApiRequest(words[0], words[1], body)


def is_request(words: Sequence[str]) -> bool:
    """Whether the words begin with an HTTP method."""
    return bool(words) and words[0].partition(" ")[0] in METHODS


def shown_body(request: ApiRequest) -> Json:
    """The body as JSON, or None when it is none."""
    try:
        return json.loads(request.raw) if request.body is not None else None
    except (ValueError, RecursionError):
        return None


def _options(words: list[str]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            given.setdefault("url", []).append(word)
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if not word.startswith("--") and len(word) > 2:
            name, value = word[:2], word[2:]
            if name in _PLAIN:  # -sS
                words.insert(0, f"-{value}")
                value = ""
        if name in _PLAIN and not equals:
            given.setdefault(_PLAIN[name], []).append("")
        elif name in _VALUED:
            if not value and not equals:
                if not words:
                    raise InputError.of(f"curl's `{name}` needs a value")
                value = words.pop(0)
            given.setdefault(_VALUED[name], []).append(value)
        else:
            raise InputError.of(f"curl's option `{name}` is not known here")
    return given


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise InputError.of(f"curl: `{text}` is no header")
    return name.strip(), value.strip()


def _data(text: str, machine: Machine) -> str:
    return machine.read(text[1:]) if text.startswith("@") else text


def _target(url: str) -> str:
    """What stands on the wire: the path and the query."""
    rest = url.partition("://")[2] if "://" in url else url
    slash = rest.find("/")
    query = rest.find("?")
    if slash < 0 or 0 <= query < slash:
        return "/" + (rest[query:] if query >= 0 else "")
    return rest[slash:].partition("#")[0]
