"""Whose a new volume is: settled by the engine's answer, never taken from somebody."""

import json
import time
from datetime import UTC, datetime

import pytest

from stockade.authz.claims import claim
from stockade.authz.facts import Facts
from stockade.authz.learn import learn
from stockade.authz.model import (
    CanonicalRequest,
    Identity,
    ObjectReference,
    Phase,
    PluginRequest,
)

ALICE = Identity("tls", "CN=alice", "alice")
BOB = Identity("tls", "CN=bob", "bob")
CONTAINER = "a" * 64


@pytest.fixture
def facts(tmp_path):
    return Facts(tmp_path / "state" / "facts.db")


def create(identity, operation="volume.create", name="v", labels=None):
    details = {"volume": {"name": name, "labels": labels or {}}}
    if operation == "container.create":
        details = {"spec": {"labels": {}, "image": None}}
    return CanonicalRequest(
        operation, "POST", "/", None, identity, {}, {}, "low", None, None,
        (ObjectReference("volume", name),), details,
    )  # fmt: skip


def ask(request, facts, known=False):
    """The request phase, allowed."""
    document = {
        "references": [
            {"kind": each.kind, "reference": each.text, "known": known}
            for each in request.references
        ]
    }
    claim(request, document, facts)


def now(ago=0.0):
    return datetime.fromtimestamp(time.time() - ago, UTC).replace(microsecond=0).isoformat()


def answer(request, facts, *, status=201, when=None, made=None):
    """The response phase."""
    body = {"Name": "v", "Id": CONTAINER, "CreatedAt": when or now()}
    response = PluginRequest(
        Phase.RESPONSE, "POST", "/", b"", {}, "", "", (),
        status=status, response_body=json.dumps(body).encode(),
    )  # fmt: skip
    learn(response, request, facts, made or (lambda _: when or now()))


def owner(facts, name="v"):
    fact = facts.lookup("volume", name)
    return None if fact is None else fact.owner


@pytest.mark.parametrize("operation", ["volume.create", "container.create"])
def test_who_asks_for_a_volume_that_does_not_exist_owns_it(facts, operation):
    request = create(ALICE, operation)
    ask(request, facts)
    answer(request, facts)
    assert owner(facts) == ALICE.document()


@pytest.mark.parametrize("operation", ["volume.create", "container.create"])
def test_creating_what_exists_takes_it_from_nobody(facts, operation):
    mine = create(ALICE)
    ask(mine, facts)
    answer(mine, facts, when=now())
    again = create(BOB, operation)
    ask(again, facts, known=True)
    answer(again, facts)
    assert owner(facts) == ALICE.document()


def test_creating_what_nobody_owns_does_not_make_it_ones_own(facts):
    request = create(BOB)
    ask(request, facts, known=True)
    answer(request, facts, when=now(3600))
    assert owner(facts) is None


def test_two_at_once_and_it_is_nobodys(facts):
    one, other = create(ALICE), create(BOB)
    ask(one, facts)
    ask(other, facts)
    answer(other, facts)
    answer(one, facts)
    assert owner(facts) is None


def test_two_requests_of_one_person_do_not_contend(facts):
    one, other = create(ALICE), create(ALICE, "container.create")
    ask(one, facts)
    ask(other, facts)
    answer(other, facts)
    answer(one, facts)
    assert owner(facts) == ALICE.document()


def test_what_the_engine_made_before_is_not_ones_own(facts):
    request = create(BOB)
    ask(request, facts)
    answer(request, facts, when=now(30))
    assert owner(facts) is None


def test_a_time_that_cannot_be_read_proves_nothing(facts):
    request = create(BOB)
    ask(request, facts)
    answer(request, facts, when="yesterday")
    assert owner(facts) is None


def test_a_driver_without_times_is_believed(facts):
    request = create(BOB, "container.create")
    ask(request, facts)
    answer(request, facts, made=lambda _: None)
    assert owner(facts) == BOB.document()


def test_a_failure_frees_the_name(facts):
    failed, other = create(BOB), create(ALICE)
    ask(failed, facts)
    answer(failed, facts, status=500)
    ask(other, facts)
    answer(other, facts)
    assert owner(facts) == ALICE.document()


def test_an_old_claim_is_forgotten(facts, monkeypatch):
    ask(create(BOB), facts)
    later = time.time() + 120
    monkeypatch.setattr(time, "time", lambda: later)
    request = create(ALICE)
    ask(request, facts)
    answer(request, facts)
    assert owner(facts) == ALICE.document()


def test_labels_are_those_of_the_volume(facts):
    request = create(ALICE, labels={"team": "a"})
    ask(request, facts)
    answer(request, facts)
    assert facts.lookup("volume", "v").labels == {"team": "a"}
