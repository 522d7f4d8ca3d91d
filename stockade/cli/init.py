"""`stockade init`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ..policies.catalog import library_path
from ..policies.errors import InputError
from .files import write_all

_EPILOG = """\b
Examples:
  stockade init
  stockade init web.yaml
  stockade init --authz
"""

_AUTHZ = "team"
"""The library policy that `--authz` copies."""

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
@click.option("--authz", is_flag=True, help="One for the Docker authorization plugin.")
@click.argument("path", required=False)
def command(path: str | None, authz: bool) -> int:
    """Write a first policy to PATH, and say what to run next.

    PATH is policy.yaml where none is given, and authz.yaml with --authz.
    """
    if path is None:
        path = "authz.yaml" if authz else "policy.yaml"
    if not path.endswith((".yaml", ".yml")):
        raise InputError.of(f"`{path}` must end in .yaml", hint=f"stockade init {path}.yaml")
    stem = re.sub(r"[^a-z0-9_.-]", "-", Path(path).stem.lower()).lstrip("_.-") or "policy"
    name = stem[:60]
    text, steps = _for_authz(path, name) if authz else _for_seccomp(path, name)
    write_all({Path(path): text.encode()}, replace=False)
    click.echo(f"wrote {path}. Next:", err=True)
    for step in steps:
        click.echo(f"  {step}", err=True)
    return 0


def _for_seccomp(path: str, name: str) -> tuple[str, tuple[str, ...]]:
    """The text of a first policy, and what to run next."""
    return _TEMPLATE.format(path=path, name=name), (
        f"stockade lint {path}",
        f"stockade test {path}",
        f"stockade explain {path} 'socket(family=AF_ALG)'",
        f"stockade run --policy {path} -- ls",
        f"stockade compile {path}",
    )


def _for_authz(path: str, name: str) -> tuple[str, tuple[str, ...]]:
    """The library's example under another name, and what to run next."""
    shipped = library_path(_AUTHZ)
    assert shipped is not None
    text = shipped.read_text("utf-8").replace("authz.yaml", path)
    return text.replace(f"\nname: {_AUTHZ}\n", f"\nname: {name}\n"), (
        f"stockade authz check {path}",
        f"stockade authz test {path}",
        f"stockade authz explain {path} docker run --privileged alpine",
        f"stockade authz install --policy {path}",
    )
