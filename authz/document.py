"""docs/operations.md, made from the tables of operations and groups.

`python -m stockade.authz.document docs/operations.md` writes it; a test holds it to the tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from .operations import RISKS, Operation, groups, operations

_HEAD = """\
<!-- Made by `python -m stockade.authz.document docs/operations.md`; edit authz/data instead. -->

# Operations of the Docker API

Rules of the [`authz` section](language.md#authz) name operations: one by one (`container.create`),
by kind (`container.*`), in groups (`@lifecycle`), or all (`*`). A request whose route is not in
this table is denied before any rule is asked.

What an operation can do in the wrong hands:
"""
_KINDS = {
    "checkpoint": "Checkpoints",
    "config": "Configs of the swarm",
    "container": "Containers",
    "exec": "Commands in containers",
    "image": "Images",
    "network": "Networks",
    "node": "Nodes of the swarm",
    "plugin": "Plugins of the engine",
    "registry": "Registries",
    "secret": "Secrets of the swarm",
    "service": "Services of the swarm",
    "session": "Sessions of BuildKit",
    "swarm": "The swarm",
    "system": "The daemon",
    "task": "Tasks of the swarm",
    "volume": "Volumes",
}


def page() -> str:
    """The page in Markdown."""
    lines = [_HEAD, *_risks(), "", "## Groups", "", *_groups(), *_operations()]
    return "\n".join(lines).rstrip() + "\n"


def _risks() -> Iterator[str]:
    yield from (f"- **{word}**: {meaning}" for word, meaning in RISKS.items())


def _groups() -> Iterator[str]:
    for group in groups().values():
        names = ", ".join(f"`{name}`" for name in group.operations)
        yield from (f"### {group.name}", "", group.why, "", names, "")


def _operations() -> Iterator[str]:
    kinds: dict[str, list[Operation]] = {}
    for operation in operations().values():
        kinds.setdefault(operation.name.partition(".")[0], []).append(operation)
    for kind, members in kinds.items():
        yield from (f"## {_KINDS.get(kind, kind)}", "", "| operation | risk | routes |")
        yield "|---|---|---|"
        for each in members:
            routes = ", ".join(f"`{route}`" for route in each.routes)
            yield f"| `{each.name}` | {each.risk} | {routes} |"
        yield ""


def main(arguments: list[str]) -> int:
    """Write the page to a file."""
    if len(arguments) != 1:
        print("usage: python -m stockade.authz.document FILE", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
