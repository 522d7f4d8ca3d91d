"""The intent record: what a commit is about to do, written before it does it.

{"version": 1, "files": {"etc/subuid": {"old": SHA-256 or null, "new": SHA-256}, ...}}
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..policies.errors import InputError
from ..policies.source import printable
from .handles import open_file, write_beside
from .host import REGISTRY, SUBGID, SUBUID

INTENT = "var/lib/stockade/userns.intent.json"
"""There only while a commit is under way, or was interrupted."""
ORDER = (REGISTRY, SUBUID, SUBGID)
"""In which a commit changes the files: what the registry says is never less than they do."""

_VERSION = 1
_MAXIMAL_SIZE = 4096
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Step:
    """One file's way: SHA-256 before and after, in hex; None: not there."""

    old: str | None
    new: str


def base(name: str) -> str:
    """The last part of a name below the root."""
    return name.rpartition("/")[2]


def beside(name: str) -> str:
    """Where a file's new content waits: a name that shadow uses for nothing (it has `subuid+`,
    `subuid-`, `subuid.lock` and `subuid.PID`)."""
    return f".{base(name)}.stockade"


def write_record(state: int, steps: Mapping[str, Step]) -> None:
    """Puts the record in place, on disk, never half of it. Raises OSError."""
    files = {name: {"old": step.old, "new": step.new} for name, step in steps.items()}
    text = json.dumps({"version": _VERSION, "files": files}, indent=2) + "\n"
    write_beside(state, beside(INTENT), text.encode(), None)
    os.rename(beside(INTENT), base(INTENT), src_dir_fd=state, dst_dir_fd=state)
    os.fsync(state)


def read_record(state: int, root: Path) -> dict[str, Step]:
    """The steps of an interrupted commit, in order; none when there is no record.

    Raises InputError when the record is not one of ours.
    """
    shown = root / INTENT
    handle = open_file(state, base(INTENT), shown)
    if handle is None:
        return {}
    with os.fdopen(handle, "rb") as file:
        data = file.read(_MAXIMAL_SIZE + 1)
    try:
        document = json.loads(data)
        found = {name: Step(each["old"], each["new"]) for name, each in document["files"].items()}
        sound = document["version"] == _VERSION and found.keys() <= set(ORDER) and len(found)
        digests = [step.new for step in found.values()]
        digests += [step.old for step in found.values() if step.old is not None]
        if sound and all(map(_DIGEST.fullmatch, digests)):
            return {name: found[name] for name in ORDER if name in found}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    raise InputError.of(
        f"`{printable(str(shown))}` is no record of a commit; nothing was changed",
        hint="see who wrote it; when nothing of it matters, remove it",
    )
