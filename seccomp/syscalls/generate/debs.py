"""The packages, unpacked: the only files that the other modules read."""

from __future__ import annotations

import io
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..abi import Abi
from .errors import GenerateError
from .pins import PINS, Pin, verify
from .sources import SOURCES

_WANTED = re.compile(
    r"\./usr/(include/(linux|asm-generic)/|lib/linux/uapi/"
    r"|src/[^/]+/(include/(linux|asm-generic)/\w+\.h"
    r"|arch/\w+/include/asm/\w+\.h|arch/\w+/include/generated/asm/sys\w+\.h))"
)


def unpack(pin: Pin, content: bytes, directory: Path) -> None:
    """Unpacks the headers of a package: an ar archive with data.tar inside."""
    view = io.BytesIO(content)
    if view.read(8) != b"!<arch>\n":
        raise GenerateError(f"{pin.file}: not a Debian package")
    while header := view.read(60):
        name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        body = view.read(size + size % 2)[:size]
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(body)) as tar:
                for member in tar:
                    if member.isfile() and _WANTED.match(member.name):
                        _write(directory, member.name, tar.extractfile(member))
            return
    raise GenerateError(f"{pin.file}: no data.tar in it")


def _write(directory: Path, name: str, content: IO[bytes] | None) -> None:
    """Writes one member; by hand, because Python 3.11.2 has no extraction filters."""
    path = (directory / name).resolve()
    if content is None or not path.is_relative_to(directory.resolve()):
        raise GenerateError(f"{name} leads out of its package")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.read())


@dataclass(frozen=True, slots=True)
class Roots:
    """The unpacked packages."""

    path: Path
    """Below it a directory for each key of a pin."""

    def file(self, key: str, pattern: str) -> Path:
        """The only file of a package that matches.

        Raises:
            GenerateError: none or several match.
        """
        found = sorted((self.path / key).glob(pattern))
        if len(found) != 1:
            raise GenerateError(f"{len(found)} files match {pattern} in the package {key!r}")
        return found[0]

    def uapi(self, abi: Abi) -> Path:
        """The directory with the ABI's asm/ headers."""
        key = "libc-s390" if abi.name == "s390" else "libc"
        return self.path / key / "usr/lib/linux/uapi" / SOURCES[abi.name].uapi


def unpack_all(debs: Path, directory: Path) -> Roots:
    """Unpacks every pinned package of a directory, each below its key.

    Raises:
        GenerateError: a package is missing, or not the pinned one.
    """
    for pin in PINS:
        try:
            content = (debs / pin.file).read_bytes()
        except OSError as error:
            raise GenerateError(f"{error}; --fetch gets it") from error
        verify(pin, content)
        unpack(pin, content, directory / pin.key)
    return Roots(directory)
