"""Makes the data files from the sources, and compares or writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .api import read_api
from .fields import corrected
from .handmade import read_table
from .render import render_routes, render_schema
from .routes import joined, read_routes

DATA = Path(__file__).parents[1] / "data"
"""Where the files are, and the tables that are kept by hand."""


def generate(api: Path, routes: Sequence[Path]) -> dict[str, str]:
    """The files by name.

    Raises:
        GenerateError: a source or a table by hand cannot be used.
        OSError: one cannot be read.
    """
    described = read_api(api)
    operations = read_table(DATA / "operations.tsv", 7)
    lines = joined(operations, read_routes(routes), described, read_table(DATA / "query.tsv", 4))
    schema = corrected(described, operations, read_table(DATA / "fields.tsv", 4))
    sources = [api.name, *(path.name for path in routes)]
    return {
        "routes.tsv": render_routes(sources, lines),
        "schema.tsv": render_schema(sources[:1], schema),
    }


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
