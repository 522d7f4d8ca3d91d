"""Writes options.tsv: the options of every docker command that is read, from its own help.

    python -m stockade.authz.dockercli.generate /usr/bin/docker /usr/local/bin/docker

Options of all the clients named are joined; what a help text hides stands in _HIDDEN.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from .options import COMMANDS

_LINE = re.compile(r"^ {2,6}(?:-(\w), )?\s*--([a-z][a-z0-9-]+)(?: ([a-zA-Z0-9_-]+))?(?:   ?.*)?$")

_HIDDEN = {
    "container run": ["dns-opt list", "net network", "net-alias list", "kernel-memory bytes"],
    "container create": ["dns-opt list", "net network", "net-alias list", "kernel-memory bytes"],
    "container update": ["kernel-memory bytes"],
    "container exec": [],
    "image build": ["squash", "stream", "compress", "security-opt list"],
    "service create": ["dns-opts list"],
}
"""Deprecated spellings that clients still take."""


def options_of(docker: str, command: str) -> list[tuple[str, str, str]]:
    """(name, short letter or "", type word or "bool") of each option in `docker COMMAND --help`.

    A command that the client lacks has none; docker then shows the help of the group.
    """
    words = command.split()
    done = subprocess.run(
        [docker, *words, "--help"],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "DOCKER_BUILDKIT": "0", "COLUMNS": "300"},
    )
    if not re.search(rf"Usage:\s+docker {command}\b", done.stdout):
        return []
    found = []
    for line in done.stdout.splitlines():
        match = _LINE.match(line)
        if match:
            found.append((match[2], match[1] or "", match[3] or "bool"))
    return found


def main(dockers: list[str]) -> None:
    """Joins what the clients say and writes the table beside this module."""
    lines = ["command\toption\tshort\tkind"]
    for command in COMMANDS:
        joined: dict[str, tuple[str, str]] = {}
        for docker in dockers:
            for name, short, kind in options_of(docker, command):
                joined[name] = (short, kind)
        for text in _HIDDEN.get(command, ()):
            name, _, kind = text.partition(" ")
            joined.setdefault(name, ("", kind or "bool"))
        joined.pop("help", None)
        lines += [f"{command}\t{name}\t{s}\t{kind}" for name, (s, kind) in sorted(joined.items())]
    Path(__file__).with_name("options.tsv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
