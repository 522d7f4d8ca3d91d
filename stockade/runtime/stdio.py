"""Pipes of the engine, given to the container's root.

A process that reopens its output (`/dev/stdout` is /proc/self/fd/1) needs to own the pipe. The
engine's pipes belong to host root, who has no id in the container's map. dockerd asks its
shim to give them away when it knows of a map (IoUid of the shim's options); here it does not.
"""

from __future__ import annotations

import contextlib
import os
import stat

from .arguments import Invocation


def give_pipes(owner: int) -> None:
    """Make a host id the owner of those of our standard streams that are pipes."""
    for handle in (0, 1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.fstat(handle).st_mode):
                os.fchown(handle, owner, owner)


def give_to_container(asked: Invocation) -> None:
    """For `exec`: the new process's pipes. Without a lease they are left as they are."""
    if not asked.container:
        return
    suffix = f".{asked.container}"
    directory = f"{asked.option('state', DEFAULT_STATE)}/leases"
    with contextlib.suppress(OSError):
        if not any(name.endswith(suffix) for name in os.listdir(directory)):  # noqa: PTH208
            return
    from .leases import Leases

    with contextlib.suppress(OSError):
        state = asked.option("state", DEFAULT_STATE)
        lease = Leases(state).find(asked.root, asked.container)
        if lease is not None:
            give_pipes(lease.range.first)


DEFAULT_STATE = "/var/lib/stockade"
"""Beside the registry of `stockade userns`."""
