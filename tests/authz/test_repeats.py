"""Calls of the same bytes: decided once where nothing but the bytes and the rules decides."""

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest

from stockade.authorization import begin, load_bundle, make_decider, make_rules
from stockade.authz.claims import MAKES
from stockade.authz.engines import Engine
from stockade.authz.learn import CHANGES
from stockade.authz.metrics import Meter
from stockade.authz.model import Phase
from stockade.authz.normalize import container
from stockade.authz.routes import ROUTES
from stockade.authz.settings import Settings

POLICY = """\
stockade: 1
name: repeats
authz:
  subjects:
    here: {local: true}
  rules:
    - subjects: [here]
      allow: [system.ping, container.list, container.create]
"""


class Counting:
    """An engine that counts what it is asked."""

    name = "counting"

    def __init__(self, engine: Engine, steady: bool) -> None:
        self._engine, self.steady, self.asked = engine, steady, 0

    def decide(self, document):
        self.asked += 1
        return self._engine.decide(document)

    def close(self):
        self._engine.close()


@pytest.fixture
def host(tmp_path: Path):
    """Makes a decider, with its engine and its log."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    log = tmp_path / "log" / "decisions.log"
    settings = Settings(
        policy=str(policy), socket=tmp_path / "s", state=state, log=log, docker=tmp_path / "none"
    )
    begin(settings)
    rules = make_rules(settings, load_bundle(settings))

    def make(steady=True):
        engine = Counting(rules.engine, steady)
        return make_decider(settings, replace(rules, engine=engine), Meter(0)), engine, log

    return make


def call(method, uri, **more):
    return json.dumps({"RequestMethod": method, "RequestUri": uri, **more}).encode()


def records(log):
    return [json.loads(line) for line in log.read_bytes().splitlines()][1:]  # after its beginning


OWN = ("decision_id", "timestamp", "metrics", "chain")


def test_only_the_first_is_looked_at_and_all_are_logged_alike(host):
    decider, engine, log = host()
    answers = {decider.answer(Phase.REQUEST, call("GET", "/_ping")) for _ in range(4)}
    assert answers == {b'{"Allow": true, "Msg": "", "Err": ""}'}
    assert engine.asked == 1
    found = records(log)
    assert len({each["decision_id"] for each in found}) == 4
    assert all(each["metrics"]["timer_server_handler_ns"] > 0 for each in found)
    shared = [{k: v for k, v in each.items() if k not in OWN} for each in found]
    assert shared == shared[:1] * 4
    assert shared[0]["operation"] == "system.ping"


def test_a_denial_is_repeated_with_its_reason(host):
    decider, engine, log = host()
    for _ in range(3):
        assert b'"Allow": false' in decider.answer(Phase.REQUEST, call("GET", "/v1.41/info"))
    assert engine.asked == 1
    assert [each["code"] for each in records(log)] == ["rule-denied"] * 3


def test_another_byte_is_another_call(host):
    decider, engine, _ = host()
    for text in ("/_ping", "/v1.41/_ping", "/containers/json?all=1", "/containers/json?all=0"):
        decider.answer(Phase.REQUEST, call("GET", text))
    assert engine.asked == 4


def test_an_engine_that_may_change_its_mind_is_asked_each_time(host):
    decider, engine, _ = host(steady=False)
    for _ in range(3):
        decider.answer(Phase.REQUEST, call("GET", "/_ping"))
    assert engine.asked == 3


def test_new_rules_look_anew(host):
    decider, engine, _ = host()
    decider.answer(Phase.REQUEST, call("GET", "/_ping"))
    decider.swap(replace(decider._rules, revision=decider.revision))
    decider.answer(Phase.REQUEST, call("GET", "/_ping"))
    assert engine.asked == 2


def test_what_is_too_late_is_denied_all_the_same(host):
    decider, _, _ = host()
    decider.answer(Phase.REQUEST, call("GET", "/_ping"))
    assert b'"Allow": false' in decider.answer(Phase.REQUEST, call("GET", "/_ping"), -10.0)


def test_a_thing_that_exists_is_looked_up_each_time(host):
    decider, _, log = host()
    for _ in range(2):
        decider.answer(Phase.REQUEST, call("GET", f"/containers/{'a' * 64}/json"))
    # The engine is not there: whatever is said comes from asking it, not from memory.
    assert [each["code"] for each in records(log)] == ["facts-unavailable"] * 2
    assert not decider._repeats._known


def test_a_secret_in_the_target_stays_out_of_every_line(host):
    decider, _, log = host()
    for _ in range(3):
        decider.answer(Phase.REQUEST, call("GET", "/info?token=hunter2"))
        decider.answer(
            Phase.REQUEST, call("GET", "/_ping", RequestHeaders={"User-Agent": "token=hunter2"})
        )
    assert b"hunter2" not in log.read_bytes()


def test_no_request_that_reads_changes_what_is_remembered():
    for route in ROUTES:
        if route.method in ("GET", "HEAD"):
            assert not set(route.operation.split(",")) & (MAKES | CHANGES)


def create(number, **host_config):
    body = {"Image": "busybox", "Env": [f"N={number}"], "Labels": {"n": str(number)}}
    body["HostConfig"] = {"Memory": 1 << 26, **host_config}
    return body


def test_containers_of_one_kind_differ_in_their_own_fields_only():
    class Nobody:
        pass

    reader = Nobody()
    one, two = (container.create(create(n), f"c{n}", reader) for n in (1, 2))
    assert (one["labels"], two["labels"]) == ({"n": "1"}, {"n": "2"})
    assert (one["name"], two["name"]) == ("c1", "c2")
    assert {k for k in one if one[k] != two[k]} == {"labels", "name"}
    other = container.create(create(3, Privileged=True), "c3", reader)
    assert other["privileged"] is True
    assert one["privileged"] is False


def test_nobody_changes_what_is_shared(host):
    import base64

    decider, _, _ = host()
    body = base64.b64encode(json.dumps(create(1, CapAdd=["NET_RAW"])).encode()).decode()
    document = call(
        "POST", "/v1.41/containers/create?name=web", RequestBody=body,
        RequestHeaders={"Content-Type": "application/json"},
    )  # fmt: skip
    decider.answer(Phase.REQUEST, document)
    shared = container._kinds._found
    before = copy.deepcopy(shared)
    answered = json.loads(document) | {
        "ResponseStatusCode": 201,
        "ResponseBody": base64.b64encode(json.dumps({"Id": "b" * 64}).encode()).decode(),
    }
    decider.answer(Phase.RESPONSE, json.dumps(answered).encode())
    decider.answer(Phase.REQUEST, document)
    assert before
    assert shared == before
