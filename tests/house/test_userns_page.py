"""docs/userns.md says what is so: its commands print what they show, its checks exist."""

import re
from pathlib import Path

from pages import blocks, commands, output

from stockade.lint.registry import BY_ID

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "userns.md").read_text("utf-8")


def test_commands_print_what_is_shown(tmp_path: Path) -> None:
    (policy,) = blocks(PAGE, "yaml")
    (tmp_path / "hosts.yaml").write_text(policy)
    shown = commands(PAGE)
    assert len(shown) > 8
    for command, expected in shown:
        found = output(command, tmp_path)
        # What is shown may be the beginning.
        assert found.startswith(expected), f"$ {command}\n{found}"


def test_checks_that_are_named_exist() -> None:
    named = set(re.findall(r"`((?:subid|drift|live|idmap|docker)-[a-z-]+)`", PAGE))
    assert len(named) > 5
    assert named - {"dockerd-28"} <= set(BY_ID)


def test_every_drift_and_live_check_is_named() -> None:
    for name in BY_ID:
        if name.startswith(("drift-", "live-")):
            assert f"`{name}`" in PAGE


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
