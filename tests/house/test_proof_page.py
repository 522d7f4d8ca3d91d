"""docs/proof.md is executable: its commands print what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "proof.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the page shows a machine of x86_64")
def test_console_blocks(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(blocks("yaml")[0])
    scripts = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    shown = [
        pair
        for block in blocks("console")
        for parts in [re.split(r"^\$ (.*\n)", block, flags=re.MULTILINE)]
        for pair in zip(parts[1::2], parts[2::2], strict=True)
    ]
    assert len(shown) > 8
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
        output = done.stdout.splitlines(True)
        notes = "note: rules with `needs:` are left out"
        assert "".join(line for line in output if not line.startswith(notes)) == expected, command
