"""The command line: our own options first, then exactly what runc and crun take.

    stockade-runtime [OURS]… [RUNC'S GLOBAL OPTIONS]… COMMAND [OPTIONS]… CONTAINER

dockerd writes ours by `runtimeArgs`, the rest is what containerd's shim passes. No dataclass:
importing that would double the time of every `state` and `start`.
"""

from __future__ import annotations

import os

HELP = """\
Usage: stockade-runtime [OPTIONS] COMMAND...

An OCI runtime that gives every container a user namespace of its own, with a
block of host ids that nobody else has. It prepares the bundle and becomes runc
(or crun).

Options, before those of the real runtime:
  --runtime PROGRAM  runc, crun or a path. Default: runc.
  --tenant NAME      Blocks from this tenant's ids (stockade userns apply).
  --span FIRST-LAST  Blocks from these host ids, where nobody claims them.
  --policy FILE      Blocks from the span of its `userns` section. Default, when
                     neither is given: /etc/stockade/runtime.yaml.
  --mounts HOW       Bind mounts of host directories: `refuse` (default), or
                     `keep`: as they are, files then belong to nobody inside.
  --dedicated DIR    Bind mounts from below DIR are idmapped; repeatable. For
                     directories that only containers use.
  --state DIR        Where leases are kept. Default: /var/lib/stockade.
  --host-root DIR    Where etc/subuid and the like are looked for. Default: /.

In daemon.json:
  {"runtimes": {"stockade": {"path": "/usr/local/bin/stockade-runtime",
                             "runtimeArgs": ["--tenant", "docker"]}}}
Then: docker run --runtime=stockade IMAGE
"""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where the real runtime is looked for: the engine's PATH may be anything."""

_OURS = (
    *("--runtime", "--tenant", "--span", "--policy", "--mounts", "--dedicated"),
    *("--state", "--host-root"),
)
_GLOBAL_WITH_VALUE = (
    *("--root", "--log", "--log-format", "--criu", "--rootless"),
    *("--cgroup-manager", "--log-level"),
)
_GLOBAL_FLAGS = ("--debug", "--systemd-cgroup")
_ANSWERED = ("--version", "-v", "--help", "-h")
"""Global options that the real runtime answers by itself."""

_WITH_VALUE = {
    "create": ("--bundle", "-b", "--console-socket", "--pid-file", "--preserve-fds"),
    "run": ("--bundle", "-b", "--console-socket", "--pid-file", "--preserve-fds"),
    "delete": (),
    "exec": (
        *("--console-socket", "--cwd", "--env", "-e", "--user", "-u", "--additional-gids", "-g"),
        *("--process", "-p", "--pid-file", "--process-label", "--apparmor", "--cap", "-c"),
        *("--preserve-fds", "--cgroup"),
    ),
}
_FLAGS = {
    "create": ("--no-pivot", "--no-new-keyring"),
    "run": ("--detach", "-d", "--no-pivot", "--no-new-keyring", "--no-subreaper", "--keep"),
    "delete": ("--force", "-f"),
    "exec": (
        *("--tty", "-t", "--detach", "-d", "--no-new-privs", "--no-new-privs=true"),
        *("--ignore-paused", "--no-new-privs=false"),
    ),
}
_PASSED = (
    *("start", "state", "kill", "exec", "ps", "pause", "resume", "update", "events"),
    *("checkpoint", "list", "spec", "features", "help"),
)


class UsageError(ValueError):
    """A command line that cannot be understood for certain."""


class Invocation:
    """A command line, understood as far as it concerns us."""

    __slots__ = ("at", "bundle", "command", "container", "ours", "passed", "root", "runtime")

    def __init__(self, ours: dict[str, list[str]], passed: list[str]) -> None:
        self.ours = ours
        """Our options without dashes -> values; the last one counts where one is meant."""
        self.passed = passed
        """What the real runtime gets."""
        self.runtime = self.option("runtime", "runc")
        self.command = ""
        self.root = ""
        """The real runtime's state directory."""
        self.bundle = ""
        self.container = ""
        """Its id; empty where it could not be told."""

    def option(self, name: str, default: str = "") -> str:
        """The last value of one of our options."""
        return self.ours.get(name, [default])[-1]


def parse(arguments: list[str]) -> Invocation:
    """The command line in parts; raises UsageError where a part is not known for certain."""
    if arguments in ([], ["--help"], ["-h"]):
        shown = Invocation({}, [])
        shown.command = "stockade-help"
        return shown
    ours, rest = _own_options(arguments)
    asked = Invocation(ours, rest)
    at = 0
    while at < len(rest) and rest[at].startswith("-"):
        name, is_set, value = rest[at].partition("=")
        if name in _ANSWERED:
            asked.command = name
            return asked
        if name in _GLOBAL_WITH_VALUE:
            if not is_set:
                at += 1
                value = rest[at] if at < len(rest) else ""
            if name == "--root":
                asked.root = value
        elif name not in _GLOBAL_FLAGS:
            raise UsageError(f"unknown global option {name}; see stockade-runtime --help")
        at += 1
    if at == len(rest):
        raise UsageError("no command; see stockade-runtime --help")
    asked.command = rest[at]
    asked.root = asked.root or _default_root(asked.runtime)
    if asked.command in _WITH_VALUE:
        _read_command(asked, rest[at + 1 :])
    elif asked.command == "restore":
        raise UsageError("restore is not supported: a checkpoint has a map of its own")
    elif asked.command not in _PASSED:
        raise UsageError(f"unknown command {asked.command}; it is not passed on")
    return asked


def _own_options(arguments: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    ours: dict[str, list[str]] = {}
    at = 0
    while at < len(arguments):
        name, is_set, value = arguments[at].partition("=")
        if name not in _OURS:
            break
        at += 1
        if not is_set:
            if at == len(arguments):
                raise UsageError(f"{name} takes a value")
            value = arguments[at]
            at += 1
        ours.setdefault(name[2:], []).append(value)
    if ours.get("mounts", ["refuse"])[-1] not in ("refuse", "keep"):
        raise UsageError(f"--mounts takes refuse or keep, not {ours['mounts'][-1]}")
    return ours, arguments[at:]


def _read_command(asked: Invocation, words: list[str]) -> None:
    """Bundle and container of the commands that we look into."""
    command = asked.command
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "--":
        name, is_set, value = words[at].partition("=")
        if name in _WITH_VALUE[command]:
            if not is_set:
                at += 1
                value = words[at] if at < len(words) else ""
            if name in ("--bundle", "-b"):
                asked.bundle = value
        elif words[at] not in _FLAGS[command]:
            if command == "exec":
                return  # handed on as it is: at worst its pipes stay the engine's
            raise UsageError(f"unknown option {name} of {command}; see stockade-runtime --help")
        at += 1
    names = [word for word in words[at:] if word != "--"]
    asked.container = names[0] if names else ""
    asked.bundle = asked.bundle or os.getcwd()  # noqa: PTH109
    if command != "exec" and (len(names) != 1 or not is_container_id(asked.container)):
        raise UsageError(f"{command} takes one container id of letters, digits and _+-.")


def is_container_id(name: str) -> bool:
    """Whether runc would take it, and it can be (part of) a file name."""
    plain = name.replace("_", "").replace("+", "").replace("-", "").replace(".", "")
    return plain.isascii() and plain.isalnum() and len(name) <= 200


def find_program(runtime: str) -> str:
    """The path of the real runtime; raises FileNotFoundError."""
    if "/" in runtime:
        return runtime
    for directory in PATH.split(":"):
        path = f"{directory}/{runtime}"
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(2, "no such program", runtime)


def _default_root(runtime: str) -> str:
    """Where the runtime keeps its containers when it is not told (runc(8), crun(1))."""
    name = runtime.rpartition("/")[2]
    return f"/run/{name}" if name in ("runc", "crun") else ""
