"""`stockade-runtime`: an OCI runtime that gives every container a user namespace of its own.

    dockerd --add-runtime stockade=/usr/local/bin/stockade-runtime …

It stands between the engine and the real runtime (runc, crun) and is started for each of
their commands. All but two are handed on at once, so this module and `arguments` import
nothing that Python has not loaded anyway:

    create (run)  lease a block, write map and mounts, become the real runtime    create.py
    delete        run the real runtime, then give the block back                  delete.py
    exec          give the new process's pipes to the container's root            stdio.py

Whatever is in doubt ends with a message in the log that the engine reads, and no container.
"""

from __future__ import annotations

import os
import sys

from .arguments import HELP, Invocation, UsageError, find_program, parse


def main() -> None:
    """Handle one command of an OCI runtime, and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Handle one command; does not return when the real runtime takes over."""
    try:
        asked = parse(arguments)
    except UsageError as fault:
        from .report import complain

        complain(str(fault), arguments)
        return 1
    if asked.command == "stockade-help":
        sys.stdout.write(HELP)
        return 0
    if asked.command in ("create", "run", "delete", "restore"):
        return _ours(asked, arguments)
    if asked.command == "exec":
        from .stdio import give_to_container

        give_to_container(asked)
    try:
        hand_over(asked, asked.passed)
    except OSError as error:
        sys.stderr.write(f"stockade-runtime: {asked.runtime}: {error.strerror}\n")
    return 1


def _ours(asked: Invocation, arguments: list[str]) -> int:
    from .report import complain

    try:
        if asked.command == "delete":
            from .delete import delete

            return delete(asked)
        from .create import create

        create(asked)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        complain(f"{name}{error.strerror}", arguments)
    except Exception as error:  # whatever it is: no container, and the engine shows why
        complain(str(error) or type(error).__name__, arguments)
    return 1


def hand_over(asked: Invocation, arguments: list[str]) -> None:
    """Become the real runtime; raises OSError when it cannot be run."""
    program = find_program(asked.runtime)
    os.execv(program, [program, *arguments])
