"""`--volume`, `--mount`, `--tmpfs` (docker/cli opts/mount.go, internal/volumespec)."""

from __future__ import annotations

import re

from ...policies.errors import InputError
from .model import Json, Machine
from .values import boolean, fields, size, wrong


def read_volumes(
    values: list[str], machine: Machine, client: int
) -> tuple[list[str], dict[str, Json]]:
    """HostConfig.Binds and Config.Volumes (the anonymous ones); a text twice counts once."""
    binds: list[str] = []
    volumes: dict[str, Json] = {}
    for text in dict.fromkeys(values):
        source = _source(text)
        if source is None:
            volumes[text] = {}
        elif source.startswith(".") and client >= 23:
            host, _, rest = text.partition(":")
            binds.append(f"{machine.absolute(host)}:{rest}")
        else:
            binds.append(text)
    return binds, volumes


def _source(text: str) -> str | None:
    """What stands before the target; None for an anonymous volume."""
    if not text:
        raise wrong("--volume", text, "is empty")
    if len(text) <= 2:
        return None
    parts: list[str] = []
    rest = ""
    for char in text + "\0":
        if char == ":" and len(rest) == 1 and rest.isalpha():
            rest += char  # the drive letter of a Windows path
        elif char in ":\0":
            if not rest:
                raise wrong("--volume", text, "has an empty part between colons")
            parts.append(rest)
            rest = ""
        else:
            rest += char
    if len(parts) > 3:
        raise wrong("--volume", text, "has too many colons")
    return parts[0] if len(parts) > 1 else None


def read_tmpfs(values: list[str]) -> dict[str, str]:
    """HostConfig.Tmpfs."""
    return {target: options for target, _, options in (text.partition(":") for text in values)}


_KINDS = {
    "bind": "bind-", "volume": "volume-", "tmpfs": "tmpfs-", "image": "image-",
}  # fmt: skip
_OPTIONS = {
    "bind-": "BindOptions", "volume-": "VolumeOptions", "tmpfs-": "TmpfsOptions",
    "image-": "ImageOptions",
}  # fmt: skip
_RECURSIVE = {
    "enabled": None, "disabled": "NonRecursive", "writable": "ReadOnlyNonRecursive",
    "readonly": "ReadOnlyForceRecursive",
}  # fmt: skip


def read_mount(text: str, machine: Machine) -> dict[str, Json]:
    """One `--mount` as the API's Mount."""
    mount: dict[str, Json] = {"Type": "volume"}
    used: set[str] = set()
    for part in fields(text, "--mount"):
        key, equals, value = part.partition("=")
        key = key.lower()
        if not equals and key not in ("readonly", "ro", "volume-nocopy", "bind-nonrecursive"):
            raise wrong("--mount", part, "must be written key=value")
        prefix = next((each for each in _OPTIONS if key.startswith(each)), "")
        if prefix:
            used.add(prefix)
            options = mount.setdefault(_OPTIONS[prefix], {})
            _option(options, key, value if equals else "true", text)
        else:
            _field(mount, key, value if equals else "true", machine)
    if not mount.get("Target"):
        raise wrong("--mount", text, "has no target")
    if not mount["Type"]:
        raise wrong("--mount", text, "has no type")
    for prefix in used:
        if _KINDS.get(mount["Type"]) != prefix:
            raise wrong("--mount", text, f"mixes `{prefix}*` with the type {mount['Type']}")
    _check_recursive(mount, text)
    return mount


def _field(mount: dict[str, Json], key: str, value: str, machine: Machine) -> None:
    if key == "type":
        mount["Type"] = value.lower()
    elif key in ("source", "src"):
        mount["Source"] = machine.absolute(value) if value.startswith(".") else value
    elif key in ("target", "dst", "destination"):
        mount["Target"] = value
    elif key in ("readonly", "ro"):
        mount["ReadOnly"] = boolean(value, f"--mount {key}")
    elif key == "consistency":
        mount["Consistency"] = value.lower()
    else:
        raise InputError.of(f"`--mount`: unexpected key `{key}`")


def _option(options: dict[str, Json], key: str, value: str, text: str) -> None:
    """A key that belongs to one type of mount."""
    name, _, inner = value.partition("=")
    if key == "bind-propagation":
        options["Propagation"] = value.lower()
    elif key == "bind-nonrecursive":
        options["NonRecursive"] = boolean(value, f"--mount {key}")
    elif key == "bind-recursive":
        if value not in _RECURSIVE:
            raise wrong("--mount bind-recursive", value, f"is none of {', '.join(_RECURSIVE)}")
        if _RECURSIVE[value]:
            options[str(_RECURSIVE[value])] = True
    elif key in ("volume-subpath", "image-subpath"):
        options["Subpath"] = value
    elif key == "volume-nocopy":
        options["NoCopy"] = boolean(value, f"--mount {key}")
    elif key == "volume-label":
        if name:
            options.setdefault("Labels", {})[name] = inner
    elif key == "volume-driver":
        options.setdefault("DriverConfig", {})["Name"] = value
    elif key == "volume-opt":
        if name:
            options.setdefault("DriverConfig", {}).setdefault("Options", {})[name] = inner
    elif key == "tmpfs-size":
        options["SizeBytes"] = size(value, f"--mount {key}")
    elif key == "tmpfs-mode":
        if not re.fullmatch(r"[0-7]{1,11}", value) or int(value, 8) >= 2**32:
            raise wrong("--mount tmpfs-mode", value, "is no octal mode")
        options["Mode"] = int(value, 8)
    else:
        raise wrong("--mount", text, f"has the unexpected key `{key}`")


def _check_recursive(mount: dict[str, Json], text: str) -> None:
    options = mount.get("BindOptions", {})
    if options.get("ReadOnlyNonRecursive") and not mount.get("ReadOnly"):
        raise wrong("--mount", text, "has bind-recursive=writable without readonly")
    if options.get("ReadOnlyForceRecursive") and not (
        mount.get("ReadOnly") and options.get("Propagation") == "rprivate"
    ):
        raise wrong("--mount", text, "needs readonly and bind-propagation=rprivate")
