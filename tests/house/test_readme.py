"""The README is executable: its console blocks print what they say, in an empty directory."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import blocks, commands, output

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


LANGUAGE = (ROOT / "docs" / "language.md").read_text("utf-8")


@pytest.mark.kernel
def test_console_blocks(tmp_path: Path) -> None:
    shown = commands(README)
    assert len(shown) > 10
    for command, expected in shown:
        printed = output(command, tmp_path)
        found = "".join(line for line in printed.splitlines(True) if " checked: " not in line)
        # A listing may be cut after the lines that matter.
        assert found == expected or found.startswith(expected), f"$ {command}\n{printed}"


def test_yaml_blocks_are_policies(tmp_path: Path) -> None:
    for block in blocks(README, "yaml") + blocks(LANGUAGE, "yaml"):
        (tmp_path / "api.yaml").write_text(block)
        for command in ("compile", "test")[: 1 + ("tests:" in block)]:
            done = subprocess.run(
                [sys.executable, "-m", "stockade", command, "api.yaml"], cwd=tmp_path
            )
            assert done.returncode == 0


def test_links_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "docs" / "language.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"\bmake (\w+)", "".join(blocks(README, "sh")) + README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
