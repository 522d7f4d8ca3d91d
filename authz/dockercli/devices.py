"""`--device`, `--gpus`, `--device-cgroup-rule`, and limits that name a device."""

from __future__ import annotations

import posixpath
import re

from ...policies.errors import InputError
from .model import Json
from .options import Words
from .values import fields, integer, pairs, wrong

_RULE = re.compile(r"[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}")
_CDI = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)+=[A-Za-z0-9][\w.:-]*")


def devices(words: Words) -> list[dict[str, str]]:
    """HostConfig.Devices."""
    return [device(text) for text in words.all("device") if not _CDI.fullmatch(text)]


def device(text: str) -> dict[str, str]:
    """`/dev/fuse:/dev/x:rw`; the two last parts may be left out."""
    parts = text.split(":")
    if len(parts) > 3 or not parts[0]:
        raise wrong("--device", text, "is no device; write host[:container[:rwm]]")
    source, target, permissions = parts[0], "", "rwm"
    if len(parts) == 3:
        target, permissions = parts[1], parts[2]
        if not _permissions(permissions):
            raise wrong("--device", text, "has bad permissions")
    elif len(parts) == 2 and _permissions(parts[1]):
        permissions = parts[1]
        source = posixpath.normpath(source)
    elif len(parts) == 2:
        target = posixpath.normpath(parts[1])
    else:
        source = posixpath.normpath(source)
    if not (target or source).startswith("/"):
        raise wrong("--device", text, "is no absolute path")
    return {
        "PathOnHost": source,
        "PathInContainer": target or source,
        "CgroupPermissions": permissions,
    }


def _permissions(text: str) -> bool:
    return bool(text) and set(text) <= set("rwm") and len(set(text)) == len(text)


def device_requests(words: Words) -> list[dict[str, Json]]:
    """`--gpus`, and the devices that are named in CDI's way."""
    found = [_gpus(text) for text in words.all("gpus")]
    named = [text for text in words.all("device") if _CDI.fullmatch(text)]
    return [*found, *([{"Driver": "cdi", "DeviceIDs": named}] if named else [])]


def _gpus(text: str) -> dict[str, Json]:
    request: dict[str, Json] = {}
    seen: set[str] = set()
    for part in fields(text, "--gpus"):
        key, equals, value = part.partition("=")
        name = key if equals else "count"
        if name in seen:
            raise wrong("--gpus", text, f"has `{name}` twice")
        seen.add(name)
        if name == "count":
            number = value if equals else key
            request["Count"] = -1 if number == "all" else integer(number, "--gpus")
        elif name == "driver":
            request["Driver"] = value
        elif name == "device":
            request["DeviceIDs"] = value.split(",")
        elif name == "capabilities":
            request["Capabilities"] = [[*value.split(","), "gpu"]]
        elif name == "options":
            request["Options"] = pairs(fields(value, "--gpus options"))
        else:
            raise wrong("--gpus", text, f"has the unexpected key `{key}`")
    if "count" not in seen and "DeviceIDs" not in request:
        request["Count"] = 1
    request.setdefault("Capabilities", [["gpu"]])
    return request


def on_device(text: str) -> tuple[str, str]:
    """`/dev/sda:10mb` as its two parts."""
    path, colon, value = text.partition(":")
    if not colon or not path.startswith("/dev/"):
        raise InputError.of(f"`{text}` is no limit of a device; write it like /dev/sda:10mb")
    return path, value


def cgroup_rule(text: str) -> str:
    """A rule of the devices cgroup, checked."""
    if not _RULE.fullmatch(text):
        raise wrong("--device-cgroup-rule", text, "is no rule; write it like `c 10:200 rwm`")
    return text
