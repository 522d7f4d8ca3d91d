"""Looking at the engine on this machine: its answers, its files, its process. Changes nothing."""

from __future__ import annotations

import contextlib
import grp
import http.client
import json
import socket
import stat
import struct
from pathlib import Path
from typing import Any

from ..policies.jsonedit import read_settings
from ..policies.reading import read_source
from .doctor import Engine, PluginSocket
from .install import PLUGIN

TIMEOUT = 3.0
"""Seconds for one answer of the engine."""
_MOST = 8 << 20
_DIRECTORIES = ("/run/docker/plugins", "/etc/docker/plugins", "/usr/lib/docker/plugins")


class _Connection(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self._path)


def survey(docker: Path, daemon_json: Path, process: Path = Path("/proc")) -> Engine:
    """All evidence that can be had; what cannot be read is None in it.

    Raises InputError when daemon.json is there and no JSON object.
    """
    settings = None
    if daemon_json.exists():
        settings = read_settings(read_source(daemon_json))
    version, error = _ask(docker, "/version")
    info, _ = _ask(docker, "/info")
    plugins, _ = _ask(docker, "/plugins")
    mode, group = _socket(docker)
    return Engine(
        str(docker),
        str(version.get("Version", "")) if isinstance(version, dict) else None,
        error,
        _loaded(info),
        settings,
        _command_line(docker, process),
        _managed(plugins),
        _plugin_sockets(),
        mode,
        group,
        _members(group),
    )


def _ask(docker: Path, path: str) -> tuple[Any, str]:
    """(the answer's JSON or None, what went wrong)."""
    connection = _Connection(str(docker))
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        raw = response.read(_MOST)
        if response.status != 200:
            return None, f"GET {path} was answered with {response.status}"
        return json.loads(raw), ""
    except OSError as error:
        return None, error.strerror or str(error)
    except (http.client.HTTPException, ValueError, RecursionError) as error:
        return None, f"its answer to GET {path} cannot be read ({type(error).__name__})"
    finally:
        connection.close()


def _loaded(info: Any) -> tuple[str, ...] | None:
    if not isinstance(info, dict):
        return None
    plugins = info.get("Plugins")
    names = plugins.get("Authorization") if isinstance(plugins, dict) else None
    return tuple(str(each) for each in names) if isinstance(names, list) else ()


def _managed(plugins: Any) -> tuple[str, ...] | None:
    """Names of the managed plugins."""
    if not isinstance(plugins, list):
        return None
    return tuple(str(each.get("Name", "")) for each in plugins if isinstance(each, dict))


def _socket(path: Path) -> tuple[int | None, str]:
    try:
        found = path.stat()
    except OSError:
        return None, ""
    try:
        name = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        name = str(found.st_gid)
    return stat.S_IMODE(found.st_mode), name


def _members(group: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(grp.getgrnam(group).gr_mem))
    except KeyError:
        return ()


def _plugin_sockets() -> tuple[PluginSocket, ...]:
    """What dockerd would find under the plugin's name, in its order."""
    found = []
    for directory in _DIRECTORIES:
        for name in (
            f"{PLUGIN}.sock",
            f"{PLUGIN}/{PLUGIN}.sock",
            f"{PLUGIN}.spec",
            f"{PLUGIN}.json",
        ):
            path = Path(directory) / name
            try:
                status = path.stat()
            except OSError:
                continue
            mode = stat.S_IMODE(status.st_mode)
            found.append(
                PluginSocket(str(path), mode, status.st_uid, stat.S_ISSOCK(status.st_mode))
            )
    return tuple(found)


def _command_line(docker: Path, process: Path) -> tuple[str, ...] | None:
    """The arguments of the dockerd behind the socket, where its process can be read."""
    pid = _listener(docker)
    if pid is not None:
        with contextlib.suppress(OSError):
            raw = (process / str(pid) / "cmdline").read_bytes()
            words = tuple(part.decode(errors="replace") for part in raw.split(b"\0")[:-1])
            if words and words[0].rpartition("/")[2] == "dockerd":
                return words
    return None


def _listener(docker: Path) -> int | None:
    """The process that listens there; systemd's where it made the socket."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect(str(docker))
            size = struct.calcsize("3i")
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    except OSError:
        return None
    pid: int = struct.unpack("3i", peer)[0]
    return _noted() if pid == 1 else pid


def _noted() -> int | None:
    """The process that dockerd's own file names."""
    try:
        return int(Path("/run/docker.pid").read_text())
    except (OSError, ValueError):
        return None
