"""Gets the packages from a Debian archive into a cache directory."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from .errors import FetchError
from .pins import PINS, Pin, verify

POOL = "pool/main/l/linux/"
"""Where an archive keeps every pinned package."""


def cache_directory() -> Path:
    """Where fetched packages are kept: `$STOCKADE_DEBS`, else under the user's cache."""
    given = os.environ.get("STOCKADE_DEBS")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "stockade" / "debs"


def apt_mirrors() -> list[str]:
    """The archives that apt is configured with, each ending in `/`.

    Raises:
        FetchError: no apt here, or it knows no source for linux-libc-dev.
    """
    command = ["apt-get", "--print-uris", "download", "linux-libc-dev"]
    try:
        with tempfile.TemporaryDirectory() as scratch:
            result = subprocess.run(
                command, capture_output=True, text=True, check=True, cwd=scratch, timeout=60
            )
    except (OSError, subprocess.SubprocessError) as error:
        raise FetchError(f"{' '.join(command)}: {error}") from error
    found = re.findall(r"^'(.+?/)pool/", result.stdout, re.MULTILINE)
    # The security archive carries the last update only; the main one lies beside it.
    bases = [base.replace("-security/", "/") for base in found] + found
    if not bases:
        raise FetchError(f"{' '.join(command)} names no archive; run apt-get update first")
    return list(dict.fromkeys(bases))


def fetch(directory: Path, mirrors: Iterable[str] = ()) -> None:
    """Downloads what is missing in a directory, and verifies all of it.

    Raises:
        FetchError: a file cannot be had.
        GenerateError: a file is not the pinned one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    bases = [base.rstrip("/") + "/" for base in mirrors]
    for pin in PINS:
        target = directory / pin.file
        if target.exists():
            verify(pin, target.read_bytes())
            continue
        bases = bases or apt_mirrors()
        content = _download(pin, bases)
        verify(pin, content)
        part = target.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(content)
        part.replace(target)


def _download(pin: Pin, bases: Iterable[str]) -> bytes:
    """The file from the first archive that has it.

    Raises:
        FetchError: none has.
    """
    tried = []
    for base in bases:
        url = base + POOL + pin.file.replace("+", "%2B").replace("~", "%7E")
        try:
            with urllib.request.urlopen(url, timeout=120) as response:
                content: bytes = response.read()
                return content
        # Besides what the network does: an answer cut short, and a --mirror that is no URL.
        except (OSError, http.client.HTTPException, ValueError) as error:
            tried.append(f"{base}: {error}")
    raise FetchError(
        f"cannot fetch {pin.file} ({'; '.join(tried)}); "
        "if it is superseded, --mirror URL names an archive that still has it"
    )
