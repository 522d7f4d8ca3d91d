"""The command line of an OCI runtime, as dockerd's shim, runc's manual and people write it."""

import pytest

from stockade.runtime.arguments import HELP, UsageError, is_container_id, parse

OURS = ["--runtime", "crun", "--tenant=docker", "--dedicated", "/a", "--dedicated=/b"]
SHIM = ["--root", "/run/d/moby", "--log", "/b/log.json", "--log-format", "json", "--systemd-cgroup"]
CREATE = ["create", "--bundle", "/b", "--pid-file", "/b/init.pid", "4f2c"]


def test_what_containerds_shim_writes() -> None:
    asked = parse([*OURS, *SHIM, *CREATE])
    assert (asked.command, asked.root, asked.bundle, asked.container) == (
        *("create", "/run/d/moby", "/b", "4f2c"),
    )
    assert asked.runtime == "crun"
    assert asked.option("tenant") == "docker"
    assert asked.ours["dedicated"] == ["/a", "/b"]
    assert asked.passed == [*SHIM, *CREATE]


def test_defaults() -> None:
    asked = parse(["delete", "-f", "x"])
    assert (asked.runtime, asked.root, asked.container) == ("runc", "/run/runc", "x")
    assert parse(["--runtime", "/opt/other", "state", "x"]).root == ""


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["state", "x"],
        ["--root=/r", "kill", "--all", "x", "9"],
        ["--debug", "start", "x"],
        ["exec", "--unknown", "x", "sh"],
        ["exec", "--process", "/p", "--detach", "--pid-file", "/f", "x"],
    ],
)
def test_passed_on_as_it_is(words: list[str]) -> None:
    assert parse([*OURS, *words]).passed == words


def test_exec_names_its_container() -> None:
    words = ["exec", "--process", "/p", "--detach", "--pid-file=/f", "x", "--not-an-option"]
    assert parse(words).container == "x"
    assert parse(["exec", "--unknown", "x", "sh"]).container == ""


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--root", "/r"], "no command"),
        (["--unknown", "create", "x"], "unknown global option --unknown"),
        (["--tenant"], "takes a value"),
        (["--mounts", "all", "state", "x"], "refuse or keep"),
        (["create"], "one container id"),
        (["create", "a", "b"], "one container id"),
        (["create", "--unknown", "a"], "unknown option --unknown"),
        (["create", "../a"], "one container id"),
        (["create", ".."], "one container id"),
        (["create", "a/b"], "one container id"),
        (["create", ""], "one container id"),
        (["restore", "a"], "restore is not supported"),
        (["clone", "a"], "unknown command clone"),
        (["delete", "--force=true", "x"], "unknown option"),
        (["--root", "/r", "--runtime", "crun", "state", "x"], "unknown global option --runtime"),
    ],
)
def test_in_doubt_it_is_refused(words: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse(words)


def test_container_ids() -> None:
    assert all(map(is_container_id, ["a", "a-b_c+d.e", "4f" * 32]))
    assert not any(map(is_container_id, ["", ".", "..", "a b", "a\n", "é", "a" * 201]))


def test_the_help_fits_a_terminal() -> None:
    assert max(map(len, HELP.splitlines())) <= 80
    assert parse(["--help"]).command == "stockade-help"
