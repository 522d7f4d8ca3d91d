"""Deciding without an engine: what requests make exists for those after them."""

import shlex
from pathlib import Path

import pytest

from stockade.authz.decide import Rules
from stockade.authz.dockercli import Api, ApiRequest, api_requests
from stockade.authz.model import LOCAL, Identity, Verdict
from stockade.authz.world import World
from stockade.policies.errors import InputError
from stockade.profiles import PolicyProfiles

LINES = (Path(__file__).parent / "command_lines.txt").read_text().splitlines()[1:]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ALICE = Identity("tls", "CN=alice", "alice", ("ops",))


class Anything:
    """An engine that allows everything and keeps what it was asked."""

    name = "anything"

    def __init__(self):
        self.asked = []

    def decide(self, document):
        self.asked.append(document)
        return Verdict(True, "authz.rules[0]", ())

    def close(self):
        pass


@pytest.fixture
def engine():
    return Anything()


@pytest.fixture
def world(engine):
    with World(Rules("r", engine, PolicyProfiles({}))) as made:
        yield made


@pytest.fixture
def ask(world, machine):
    def run(line, identity=ALICE, client=28):
        requests = api_requests(shlex.split(line), Api("1.44", client), machine)
        return world.judge_all(requests, identity)

    return run


@pytest.mark.parametrize("client", [20, 28])
@pytest.mark.parametrize("line", LINES)
def test_ordinary_use_is_understood(line, client, ask):
    """Nothing that docker sends is denied before the rules are asked: no false denial there."""
    for name in ("web", "db", "a", "x"):
        ask(f"run -d --name {name}{name} alpine")
    try:
        found = ask(line, client=client)
    except InputError:
        return  # not every client takes every line: test_dockercli_against_docker.py
    for each in found:
        if each.code == "bad-name" and "./x:/y" in line and client < 23:
            continue  # 20.10 sends the path as it was written, and the engine refuses it too
        assert each.allow, (each.request, each.code, each.reasons)


def test_a_container_is_known_after_its_create(ask, engine):
    ask("run -d --name web --label tier=front --cap-add NET_ADMIN alpine")
    (stopped,) = ask("stop web")
    thing = stopped.document["object"]
    assert thing["known"]
    assert thing["name"] == "web"
    assert thing["owner"] == ALICE.document()
    assert thing["labels"] == {"tier": "front"}
    assert thing["spec"]["capabilities"]["add"] == ["NET_ADMIN"]
    assert not stopped.unknown


def test_whose_it_is(ask):
    ask("run -d --name web alpine", LOCAL)
    (stopped,) = ask("stop web", ALICE)
    assert stopped.document["object"]["owner"] == LOCAL.document()


def test_an_exec_is_its_containers(ask):
    ask("run -d --name web --privileged alpine")
    found = ask("exec web sh")
    started = next(each for each in found if each.canonical.operation == "exec.start")
    assert started.document["object"]["name"] == "web"
    assert started.document["object"]["spec"]["privileged"] is True


def test_each_run_makes_a_container_of_its_own(ask):
    ids = [
        each.document["object"]["id"]
        for line in ("run -d alpine", "run -d alpine")
        for each in ask(line)
        if each.canonical.operation == "container.start"
    ]
    assert len(set(ids)) == 2


def test_what_was_removed_is_gone(ask):
    ask("create --name web alpine")
    ask("rm web")
    (started,) = ask("start web")
    assert started.unknown == ("container web",)


def test_volumes_and_networks(ask):
    ask("volume create vol")
    ask("network create net")
    created = ask("run -d -v vol:/d --network net alpine")
    (references,) = (
        each.document["references"]
        for each in created
        if each.canonical.operation == "container.create"
    )
    known = {each["reference"]: each["known"] for each in references}
    assert known["vol"] is True
    assert known["net"] is True


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (ApiRequest("GET", "/nothing"), "unknown-route"),
        (ApiRequest("POST", "/containers/create"), "missing-body"),
        (ApiRequest("POST", "/containers/create", '{"Image":"a","image":"b"}'), "duplicate-key"),
        (ApiRequest("POST", "/containers/x/stop", "t=1", headers=FORM), None),
    ],
)
def test_the_deny_core_is_asked_first(request_, code, world, engine):
    judged = world.judge(request_, LOCAL)
    assert not judged.allow
    assert code in (None, judged.code)
    assert judged.reasons
    assert engine.asked == []
