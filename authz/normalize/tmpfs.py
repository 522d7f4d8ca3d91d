"""Options of tmpfs mounts (moby/sys/mount: MergeTmpfsOptions over Docker's defaults)."""

from __future__ import annotations

import re
from typing import Any

from ..model import Json
from .values import at_least_zero, deny, mapping, text

_SAFE = frozenset(
    """
    defaults ro rw noexec nosuid nodev async sync dirsync atime noatime diratime nodiratime
    relatime norelatime strictatime nostrictatime mand nomand private rprivate unbindable
    runbindable
    """.split()
)
_DANGEROUS = frozenset("exec suid dev shared rshared slave rslave bind rbind remount".split())
_SAFE_KEYS = frozenset("uid gid nr_inodes mpol".split())

_SIZE = re.compile(r"([1-9][0-9]*)([kmgtpe]?)\Z", re.IGNORECASE)
_SHIFT = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}


def _size(said: str) -> int | None:
    """Bytes; None for no bound or one that depends on the host (a percentage, 0)."""
    found = _SIZE.match(said)
    return int(found[1]) << _SHIFT[found[2].lower()] if found else None


def options(said: str, name: str) -> dict[str, Any]:
    """`tmpfs_options` (those beyond Docker's safe defaults), `size`, `mode`, `read_only`.

    An option that is taken back later in the text (`exec,noexec`) counts all the same. Raises
    Denied for an option that Docker does not know.
    """
    beyond: set[str] = set()
    read_only = False
    seen: dict[str, str] = {}
    for option in said.split(",") if said else []:
        key, equals, value = option.partition("=")
        if not equals:
            if option in _DANGEROUS:
                beyond.add(option)
            elif option not in _SAFE:
                deny("unknown-option", f"{name}: unknown tmpfs option {option!r}")
            read_only = option == "ro" or (read_only and option != "rw")
        elif key in seen:
            deny("duplicate-key", f"{name} says {key} twice")
        elif key in ("size", "mode") or key in _SAFE_KEYS:
            seen[key] = value
        elif key == "nr_blocks":
            # Another way to say the size, and the later one holds.
            beyond.add(option)
            seen["size"] = ""
        else:
            deny("unknown-option", f"{name}: unknown tmpfs option {option!r}")
    mode = seen.get("mode")
    if mode is not None and not re.fullmatch(r"[0-7]{1,6}", mode):
        deny("bad-value", f"{name}: mode {mode!r} is not octal")
    return {
        "tmpfs_options": sorted(beyond),
        "size": _size(seen["size"]) if "size" in seen else None,
        "mode": int(mode, 8) if mode is not None else None,
        "read_only": read_only,
    }


def options_of_mount(given: Json, name: str) -> dict[str, Any]:
    """The same of a Mount's TmpfsOptions. Raises Denied."""
    stated = mapping(given, name)
    beyond: set[str] = set()
    for option in stated.get("Options") or []:
        if type(option) is not list or len(option) not in (1, 2):
            deny("unknown-option", f"{name}: unknown tmpfs option {option!r}")
        word = text(option[0], name)
        if word in _DANGEROUS:
            beyond.add(word)
        elif word not in _SAFE:
            deny("unknown-option", f"{name}: unknown tmpfs option {word!r}")
    return {
        "tmpfs_options": sorted(beyond),
        "size": at_least_zero(stated.get("SizeBytes"), name) or None,
        "mode": at_least_zero(stated.get("Mode"), name) or None,
    }
