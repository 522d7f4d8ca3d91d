"""Finding and reading policies: paths, the library, `extends`, hostile files."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stockade.policies import groups, jsontext, library_names, load, load_text, yamltext
from stockade.policies.catalog import parse_groups
from stockade.policies.errors import InputError
from stockade.policies.loader import Loaded
from stockade.policies.model import Action, ActionKind
from stockade.policies.problems import Report, arrange
from stockade.policies.source import Location, Problem, Source

HEAD = "stockade: 1\nname: x\n"
GOOD = HEAD + "seccomp:\n  default: deny\n  rules:\n    - allow: read\n"


def messages(loaded: Loaded) -> list[str]:
    return [problem.message for problem in loaded.problems]


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_good(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "a.yaml", GOOD))
    assert loaded.problems == ()
    policy = loaded.require()
    assert policy.name == "x"
    assert policy.seccomp is not None
    assert policy.seccomp.default == Action(ActionKind.DENY, "EPERM")
    assert policy.seccomp.newer == Action(ActionKind.DENY, "ENOSYS")
    assert policy.seccomp.architectures is None
    rule = policy.seccomp.rules[0]
    assert rule.route == "seccomp.rules[0]"
    assert (rule.at.line, rule.at.column) == (6, 7)


def test_require_raises_with_all_problems() -> None:
    with pytest.raises(InputError) as caught:
        load_text("stockade: 2\nname: X\n").require()
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("rule", "action"),
    [
        ("deny: read", Action(ActionKind.DENY, "EPERM")),
        ("{deny: read, with: ENOSYS}", Action(ActionKind.DENY, "ENOSYS")),
        ("{deny: read, with: 0}", Action(ActionKind.DENY, 0)),
        ("{deny: read, with: 0x26}", Action(ActionKind.DENY, 38)),
        ("{trace: read, with: 65535}", Action(ActionKind.TRACE, 65535)),
        ("trace: read", Action(ActionKind.TRACE, 0)),
        ("kill: read", Action(ActionKind.KILL_PROCESS)),
        ("kill-thread: read", Action(ActionKind.KILL_THREAD)),
        ("notify: read", Action(ActionKind.NOTIFY)),
    ],
)
def test_actions(rule: str, action: Action) -> None:
    # `with` of `seccomp` is the default's alone.
    text = HEAD + f"seccomp:\n  default: deny\n  with: EACCES\n  rules:\n    - {rule}\n"
    seccomp = load_text(text).require().seccomp
    assert seccomp is not None
    assert seccomp.rules[0].action == action
    assert seccomp.default == Action(ActionKind.DENY, "EACCES")


@pytest.mark.parametrize(
    ("newer", "action"),
    [
        ("EPERM", Action(ActionKind.DENY, "EPERM")),
        ("38", Action(ActionKind.DENY, 38)),
        ("default", None),
        ("kill", Action(ActionKind.KILL_PROCESS)),
        ("log", Action(ActionKind.LOG)),
    ],
)
def test_newer(newer: str, action: Action | None) -> None:
    text = HEAD + f"seccomp: {{default: deny, newer: {newer}}}\n"
    seccomp = load_text(text).require().seccomp
    assert seccomp is not None
    assert seccomp.newer == action


@pytest.mark.usefixtures("small_library")
def test_names_and_groups() -> None:
    text = HEAD + 'seccomp: {default: deny, rules: [{allow: [keyctl, "@keyring", read]}]}\n'
    seccomp = load_text(text).require().seccomp
    assert seccomp is not None
    calls = {call.text: call.group for call in seccomp.rules[0].calls}
    assert calls == {"keyctl": None, "add_key": "@keyring", "request_key": "@keyring", "read": None}


# --- extends --------------------------------------------------------------------------


def test_extends(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(
        tmp_path / "base.yaml",
        "stockade: 1\nname: base\ndescription: the base\nseccomp:\n  default: kill\n"
        "  newer: default\n  architectures: [x86_64]\n  rules:\n    - allow: read\n"
        "tests:\n  - {call: read, expect: allow}\n",
    )
    write(
        tmp_path / "sub" / "middle.yaml",
        "stockade: 1\nname: middle\nextends: ../base.yaml\nseccomp:\n  newer: EPERM\n"
        "  rules:\n    - deny: read\n",
    )
    top = write(
        tmp_path / "top.yaml",
        "stockade: 1\nname: top\nextends: sub/middle.yaml\nseccomp:\n  architectures: [arm]\n"
        "  rules:\n    - log: read\n",
    )
    policy = load(top).require()
    seccomp = policy.seccomp
    assert seccomp is not None
    assert (policy.name, policy.description, policy.tests) == ("top", "", ())
    assert seccomp.default == Action(ActionKind.KILL_PROCESS)
    assert seccomp.newer == Action(ActionKind.DENY, "EPERM")
    assert [name.text for name in seccomp.architectures or ()] == ["arm"]
    assert [rule.action.kind.value for rule in seccomp.rules] == ["log", "deny", "allow"]
    assert [rule.at.source.name for rule in seccomp.rules] == [
        str(tmp_path / name) for name in ("top.yaml", "sub/middle.yaml", "sub/../base.yaml")
    ]
    assert {rule.route for rule in seccomp.rules} == {"seccomp.rules[0]"}


def test_extends_only(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", GOOD)
    loaded = load_text("stockade: 1\nname: y\nextends: ./base.yaml\n", directory=tmp_path)
    policy = loaded.require()
    assert policy.name == "y"
    assert policy.seccomp is not None
    assert len(policy.seccomp.rules) == 1


def test_extends_too_deep(tmp_path: Path) -> None:
    for i in range(20):
        write(tmp_path / f"p{i}.yaml", f"stockade: 1\nname: p{i}\nextends: ./p{i + 1}.yaml\n")
    assert messages(load(str(tmp_path / "p0.yaml"))) == ["more than 8 policies extend one another"]


def test_cycle_through_a_link(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    write(path, "stockade: 1\nname: a\nextends: ./b.yaml\n")
    (tmp_path / "b.yaml").symlink_to(path)
    [message] = messages(load(str(path)))
    assert message.startswith("`extends` goes round in a circle: ")


def test_problems_of_the_parent_come_after_ours(tmp_path: Path) -> None:
    write(tmp_path / "z.yaml", GOOD + "zz: 1\n")
    loaded = load_text(HEAD + "extends: ./z.yaml\nyy: 1\n", directory=tmp_path)
    assert loaded.policy is not None
    assert [str(problem.at) for problem in loaded.problems] == [
        "<text>:4:1",
        f"{tmp_path / 'z.yaml'}:7:1",
    ]


# --- what cannot be read ----------------------------------------------------------------


def test_missing() -> None:
    [problem] = load("/nowhere/x.yaml").problems
    assert problem.render() == "error: `/nowhere/x.yaml` does not exist\n  help: check the path"


def test_unknown_library_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert messages(load("no-such-policy-at-all")) == [
        "unknown library policy `no-such-policy-at-all`"
    ]
    write(tmp_path / "mine.yaml", GOOD)
    assert load("mine").problems[0].hint == "for the file here, write `./mine.yaml`"


@pytest.mark.parametrize("reference", ["", "\0", "a\0/b", "x" * 5000, "/" + "x" * 5000, "\ud800/"])
def test_strange_references(reference: str) -> None:
    [problem] = load(reference).problems
    problem.render().encode()


def test_directory_fifo_device_socket(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yaml")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "socket.yaml"))
    for reference, kind in [
        (str(tmp_path) + "/", "a directory"),
        (str(tmp_path / "fifo.yaml"), "a named pipe"),
        ("/dev/zero", "a device"),
        (str(tmp_path / "socket.yaml"), "a socket"),
    ]:
        [message] = messages(load(reference))
        assert message.endswith(f"is {kind}, not a file")
    server.close()


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    start = time.perf_counter()
    [message] = messages(load(str(path)))
    assert time.perf_counter() - start < 0.5
    assert message.endswith("is too large: 1,048,576 bytes are the limit, it has 104,857,600 bytes")


def test_file_without_a_size() -> None:
    # Files under /proc say that they are empty.
    assert messages(load("/proc/self/status"))


def test_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert messages(load("x.yaml")) == ["`x.yaml` cannot be read: permission denied"]


class Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(GOOD.encode()))
    assert load("-").require().name == "x"
    monkeypatch.setattr(sys, "stdin", Stdin(b"a" * (2 << 20)))
    assert messages(load("-")) == [
        "`<stdin>` is too large: 1,048,576 bytes are the limit, it has more"
    ]
    monkeypatch.setattr(sys, "stdin", Stdin(b"\xff"))
    assert str(load("-").problems[0].at) == "<stdin>:1:1"
    monkeypatch.setattr(sys, "stdin", None)
    assert messages(load("-"))


def test_alias_bomb() -> None:
    text = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for i in range(1, 30):
        text += f"k{i}: &n{i} [{', '.join(['*a'] * 9)}]\n".replace(
            "*a", f"*n{i - 1}" if i > 1 else "*a"
        )
    start = time.perf_counter()
    loaded = load_text(text)
    assert time.perf_counter() - start < 2
    assert any("aliases are refused" in message for message in messages(loaded))


@pytest.mark.parametrize("text", ["[" * 500_000, "{a: " * 200_000, "- " * 400_000, "? " * 400_000])
def test_deep(text: str) -> None:
    start = time.perf_counter()
    assert messages(load_text(text))
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("name", ["x.yaml", "x.json"])
def test_too_many_values(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (jsontext, yamltext):
        monkeypatch.setattr(module, "MAXIMAL_NODES", 5_000)
    [message] = messages(load_text("[" + "1," * 5_001 + "1]", name))
    assert message == "more than 5,000 values in one file"


@pytest.mark.usefixtures("small_library")
def test_library_policy(tmp_path: Path) -> None:
    policy = load("parent").require()
    assert policy.at.source.name == "library:parent"
    child = write(tmp_path / "c.yaml", HEAD + "extends: parent\n")
    assert load(child).require().seccomp == policy.seccomp


def test_every_library_policy_loads() -> None:
    for name in library_names():
        assert load(name).require().name == name


def test_names_cannot_write_to_the_terminal() -> None:
    [problem] = load("/x\x1b[31m.yaml").problems
    assert "\x1b" not in problem.render()
    assert "\x1b" not in load_text("a: 1\n", "\x1b[31m").problems[0].render()


# --- groups and order ---------------------------------------------------------------------


def test_groups_of_the_library() -> None:
    found = groups()
    assert {"add_key", "keyctl", "request_key"} <= set(found["@keyring"].calls)
    assert all(group.why for group in found.values())
    assert "groups" not in library_names()


def test_groups_include_groups() -> None:
    report = Report()
    text = 'groups:\n  "@a": {why: a, calls: [x, "@b"]}\n  "@b": {why: b, calls: [y, x]}\n'
    found = parse_groups(Source("g", text), report)
    assert not report.problems
    assert found["@a"].calls == ("x", "y")
    assert found["@a"].includes == ("@b",)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('"@a": {why: a, calls: ["@b"]}', "unknown group `@b` in `@a`"),
        ('"@a": {why: a, calls: ["@a"]}', "groups include one another: @a -> @a"),
        ('"@a": {why: a, calls: [x, x]}', "`x` is twice in `@a`"),
        ('"@a": {why: a, calls: [X]}', "`X` is no name of a call or group"),
        ('"@a": {why: a, calls: []}', "`calls` is an empty list"),
        ('"@a": {calls: [x]}', "`why` is missing in group `@a`"),
        ('"@a": {why: a}', "`calls` is missing in group `@a`"),
        ('"@a": {why: "a\\nb", calls: [x]}', "`why` must be one line"),
        ("a: {why: a, calls: [x]}", "`a` is no group name"),
        ('"@a": x', "`@a` must be a mapping, found the text `x`"),
    ],
)
def test_wrong_groups(body: str, message: str) -> None:
    report = Report()
    parse_groups(Source("g", f"groups:\n  {body}\n"), report)
    assert [problem.message for problem in report.problems] == [message]


def test_groups_are_lazy_and_imports_light() -> None:
    code = (
        "import sys\nfrom stockade.policies import model\n"
        "assert 'stockade.policies.loader' not in sys.modules\n"
        "from stockade.policies import load_text\nassert 'yaml' not in sys.modules\n"
        f"load_text({GOOD!r}).require()\n"
        "from stockade.policies.catalog import groups\n"
        "assert groups.cache_info().currsize == 0\n"
        "heavy = {'difflib', 'json', 'hypothesis', 'jsonschema', 'click'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_libyaml() -> None:
    code = (
        "import yaml\ndel yaml.CBaseLoader\n"
        "from stockade.policies import load_text\n"
        f"load_text({GOOD!r}).require()\n"
        "assert load_text('a: [1').problems\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_arrange() -> None:
    source = Source("s", "")
    far, near = (Problem("m", Location(source, line, 1)) for line in (2, 1))
    assert arrange([far, near, Problem("nowhere"), far]) == (near, far, Problem("nowhere"))
    many = arrange(Problem(str(i), Location(source, i, 1)) for i in range(1, 151))
    assert len(many) == 101
    assert many[-1].message == "and 50 more problems"


def test_unknown_attribute() -> None:
    import stockade.policies

    with pytest.raises(AttributeError):
        _ = stockade.policies.nothing
