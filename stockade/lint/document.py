"""The page of a check, made from the check itself.

`python -m stockade.lint.document docs/checks` writes all pages and an index. A test holds the
files to the code.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from .check import Check
from .examples import is_files
from .registry import CHECKS

_WIDTH = 96
_MADE = "<!-- Made by `python -m stockade.lint.document docs/checks`; edit the check instead. -->"


def page(check: Check) -> str:
    """The page in Markdown; `stockade lint --explain` prints it."""
    parts = [
        f"# {check.id}",
        f"{check.title}. Severity: {check.severity.value}. For {_subjects(check)}.",
        "## Why",
        check.why,
        "## Avoid",
        _block(check.bad),
        "## Prefer",
        _block(check.good),
        "## Sources",
        "\n".join(f"- {source}" for source in check.sources),
    ]
    return "\n\n".join(part if "```" in part else _wrapped(part) for part in parts) + "\n"


def index() -> str:
    """The page that lists all checks."""
    rows = [
        f"| [{c.id}]({c.id}.md) | {c.severity.value} | {_subjects(c)} | {c.title} |" for c in CHECKS
    ]
    return "\n".join(
        [
            _MADE,
            "",
            "# Checks of `stockade lint`",
            "",
            "| id | severity | for | finds |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def pages() -> Iterator[tuple[str, str]]:
    """Name and text of every file."""
    yield "README.md", index()
    for check in CHECKS:
        yield f"{check.id}.md", f"{_MADE}\n\n{page(check)}"


def _subjects(check: Check) -> str:
    kinds = [
        ("policies", check.policy),
        ("profiles", check.profile),
        ("files of host ids", check.host),
        ("uid_map and gid_map", check.map),
    ]
    return " and ".join(name for name, function in kinds if function is not None)


def _block(text: str) -> str:
    kind = "text" if is_files(text) else "json" if text.startswith("{") else "yaml"
    return f"```{kind}\n{text}```"


def _wrapped(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(
        textwrap.fill(
            line,
            _WIDTH,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines
    )


def main(arguments: list[str]) -> int:
    """Write the pages into a directory, and take away those of checks that are no more."""
    if len(arguments) != 1:
        print("usage: python -m stockade.lint.document DIRECTORY", file=sys.stderr)
        return 2
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    wanted = dict(pages())
    for path in directory.glob("*.md"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (directory / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
