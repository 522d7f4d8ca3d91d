"""The user namespaces that processes are in, from /proc.

The kernel shows the outside ids of a map in the ids of whoever opens the file, whatever the
namespace's own parent is (user_namespaces(7)): for a reader in the initial namespace a nested
map already stands in host ids. For a reader in a container they are that container's ids, which
are also those that its own /etc/subuid means. An extent whose outside ids do not exist for the
reader is shown with 4294967295, and left out here.

A namespace without a process, kept alive by a mount or an open file, is not seen.
"""

from __future__ import annotations

import os
from pathlib import Path

from .ids import LAST_ID
from .model import Extent, IdMap, LiveMap


def live_maps(proc: Path = Path("/proc")) -> tuple[LiveMap, ...]:
    """One for each user namespace, that of the reader left out; the first process of each.

    Processes that end meanwhile, and those that the reader may not look at, are passed over.
    """
    own = _namespace(proc / "self")
    found: dict[object, LiveMap] = {}
    for process in sorted(int(each.name) for each in proc.iterdir() if each.name.isdigit()):
        directory = proc / str(process)
        namespace = _namespace(directory)
        if namespace is not None and (namespace == own or namespace in found):
            continue
        try:
            uid_map, gid_map = _map(directory / "uid_map"), _map(directory / "gid_map")
            command = (directory / "comm").read_text(errors="replace").strip()
        except (OSError, ValueError):
            continue
        each = LiveMap(process, command, uid_map, gid_map)
        if namespace is None:
            # Somebody else's process: equal maps cannot be told apart.
            found.setdefault((uid_map, gid_map), each)
        else:
            found[namespace] = each
    return tuple(found.values())


def _namespace(directory: Path) -> int | None:
    """The inode of a process's user namespace; None when it is not to be seen."""
    try:
        return os.stat(directory / "ns" / "user").st_ino  # noqa: PTH116 - as the link is named
    except OSError:
        return None


def _map(path: Path) -> IdMap:
    """As the kernel writes it: three numbers on each line."""
    extents = (
        Extent(*(int(number) for number in line.split())) for line in path.read_text().splitlines()
    )
    return tuple(each for each in extents if each.outside <= LAST_ID)
