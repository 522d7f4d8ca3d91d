"""Entries of `tests` about Docker requests: read, refused, and as the schema says."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

import stockade.policies
from stockade.policies import load_text

SCHEMA = Path(stockade.policies.__file__).parent / "schema" / "policy-1.schema.json"
VALIDATOR = Draft202012Validator(json.loads(SCHEMA.read_text()))
POLICY = """\
stockade: 1
name: x
authz:
  subjects: {me: local}
  rules: []
tests:
"""

GOOD = [
    "{as: local, docker: ps, expect: allow}",
    "{as: {cn: alice}, docker: run alpine, expect: deny, because: x}",
    "{as: {cn: alice, ou: [a, b], san: 'DNS:x'}, docker: ps, given: [run a, run b], expect: deny}",
    "{as: local, request: GET /info, expect: allow}",
    "{as: local, request: POST /x, body: '{}', given: run a, expect: allow}",
]
BAD = [
    "{docker: ps, expect: allow}",
    "{as: local, docker: ps}",
    "{as: local, expect: deny}",
    "{as: local, docker: ps, expect: kill}",
    "{as: local, docker: ps, request: GET /, expect: deny}",
    "{as: local, docker: ps, body: '{}', expect: deny}",
    "{as: {}, docker: ps, expect: deny}",
    "{as: {cn: [a, b]}, docker: ps, expect: deny}",
    "{as: {user: a}, docker: ps, expect: deny}",
    "{as: nobody, docker: ps, expect: deny}",
    "{as: local, docker: [ps], expect: deny}",
    "{as: local, docker: ps, expect: deny, with: EPERM}",
    "{as: local, docker: ps, expect: deny, call: read}",
    "{as: local, docker: ps, expect: deny, given: {a: b}}",
]


@pytest.mark.parametrize("entry", GOOD)
def test_read_as_written(entry):
    text = f"{POLICY}  - {entry}\n"
    loaded = load_text(text)
    assert not loaded.problems
    (case,) = loaded.policy.authz_tests
    written = yaml.safe_load(entry)
    assert case.text == written[case.kind]
    assert case.expect == (written["expect"] == "allow")
    assert case.at.line == 7
    assert VALIDATOR.is_valid(yaml.safe_load(text))


@pytest.mark.parametrize("entry", BAD)
def test_refused_with_a_place(entry):
    text = f"{POLICY}  - {entry}\n"
    loaded = load_text(text)
    assert loaded.problems
    assert all(problem.at.line == 7 for problem in loaded.problems)
    assert not VALIDATOR.is_valid(yaml.safe_load(text))


def test_both_kinds_in_one_list():
    text = POLICY.replace("rules: []\n", "rules: []\nseccomp: {default: deny}\n")
    text += "  - {call: read, expect: deny}\n  - {as: local, docker: ps, expect: allow}\n"
    loaded = load_text(text)
    assert not loaded.problems
    assert len(loaded.policy.tests) == len(loaded.policy.authz_tests) == 1
