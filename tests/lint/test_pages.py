"""docs/checks says what the checks say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stockade.lint.check import Check
from stockade.lint.document import main, page, pages
from stockade.lint.registry import CHECKS

DOCS = Path(__file__).resolve().parents[2] / "docs" / "checks"


def test_the_files_are_what_the_checks_say() -> None:
    """If not: python -m stockade.lint.document docs/checks"""
    found = {path.name: path.read_text(encoding="utf-8") for path in DOCS.iterdir()}
    assert found == dict(pages())


def test_writing_takes_old_pages_away(tmp_path: Path) -> None:
    (tmp_path / "gone.md").write_text("old")
    assert main([str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {name for name, _ in pages()}
    assert main([]) == 2


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_each_check_is_complete(check: Check) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", check.id)
    assert len(check.title) <= 72
    assert not check.title.endswith(".")
    assert check.why.endswith(".")
    assert check.sources
    assert check.bad != check.good
    assert any((check.policy, check.profile, check.host, check.map))
    assert page(check).startswith(f"# {check.id}\n")


def test_ids_are_unique() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
