"""The ids of a span that nobody claims: where containers without a tenant get their blocks.

Who claims what is written in many files, and reading them takes longer than all the rest of a
`create`. So the outcome is kept in the state directory, with what each file looked like.
Live maps and leases are not part of it; whoever takes a block looks at those each time.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

from ..policies.source import Location, Source
from ..policies.userns_model import Span, Userns
from ..userns import host
from ..userns.ids import BLOCK, FIRST_SUBORDINATE, LAST_ID, IdRange
from .arguments import Invocation
from .stage import RefusedError
from .stdio import DEFAULT_STATE

VERSION = 1
DEFAULT_POLICY = "/etc/stockade/runtime.yaml"
_FILES = (host.SUBUID, host.SUBGID, host.PASSWD, host.GROUP, host.LOGIN_DEFS, host.REGISTRY)


def free_ground(asked: Invocation) -> tuple[list[IdRange], int]:
    """Unclaimed ids in whole blocks, ascending, and the size of a block.

    Raises RefusedError or InputError where the span or a file cannot be read.
    """
    root = asked.option("host-root", "/")
    policy = asked.option("policy") or ("" if asked.option("span") else DEFAULT_POLICY)
    files = [*(f"{root}/{name}" for name in _FILES), *([policy] if policy else [])]
    key = [VERSION, asked.option("span"), *map(_stamp, files)]
    path = f"{asked.option('state', DEFAULT_STATE)}/ground.json"
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        with open(path, "rb") as file:  # noqa: PTH123
            kept = json.load(file)
        if kept["key"] == key:
            return [IdRange(*each) for each in kept["free"]], int(kept["block"])
    section = _of_policy(policy) if policy else _of_span(asked.option("span"))
    free = list(unclaimed(section, Path(root)))
    if key == [VERSION, asked.option("span"), *map(_stamp, files)]:  # else changed meanwhile
        parts = [[each.first, each.count] for each in free]
        _keep(path, {"key": key, "block": section.block, "free": parts})
    return free, section.block


def unclaimed(section: Userns, root: Path) -> Iterable[IdRange]:
    """Runs of blocks of the section's spans that nobody claims by what is written."""
    from ..userns.claims import claims
    from ..userns.registry import read as read_registry

    # Leases come and go; whoever takes a block looks at those, as at live maps.
    files = replace(host.read_host(root), leases=())
    written = claims(files, (), section)
    registry = read_registry(files.registry, str(root / host.REGISTRY))
    tenants = [*registry.blocks.values(), *registry.tombstones.values()]
    for line in chain(*written.own.values()):
        block = line.block()
        if block is None:
            raise RefusedError(
                f"line {line.line} of {line.kind.value} is a tenant's, and readers take it for "
                "different ids: stockade userns plan"
            )
        tenants.append(block)
    for span in section.spans:
        first = start = -(-span.first // section.block) * section.block
        while first + section.block - 1 <= span.last:
            block = IdRange(first, section.block)
            if not written.free(block) or any(each.overlaps(block) for each in tenants):
                if start < first:
                    yield IdRange.between(start, first - 1)
                start = first + section.block
            first += section.block
        if start < first:
            yield IdRange.between(start, first - 1)


def _of_span(text: str) -> Userns:
    found = re.fullmatch(r"(\d{1,10})-(\d{1,10})", text, re.ASCII)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not FIRST_SUBORDINATE <= first <= last <= LAST_ID:
        raise RefusedError(
            f"--span takes FIRST-LAST, host ids in {FIRST_SUBORDINATE}-{LAST_ID}, not {text}"
        )
    at = Location(Source("--span", text), 1, 1, len(text))
    return Userns((Span(first, last, at),), BLOCK, (), (), at)


def _of_policy(path: str) -> Userns:
    if not os.path.lexists(path):
        raise RefusedError(
            f"which host ids are for containers? Pass --tenant or --span, or write {path}"
        )
    from ..policies.loader import load

    section = load(path).require().userns
    if section is None:
        raise RefusedError(f"{path} has no `userns` section")
    return section


def _stamp(path: str) -> list[int] | None:
    """What changes whenever a file does; None: there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _keep(path: str, content: object) -> None:
    """Write for later; where that fails, the next one reads all files again."""
    temporary = f"{path}.{os.getpid()}"
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)  # noqa: PTH103, PTH120
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "w") as file:
            json.dump(content, file)
        os.rename(temporary, path)  # noqa: PTH104
