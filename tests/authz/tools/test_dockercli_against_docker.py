"""Command lines are read as real docker clients read them: the requests are the same."""

import json
import shlex
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from stockade.authz.dockercli import Api, api_requests
from stockade.policies.errors import InputError

LINES = (Path(__file__).parent / "command_lines.txt").read_text().splitlines()[1:]
#: Major version of each client, and the API it is made to speak.
CLIENTS = {"/usr/bin/docker": (20, "1.41"), "/usr/local/bin/docker": (28, "1.50")}


def kept(value):
    """Without Go's zero values, which mean what nothing means."""
    if isinstance(value, dict):
        inner = {key: kept(each) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each not in (None, "", 0, [], {})}
    return [kept(each) for each in value] if isinstance(value, list) else value


def comparable(method, target, body):
    """A request in a form in which spellings that mean the same are equal."""
    split = urlsplit(target)
    query = sorted(
        (key, value)
        for key, value in parse_qsl(split.query)
        if value not in ("0", "{}", "[]", "null", "false")
    )
    body = kept(body)
    host = body.get("HostConfig") if isinstance(body, dict) else None
    if host is not None:
        host.pop("ConsoleSize", None)  # the terminal's
        for key in ("CapAdd", "CapDrop"):  # 28 writes them out
            if key in host:
                named = [each.upper().removeprefix("CAP_") for each in host[key]]
                host[key] = named
        for part, key in ((host, "Binds"), (body, "Env")):  # in the order of a Go map
            if key in part:
                part[key] = sorted(part[key])
    return method, split.path, query, body


def sent(recorded):
    for method, target, raw in recorded.requests:
        if not target.endswith("/_ping"):
            json_ = raw[:1] in (b"{", b"[")
            yield comparable(method, target, json.loads(raw) if json_ else None)


@pytest.mark.parametrize("docker", CLIENTS)
@pytest.mark.parametrize("line", LINES)
def test_the_requests_are_the_clients(docker, line, record, machine):
    client, version = CLIENTS[docker]
    words = shlex.split(line)
    recorded = record(docker, words, version)
    real = list(sent(recorded))
    if not real:  # this client refuses or does not have it: 20.10 has no --annotation
        with pytest.raises(InputError):
            api_requests(words, Api(version, client), machine)
        return
    ours = [
        comparable(each.method, each.target, json.loads(each.raw) if each.raw else None)
        for each in api_requests(words, Api(version, client), machine)
        if not each.note.startswith("when ")
    ]
    # Where the client gives up (nothing can be hijacked here), the rest is not sent.
    assert ours[: len(real)] == real
    assert recorded.status or len(ours) == len(real), recorded.error


@pytest.mark.parametrize("docker", CLIENTS)
@pytest.mark.parametrize(
    "line",
    [
        "run --memory 1x alpine",
        "run --memory 1.2.3g alpine",
        "run -p 99999:1 alpine",
        "run -p 80-81:90-92 alpine",
        "run -p a:1 alpine",
        "run --mount type=bind,src=/ alpine",
        "run --mount type=tmpfs,dst=/x,volume-nocopy alpine",
        "run --mount src=/,dst=/x,oops=1 alpine",
        "run --device nothing alpine",
        "run --device /dev/a:/dev/b:q alpine",
        "run --cpus 1.0000000001 alpine",
        "run --ulimit nofile=5:3 alpine",
        "run --ulimit files=5 alpine",
        "run --pid hosts alpine",
        "run --uts x alpine",
        "run --restart always --rm alpine",
        "run --attach x alpine",
        "run -d -a stdout alpine",
        "run --security-opt seccomp=missing.json alpine",
        "run --security-opt seccomp alpine",
        "run --env-file missing alpine",
        "run --no-healthcheck --health-cmd x alpine",
        "run --memory-swappiness 101 alpine",
        "run --device-cgroup-rule x alpine",
        "run --dns x alpine",
        "run --label ' ' alpine",
        "run --privileged=maybe alpine",
        "run --nosuchoption alpine",
        "run -Z alpine",
        "run -e",
        "run",
        "exec web",
        "update web",
        "cp a b",
        "nosuchcommand",
        "-x run alpine",
    ],
)
def test_what_docker_refuses_is_refused(docker, line, record, machine):
    client, version = CLIENTS[docker]
    words = shlex.split(line)
    recorded = record(docker, words, version)
    assert recorded.status
    assert not [each for each in recorded.requests if each[0] == "POST"], recorded.requests
    with pytest.raises(InputError):
        api_requests(words, Api(version, client), machine)
