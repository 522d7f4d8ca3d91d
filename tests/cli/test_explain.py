"""`stockade explain`: policies, profiles and programs; exit status; JSON."""

import json

import pytest

POLICY = """\
stockade: 1
name: web
seccomp:
  default: deny
  architectures: [x86_64, x86]
  rules:
    - deny: ["@keyring"]
      with: ENOSYS
    - allow: [read, socketcall, clone3]
    - allow: socket
      when: family in {AF_UNIX, AF_INET} and type & SOCK_TYPE_MASK == SOCK_STREAM
    - allow: ptrace
      needs: CAP_SYS_PTRACE
"""


@pytest.fixture
def files(stockade, tmp_path):
    (tmp_path / "web.yaml").write_text(POLICY)
    assert stockade("compile", "web.yaml").returncode == 0
    return ["web.yaml", "web.docker.json", "web.oci.json", "web.bpf"]


@pytest.mark.parametrize(
    ("call", "words", "answer"),
    [
        ("read", [], "allow"),
        ("read(0, 1, 2)", [], "allow"),
        ("socket(family=AF_INET, type=SOCK_STREAM)", [], "allow"),
        ("socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC)", [], "allow"),
        ("socket(arg0=0x100000002, arg1=1)", [], "allow"),
        ("socket(family=AF_ALG, type=SOCK_STREAM)", [], "deny EPERM"),
        ("socket(family=AF_INET, type=SOCK_DGRAM)", [], "deny EPERM"),
        ("keyctl", [], "deny ENOSYS"),
        ("ptrace", [], "deny EPERM"),
        ("#999", [], "deny ENOSYS"),
        ("#350", ["--arch", "x86_64"], "deny EPERM"),
    ],
)
def test_every_form_gives_the_same_answer(stockade, files, call, words, answer):
    for file in files:
        done = stockade("explain", file, call, "--format", "json", *words)
        found = json.loads(done.stdout)
        architectures = {each["architecture"]: each["action"] for each in found}
        architectures.pop("x32", None)  # a program does not say which ABIs it is for
        assert set(architectures.values()) == {answer}, (file, done.stdout)
        assert done.returncode == (0 if answer == "allow" and "x32" not in str(found) else 1)


def test_the_deciding_rule_is_shown(stockade, files):
    done = stockade("explain", "web.yaml", "keyctl")
    assert "decided by seccomp.rules[0], through @keyring, at web.yaml:7:14" in done.stdout
    assert '- deny: ["@keyring"]' in done.stdout


def test_open_arguments_are_not_assumed(stockade, files):
    done = stockade("explain", "web.yaml", "socket(family=AF_INET)")
    assert done.returncode == 1
    assert "depends on arguments that you did not give" in done.stdout
    assert "such as socket(family=2, type=1)" in done.stdout
    program = stockade("explain", "web.bpf", "socket(family=AF_INET)")
    assert "it looked at type, which you did not give (taken as 0)" in program.stdout


def test_capabilities_count(stockade, files):
    for file in ("web.yaml", "web.docker.json"):
        assert stockade("explain", file, "ptrace", "--cap", "CAP_SYS_PTRACE").returncode == 0


@pytest.mark.parametrize(
    ("file", "call", "message"),
    [
        ("web.yaml", "reed", "unknown system call `reed`; did you mean `read`?"),
        ("web.yaml", "socket(famly=1)", "did you mean `family`?"),
        ("web.yaml", "socket(family=0x100000002)", "`family` of socket has 32 bits"),
        ("web.yaml", "socket(family=AF_IENT)", "unknown constant `AF_IENT`"),
        ("web.yaml", "socket(", "CALL:1:"),
        ("none.json", "read", "`none.json` does not exist"),
        ("some/file", "read", "cannot tell what `some/file` is"),
        ("web.docker.json", "read --", "unexpected"),
    ],
)
def test_bad_input(stockade, files, file, call, message):
    done = stockade("explain", file, call)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"defaultAction": 5}', '{"defaultAction": "SCMP_ACT_ALOW", "syscalls": []}',
     '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": "read", "action": 1}]}',
     '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": 7}', '{"syscalls": [{"names": ["a"]}]}'],
)  # fmt: skip
def test_bad_profiles(stockade, tmp_path, text):
    (tmp_path / "p.json").write_text(text)
    done = stockade("explain", "p.json", "read")
    assert done.returncode == 2
    assert "p.json" in done.stderr


def test_the_empty_profile_lets_everything_run(stockade, tmp_path):
    (tmp_path / "p.json").write_text("{}")
    done = stockade("explain", "p.json", "mount")
    assert done.returncode == 0
    assert "allow" in done.stdout
