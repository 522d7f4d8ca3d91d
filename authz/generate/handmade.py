"""The tables in data/ that are kept by hand: tab-separated, `#` starts a comment line."""

from __future__ import annotations

from pathlib import Path

from .errors import GenerateError

Row = tuple[str, ...]


def read_table(path: Path, columns: int) -> list[Row]:
    """The rows of a table; its first line names the columns.

    Raises:
        GenerateError: a row has another number of columns.
    """
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line and not line.startswith("#"):
            cells = tuple(line.split("\t"))
            if len(cells) != columns:
                raise GenerateError(f"{path.name}:{number}: {len(cells)} columns, not {columns}")
            rows.append(cells)
    return rows[1:]
