"""Everything that appears in a container's file system from outside its image.

moby: volume/mounts/linux_parser.go (20.10 to 29), daemon/volumes.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..model import Json
from . import tmpfs
from .fields import check
from .values import (
    absolute,
    climbs,
    deny,
    flag,
    mapping,
    objects,
    plain,
    strings,
    subpath,
    text,
    texts,
)

PROPAGATIONS = frozenset("private rprivate slave rslave shared rshared".split())

_MODE_GROUPS: Mapping[str, str] = {
    **dict.fromkeys(("rw", "ro"), "access"),
    **dict.fromkeys(("z", "Z"), "label"),
    **dict.fromkeys(PROPAGATIONS, "propagation"),
    "nocopy": "copy",
    **dict.fromkeys(("consistent", "cached", "delegated"), "consistency"),
}
"""Of each group a mode may have one word."""

_CONSISTENCIES = frozenset({"", "default", "consistent", "cached", "delegated"})
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
_CLIMBING = re.compile(r"(?:^|[/=:,])\.\.(?:$|[/:,])")
_LOCAL = frozenset({"", "local"})

_EMPTY: Mapping[str, Any] = {
    "type": "volume",
    "source": "",
    "target": "",
    "read_only": False,
    "propagation": None,
    "recursive": True,
    "create_source": False,
    "driver": None,
    "driver_options": {},
    "labels": {},
    "no_copy": False,
    "subpath": None,
    "tmpfs_options": [],
    "size": None,
    "mode": None,
    "selinux": "",
    "resolved": None,
    "inherited": False,
}


def mount(**stated: Any) -> Json:
    """The document of one mount: what is not stated is at its harmless value."""
    return {**_EMPTY, "driver_options": {}, "labels": {}, "tmpfs_options": [], **stated}


def volume_name(name: str, driver: str) -> str:
    """The name of a volume, `""` for an anonymous one. Raises Denied for an unclear one."""
    if not name:
        return name
    if driver in _LOCAL:
        if not _NAME.match(name):
            deny("bad-name", f"{name!r} is not the name of a local volume")
    elif name.startswith(("/", ".")) or "\\" in name or climbs(name) or name != name.strip():
        deny("bad-name", f"{name!r} is not the name of a volume")
    return name


def driver_options(given: Json, name: str) -> dict[str, str]:
    """A volume driver's options. Raises Denied for a path in them that climbs by `..`.

    Also by `.\\.`: overlay's own reader of its options drops backslashes.
    """
    found = strings(given, name)
    for key, value in found.items():
        if _CLIMBING.search(value.replace("\\", "")):
            deny("unclear-path", f"{name}[{key}] has a `..`: {value!r}")
    return found


def _target(said: str, name: str) -> str:
    found = absolute(said, f"{name}'s target")
    return found if found != "/" else deny("bad-mount", f"{name} would cover the root")


def _modes(said: str, name: str) -> dict[str, str]:
    """Group -> word. Raises Denied for an unknown word, or two of a group."""
    found: dict[str, str] = {}
    for word in said.split(",") if said else []:
        group = _MODE_GROUPS.get(word) or deny("bad-mount", f"{name}: unknown mode {word!r}")
        if group in found:
            deny("bad-mount", f"{name}: two of {word} and {found[group]}")
        found[group] = word
    return found


def bind(said: str, volume_driver: str) -> Json:
    """One element of Binds: `source:target[:modes]`, or an anonymous volume's target."""
    name = f"bind {text(said, 'bind')!r}"
    parts = said.split(":")
    if not parts[0] or len(parts) > 3:
        deny("bad-mount", f"{name} is not source:target[:modes]")
    if len(parts) == 1:
        return mount(target=_target(parts[0], name), driver=volume_driver)
    source, target = parts[0], parts[1]
    if len(parts) == 2 and (not target or all(word in _MODE_GROUPS for word in target.split(","))):
        deny("bad-mount", f"{name} has a mode but no source")
    modes = _modes(parts[2] if len(parts) == 3 else "", name)
    common = {
        "target": _target(target, name),
        "read_only": modes.get("access") == "ro",
        "selinux": modes.get("label", ""),
    }
    if source.startswith("/"):
        if "copy" in modes:
            deny("bad-mount", f"{name}: nocopy is for volumes")
        return mount(
            type="bind",
            source=absolute(source, f"{name}'s source"),
            propagation=modes.get("propagation"),
            create_source=True,
            **common,
        )
    if "propagation" in modes:
        deny("bad-mount", f"{name}: volumes have no propagation")
    return mount(
        source=volume_name(source, volume_driver),
        driver=volume_driver,
        no_copy="copy" in modes,
        **common,
    )


def _read_only(given: Json, options: Json, kind: str) -> bool:
    """Read-only as a whole: with writable mounts below it, it is not."""
    stated = flag(given.get("ReadOnly"), "ReadOnly")
    below = flag(options.get("ReadOnlyNonRecursive"), "ReadOnlyNonRecursive")
    return stated and not (
        kind == "bind" and below and not flag(options.get("NonRecursive"), "NonRecursive")
    )


def _bind_mount(given: Json, name: str) -> dict[str, Any]:
    options = mapping(given.get("BindOptions"), name)
    propagation = text(options.get("Propagation"), name).lower()
    if propagation and propagation not in PROPAGATIONS:
        deny("bad-mount", f"{name}: unknown propagation {propagation!r}")
    flag(options.get("ReadOnlyForceRecursive"), "ReadOnlyForceRecursive")
    return {
        "source": absolute(text(given.get("Source"), name), f"{name}'s source"),
        "propagation": propagation or None,
        "recursive": not flag(options.get("NonRecursive"), "NonRecursive"),
        "create_source": flag(options.get("CreateMountpoint"), "CreateMountpoint"),
    }


def _volume_mount(given: Json, name: str) -> dict[str, Any]:
    options = mapping(given.get("VolumeOptions"), name)
    driver = mapping(options.get("DriverConfig"), name)
    check("Mount.VolumeOptions.DriverConfig", driver)
    driver_name = text(driver.get("Name"), name)
    return {
        "source": volume_name(text(given.get("Source"), name), driver_name),
        "driver": driver_name,
        "driver_options": driver_options(driver.get("Options"), f"{name}'s driver options"),
        "labels": strings(options.get("Labels"), name),
        "no_copy": flag(options.get("NoCopy"), "NoCopy"),
        "subpath": subpath(text(options.get("Subpath"), name), f"{name}'s subpath"),
    }


def _tmpfs_mount(given: Json, name: str) -> dict[str, Any]:
    if given.get("Source"):
        deny("bad-mount", f"{name}: a tmpfs has no source")
    return tmpfs.options_of_mount(given.get("TmpfsOptions"), name)


def _image_mount(given: Json, name: str) -> dict[str, Any]:
    options = mapping(given.get("ImageOptions"), name)
    source = text(given.get("Source"), name) or deny("bad-mount", f"{name} names no image")
    return {
        "source": source,
        "subpath": subpath(text(options.get("Subpath"), name), f"{name}'s subpath"),
    }


def _cluster_mount(given: Json, name: str) -> dict[str, Any]:
    source = text(given.get("Source"), name) or deny("bad-mount", f"{name} names no volume")
    return {"source": source}


_KINDS: Mapping[str, tuple[str, Any]] = {
    "bind": ("BindOptions", _bind_mount),
    "volume": ("VolumeOptions", _volume_mount),
    "tmpfs": ("TmpfsOptions", _tmpfs_mount),
    "image": ("ImageOptions", _image_mount),
    "cluster": ("ClusterOptions", _cluster_mount),
}
"""Type -> its own options, and who reads them. npipe is Windows'."""

_OPTIONS = tuple(options for options, _ in _KINDS.values())


def mount_object(given: Json) -> Json:
    """One element of Mounts, of a container or a service. Raises Denied."""
    check("Mount", given)
    target = text(given.get("Target"), "mount")
    name = f"mount {target!r}"
    kind = text(given.get("Type"), name).lower()
    own, read = _KINDS.get(kind) or deny("bad-mount", f"{name}: type {kind!r} is not supported")
    if text(given.get("Consistency"), name) not in _CONSISTENCIES:
        deny("bad-mount", f"{name}: unknown consistency")
    options: Json = {}
    for field in _OPTIONS:
        stated = given.get(field)
        if stated:
            if field != own:
                deny("bad-mount", f"{name}: {field} on a {kind} mount")
            options = mapping(stated, field)
            check(f"Mount.{field}", options)
    return mount(
        type=kind,
        target=_target(target, name),
        read_only=_read_only(given, options, kind),
        **read(given, name),
    )


def volumes_from(value: Json) -> list[Json]:
    """VolumesFrom: `container[:modes]`."""
    found = []
    for said in texts(value, "VolumesFrom"):
        container, _, mode = said.partition(":")
        modes = _modes(mode, f"volumes-from {said!r}")
        if not container or {"propagation", "copy"} & modes.keys():
            deny("bad-mount", f"volumes-from {said!r} is not container[:modes]")
        found.append({"container": container, "read_only": modes.get("access") == "ro"})
    return found


def _tmpfs_entry(target: str, said: Json) -> Json:
    name = f"tmpfs {target!r}"
    options = tmpfs.options(plain(said, name), name)
    return mount(type="tmpfs", target=_target(target, name), **options)


def _anonymous(target: str, driver: str) -> Json:
    if ":" in target:
        deny("bad-mount", f"volume {target!r} has a colon")
    return mount(target=_target(target, f"volume {target!r}"), driver=driver)


def mounts(config: Mapping[str, Json], host: Mapping[str, Json]) -> list[Json]:
    """All mounts of a container: Binds, Mounts, Tmpfs and Config.Volumes, in this order.

    Raises Denied for two on one target; only an anonymous volume gives way to another, as in the
    engine. A VolumeDriver that no mount shows gets a mount without target: the engine uses it for
    the volumes that the image declares.
    """
    driver = text(host.get("VolumeDriver"), "VolumeDriver")
    found = [bind(said, driver) for said in texts(host.get("Binds"), "Binds")]
    found += [mount_object(given) for given in objects(host.get("Mounts"), "Mounts")]
    found += [
        _tmpfs_entry(target, said) for target, said in mapping(host.get("Tmpfs"), "Tmpfs").items()
    ]
    taken = {one["target"] for one in found}
    if len(taken) != len(found):
        deny("duplicate-mount", "two mounts have the same target")
    for target in mapping(config.get("Volumes"), "Volumes"):
        anonymous = _anonymous(target, driver)
        if anonymous["target"] not in taken:
            taken.add(anonymous["target"])
            found.append(anonymous)
    if driver not in _LOCAL and not any(one["driver"] == driver for one in found):
        found.append(mount(driver=driver))
    return found
