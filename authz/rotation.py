"""The older files of a decision log: LOG.1 is the latest of them, LOG.2 the one before.

Another program may have compressed them (LOG.2.gz). A number may be missing for a moment, when
a process was killed between two renames.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
from dataclasses import dataclass
from pathlib import Path

from .chain import MOST, Link, parse


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The file before, and where its chain ends."""

    name: str
    link: Link | None
    """None when its last line cannot be read."""


def older_files(path: Path) -> list[tuple[int, Path]]:
    """The numbered files of a log, the latest (1) first. Raises OSError."""
    pattern = re.compile(re.escape(path.name) + r"\.([1-9][0-9]{0,8})(\.gz)?")
    found = []
    for each in path.parent.iterdir():
        match = pattern.fullmatch(each.name)
        if match is not None and not each.is_symlink() and each.is_file():
            found.append((int(match[1]), each))
    return sorted(found)


def rotate(path: Path, keep: int) -> None:
    """Rename the log to number 1, the others one higher where needed; drop those beyond `keep`.

    Under the log's lock. Raises OSError; whatever was done until then is finished by the next.
    """
    older = older_files(path)
    # Only the unbroken run from 1 has to make room.
    moving: list[tuple[int, Path]] = []
    for number, each in older:
        if number > len({n for n, _ in moving}) + 1:
            break
        moving.append((number, each))
    for number, each in reversed(moving):
        suffix = ".gz" if each.name.endswith(".gz") else ""
        if number >= keep:
            each.unlink()
        else:
            each.rename(path.with_name(f"{path.name}.{number + 1}{suffix}"))
    for number, each in older:
        if number > keep and (number, each) not in moving:
            with contextlib.suppress(FileNotFoundError):
                each.unlink()
    path.rename(path.with_name(f"{path.name}.1"))


def predecessor(path: Path) -> Predecessor | None:
    """The latest older file and its last link. Raises OSError."""
    for _, each in older_files(path):
        return Predecessor(each.name, _last_link(each))
    return None


def _last_link(path: Path) -> Link | None:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as stream:
                text = b""
                while part := stream.read(1 << 20):
                    text = (text + part)[-2 * MOST :]
        else:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                size = os.fstat(descriptor).st_size
                text = os.pread(descriptor, 2 * MOST, max(0, size - 2 * MOST))
            finally:
                os.close(descriptor)
    except (OSError, EOFError):
        return None
    for line in reversed(text.split(b"\n")):
        read = parse(line)
        if read is not None and read.sound:
            return read.link
    return None
