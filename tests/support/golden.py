"""Golden files: expected texts beside the tests, rewritten with UPDATE_GOLDEN=1."""

import os
from collections.abc import Callable
from pathlib import Path

Golden = Callable[[str, str], None]


def holds(path: Path, text: str) -> None:
    """Asserts that the file has this text; with UPDATE_GOLDEN=1 gives it that."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text, f"{path} differs; UPDATE_GOLDEN=1 rewrites it"
