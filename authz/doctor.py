"""What `stockade authz check` says of the engine that the plugin is to guard.

Engine (evidence) ─examine─► Finding, …
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..policies.findings import Finding, Severity
from ..policies.nodes import Kind, MappingNode, ScalarNode, SequenceNode
from ..policies.source import Location
from .daemonjson import KEY, listed_plugins
from .install import PLUGIN


@dataclass(frozen=True, slots=True)
class PluginSocket:
    """Something that dockerd finds under the plugin's name."""

    path: str
    mode: int
    owner: int
    """User id."""
    socket: bool
    """False: a spec file."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Evidence; None is what could not be found out."""

    docker: str
    """The socket that was asked."""
    version: str | None
    """`20.10.24+dfsg1`."""
    error: str
    """Why there is no version."""
    loaded: tuple[str, ...] | None
    """The authorization plugins that the running engine asks, in order."""
    settings: MappingNode | None
    """daemon.json."""
    command_line: tuple[str, ...] | None
    """Of the running dockerd."""
    managed: tuple[str, ...] | None
    """Managed (v2) plugins."""
    plugin_sockets: tuple[PluginSocket, ...]
    socket_mode: int | None
    group: str
    members: tuple[str, ...]
    """Of the group that may open the engine's socket."""


_ZERO_LENGTH = {
    (18, 9): 1, (19, 3): 16, (20, 10): 28, (23, 0): 15, (24, 0): 10, (25, 0): 6, (26, 0): 3,
    (26, 1): 5, (27, 0): 4, (27, 1): 1,
}  # fmt: skip
"""CVE-2024-41110: release line -> first fixed patch. Source: GHSA-v23v-6jw2-98fq, and the
release notes of 25.0.6, 26.1.5 and 27.1.1."""
_OVERSIZED = (29, 3, 1)
"""CVE-2026-34040: the first fixed version. Source: GHSA-x744-4wpc-v9h2, GO-2026-4887."""
_NATIVE_GRPC = (29, 2, 0)
"""From here on engines serve gRPC beside the API on listeners without TLS."""
_DISTRIBUTION = (
    "distributions may carry the fix under an older number: ask yours (Debian: apt changelog "
    "docker.io)"
)


def examine(engine: Engine) -> list[Finding]:
    """Everything worth saying, in no particular order."""
    return [
        *_reachable(engine),
        *_configured(engine),
        *_version(engine),
        *_listeners(engine),
        *_access(engine),
        *_sockets(engine),
    ]


def _reachable(engine: Engine) -> list[Finding]:
    if engine.version is not None:
        return []
    return [
        _note(
            "engine-not-reached",
            f"the engine at {engine.docker} was not reached: {engine.error}",
            "what is said below comes from files alone; run this as root where dockerd runs, or "
            "name its socket with --docker",
        )
    ]


def _configured(engine: Engine) -> list[Finding]:
    named, at = _named(engine)
    found = []
    if PLUGIN not in named:
        found.append(
            Finding(
                "plugin-not-configured",
                Severity.ERROR,
                f"dockerd is not told to ask the plugin `{PLUGIN}`",
                at,
                why="Without it in the list every request is allowed.",
                fix=f"stockade authz install --policy FILE --apply, or dockerd "
                f"--authorization-plugin {PLUGIN}",
            )
        )
    elif engine.loaded is not None and PLUGIN not in engine.loaded:
        found.append(
            Finding(
                "plugin-not-loaded",
                Severity.ERROR,
                f"the running engine does not ask `{PLUGIN}`, although it is configured",
                at,
                fix="systemctl reload docker",
            )
        )
    order = list(engine.loaded) if engine.loaded else named
    others = [each for each in order if each != PLUGIN]
    if PLUGIN in order and others:
        before = order[: order.index(PLUGIN)]
        after = order[order.index(PLUGIN) + 1 :]
        where = " and ".join(
            f"{', '.join(names)} {word} it"
            for names, word in ((before, "before"), (after, "after"))
            if names
        )
        found.append(
            Finding(
                "other-plugins",
                Severity.NOTE if not after else Severity.WARNING,
                f"other plugins are asked too: {where}",
                at,
                why="Every plugin must allow a request. One after this one may deny what the log "
                "of this one says was allowed.",
                fix=f"name `{PLUGIN}` last",
            )
        )
    return found


def _named(engine: Engine) -> tuple[list[str], Location | None]:
    """The plugins of daemon.json and of dockerd's arguments, and where the list stands."""
    names: list[str] = []
    at = None
    if engine.settings is not None:
        names = [each.text for each in listed_plugins(engine.settings)]
        entry = next((e for e in engine.settings.entries if e.key.text == KEY), None)
        at = entry.key.at if entry is not None else engine.settings.at
    return names + _arguments(engine, "--authorization-plugin"), at


def _version(engine: Engine) -> list[Finding]:
    version = parse_version(engine.version or "")
    if version is None:
        return []
    found = []
    fixed = _ZERO_LENGTH.get(version[:2])
    if (fixed is not None and version[2] < fixed) or version < (18, 9, 1):
        found.append(
            _known(
                "CVE-2024-41110",
                f"Docker {engine.version} is in the range of CVE-2024-41110",
                "A request said to be without a body reached the plugin without it, and was "
                "executed with it. Stockade denies a request that needs a body and has none.",
                "use 27.1.1, 26.1.5, 25.0.6, 23.0.15 or newer",
            )
        )
    if version < _OVERSIZED:
        found.append(
            _known(
                "CVE-2026-34040",
                f"Docker {engine.version} is in the range of CVE-2026-34040",
                "A body of 1 MiB or more does not reach the plugin, and the request is executed "
                "all the same. Stockade denies a request that needs a body and has none.",
                "use 29.3.1 or newer",
            )
        )
    plain = [each for each in _hosts(engine) if not each.startswith("fd:")] or ["the unix socket"]
    if version >= _NATIVE_GRPC and not _verified(engine):
        found.append(
            Finding(
                "plugin-not-asked-for-grpc",
                Severity.WARNING,
                f"Docker {engine.version} serves gRPC beside the API on listeners without TLS",
                why="Plugins are not asked about what goes over it, so no plugin can decide it. "
                f"Without TLS: {', '.join(plain)}.",
                fix="let clients in over TCP with --tlsverify only, and nobody but root to the "
                "unix socket",
            )
        )
    return found


def _known(id_: str, message: str, why: str, fix: str) -> Finding:
    return Finding(id_.lower(), Severity.WARNING, message, why=why, fix=f"{fix}; {_DISTRIBUTION}")


def _listeners(engine: Engine) -> list[Finding]:
    found = []
    for host in _hosts(engine):
        if host.startswith("tcp:") and not _verified(engine):
            found.append(
                Finding(
                    "listener-without-tls",
                    Severity.ERROR,
                    f"dockerd listens on {host} and does not verify clients",
                    _setting_at(engine, "hosts"),
                    why="Whoever reaches it is, for the policy, the same as the unix socket: "
                    "`local`.",
                    fix="set tlsverify, tlscacert, tlscert and tlskey",
                )
            )
    both = engine.settings is not None and _texts(engine.settings, "hosts")
    if both and _arguments(engine, "--host", "-H"):
        found.append(
            Finding(
                "hosts-twice",
                Severity.ERROR,
                "`hosts` is in daemon.json and on dockerd's command line: it will not start again",
                _setting_at(engine, "hosts"),
                fix="keep one of the two",
            )
        )
    return found


def _access(engine: Engine) -> list[Finding]:
    found = []
    mode = engine.socket_mode
    if mode is not None and mode & 0o006:
        found.append(
            Finding(
                "socket-open-to-all",
                Severity.ERROR,
                f"every user of this machine can open {engine.docker} (mode {mode:04o})",
                fix=f"chmod 0660 {engine.docker}",
            )
        )
    if engine.members and mode is not None and mode & 0o060:
        people = ", ".join(engine.members[:10])
        found.append(
            _note(
                "socket-group",
                f"members of the group {engine.group} are `local` to the policy: {people}",
                "the unix socket has no names; rules for `local` are for all of them",
            )
        )
    return found


def _sockets(engine: Engine) -> list[Finding]:
    found = []
    shadowing = [
        name for name in engine.managed or () if name.partition(":")[0] in (PLUGIN, f"{PLUGIN}/")
    ]
    if shadowing:
        found.append(
            Finding(
                "managed-plugin-shadows",
                Severity.ERROR,
                f"a managed plugin is called {shadowing[0]}: dockerd asks it before any socket",
                why="`docker plugin disable` takes a managed plugin out of the chain.",
                fix=f"docker plugin rm -f {shadowing[0]}",
            )
        )
    for each in engine.plugin_sockets:
        loose = each.mode & (0o022 if not each.socket else 0o077)
        if loose or each.owner != 0:
            found.append(
                Finding(
                    "plugin-socket-loose",
                    Severity.ERROR,
                    f"{each.path} belongs to user {each.owner} and has mode {each.mode:04o}",
                    why="Who can write to it can ask for decisions, or answer in its place.",
                    fix=f"chown root {each.path}; chmod {'0600' if each.socket else '0644'} "
                    f"{each.path}",
                )
            )
    if len(engine.plugin_sockets) > 1:
        paths = ", ".join(each.path for each in engine.plugin_sockets)
        found.append(
            Finding(
                "several-plugin-sockets",
                Severity.WARNING,
                f"dockerd finds the plugin in several places: {paths}",
                fix=f"keep {engine.plugin_sockets[0].path}, the one that counts",
            )
        )
    if not engine.plugin_sockets and engine.loaded is None:
        found.append(
            Finding(
                "plugin-not-running",
                Severity.WARNING,
                f"no socket or spec file of `{PLUGIN}` is there",
                why="dockerd refuses to start without a plugin that it is told to ask.",
                fix="systemctl start the plugin's unit; stockade authz install writes it",
            )
        )
    return found


def parse_version(text: str) -> tuple[int, int, int] | None:
    """`20.10.24+dfsg1` as numbers; None for what has none, such as `dev`."""
    found = re.match(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3] or 0))


def _hosts(engine: Engine) -> list[str]:
    hosts = _arguments(engine, "--host", "-H")
    if engine.settings is not None:
        hosts += _texts(engine.settings, "hosts")
    return [host if "://" in host else f"tcp://{host}" for host in hosts]


def _verified(engine: Engine) -> bool:
    """Whether dockerd verifies the certificates of its clients."""
    words = engine.command_line or ()
    if any(word in ("--tlsverify", "--tlsverify=true", "--tlsverify=1") for word in words):
        return True
    if engine.settings is None:
        return False
    values = {e.key.text: e.value for e in engine.settings.entries}
    node = values.get("tlsverify")
    return isinstance(node, ScalarNode) and node.kind is Kind.BOOLEAN and node.text == "true"


def _arguments(engine: Engine, *names: str) -> list[str]:
    """The values of an option on dockerd's command line."""
    words = list(engine.command_line or ())
    found = []
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names and equals:
            found.append(value)
        elif word in names and at + 1 < len(words):
            found.append(words[at + 1])
        elif "-H" in names and word.startswith("-H") and len(word) > 2 and not equals:
            found.append(word[2:])
    return found


def _texts(settings: MappingNode, key: str) -> list[str]:
    node = next((each.value for each in settings.entries if each.key.text == key), None)
    if not isinstance(node, SequenceNode):
        return []
    return [each.text for each in node.items if isinstance(each, ScalarNode)]


def _setting_at(engine: Engine, key: str) -> Location | None:
    if engine.settings is None:
        return None
    return next((e.key.at for e in engine.settings.entries if e.key.text == key), None)


def _note(id_: str, message: str, why: str) -> Finding:
    return Finding(id_, Severity.NOTE, message, why=why)
