"""The options of docker's commands, and reading them as docker's own parser (pflag) does.

--name value   --name=value   --flag   --flag=false   -n value   -nvalue   -n=value   -it   --
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...policies.errors import InputError
from ...policies.problems import did_you_mean
from .values import boolean

_GROUPS = {
    "container": "attach commit cp create diff exec export inspect kill logs ls pause port prune "
    "rename restart rm run start stats stop top unpause update wait",
    "image": "build history import inspect load ls prune pull push rm save tag",
    "network": "connect create disconnect inspect ls prune rm",
    "volume": "create inspect ls prune rm",
    "system": "df events info prune",
    "service": "create inspect logs ls ps rm rollback scale update",
    "swarm": "ca init join join-token leave unlock unlock-key update",
    "node": "demote inspect ls promote ps rm update",
    "plugin": "create disable enable inspect install ls push rm set upgrade",
    "secret": "create inspect ls rm",
    "config": "create inspect ls rm",
    "checkpoint": "create ls rm",
}
_SINGLE = ("inspect", "login", "search", "version")

COMMANDS = tuple(f"{g} {c}" for g, text in _GROUPS.items() for c in text.split()) + _SINGLE
"""Every command that is read, by its full name."""

_SHORT_NAMES = {
    "container": "attach commit cp create diff exec export kill logs pause port rename restart rm "
    "run start stats stop top unpause update wait",
    "image": "build history import load pull push save tag",
    "system": "events info",
}
ALIASES = {
    **{name: f"{group} {name}" for group, text in _SHORT_NAMES.items() for name in text.split()},
    "ps": "container ls", "container ps": "container ls", "container list": "container ls",
    "images": "image ls", "image list": "image ls", "rmi": "image rm", "image remove": "image rm",
    "container remove": "container rm", "builder build": "image build",
    "network list": "network ls", "network remove": "network rm",
    "volume list": "volume ls", "volume remove": "volume rm",
    "service list": "service ls", "service remove": "service rm",
    "node list": "node ls", "node remove": "node rm", "plugin list": "plugin ls",
    "plugin remove": "plugin rm", "secret list": "secret ls", "secret remove": "secret rm",
    "config list": "config ls", "config remove": "config rm",
}  # fmt: skip
"""Other spellings of a command."""

_UNREAD = {
    "compose": "it sends requests of its own making; give each as `POST /containers/create --body`",
    "stack": "give the requests that it sends, such as `POST /services/create --body FILE`",
    "buildx": "it talks to the builder over POST /session and /grpc",
    "context": "it changes the client only and sends no request",
    "logout": "it changes the client only and sends no request",
    "trust": "it talks to a registry, not to the engine",
    "manifest": "it talks to a registry, not to the engine",
}
_GLOBAL_VALUED = {"--config", "--context", "-c", "--host", "-H", "--log-level", "-l"}
_GLOBAL_VALUED |= {"--tlscacert", "--tlscert", "--tlskey"}
_GLOBAL_FLAGS = {"--debug", "-D", "--tls", "--tlsverify"}
_UNTIL_FIRST = {"container run", "container create", "container exec", "container top"}
_UNTIL_FIRST |= {"service create", "image tag", "container commit"}
"""Commands whose options end at the first argument: what follows belongs to the container."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command."""

    name: str
    short: str
    """A letter, or empty."""
    kind: str
    """`bool`, or docker's word for the value: `list`, `bytes`, `string`, …"""


@dataclass(frozen=True, slots=True)
class Words:
    """A command line, taken apart."""

    command: str
    """`container run`."""
    given: tuple[tuple[str, str], ...]
    """Options as (name, value) in the order written."""
    arguments: tuple[str, ...]

    def last(self, name: str, default: str = "") -> str:
        """The value that counts where an option may be given once."""
        found = default
        for key, value in self.given:
            if key == name:
                found = value
        return found

    def all(self, *names: str) -> list[str]:
        """Every value of an option, or of its several spellings, in order."""
        return [value for key, value in self.given if key in names]

    def has(self, *names: str) -> bool:
        """Whether one of the options was written at all."""
        return any(key in names for key, _ in self.given)

    def flag(self, name: str, default: bool = False) -> bool:
        """A truth value."""
        return boolean(self.last(name, "true" if default else "false"), f"--{name}")

    def only(self, *names: str) -> None:
        """Raises InputError when an option was written that is not among these: one whose
        meaning would otherwise be lost."""
        for name, _ in self.given:
            if name not in names:
                raise InputError.of(
                    f"`--{name}` of `docker {self.command}` cannot be read here yet",
                    hint="give the request itself: `POST /… --body FILE`",
                )

    def need(self, least: int, most: int | None, what: str) -> None:
        """Raises InputError unless there are so many arguments (most None: no limit)."""
        count = len(self.arguments)
        if count < least or (most is not None and count > most):
            raise InputError.of(
                f"`docker {self.command}` takes {what}, found {count} "
                f"argument{'' if count == 1 else 's'}"
            )


@cache
def options_of(command: str) -> Mapping[str, Option]:
    """By `--name` and `-n`."""
    found: dict[str, Option] = {}
    for line in Path(__file__).with_name("options.tsv").read_text().splitlines()[1:]:
        of, name, short, kind = line.split("\t")
        if of == command:
            option = Option(name, short, kind)
            found[f"--{name}"] = option
            if short:
                found[f"-{short}"] = option
    return found


def read_words(words: Sequence[str]) -> Words:
    """The command, its options and arguments; the word `docker` in front may be there or not.

    Raises InputError for a command or an option that is not known.
    """
    rest = _without_globals(list(words[1:] if words and words[0] == "docker" else words))
    command, rest = _command(rest)
    given, arguments = _options(command, rest)
    return Words(command, tuple(given), tuple(arguments))


def _without_globals(words: list[str]) -> list[str]:
    """Options before the command choose the engine and the client's settings, no request."""
    while words and words[0].startswith("-"):
        name, equals, _ = words[0].partition("=")
        if name in _GLOBAL_VALUED:
            words = words[1 if equals else 2 :]
        elif name in _GLOBAL_FLAGS or words[0][:2] in ("-H", "-c", "-l"):
            words = words[1:]
        else:
            raise InputError.of(f"docker has no option `{words[0]}` before the command")
    return words


def _command(words: list[str]) -> tuple[str, list[str]]:
    if not words:
        raise InputError.of("no docker command", hint="write it after `--`: -- docker run alpine")
    if words[0] in _GROUPS:
        if len(words) < 2:
            raise InputError.of(f"`docker {words[0]}` needs a command: {_GROUPS[words[0]]}")
        name, rest = " ".join(words[:2]), words[2:]
    else:
        name, rest = words[0], words[1:]
    name = ALIASES.get(name, name)
    if name in COMMANDS:
        return name, rest
    if words[0] in _UNREAD:
        raise InputError.of(f"`docker {words[0]}` cannot be read", hint=_UNREAD[words[0]])
    known: Iterable[str] = [*COMMANDS, *ALIASES]
    raise InputError.of(
        f"`docker {name}` is no command that is known here{did_you_mean(name, known)}",
        hint="write the request instead: `GET /info`, or `POST /containers/create --body FILE`",
    )


def _options(command: str, words: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    known = options_of(command)
    given: list[tuple[str, str]] = []
    arguments: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return given, arguments + rest
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            if command in _UNTIL_FIRST:
                return given, arguments + rest
        elif word.startswith("--"):
            given.append(_long(command, known, word, rest))
        else:
            given += _short(command, known, word, rest)
    return given, arguments


def _long(command: str, known: Mapping[str, Option], word: str, rest: list[str]) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    option = known.get(name)
    if option is None:
        raise _unknown(command, name, known)
    if equals:
        return option.name, value
    return option.name, "true" if option.kind == "bool" else _next(option, name, rest)


def _short(
    command: str, known: Mapping[str, Option], word: str, rest: list[str]
) -> list[tuple[str, str]]:
    """`-it`, `-eNAME`, `-e=NAME`."""
    given: list[tuple[str, str]] = []
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        option = known.get(f"-{letter}")
        if option is None:
            raise _unknown(command, f"-{letter}", known, f" in `{word}`" if len(word) > 2 else "")
        if letters.startswith("="):
            return [*given, (option.name, letters[1:])]
        if option.kind != "bool":
            value = letters or _next(option, f"-{letter}", rest)
            return [*given, (option.name, value)]
        given.append((option.name, "true"))
    return given


def _next(option: Option, name: str, rest: list[str]) -> str:
    if not rest:
        raise InputError.of(f"`{name}` needs a value ({option.kind})")
    return rest.pop(0)


def _unknown(command: str, name: str, known: Iterable[str], where: str = "") -> InputError:
    return InputError.of(
        f"`docker {command}` has no option `{name}`{where}{did_you_mean(name, known)}",
        hint="options after the image or container belong to the command inside"
        if command in _UNTIL_FIRST
        else "",
    )
