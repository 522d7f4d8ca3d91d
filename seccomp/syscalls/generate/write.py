"""Makes the data files from the packages, and compares or writes them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..abi import ABIS, Abi
from .constants import constants, errnos
from .debs import Roots, unpack_all
from .gcc import write_stub
from .numbers import numbers
from .overlay import read_overlay
from .prototypes import prototypes
from .render import render_numbers, render_prototypes, render_values

DATA = Path(__file__).parents[1] / "data"
"""Where the files are, and overlay.tsv."""


def generate(debs: Path) -> dict[str, str]:
    """The files by name, made from the pinned packages in a directory.

    Raises:
        GenerateError: a package is missing or not the pinned one, or gcc is missing.
    """
    with tempfile.TemporaryDirectory(prefix="stockade-") as scratch:
        roots = unpack_all(debs, Path(scratch))
        write_stub(roots)
        tables = {abi.name: numbers(roots, abi) for abi in ABIS.values()}
        listed = prototypes(roots, tables, read_overlay(DATA / "overlay.tsv"))
        return {
            "numbers.tsv": render_numbers(tables),
            "prototypes.tsv": render_prototypes(listed),
            "constants.tsv": render_values(
                "Named constants",
                ("libc", "libc-s390", "common", "common-mips"),
                _on_every_abi(constants, roots),
            ),
            "errno.tsv": render_values(
                "Error numbers", ("libc", "libc-s390"), _on_every_abi(errnos, roots)
            ),
        }


def _on_every_abi(
    what: Callable[[Roots, Abi], dict[str, int]], roots: Roots
) -> dict[str, dict[str, int]]:
    """One gcc at a time for each processor."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda abi: what(roots, abi), ABIS.values())
        return dict(zip(ABIS, found, strict=True))


def changed(files: dict[str, str]) -> list[str]:
    """The names of those files that data/ has otherwise, or not at all."""
    return [name for name, text in files.items() if _current(name) != text]


def write(name: str, text: str) -> None:
    """Writes one file of data/."""
    (DATA / name).write_text(text)


def _current(name: str) -> str | None:
    try:
        return (DATA / name).read_text()
    except FileNotFoundError:
        return None
