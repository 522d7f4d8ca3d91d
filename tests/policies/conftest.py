"""A small library of fixed content, for tests whose results show what the library holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stockade.policies import catalog


@pytest.fixture
def small_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The library is tests/policies/library during the test."""
    path = Path(__file__).parent / "library"
    monkeypatch.setattr(catalog, "LIBRARY", path)
    catalog.groups.cache_clear()
    yield path
    catalog.groups.cache_clear()
