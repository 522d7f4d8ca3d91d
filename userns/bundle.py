"""config.json of an OCI bundle: the map, the user namespace and id-mapped mounts written in.

Follows the runtime specification (opencontainers/runtime-spec, config.md and
config-linux.md). What runc and crun make of a wrong one is why so much is refused here: with
mappings and no `user` namespace both run the container with the host's ids, and crun with a
`user` namespace and no mappings gave it host root.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..policies.errors import InputError
from ..policies.source import printable
from .ids import FIRST_SUBORDINATE, LAST_ID, IdRange

Config = dict[str, Any]
"""config.json as Python's json reads it; keys keep their order."""

MAXIMAL_CONFIG = 16 << 20
"""Bytes; containerd itself caps a request at that size."""
NO_SETUID = ("nosuid", "rnosuid")
"""Both: crun 1.8 does not set `nosuid` on a bind mount in a user namespace, `rnosuid` it does."""
PING_GROUPS = "net.ipv4.ping_group_range"
_READ = (
    *("annotations", "linux", "mounts", "process", "root"),
    *("namespaces", "resources", "rootfsPropagation", "sysctl", "type", "path"),
    *("uidMappings", "gidMappings", "containerID", "hostID", "size"),
    *("user", "uid", "gid", "additionalGids", "umask"),
    *("destination", "source", "options", "readonly"),
    *("devices", "allow", "access", "major", "minor"),
)
"""Keys that the map depends on."""
_SPELLED = {name.casefold(): name for name in _READ}
_NAMED = {"pid": "process ids", "network": "the network", "ipc": "System V IPC"}


def read_config(data: bytes, name: str) -> Config:
    """The document; raises InputError where it is no JSON object, or a key may be read as another.

    runc reads JSON as Go does, without regard to case: `LINUX` after `linux` replaces the map.
    """

    def once(pairs: list[tuple[str, Any]]) -> Config:
        found = dict(pairs)
        for key in found:
            meant = _SPELLED.get(key.casefold(), key)
            if meant != key:
                raise InputError.of(
                    f"`{name}` has a key `{printable(key)}`, which runc takes for `{meant}`",
                    hint=f"write it `{meant}`, or remove it",
                )
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError.of(
                f"`{name}` has the key `{printable(twice)}` twice",
                hint="runtimes may take either; leave one",
            )
        return found

    try:
        config = json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InputError.of(f"`{name}` is no JSON: {error}") from None
    if not isinstance(config, dict):
        raise InputError.of(f"`{name}` holds no JSON object")
    return config


def render_config(config: Config, like: bytes = b"") -> bytes:
    """The document as text, indented as `like` is; the order of keys is kept."""
    found = re.search(rb"\n([ \t]+)\"", like)
    indent = found[1].decode() if found else None
    separators = None if indent else (",", ":")
    text = json.dumps(config, indent=indent, separators=separators, ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass") + (b"\n" if like.endswith(b"\n") else b"")


def with_map(config: Config, block: IdRange) -> Config:
    """The same container in a user namespace of its own, with container id 0 at block.first.

    Raises InputError for what would be host root or another's ids, and where the container
    has a map already that is not this one.
    """
    if block.first < FIRST_SUBORDINATE or block.last > LAST_ID or block.count < 1:
        raise InputError.of(
            f"{block} is no range for a container: it must lie in {FIRST_SUBORDINATE}-{LAST_ID}"
        )
    linux = dict(_mapping(config, "linux"))
    line = {"containerID": 0, "hostID": block.first, "size": block.count}
    _check_maps(linux, line)
    namespaces = _namespaces(linux)
    if not any(each.get("type") == "mount" and not each.get("path") for each in namespaces):
        raise InputError.of(
            "the container has no mount namespace of its own",
            hint='add {"type": "mount"} to linux.namespaces',
        )
    _check_ids(_mapping(_mapping(config, "process"), "user"), block.count)
    if not any(each.get("type") == "user" for each in namespaces):
        namespaces = [*namespaces, {"type": "user"}]
    linux |= {"namespaces": namespaces, "uidMappings": [line], "gidMappings": [dict(line)]}
    sysctl = _mapping(linux, "sysctl")
    if PING_GROUPS in sysctl:
        # dockerd's default, 0 to 2147483647, has ids without a place in the map: EINVAL.
        linux["sysctl"] = {**sysctl, PING_GROUPS: f"0 {block.count - 1}"}
    return {**config, "linux": linux}


def shared_namespaces(config: Config) -> str:
    """Which namespace it shares with the host or another container; empty: none that matters.

    A user namespace has no power over those of others: /proc and /sys cannot be mounted, and
    the owner of the namespace could act on the container.
    """
    namespaces = _namespaces(_mapping(config, "linux"))
    for each in namespaces:
        if each.get("path"):
            return f"the {each.get('type')} namespace of another container ({each['path']})"
    own = {each.get("type") for each in namespaces}
    return next((f"{what} of the host" for name, what in _NAMED.items() if name not in own), "")


def is_privileged(config: Config) -> bool:
    """Whether every device is allowed: what `docker run --privileged` looks like."""
    rules = _mapping(_mapping(config, "linux"), "resources").get("devices") or []
    return any(
        rule.get("allow") and rule.get("type", "a") in ("a", "") and not rule.get("major")
        for rule in rules
        if isinstance(rule, dict) and "w" in str(rule.get("access", ""))
    )


def bind_mounts(config: Config) -> list[tuple[int, Config]]:
    """Index and entry of each mount of something that is on the host."""
    found = []
    for index, entry in enumerate(_list(config, "mounts")):
        if not isinstance(entry, dict) or not isinstance(entry.get("destination"), str):
            raise InputError.of(f"mounts[{index}] is no mount", hint="see runtime-spec, config.md")
        if entry.get("type") == "bind" or {"bind", "rbind"} & set(options_of(entry)):
            found.append((index, entry))
    return found


def options_of(mount: Config) -> list[str]:
    """Its options, all of them texts; raises InputError."""
    options = _list(mount, "options")
    if not all(isinstance(each, str) for each in options):
        raise InputError.of(f"the options of the mount {mount.get('destination')} are no texts")
    return options


def idmapped(mount: Config, block: IdRange) -> Config:
    """A bind mount whose ids the runtime shall see through the map, without setuid."""
    line = {"containerID": 0, "hostID": block.first, "size": block.count}
    taken = ("suid", "rsuid", *NO_SETUID, "idmap", "ridmap")
    options = [each for each in options_of(mount) if each not in taken]
    options += ["ridmap" if "rbind" in options else "idmap", *NO_SETUID]
    return {**mount, "options": options, "uidMappings": [line], "gidMappings": [dict(line)]}


def _check_maps(linux: Config, line: Mapping[str, int]) -> None:
    for key in ("uidMappings", "gidMappings"):
        there = _list(linux, key)
        if there and there != [line]:
            raise InputError.of(
                f"the container has other `linux.{key}` already: {json.dumps(there)}",
                hint="remove them; a container has one map, and this one would replace it",
            )
    for each in _namespaces(linux):
        if each.get("type") == "user" and each.get("path"):
            raise InputError.of(
                f"the container joins the user namespace {each['path']}",
                hint="remove it from linux.namespaces; its map is that of somebody else",
            )


def _check_ids(user: Config, count: int) -> None:
    """Refuse a process whose ids have no place in the map; the runtime would fail, or not."""
    ids = [("uid", user.get("uid", 0)), ("gid", user.get("gid", 0))]
    ids += [("additionalGids", each) for each in _list(user, "additionalGids")]
    for key, number in ids:
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < count:
            raise InputError.of(
                f"process.user.{key} is {json.dumps(number)}, and the map has the ids "
                f"0-{count - 1}",
                hint="run it as another user, or give the tenant more blocks",
            )


def _namespaces(linux: Config) -> list[Config]:
    namespaces = _list(linux, "namespaces")
    if not all(isinstance(each, dict) for each in namespaces):
        raise InputError.of("linux.namespaces is no list of objects")
    types = [each.get("type") for each in namespaces]
    if len(set(map(str, types))) < len(types):
        raise InputError.of("linux.namespaces names one twice", hint="leave one of each type")
    return namespaces


def _mapping(config: Config, key: str) -> Config:
    value = config.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError.of(f"`{key}` is no JSON object")
    return value


def _list(config: Config, key: str) -> list[Any]:
    value = config.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InputError.of(f"`{key}` is no list")
    return value


def sentences(problems: Iterable[InputError]) -> str:
    """Errors on one line, for a log."""
    return "; ".join(
        f"{each.message}{f' ({each.hint})' if each.hint else ''}"
        for error in problems
        for each in error.problems
    )
