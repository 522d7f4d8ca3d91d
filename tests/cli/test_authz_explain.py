"""`stockade authz explain`, `test`, `check` and `replay` on a policy, as a user calls them."""

import gzip
import json

import pytest

POLICY = """\
stockade: 1
name: team
authz:
  subjects:
    ops: {cn: [alice]}
    ci: {ou: [builders]}
    shell: local
  rules:
    - allow: ["@read", "@lifecycle", container.create, "@exec", image.pull]
      subjects: [ops, ci]
      binds: [/srv/data:ro]
      capabilities: [NET_ADMIN]
    - allow: [system.info]
      subjects: [shell]
    - deny: [plugin.*]
      subjects: [ops, ci]
      because: plugins are installed by hand
tests:
  - {as: {cn: alice}, docker: "run --privileged alpine", expect: deny, because: privileged}
  - {as: {cn: alice}, docker: "run -d alpine", expect: allow}
  - {as: {cn: alice}, given: run -d --name web alpine, docker: exec web sh, expect: allow}
  - {as: local, request: GET /info, expect: allow}
  - {as: {cn: alice}, docker: plugin disable x, expect: deny, because: by hand}
"""


@pytest.fixture
def policy(tmp_path):
    (tmp_path / "team.yaml").write_text(POLICY)
    return "team.yaml"


def explain(stockade, policy, *words, code):
    done = stockade("authz", "explain", policy, *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines()), done.stdout
    return done.stdout


def test_allowed_and_where(stockade, policy):
    said = explain(stockade, policy, "--as", "cn=alice", "docker", "run", "-d", "alpine", code=0)
    assert "POST /containers/create" in said
    assert "POST /containers/" in said
    assert "/start" in said
    assert "by authz.rules[0] at team.yaml:9" in said
    assert '9 | - allow: ["@read"' in said
    assert "all 4 allowed" in said


def test_denied_and_why(stockade, policy):
    words = ["--as", "cn=alice", "--", "docker", "run", "--privileged", "-v", "/:/h", "alpine"]
    said = explain(stockade, policy, *words, code=1)
    assert "DENIED   POST /containers/create" in said
    assert "authz.rules[0] (team.yaml:9)" in said
    assert "privileged" in said
    assert "9 | " in said


def test_nobody_allows_it(stockade, policy):
    said = explain(stockade, policy, "docker", "ps", code=1)
    assert "no rule allows container.list" in said
    assert "a rule such as - {allow: [container.list], subjects: [shell]}" in " ".join(said.split())


def test_what_is_not_known_is_said(stockade, policy):
    words = ["--as", "cn=alice", "docker", "exec", "web", "sh"]
    said = explain(stockade, policy, *words, code=1)
    assert "nothing is known here of `container web`" in " ".join(said.split())
    given = ["--given", "run -d --name web alpine"]
    explain(stockade, policy, *given, *words, code=0)


def test_somebody_elses(stockade, policy):
    """`given` was run by the same subject, so its things are the subject's own."""
    words = ["--as", "cn=alice", "--given", "create --name web alpine"]
    explain(stockade, policy, *words, "docker", "start", "web", code=0)
    words = ["--as", "cn=alice", "docker", "stop", "web"]
    explain(stockade, policy, *words, code=1)


def test_requests_and_curl(stockade, policy, tmp_path):
    explain(stockade, policy, "GET", "/info", code=0)
    explain(stockade, policy, "curl", "http://x/v1.41/info", code=0)
    said = explain(stockade, policy, "curl", "-d", "a=1", "http://x/info", code=1)
    assert "DENIED" in said
    (tmp_path / "body").write_text('{"Image": "alpine", "hostconfig": {"PRIVILEGED": true}}')
    words = ["--as", "cn=alice", "--body", "body", "POST", "/containers/create"]
    assert "privileged" in explain(stockade, policy, *words, code=1)


def test_json(stockade, policy):
    done = stockade("authz", "explain", policy, "--json", "docker", "info")
    assert done.returncode == 0
    (found,) = json.loads(done.stdout)
    assert found["operation"] == "system.info"
    assert found["allow"] is True
    assert found["decided_at"] == "team.yaml:13"
    assert found["input"]["subject"]["method"] == "local"


@pytest.mark.parametrize(
    "words",
    [
        ["docker", "run", "--nosuch", "alpine"],
        ["docker", "nosuch"],
        ["docker", "compose", "up"],
        ["--as", "uid=5", "docker", "ps"],
        ["--as", "cn=a", "--local", "docker", "ps"],
        ["--body", "x", "docker", "ps"],
        ["curl", "--nosuch", "http://x"],
        ["FETCH", "/info"],
    ],
)
def test_bad_input(stockade, policy, words):
    done = stockade("authz", "explain", policy, *words)
    assert done.returncode == 2, done.stdout + done.stderr


def test_tests_of_the_policy(stockade, policy, tmp_path):
    for command in (["test"], ["authz", "test"]):
        done = stockade(*command, policy)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "5 requests passed, 0 failed" in done.stderr
    (tmp_path / policy).write_text(
        POLICY.replace('"run -d alpine", expect: allow', '"run -d alpine", expect: deny')
    )
    done = stockade("authz", "test", policy)
    assert done.returncode == 1
    assert "team.yaml:20:5: expected deny, got allow" in done.stdout


def test_a_test_for_the_wrong_reason_fails(stockade, policy, tmp_path):
    (tmp_path / policy).write_text(POLICY.replace("because: privileged", "because: capability X"))
    done = stockade("authz", "test", policy)
    assert done.returncode == 1
    assert "`capability X` is not in the reason" in done.stdout


def test_check_of_the_policy_alone(stockade, policy, tmp_path):
    done = stockade("authz", "check", policy, "--no-engine")
    assert done.returncode == 0, done.stderr
    assert "team: 3 rules, sound" in done.stderr
    (tmp_path / policy).write_text(POLICY.replace("@lifecycle", "@lifecicle"))
    done = stockade("authz", "check", policy, "--no-engine")
    assert done.returncode == 2
    assert "did you mean `@lifecycle`" in done.stderr


def test_check_of_an_engine_that_is_not_there(stockade, policy, tmp_path):
    (tmp_path / "daemon.json").write_text('{"hosts": ["tcp://0.0.0.0:2375"]}')
    words = ["--docker", "no.sock", "--daemon-json", "daemon.json", "--format", "json"]
    done = stockade("authz", "check", policy, *words)
    assert done.returncode == 1, done.stderr
    found = {each["id"]: each for each in json.loads(done.stdout)["findings"]}
    assert {"engine-not-reached", "plugin-not-configured", "listener-without-tls"} <= set(found)
    assert found["listener-without-tls"]["line"] == 1


def logged(stockade, policy, tmp_path):
    """Decisions as the log has them, from what explain says."""
    lines = []
    for words in (["docker", "info"], ["--as", "cn=alice", "docker", "run", "-d", "alpine"]):
        done = stockade("authz", "explain", policy, "--json", *words)
        for at, each in enumerate(json.loads(done.stdout)):
            subject = each["input"]["subject"]["principal"]
            record = {
                "decision_id": f"{subject}-{at}",
                "timestamp": f"2026-01-0{at + 1}T00:00:00.000000Z",
                "phase": "request",
                "operation": each["operation"],
                "user": subject,
                "code": each["code"],
                "result": {"allow": each["allow"], "rule": each["rule"]},
                "input": each["input"],
            }
            lines.append(json.dumps(record))
    lines.append(json.dumps({**json.loads(lines[0]), "code": "empty-request", "input": None}))
    lines.append(json.dumps({**json.loads(lines[0]), "phase": "response"}))
    lines.append(json.dumps({**json.loads(lines[0]), "truncated": True}))
    lines.append("not json")
    return "\n".join(lines).encode() + b"\n"


def test_replay(stockade, policy, tmp_path):
    log = logged(stockade, policy, tmp_path)
    (tmp_path / "authz.log").write_bytes(log)
    (tmp_path / "authz.log.1.gz").write_bytes(gzip.compress(log))
    done = stockade("authz", "replay", "authz.log", "authz.log.1.gz", "--policy", policy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 decided again, 0 would change" in done.stderr
    assert "2 denied before any rule stay, 2 cut short in the log, 2 lines" in done.stderr

    (tmp_path / "new.yaml").write_text(POLICY.replace("container.create, ", ""))
    done = stockade("authz", "replay", "authz.log", "--policy", "new.yaml")
    assert done.returncode == 1
    assert "allowed -> denied: container.create, CN=alice, 1 time\n" in done.stdout
    assert "was by authz.rules[0]" in done.stdout
    words = ["--since", "2026-02-01", "--format", "json"]
    done = stockade("authz", "replay", "authz.log", "--policy", "new.yaml", *words)
    assert done.returncode == 0
    assert json.loads(done.stdout)["summary"]["decided"] == 0
    assert stockade("authz", "replay", "no.log", "--policy", policy).returncode == 2
