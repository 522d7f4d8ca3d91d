"""Rego of the user's own is tried in a child before anything loads it."""

import pytest

from stockade.authz.check import check
from stockade.policies import load

POLICY = """\
stockade: 1
name: p
authz:
  subjects: {shell: local}
  rules: [{allow: ["system.*"], subjects: [shell]}]
  rego: [x.rego]
"""
HEAD = "package stockade.extra\n\nimport rego.v1\n\n"


@pytest.fixture
def found(tmp_path):
    """The problems of a policy with this module, as `line:column message`."""

    def find(text, head=HEAD):
        (tmp_path / "p.yaml").write_text(POLICY)
        (tmp_path / "x.rego").write_text(head + text + "\n")
        authz = load(str(tmp_path / "p.yaml")).require().authz
        return [f"{str(each.at).rpartition('/')[2]} {each.message}" for each in check(authz)]

    return find


@pytest.mark.parametrize(
    "text",
    [
        'deny contains "no" if input.operation == "image.push"',
        'allow contains "yes" if input.subject.method == "unix"',
        'f(x) := x + 1\n\ng(x) := f(f(x))\n\ndeny contains "no" if g(1) == 4',
        "deny contains message if {\n\tsome each in input.references\n\tmessage := each.kind\n}",
        'deny contains "no" if data.stockade.policy.name == "q"',
        'deny contains "no" if input.deny == true',
        'default odd := false\n\nodd if input.version == "1.41"\n\ndeny contains "no" if odd',
    ],
)
def test_good_modules(found, text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('f(x) := f(x + 1)\n\ndeny contains "x" if f(1)', ["x.rego:5:1 `rego`: f needs itself"]),
        (
            'a if b\n\nb if a\n\ndeny contains "x" if a',
            ["x.rego:5:1 `rego`: a needs itself", "x.rego:7:1 `rego`: b needs itself"],
        ),
        ('deny contains "x" if data.stockade.extra.deny', ["x.rego:5:1 `rego`: deny needs itself"]),
        (
            'deny contains "x" if data["stockade"]["extra"].deny',
            ["x.rego:5:1 `rego`: deny needs itself"],
        ),
        ('deny contains "x" if data[input.a].b', ["x.rego:5:1 `rego`: deny needs itself"]),
        (
            "deny contains x if some x in data.stockade.authz.decision.reasons",
            ["x.rego:5:1 `rego`: deny needs itself"],
        ),
        ('deny contains "x" if {', ["x.rego:6:1 `rego`: expecting expression"]),
    ],
)
def test_bad_modules(found, text, said):
    assert found(text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('deny contains "x" if nosuch(1)', "could not find function nosuch"),
        ("deny := true", "complete rules should not produce multiple outputs"),
        ('deny contains "x" if count([1 | some i in numbers.range(1, 100000000)]) > 0', "failed"),
    ],
)
def test_modules_that_fail_when_they_decide(found, text, said):
    (only,) = found(text)
    assert only.startswith("p.yaml:6:")
    assert said in only


def test_a_module_of_another_package_is_not_tried(found):
    (only,) = found('decision := {"allow": true}', "package stockade.authz\n\nimport rego.v1\n\n")
    assert "is of package `stockade.authz`" in only


def test_an_endless_one_is_ended(found, monkeypatch):
    monkeypatch.setattr("stockade.authz.engines.validate.SECONDS", 1)
    (only,) = found(
        "deny contains sum(r) if {\n\tr := numbers.range(1, 3000)\n\tsome i in r\n\tsome j in r\n"
        "\tsome k in r\n\ti + j == k\n\tk < 0\n}"
    )
    assert "deciding by the modules" in only
