"""What `stockade authz install` would write: plans, made from what is there, changing nothing.

Layout + what is there ─plan─► Plan ─(the command line applies it)
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..policies.errors import InputError
from ..policies.source import Source, printable
from .daemonjson import with_plugin, without_plugin

PLUGIN = "stockade"
"""The name under which dockerd knows the plugin."""
SOCKET = "/run/docker/plugins/stockade.sock"
POLICY = "/etc/stockade/authz.yaml"
DAEMON_JSON = "/etc/docker/daemon.json"
SPEC = f"/etc/docker/plugins/{PLUGIN}.spec"
UNITS = "/etc/systemd/system"
TEMPLATES = Path(__file__).parent / "units"


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it is now."""

    content: bytes
    mode: int
    """Permission bits."""


Look = Callable[[str], Found | None]
"""The file at an absolute path; None when there is none; raises InputError for a symbolic link
or anything else that is no regular file."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file to be written, or removed."""

    path: str
    before: bytes | None
    after: bytes | None
    """None: removed."""
    mode: int

    def diff(self) -> str:
        """A unified diff, safe for a terminal; files that are no text by their size only."""
        try:
            old, new = ((each or b"").decode() for each in (self.before, self.after))
        except UnicodeDecodeError:
            return f"{self.path}: {len(self.before or b'')} -> {len(self.after or b'')} bytes\n"
        from_ = self.path if self.before is not None else "/dev/null"
        to = self.path if self.after is not None else "/dev/null"
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), from_, to, lineterm="")
        return "".join(f"{printable(line)}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes, in the order in which they are safe, and what to do by hand then."""

    changes: tuple[Change, ...]
    """Only those that change something."""
    steps: tuple[str, ...]
    notes: tuple[str, ...] = ()


def plan_install(
    look: Look,
    policy: Mapping[str, bytes],
    units: Mapping[str, bytes],
    *,
    socket_activation: bool = False,
    spec: bool = False,
) -> Plan:
    """The plugin put in place.

    `policy` is by its path below /etc/stockade, `authz.yaml` first (empty: leave the one that is
    there); `units` by name. Raises InputError when daemon.json cannot be changed safely, or no
    policy is there.
    """
    wanted: list[tuple[str, bytes, int]] = []
    for name, content in policy.items():
        wanted.append((str(PurePosixPath(POLICY).parent / name), content, 0o600))
    if not policy and look(POLICY) is None:
        raise InputError.of(
            f"there is no policy at `{POLICY}` yet", hint="name one: --policy POLICY"
        )
    services = [name for name in units if name.endswith(".service")]
    sockets = [name for name in units if name.endswith(".socket")]
    for name in services + (sockets if socket_activation else []):
        wanted.append((f"{UNITS}/{name}", units[name], 0o644))
    if spec:
        wanted.append((SPEC, f"unix://{SOCKET}\n".encode(), 0o644))
    wanted.append((DAEMON_JSON, _merged(look, with_plugin), 0o644))
    changes = [_change(look, path, content, mode) for path, content, mode in wanted]
    started = [*(sockets if socket_activation else []), *services]
    steps = [
        "systemctl daemon-reload",
        *(f"systemctl enable --now {name}" for name in started),
        f"stockade authz check {POLICY}",
        f"dockerd --validate --config-file {DAEMON_JSON}",
        "systemctl restart docker   # or: systemctl reload docker",
    ]
    return Plan(tuple(each for each in changes if each is not None), tuple(steps), _notes(look))


def plan_uninstall(look: Look, units: Mapping[str, bytes]) -> Plan:
    """The plugin taken out: daemon.json first, so that dockerd never asks for one that is gone.

    The policy, the log and the facts stay.
    """
    changes = []
    if look(DAEMON_JSON) is not None:
        changes.append(_change(look, DAEMON_JSON, _merged(look, without_plugin), 0o644))
    for path in [SPEC, *(f"{UNITS}/{name}" for name in units)]:
        found = look(path)
        if found is not None:
            changes.append(Change(path, found.content, None, found.mode))
    steps = [
        "systemctl restart docker   # first: it stops asking the plugin",
        *(f"systemctl stop {name}" for name in units),
        "find /etc/systemd/system -xtype l -name 'stockade-authz*' -delete",
        "systemctl daemon-reload",
    ]
    note = "the policy, decision log and facts stay: /etc/stockade, /var/log/stockade, " + (
        "/var/lib/stockade"
    )
    return Plan(tuple(each for each in changes if each is not None), tuple(steps), (note,))


def unit_templates(directory: Path = TEMPLATES) -> dict[str, bytes]:
    """The units that are shipped, by name; raises InputError when there are none."""
    found = {
        path.name: path.read_bytes()
        for path in sorted(directory.iterdir())
        if path.suffix in (".service", ".socket")
    }
    if not found:
        raise InputError.of("this installation of Stockade has no systemd units in it")
    return found


def _merged(look: Look, merge: Callable[[Source, str], str]) -> bytes:
    found = look(DAEMON_JSON)
    try:
        text = (found.content if found is not None else b"").decode()
    except UnicodeDecodeError:
        raise InputError.of(f"`{DAEMON_JSON}` is not UTF-8; it is left alone") from None
    return merge(Source(DAEMON_JSON, text), PLUGIN).encode()


def _change(look: Look, path: str, content: bytes, mode: int) -> Change | None:
    found = look(path)
    if found is None:
        return Change(path, None, content, mode)
    if found.content == content:
        return None
    return Change(path, found.content, content, found.mode)


def _notes(look: Look) -> tuple[str, ...]:
    found = look(DAEMON_JSON)
    before = found.content if found is not None else b""
    if f'"{PLUGIN}"'.encode() in before:
        return ("daemon.json names the plugin already",)
    return (
        "from the restart on every API request is decided by the policy, also your own: "
        "`stockade authz explain` shows beforehand what it allows",
    )
