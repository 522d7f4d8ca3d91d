"""Writing files: all or none, each whole, never through a link."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..policies.errors import InputError


def write_all(files: Mapping[Path, bytes], *, mode: int = 0o644, replace: bool = True) -> None:
    """Write every file, or none: new contents are complete on disk before any name changes.

    Raises InputError when a directory is missing or not writable, when a name is taken by
    anything but a regular file, or by any file when `replace` is false.
    """
    written: list[tuple[str, Path]] = []
    try:
        for path in files:
            _check_name(path, replace)
        for path, content in files.items():
            written.append((_write_beside(path, content, mode), path))
        for temporary, path in written:
            if replace:
                Path(temporary).replace(path)
            else:
                path.hardlink_to(temporary)  # fails where the name was taken meanwhile
        for directory in {path.parent for path in files}:
            _sync(directory)
    except OSError as error:
        names = ", ".join(f"`{path}`" for path in files)
        raise InputError.of(f"cannot write {names}: {error.strerror}") from error
    finally:
        for temporary, _ in written:
            Path(temporary).unlink(missing_ok=True)


def _check_name(path: Path, replace: bool) -> None:
    if not path.parent.is_dir():
        raise InputError.of(
            f"`{path.parent}` is no directory", hint=f"make it first: mkdir -p {path.parent}"
        )
    if path.is_symlink():
        raise InputError.of(
            f"`{path}` is a symbolic link; Stockade does not write through links",
            hint="remove it, or name another directory",
        )
    if path.exists() and not path.is_file():
        raise InputError.of(f"`{path}` exists and is no regular file")
    if path.exists() and not replace:
        raise InputError.of(f"`{path}` exists already", hint="name another file, or remove it")


def _write_beside(path: Path, content: bytes, mode: int) -> str:
    """A complete temporary file next to where the content will go."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return temporary


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
