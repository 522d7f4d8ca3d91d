"""`delete`: the real runtime first; then, when the container is gone, its block is given back."""

from __future__ import annotations

import os

from .arguments import Invocation, find_program
from .leases import Leases
from .live import live_ranges
from .stdio import DEFAULT_STATE


def delete(asked: Invocation) -> int:
    """The real runtime's exit status; raises OSError when it cannot be run."""
    program = find_program(asked.runtime)
    pid = os.posix_spawn(program, [program, *asked.passed], dict(os.environ))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    leases = Leases(asked.option("state", DEFAULT_STATE))
    if leases.find(asked.root, asked.container) is not None:
        with leases.locked():
            lease = leases.find(asked.root, asked.container)
            # A failed delete, or a process that is still there: the next `create` looks again.
            known = os.path.lexists(f"{asked.root}/{asked.container}")
            if lease and not known and not any(lease.range.overlaps(r) for r in live_ranges()):
                leases.remove(lease)
    return code if code >= 0 else 128 - code
