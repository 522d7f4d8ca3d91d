"""The container's files, mounted for it: its root through its map, bind mounts likewise.

Everything is mounted in a mount namespace of our own, on a tmpfs at STAGE. The container's
mount namespace is a copy of it; ours ends with the real runtime's `create`. So dockerd never
sees these mounts, and none is left behind by whatever dies.

A file system's ids are seen through the container's map (an id-mapped mount): image files of
root belong to the container's root, and what it writes is root's on the disk, so that images
stay shared and `docker commit` works. That power over root's files is only given where files
are known to be the container's own: see `Stage.own`.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field

from ..userns.ids import IdRange
from . import kernel
from .places import (
    Mount,
    is_below,
    is_closed,
    mount_of,
    mounts,
    open_place,
    real_path,
)

STAGE = "/run/stockade"
"""Every component must let the container's root pass; what lies below is private to us."""
ROOTFS = f"{STAGE}/rootfs"
_WORK = "stockade-work"
"""Our overlay's work directory, beside the upper one as it has to be."""


LAYERS = re.compile(r"/(overlay2|vfs/dir)/[^/]+(/|$)")
"""Layers of images and containers, as dockerd's storage drivers name them."""
VOLUMES = re.compile(r"/volumes/[^/]+/_data(/|$)")
"""Volumes of the local driver; what is above them is dockerd's own."""


class RefusedError(ValueError):
    """What cannot be had with a map of one's own; says why, and what can."""


@dataclass(slots=True)
class Stage:
    """Mounts in the making, for one container."""

    block: IdRange
    namespace: int
    """A user namespace with the container's map."""
    engine: str
    """dockerd's data root; empty: not dockerd."""
    container: str
    bundle: str
    dedicated: tuple[str, ...]
    """Real paths of directories that only containers use."""
    table: list[Mount] = field(default_factory=mounts)
    """The host's mounts, as they were before ours."""
    count: int = 0

    def own(self, handle: int, path: str, inside: re.Pattern[str]) -> bool:
        """Whether a place is the containers' own, so that their root may act as root there.

        That is the bundle, what --dedicated names, and of dockerd's data root what it made for
        this container, and what `inside` matches, unless it is a mount of something else.
        """
        if any(is_below(path, each) for each in (*self.dedicated, self.bundle)):
            return True
        if not self.engine or not is_below(path, self.engine):
            return False
        if is_below(path, f"{self.engine}/containers/{self.container}"):
            return True
        if not inside.match(path[len(self.engine) :]):
            return False
        top = open_place(self.engine)
        try:
            return mount_of(top) == mount_of(handle)
        finally:
            os.close(top)

    def root(self, path: str, *, read_only: bool) -> None:
        """Mount the container's root directory at ROOTFS; raises RefusedError."""
        os.mkdir(ROOTFS, 0o755)  # noqa: PTH102
        handle = open_place(path)
        try:
            found = real_path(handle)
            here = [each for each in self.table if each.point == found]
            if here and here[-1].kind == "overlay":
                self._overlay(here[-1], found)
                return
            self._check_own(handle, found, "the root", writable=not read_only)
            if here and not any(is_below(found, each) for each in self.dedicated):
                raise RefusedError(
                    f"the root {found} is a mount of {here[-1].kind}; only overlays and plain "
                    "directories are known to be for containers only (--dedicated DIR says so)"
                )
            attributes = kernel.NODEV | (kernel.RDONLY if read_only else 0)
            self._graft(handle, found, ROOTFS, attributes)
        finally:
            os.close(handle)

    def _overlay(self, mount: Mount, merged: str) -> None:
        """A second overlay of the same layers, each seen through the map.

        The kernel has no id-mapped mount of an overlay itself, but overlays of id-mapped
        layers (Linux 5.19). dockerd keeps its own mount of them.
        """
        if "\\" in mount.options:
            raise RefusedError(
                "the names of the root's layers are escaped; their paths are not known"
            )
        options = dict(each.partition("=")[::2] for each in mount.options.split(","))
        home = os.path.dirname(os.path.dirname(merged))  # noqa: PTH120
        if "lowerdir" not in options:
            raise RefusedError("the kernel does not say which layers the root has")
        lower = [os.path.join(home, each) for each in options["lowerdir"].split(":")]  # noqa: PTH118
        os.mkdir(f"{STAGE}/layers", 0o700)  # noqa: PTH102
        for number, layer in enumerate(lower):
            self._layer(layer, str(number), writable=False)
        data = "lowerdir=" + ":".join(str(number) for number in range(len(lower)))
        if "upperdir" in options:
            parent, name = os.path.split(os.path.join(home, options["upperdir"]))  # noqa: PTH118
            # Not dockerd's own: an overlay empties its work directory, and dockerd's could then
            # copy nothing up any more (`docker cp`). It goes with the container's directory.
            os.makedirs(f"{parent}/{_WORK}", mode=0o700, exist_ok=True)  # noqa: PTH103
            self._layer(parent, "upper", writable=True)
            data += f",upperdir=upper/{name},workdir=upper/{_WORK}"
        for name in ("metacopy", "redirect_dir", "xino", "nfs_export"):
            if name in options:
                data += f",{name}={options[name]}"
        if "userxattr" in options:
            data += ",userxattr"
        flags = kernel.MS_NODEV
        kernel.mount_overlay_as(self.block.first, f"{STAGE}/layers", ROOTFS, flags, data)

    def _layer(self, path: str, name: str, *, writable: bool) -> None:
        handle = open_place(path)
        try:
            found = real_path(handle)
            self._check_own(handle, found, "a layer of the root", writable=writable)
            target = f"{STAGE}/layers/{name}"
            os.mkdir(target, 0o700)  # noqa: PTH102
            self._graft(handle, found, target, 0)
        finally:
            os.close(handle)

    def own_mount(self, handle: int, source: str, *, read_only: bool) -> str:
        """An id-mapped mount of what is the containers' own; where it is. Raises RefusedError."""
        inside = [each for each in self.table if each.point.startswith(source.rstrip("/") + "/")]
        if inside:
            raise RefusedError(f"{source} has another mount in it: {inside[0].point}")
        if not read_only and not self._is_safe(handle, source):
            raise RefusedError(
                f"host users can reach {source}, where the container's root could leave them a "
                "setuid program: close a directory above it (chmod 0700), or mount it nosuid"
            )
        target = self._target(handle)
        attributes = kernel.NOSUID | kernel.NODEV | (kernel.RDONLY if read_only else 0)
        self._graft(handle, source, target, attributes)
        return target

    def plain_mount(self, handle: int, *, recursive: bool, read_only: bool) -> str:
        """A mount of something as it is, where the container's root can come to it."""
        target = self._target(handle)
        attributes = kernel.NOSUID | (kernel.RDONLY if read_only else 0)
        kernel.graft(handle, target, attributes=attributes, namespace=None, recursive=recursive)
        return target

    def _target(self, handle: int) -> str:
        """A new name to mount on, of the same kind as what will be mounted."""
        target = f"{STAGE}/{self.count}"
        self.count += 1
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            os.mkdir(target, 0o755)  # noqa: PTH102
        else:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        return target

    def _check_own(self, handle: int, path: str, what: str, *, writable: bool) -> None:
        if not self.own(handle, path, LAYERS):
            raise RefusedError(
                f"{what}, {path}, is not known to be for containers only; their root would be "
                "root there. --dedicated DIR says so of a directory above it"
            )
        if writable and not self._is_safe(handle, path):
            raise RefusedError(
                f"host users can reach {what}, {path}, where the container's root could leave "
                "them a setuid program: close a directory above it (chmod 0700)"
            )

    def _is_safe(self, handle: int, path: str) -> bool:
        """Whether a setuid program made there harms nobody: out of reach, or a nosuid mount."""
        return is_closed(path) or bool(os.fstatvfs(handle).f_flag & os.ST_NOSUID)

    def _graft(self, handle: int, path: str, target: str, attributes: int) -> None:
        try:
            kernel.graft(handle, target, attributes=attributes, namespace=self.namespace)
        except OSError as error:
            raise RefusedError(
                f"{path} cannot be seen through a map: {error.strerror} (its file system or this "
                "kernel has no idmapped mounts)"
            ) from error


def open_stage() -> None:
    """A private mount namespace with an empty STAGE."""
    os.makedirs(STAGE, mode=0o711, exist_ok=True)  # noqa: PTH103
    os.makedirs(ROOTFS, mode=0o755, exist_ok=True)  # noqa: PTH103  # where `runc exec` starts
    kernel.private_mounts()
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", STAGE, "tmpfs", flags, "mode=0711,size=1m")
