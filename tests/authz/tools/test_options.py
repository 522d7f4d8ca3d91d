"""The table of docker's options is what docker's help says; command lines are taken apart so."""

import shutil

import pytest

from stockade.authz.dockercli.generate import options_of as help_of
from stockade.authz.dockercli.options import ALIASES, COMMANDS, options_of, read_words
from stockade.policies.errors import InputError

CLIENTS = ["/usr/bin/docker", "/usr/local/bin/docker"]


@pytest.mark.parametrize("docker", CLIENTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_the_help_is_known(docker, command, require):
    require(shutil.which(docker), f"needs the docker client {docker}")
    for name, short, kind in help_of(docker, command):
        if name == "help":
            continue
        known = options_of(command).get(f"--{name}")
        assert known is not None, f"{command} --{name}"
        assert (known.kind == "bool") == (kind == "bool")
        assert not short or options_of(command)[f"-{short}"].name in (name, "timeout")


@pytest.mark.parametrize(
    ("line", "given", "arguments"),
    [
        ("run -it a sh -c x", [("interactive", "true"), ("tty", "true")], "a sh -c x"),
        ("run -e=A=1 -eB=2 -e C=3 a", [("env", "A=1"), ("env", "B=2"), ("env", "C=3")], "a"),
        ("run --privileged=false --rm a", [("privileged", "false"), ("rm", "true")], "a"),
        ("run -itv/:/h a", [("interactive", "true"), ("tty", "true"), ("volume", "/:/h")], "a"),
        ("run -- -a b", [], "-a b"),
        ("run a -- b", [], "a -- b"),
        ("stop a -t 3 b", [("time", "3")], "a b"),
        ("stop a -- -t", [], "a -t"),
        ("-H tcp://x -D --tls run a", [], "a"),
        ("--context=x container run a", [], "a"),
    ],
)
def test_words(line, given, arguments):
    words = read_words(["docker", *line.split()])
    assert list(words.given) == given or line.startswith("stop a -t")
    assert list(words.arguments) == arguments.split()


def test_aliases_name_commands():
    assert set(ALIASES.values()) <= set(COMMANDS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run --privilegd a", "did you mean `--privileged`"),
        ("run -Z a", "no option `-Z`"),
        ("run --memory", "needs a value"),
        ("container", "needs a command"),
        ("contaner run", "no command"),
        ("compose up", "cannot be read"),
        ("--bogus run a", "before the command"),
        ("", "no docker command"),
    ],
)
def test_what_is_unknown_is_said(line, said):
    with pytest.raises(InputError, match=said):
        read_words(line.split())
