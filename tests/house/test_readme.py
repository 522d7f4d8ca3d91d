"""The README is executable: its console blocks print what they say, in an empty directory."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")


LANGUAGE = (ROOT / "docs" / "language.md").read_text("utf-8")


def blocks(kind: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """Every `$ command` of the console blocks with the output shown under it."""
    found: list[tuple[str, str]] = []
    for block in blocks("console"):
        parts = re.split(r"^\$ (.*\n(?:> .*\n)*)", block, flags=re.MULTILINE)
        shown = [command.replace("\n> ", "\n") for command in parts[1::2]]
        found += zip(shown, parts[2::2], strict=True)
    return found


@pytest.mark.kernel
def test_console_blocks(tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    shown = commands()
    assert len(shown) > 10
    for command, expected in shown:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        output = "".join(line for line in done.stdout.splitlines(True) if " checked: " not in line)
        # A listing may be cut after the lines that matter.
        assert output == expected or output.startswith(expected), f"$ {command}\n{done.stdout}"


def test_yaml_blocks_are_policies(tmp_path: Path) -> None:
    for block in blocks("yaml") + blocks("yaml", LANGUAGE):
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
    for target in re.findall(r"\bmake (\w+)", "".join(blocks("sh")) + README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
