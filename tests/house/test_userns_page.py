"""docs/userns.md says what is so: its commands print what they show, its checks exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

from stockade.lint.registry import BY_ID

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "userns.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_commands_print_what_is_shown(tmp_path: Path) -> None:
    (policy,) = blocks("yaml")
    (tmp_path / "hosts.yaml").write_text(policy)
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    shown = 0
    for block in blocks("console"):
        parts = re.split(r"^\$ (.*\n)", block, flags=re.MULTILINE)
        for command, expected in zip(parts[1::2], parts[2::2], strict=True):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            shown += 1
            # What is shown may be the beginning.
            assert done.stdout.startswith(expected), f"$ {command}\n{done.stdout}"
    assert shown > 8


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
