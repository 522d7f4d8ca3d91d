"""What the embedded engine leaves out of an input document, no shipped rule reads."""

import json
import re

import pytest
from authz_samples import create, data, document, rule

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
