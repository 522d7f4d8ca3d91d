"""docs/targets.md: every target has a row, and what the page compiles can be compiled."""

import re
import subprocess
import sys
from pathlib import Path

from stockade.cli.compile import OPA, OPA_SUFFIX
from stockade.seccomp.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "targets.md").read_text("utf-8")


def test_every_target_has_its_row() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| `NAME(\S+)` \|", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == [*TARGETS, OPA]
    suffixes = {name: target.suffix for name, target in TARGETS.items()} | {"opa": OPA_SUFFIX}
    assert dict(rows) == suffixes


def test_commands_compile(tmp_path: Path) -> None:
    for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        name = re.search(r"^name: (\S+)$", block, re.MULTILINE)
        assert name
        (tmp_path / f"{name[1]}.yaml").write_text(block)
    commands = re.findall(r"^stockade (compile .*)$", PAGE, re.MULTILINE)
    assert len(commands) >= len(TARGETS) - 4
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", "stockade", *command.split()],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    made = {path.name for path in tmp_path.iterdir()}
    for word in re.findall(r"\b(?:web|jail|docker-default)\.[\w.-]+\b", PAGE):
        assert word in made | {"web.bpf"}, word  # which web.bpf is, without --target
