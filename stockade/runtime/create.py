"""`create`: a block, a map, the container's files through it; then the real runtime.

The bundle on disk is left as it is: the real runtime finds another config.json in its place,
mounted over it in our own mount namespace. A bundle can so be created again.
"""

from __future__ import annotations

import os
import stat

from ..policies.errors import InputError
from ..userns.bundle import (
    MAXIMAL_CONFIG,
    Config,
    bind_mounts,
    is_privileged,
    options_of,
    read_config,
    render_config,
    sentences,
    shared_namespaces,
    with_map,
)
from . import hand_over, kernel
from .arguments import Invocation, find_program
from .leases import Leases
from .live import in_initial_namespace
from .places import open_place, real_path
from .pool import take
from .stage import ROOTFS, STAGE, VOLUMES, RefusedError, Stage, open_stage
from .stdio import DEFAULT_STATE, give_pipes

_KINDS = ("bind", "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "none")
"""Kinds of mounts that a user namespace may make, and that show nothing of the host's files."""
_INIT = "/sbin/docker-init"
"""Where dockerd binds its own init (`docker run --init`), read-only."""
_FLAGS = ((os.ST_RDONLY, "ro"), (os.ST_NODEV, "nodev"), (os.ST_NOEXEC, "noexec"))


def create(asked: Invocation) -> None:
    """Become the real runtime, with the container mapped; raises ValueError or OSError."""
    try:
        _prepare(asked)
    except InputError as error:
        raise RefusedError(sentences([error])) from error
    hand_over(asked, asked.passed)


def _prepare(asked: Invocation) -> None:
    if os.geteuid() != 0 or not in_initial_namespace():
        raise RefusedError("it must run as root of the host; rootless engines have their own map")
    if not asked.root:
        raise RefusedError(f"{asked.runtime} is neither runc nor crun; pass --root to it")
    find_program(asked.runtime)
    bundle = os.path.realpath(asked.bundle)
    data = _read(f"{bundle}/config.json")
    config = read_config(data, "config.json")
    _refuse_what_is_shared(config)
    leases = Leases(asked.option("state", DEFAULT_STATE))
    block = take(asked, leases)
    try:
        mapped = with_map(config, block)
        namespace = kernel.user_namespace(block)
        open_stage()
        stage = Stage(
            block=block,
            namespace=namespace,
            engine=_data_root(config, asked.container),
            container=asked.container,
            bundle=bundle,
            dedicated=_dedicated(asked),
        )
        mapped = _staged(mapped, stage, keep=asked.option("mounts") == "keep")
        os.close(namespace)
        _replace(f"{bundle}/config.json", render_config(mapped))
        give_pipes(block.first)
    except BaseException:
        # No process has these ids yet, and the real runtime knows nothing of the container.
        with leases.locked():
            lease = leases.find(asked.root, asked.container)
            if lease is not None:
                leases.remove(lease)
        raise


def _dedicated(asked: Invocation) -> tuple[str, ...]:
    paths = tuple(os.path.realpath(each) for each in asked.ours.get("dedicated", []))
    if "/" in paths:
        raise RefusedError("--dedicated / would make containers' root the host's")
    return paths


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        data = file.read(MAXIMAL_CONFIG + 1)
    if len(data) > MAXIMAL_CONFIG:
        raise RefusedError(f"{path} has more than {MAXIMAL_CONFIG:,} bytes")
    return data


def _refuse_what_is_shared(config: Config) -> None:
    other = "with another runtime (--runtime=runc) it runs, and its root is the host's"
    if is_privileged(config):
        raise RefusedError(f"the container is privileged; {other}")
    shared = shared_namespaces(config)
    if shared:
        raise RefusedError(f"the container shares {shared}; {other}")
    steered = [each for each in config.get("annotations") or {} if each.startswith("run.oci.")]
    if steered:
        # crun's own switches; keep_original_groups leaves a process the groups of host root.
        raise RefusedError(f"the annotation {steered[0]} steers the runtime past its config")
    linux = config.get("linux") or {}
    if (linux.get("rootfsPropagation") or "private").removeprefix("r") not in ("private", "slave"):
        raise RefusedError(f"mounts of the container would appear on the host; {other}")
    if any(each.get("type") == "user" for each in linux.get("namespaces") or []):
        raise RefusedError("the engine maps its containers already (userns-remap)")


def _data_root(config: Config, container: str) -> str:
    """dockerd's data root, known by the container's directory in it; empty where there is none."""
    root = str((config.get("root") or {}).get("path", ""))
    path = os.path.realpath(root) if root.startswith("/") else "/"
    while path != "/":
        path = os.path.dirname(path)  # noqa: PTH120
        if path != "/" and os.path.isdir(f"{path}/containers/{container}"):  # noqa: PTH112
            return path
    return ""


def _staged(config: Config, stage: Stage, *, keep: bool) -> Config:
    """The container with its root and bind mounts taken from the stage."""
    root = config.get("root")
    if not isinstance(root, dict) or not isinstance(root.get("path"), str):
        raise RefusedError("config.json has no root.path")
    path = os.path.join(stage.bundle, root["path"])  # noqa: PTH118
    stage.root(path, read_only=root.get("readonly") is True)
    mounts = list(config.get("mounts") or [])
    binds = dict(bind_mounts(config))
    for index, entry in enumerate(mounts):
        if index in binds:
            mounts[index] = _staged_mount(entry, stage, keep=keep)
        elif entry.get("type") not in _KINDS:
            raise RefusedError(f"{entry['destination']} is a mount of {entry.get('type')}")
    return {**config, "root": {**root, "path": ROOTFS}, "mounts": mounts}


def _staged_mount(entry: Config, stage: Stage, *, keep: bool) -> Config:
    options = options_of(entry)
    destination, source = entry["destination"], str(entry.get("source", ""))
    if {"shared", "rshared"} & set(options):
        raise RefusedError(
            f"{destination}: mounts of the container would appear on the host (shared)"
        )
    if {"idmap", "ridmap"} & set(options) or entry.get("uidMappings"):
        raise RefusedError(f"{destination} has a map of its own")
    if not source:
        raise RefusedError(f"{destination} has no source")
    handle = open_place(os.path.join(stage.bundle, source))  # noqa: PTH118
    try:
        path = real_path(handle)
        mode = os.fstat(handle).st_mode
        ordinary = stat.S_ISDIR(mode) or stat.S_ISREG(mode)
        if ordinary and stage.own(handle, path, VOLUMES):
            target = stage.own_mount(handle, path, read_only="ro" in options)
        elif keep or (destination == _INIT and "ro" in options and stat.S_ISREG(mode)):
            target = stage.plain_mount(
                handle, recursive="rbind" in options, read_only="ro" in options
            )
        else:
            what = f"the host's {path}" if ordinary else f"{path}, which is no file or directory,"
            raise RefusedError(
                f"bind mount of {what} at {destination}: use a volume, or set up the runtime with "
                "`--mounts keep` (its files then belong to nobody inside) or `--dedicated DIR`"
            )
    finally:
        os.close(handle)
    # What the mount may not do cannot be lifted in the container's mount namespace; runc and
    # crun remount with exactly these options.
    flags = os.statvfs(target).f_flag
    added = [word for flag, word in _FLAGS if flags & flag and word not in options]
    options = [each for each in options if each not in ("suid", "rw" if "ro" in added else "")]
    if "nosuid" not in options:
        added.append("nosuid")
    return {**entry, "source": target, "options": [*options, *added]}


def _replace(path: str, content: bytes) -> None:
    """Put another content in a file's place, for this mount namespace only."""
    staged = f"{STAGE}/config.json"
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        at = 0
        while at < len(content):
            at += os.write(handle, content[at:])
    finally:
        os.close(handle)
    kernel.bind(staged, path)
