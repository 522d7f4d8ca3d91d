"""What only this host can say of a specification: where its binds lead, what is mounted there."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from .denied import Denied
from .model import Json

MOUNTS = (Path("/proc/1/mountinfo"), Path("/proc/self/mountinfo"))
"""The host's, where it can be read: a service's own has mounts that the engine does not see."""
RECURSIVE_SINCE = (1, 44)
"""The API version whose engines make a bind read-only with all that is mounted below it."""
_KERNEL = (5, 12)
"""The first with mount_setattr(2), which they need."""
_ESCAPE = re.compile(r"\\([0-7]{3})")
_PIECES = re.compile(r"[,=:]")
"""What stands between the words of an option's value."""


def on_this_host(spec: Json, version: str | None) -> Json:
    """The spec with the sources of its binds resolved: no symbolic link leads elsewhere.

    What cannot be resolved stays null, which no rule permits. A bind that its engine leaves
    writable in part, because something is mounted below, is not read-only. `version` is the
    API's, as the request says it.
    """
    if spec is None or not any(mount["type"] == "bind" for mount in spec["mounts"]):
        return spec
    made = [
        {**mount, "resolved": _resolved(mount["source"])} if mount["type"] == "bind" else mount
        for mount in spec["mounts"]
    ]
    if not _recursive(version) and any(map(_read_only_tree, made)):
        below = mounted()
        made = [
            {**mount, "read_only": False}
            if _read_only_tree(mount) and (below is None or _has(mount, below))
            else mount
            for mount in made
        ]
    return {**spec, "mounts": made}


def refuse_links(details: Mapping[str, Json]) -> None:
    """Raises Denied for a path in the options of a volume that a symbolic link leads elsewhere.

    A volume is mounted by root, wherever the path leads then; rules compare what is written.
    """
    spec, volume = details["spec"], details["volume"]
    for one in [*(spec["mounts"] if spec is not None else ()), *([volume] if volume else ())]:
        for key, value in one["driver_options"].items():
            # Overlays drop backslashes, binds keep them.
            for piece in {*_PIECES.split(value), *_PIECES.split(value.replace("\\", ""))}:
                path = os.path.normpath(f"/{piece.lstrip('/')}")
                if "/" in piece and (leads := _resolved(path)) != path:
                    raise Denied(
                        "unclear-path",
                        f"the volume option {key}: {path!r} leads to {leads!r}; name that",
                    )


def partly_writable(asked: Json, found: Json) -> list[str]:
    """The sources of binds that were asked for read-only and are not, of the same spec."""
    if not isinstance(asked, Mapping) or not isinstance(found, Mapping):
        return []
    return [
        one["source"]
        for said, one in zip(asked["mounts"], found["mounts"], strict=True)
        if said["read_only"] and not one["read_only"]
    ]


def mounted(files: Iterable[Path] = MOUNTS) -> tuple[str, ...] | None:
    """Where something is mounted at this moment; None when nobody says."""
    for file in files:
        with contextlib.suppress(OSError):
            return _places(_read(file))
    return None


def _read(file: Path) -> bytes:
    """The whole of a file of /proc, without what `open` does besides. Raises OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: os.read(descriptor, 1 << 16), b""))
    finally:
        os.close(descriptor)


@lru_cache(maxsize=2)
def _places(text: bytes) -> tuple[str, ...]:
    """The mount points of a mountinfo; proc_pid_mountinfo(5)."""
    lines = text.decode(errors="surrogateescape").removesuffix("\n").split("\n")
    return tuple(_ESCAPE.sub(lambda e: chr(int(e[1], 8)), line.split(" ")[4]) for line in lines)


def _recursive(version: str | None) -> bool:
    """Whether a read-only bind is read-only with all that is mounted below it."""
    if version is None:
        return False
    major, _, minor = version.partition(".")
    release = re.match(r"([0-9]+)\.([0-9]+)", os.uname().release)
    kernel = (int(release[1]), int(release[2])) if release else (0, 0)
    return (int(major), int(minor)) >= RECURSIVE_SINCE and kernel >= _KERNEL


def _read_only_tree(mount: Mapping[str, Json]) -> bool:
    return bool(mount["type"] == "bind" and mount["read_only"] and mount["recursive"])


def _has(mount: Mapping[str, Json], below: tuple[str, ...]) -> bool:
    """Whether something is mounted below the source; what cannot be resolved is denied anyway."""
    source = mount["resolved"]
    if source is None:
        return False
    folder = source.rstrip("/") + "/"
    return any(place.startswith(folder) and place != folder for place in below)


def _resolved(source: str) -> str | None:
    try:
        return os.path.realpath(source)
    except (OSError, ValueError):
        return None
