"""`stockade init`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ..policies.errors import InputError
from .files import write_all

_EPILOG = """\b
Examples:
  stockade init
  stockade init web.yaml
"""

_TEMPLATE = """\
# A Stockade policy. Check it with:  stockade lint {path}
stockade: 1
name: {name}
description: what this workload is

# Start from Docker's own profile; the rules below come first and so win.
extends: docker-default

seccomp:
  rules:
    # Only these kinds of socket; the argument is compared at its real width.
    - deny: socket
      when: family not in {{AF_UNIX, AF_INET, AF_INET6}}
    # 32-bit programs reach sockets through socketcall, where a filter cannot
    # see the family; ENOSYS sends them to socket.
    - deny: socketcall
      with: ENOSYS
    # A whole group: stockade's groups are listed in the documentation.
    - deny: ["@keyring", "@debug"]

# Run with:  stockade test {path}
tests:
  - {{call: "socket(family=AF_INET)", expect: allow}}
  - {{call: "socket(family=AF_ALG)", expect: deny}}
  - {{call: "ptrace", expect: deny}}
"""


@click.command("init", epilog=_EPILOG)
@click.argument("path", default="policy.yaml", required=False)
def command(path: str) -> int:
    """Write a first policy to PATH (default: policy.yaml), and say what to run next."""
    if not path.endswith((".yaml", ".yml")):
        raise InputError.of(f"`{path}` must end in .yaml", hint=f"stockade init {path}.yaml")
    stem = re.sub(r"[^a-z0-9_.-]", "-", Path(path).stem.lower()).lstrip("_.-") or "policy"
    text = _TEMPLATE.format(path=path, name=stem[:60])
    write_all({Path(path): text.encode()}, replace=False)
    click.echo(f"wrote {path}. Next:", err=True)
    for step in (
        f"stockade lint {path}",
        f"stockade test {path}",
        f"stockade explain {path} 'socket(family=AF_ALG)'",
        f"stockade run --policy {path} -- ls",
        f"stockade compile {path}",
    ):
        click.echo(f"  {step}", err=True)
    return 0
