"""docs/proof.md is executable: its commands print what it shows."""

import os
from pathlib import Path

import pytest
from pages import blocks, commands, output

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "proof.md").read_text("utf-8")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the page shows a machine of x86_64")
def test_console_blocks(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(blocks(PAGE, "yaml")[0])
    shown = commands(PAGE)
    assert len(shown) > 8
    for command, expected in shown:
        lines = output(command, tmp_path).splitlines(True)
        notes = "note: rules with `needs:` are left out"
        assert "".join(line for line in lines if not line.startswith(notes)) == expected, command
