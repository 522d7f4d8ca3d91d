"""What the embedded engine leaves out of an input document, no shipped rule reads."""

import json
import re

import pytest
from authz_samples import create, data, document, mount, person, rule, spec, thing

from stockade.authz.compile import shipped_modules
from stockade.authz.engines.regorus import Embedded
from stockade.authz.engines.unread import SPEC, TOP, reader

REGO = "\n".join(
    line.partition("#")[0] for text in shipped_modules().values() for line in text.splitlines()
)


def test_no_module_names_it():
    named = set(re.findall(r"\binput\.(\w+)", REGO))
    assert not named & TOP
    assert "operation" in named
    assert not set(re.findall(r"\bspec\.(\w+)", REGO)) & SPEC


def test_no_module_takes_keys_that_it_does_not_name():
    """`input[key]` once, with keys of a table; a spec is never walked through."""
    assert re.findall(r"\binput\[(\w+)\]", REGO) == ["key"]
    assert not re.findall(r"\bspec\[", REGO)
    assert not re.findall(r"\bin (?:input|input\.spec|spec)(?![\w.])", REGO)
    for key in TOP | SPEC:
        assert f'"{key}"' not in REGO


def policy(*rules):
    return data(*rules)["stockade"]["policy"]


def test_the_rest_stays():
    whole = create(labels={"team": "web", "build": "7"})
    read = reader(policy(rule("container.create", labels={"team": ["^web$"]})))(whole)
    assert read.keys() == whole.keys() - TOP
    assert read["spec"].keys() == whole["spec"].keys() - SPEC
    assert read["spec"]["labels"] == {"team": "web"}
    assert whole["spec"]["labels"] == {"team": "web", "build": "7"}


@pytest.mark.parametrize("kind", ["container.list", "container.create"])
def test_documents_without_a_spec(kind):
    whole = document(kind, spec=None)
    assert reader(policy())(whole).keys() == whole.keys() - TOP


@pytest.mark.parametrize("key", sorted(SPEC))
@pytest.mark.parametrize("value", [None, "x", ["ALL"], {"privileged": True}])
def test_no_decision_depends_on_it(key, value):
    allowing = policy(rule("container.create"))
    engine = Embedded(allowing)
    plain, changed = create(), create()
    changed["spec"][key] = value
    assert engine.decide(changed) == engine.decide(plain)
    assert json.dumps(reader(allowing)(changed)) == json.dumps(reader(allowing)(plain))


def test_a_label_that_a_rule_asks_for_still_decides():
    engine = Embedded(policy(rule("container.create", labels={"team": ["^web$"]})))
    answers = {
        team: engine.decide(create(labels={"team": team, "build": "7"})).allow
        for team in ("web", "ops", "web")
    }
    assert answers == {"web": True, "ops": False}


# --- what happens to a container that exists --------------------------------------------------


def starting(**changes):
    """A start of a container of the person's own."""
    plain = {"id": "a" * 64, "name": "web-1", "owner": person(), "labels": {"team": "web"},
             "spec": spec(name="web-1")}  # fmt: skip
    found = {**thing("container", "a" * 64), **plain, **changes}
    return document("container.start", object=found)


OTHER = {"id": "b" * 64, "name": "web-2", "spec": spec(name="web-2", command=["x"], hostname="y")}


def test_another_container_of_the_same_kind_is_decided_from_memory():
    engine = Embedded(policy(rule("container.start")))
    assert engine.decide(starting()).allow
    assert engine.decide(starting(**OTHER)).allow
    assert len(engine._allowed) == 1


@pytest.mark.parametrize("changes", [
    {"owner": None},
    {"owner": person("eve")},
    {"known": False},
    {"kind": "exec"},
    {"spec": None},
    {"spec": spec(privileged=True)},
    {"spec": spec(mounts=[mount("bind", "/etc")])},
])  # fmt: skip
def test_what_tells_containers_apart_still_does(changes):
    engine = Embedded(policy(rule("container.start")))
    assert engine.decide(starting()).allow
    decided = engine.decide(starting(**changes))
    fresh = Embedded(policy(rule("container.start"))).decide(starting(**changes))
    assert decided == fresh
    assert engine.decide(starting()).allow


@pytest.mark.parametrize(("on", "differing"), [
    ({"labels": {"team": ["^web$"]}, "names": None}, {"labels": {"team": "ops"}}),
    ({"labels": {}, "names": ["^web-1$"]}, {"name": "web-2"}),
])  # fmt: skip
def test_names_and_labels_count_where_a_rule_asks(on, differing):
    engine = Embedded(policy(rule("container.start", on=on)))
    assert engine.decide(starting()).allow
    assert not engine.decide(starting(**differing)).allow
    assert engine.decide(starting()).allow


def test_a_denial_names_its_own_container():
    engine = Embedded(policy(rule("container.start")))
    for reference in ("web-1", "web-2"):
        asked = document("container.start", object=thing("container", reference, owner=None))
        assert any(reference in reason for reason in engine.decide(asked).reasons)


def test_only_reasons_name_the_container():
    """Ids and references of things are compared where they are networks, volumes or the like, of
    `references`; the object's own stand in sentences only."""
    named = set(re.findall(r"\b(?:acted_upon|input\.object)\.(\w+)", REGO))
    assert named == {"spec"}
    permission = [
        line
        for name, text in shipped_modules().items()
        if not name.rpartition("/")[2].startswith("reasons")
        for line in text.splitlines()
        if re.search(r"\bthing\.(?:id|reference)\b", line)
    ]
    assert sorted(line.strip() for line in permission) == [
        "own(rule, kind, thing.id)",
        "thing.reference == asked",
        "thing.reference == name",
        "thing.reference == name",
        "thing.reference == text",
        "thing.reference == text",
    ]
