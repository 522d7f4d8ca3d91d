"""What a user's module reads of `input` and is never there is warned of; nothing else is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stockade.authz.compile import shipped_modules
from stockade.authz.unknown_input import unknown_input
from stockade.policies.source import Source

HEAD = "package stockade.extra\n\nimport rego.v1\n\n"
POLICY = """\
stockade: 1
name: x
authz:
  subjects: {all: local}
  rules: [{allow: "@read", subjects: all}]
  rego: extra.rego
"""


def found(text: str) -> list[str]:
    return [finding.message for finding in unknown_input(Source("extra.rego", HEAD + text))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("input.oparation", "`input.oparation` is never there; did you mean `operation`?"),
        ('input["spec"].label', '`input["spec"].label` is never there; did you mean `labels`?'),
        ("input.spec.mounts[_].src", "`input.spec.mounts[_].src` is never there"),
        ("input.spec.mounts[0].driver_option", "did you mean `driver_options`?"),
        ("input.object.owner.common_name", "`input.object.owner.common_name` is never there"),
        ("input.object.image.repo", "`input.object.image.repo` is never there"),
        ("input.operation.name", "`input.operation.name` is never there"),
        ("not input.Spec.privileged", "`input.Spec` is never there; did you mean `spec`?"),
    ],
)
def test_unknown_keys(text, message):
    (said,) = found(f"deny contains 1 if {text}")
    assert message in said


@pytest.mark.parametrize(
    "text",
    [
        "input.spec.labels.team", 'input.spec.labels["x.y"]', "input.query.t", "input.other.a.b",
        "input.subject.ou[_]", "input.object.image.registry", "input.spec.resources[key]",
        "input.spec.namespaces[kind].mode", "data.input.foo", "my.input.foo", "inputs.foo",
        '"input.foo"', "`input.foo`", "x # input.foo", "input[key].foo", "input.build.tags[0].id",
    ],
)  # fmt: skip
def test_known_keys_and_what_is_no_reference(text):
    assert found(f"deny contains 1 if {text}") == []


def test_the_shipped_modules_read_only_what_is_there():
    for name, text in shipped_modules().items():
        assert list(unknown_input(Source(name, text))) == []


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stockade", "authz", *words], capture_output=True, text=True
    )


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "x.yaml").write_text(POLICY)
    (tmp_path / "extra.rego").write_text(HEAD + "deny contains 1 if input.spec.privilegd\n")
    return tmp_path / "x.yaml"


def test_authz_check_warns(policy):
    done = run("check", str(policy), "--no-engine")
    assert done.returncode == 1, done.stderr
    assert "extra.rego:5:20: warning: `input.spec.privilegd` is never there" in done.stdout
    assert "did you mean `privileged`?" in done.stdout
    done = run("check", str(policy), "--no-engine", "--format", "json")
    assert json.loads(done.stdout)["findings"][0]["id"] == "authz-unknown-input"
    (policy.parent / "extra.rego").write_text(HEAD + "deny contains 1 if input.spec.privileged\n")
    assert run("check", str(policy), "--no-engine").returncode == 0


def test_authz_test_takes_tests_in_rego_alone(policy):
    module = policy.parent / "extra.rego"
    assert run("test", str(policy)).returncode == 2
    module.write_text(f"{HEAD}deny contains 1 if false\n\ntest_it if count(deny) == 0\n")
    done = run("test", str(policy))
    assert (done.returncode, "opa test passed" in done.stderr) == (0, True), done.stderr
    module.write_text(f"{HEAD}deny contains 1 if false\n\ntest_it if count(deny) == 1\n")
    assert run("test", str(policy)).returncode == 1
