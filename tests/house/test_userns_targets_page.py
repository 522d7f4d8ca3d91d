"""docs/userns-targets.md says what is so: its commands are run, its lists are complete."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import blocks, commands, output

from stockade.runtime.arguments import HELP
from stockade.userns.targets import DEFAULTS, TARGETS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "userns-targets.md").read_text("utf-8")


@pytest.mark.userns
def test_console_blocks(tmp_path: Path, require: Callable[[object, str], None]) -> None:
    require(shutil.which("runc"), "needs runc")
    require(os.geteuid() == 0, "the registry of a tree is kept by root")
    (tmp_path / "hosts.yaml").write_text(blocks(PAGE, "yaml")[0])
    shown = commands(PAGE)
    assert len(shown) > 8
    for command, expected in shown:
        assert output(command, tmp_path) == expected, f"$ {command}"


def test_every_target_has_a_row() -> None:
    rows = re.findall(r"^\| (`.*?) \| (`.*?) \|", PAGE, re.MULTILINE)
    listed = {name for names, _ in rows for name in re.findall(r"`([^`]+)`", names)}
    suffixes = {suffix for _, cell in rows for suffix in re.findall(r"`([^`]+)`", cell)}
    assert listed == set(TARGETS)
    assert suffixes == {target.suffix for target in TARGETS.values()}
    assert set(DEFAULTS) <= listed


def test_every_option_of_the_runtime_is_in_its_help() -> None:
    for option in set(re.findall(r'"?(--[a-z-]+)"?, "', PAGE)):
        assert f"  {option} " in HELP


def test_links_lead_to_headings() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", each.lower()).replace(" ", "-") for each in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors
