"""`stockade authz install`."""

from __future__ import annotations

import os
import shutil
import stat
import textwrap
from pathlib import Path

import click

from ...authz.install import Change, Found, Plan, plan_install, plan_uninstall, unit_templates
from ...policies.errors import InputError
from ...policies.reading import MAXIMAL_SIZE
from ..files import write_all
from .loading import sound_authz

_TEMPLATE = b"/usr/local/bin/stockade"
"""The program, as the unit names it."""

_EPILOG = """\b
Examples:
  stockade authz install --policy web.yaml            (shows what it would do)
  stockade authz install --policy web.yaml --apply
  stockade authz install --uninstall --apply
"""


@click.command("install", epilog=_EPILOG)
@click.option("--policy", metavar="POLICY", help="Copied to /etc/stockade/authz.yaml.")
@click.option("--apply", is_flag=True, help="Write. Without it, only show.")
@click.option("--uninstall", is_flag=True, help="Take the plugin out again.")
@click.option("--socket-activation", is_flag=True, help="Let systemd open the plugin's socket.")
@click.option("--spec", is_flag=True, help="Also write /etc/docker/plugins/stockade.spec.")
@click.option(
    "--root", default="/", metavar="DIR", help="Write below DIR, as for an image. Default: /."
)
def command(
    policy: str | None, apply: bool, uninstall: bool, socket_activation: bool, spec: bool, root: str
) -> int:
    """Put the plugin in place: units, policy, daemon.json. Nothing is started or restarted.

    Shows every change as a diff, and changes nothing without --apply. In daemon.json only
    `authorization-plugins` is touched; the rest stays byte for byte.
    """
    top = Path(root)
    if not top.is_dir():
        raise InputError.of(f"`{root}` is no directory")

    def look(path: str) -> Found | None:
        return _look(top, path)

    units = {name: text.replace(_TEMPLATE, _own(top)) for name, text in unit_templates().items()}
    if uninstall:
        plan = plan_uninstall(look, units)
    else:
        files = {} if policy is None else _policy_files(policy)
        plan = plan_install(look, files, units, socket_activation=socket_activation, spec=spec)
    for change in plan.changes:
        click.echo(change.diff(), nl=False)
    if apply:
        for change in plan.changes:
            _apply(top, change)
    _say(plan, apply)
    return 0


def _own(top: Path) -> bytes:
    """The `stockade` that runs here; for another root, where one is usually installed."""
    found = shutil.which("stockade")
    here = found is not None and top.resolve() == Path("/")
    return os.path.realpath(found).encode() if found and here else _TEMPLATE


def _say(plan: Plan, applied: bool) -> None:
    count = len(plan.changes)
    files = f"{count} file{'' if count == 1 else 's'}"
    if not count:
        click.echo("nothing to change: all of it is in place", err=True)
    elif applied:
        click.echo(f"{files} changed; nothing was started or restarted", err=True)
    else:
        click.echo(f"{files} would change; --apply writes them", err=True)
    for note in plan.notes:
        click.echo(
            textwrap.fill(note, 80, initial_indent="note: ", subsequent_indent="      "), err=True
        )
    if count:
        click.echo("Then:" if not applied else "Now:", err=True)
        for step in plan.steps:
            click.echo(f"  {step}", err=True)


def _policy_files(reference: str) -> dict[str, bytes]:
    """The policy and the modules it names, by their paths below /etc/stockade."""
    policy, authz = sound_authz(reference)
    source = policy.at.source
    if authz.directory.resolve() != Path(source.name).parent.resolve():
        raise InputError.of(f"`{reference}` must be a file", hint="stockade init makes one")
    if any(rule.at.source.name != source.name and not _shipped(rule.at.source.name)
           for rule in authz.rules):  # fmt: skip
        raise InputError.of(
            f"`{reference}` extends another file, which cannot be copied along",
            hint="install a policy of one file, or copy the files to /etc/stockade yourself",
        )
    files = {"authz.yaml": source.text.encode()}
    for name in authz.rego:
        path = Path(name.text)
        if path.is_absolute() or ".." in path.parts:
            raise InputError.of(f"`{name.text}` lies outside of the policy's directory", name.at)
        files[path.as_posix()] = (authz.directory / path).read_bytes()
    return files


def _shipped(name: str) -> bool:
    return name.startswith("library:")


def _below(top: Path, path: str) -> Path:
    return top / path.lstrip("/")


def _look(top: Path, path: str) -> Found | None:
    """A regular file of bounded size; raises InputError for a link or anything else."""
    full = _below(top, path)
    try:
        handle = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = "is a symbolic link" if full.is_symlink() else f"cannot be read: {error.strerror}"
        raise InputError.of(f"`{full}` {reason}; it is left alone") from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise InputError.of(f"`{full}` is no regular file; it is left alone")
        content = file.read(MAXIMAL_SIZE + 1)
    if len(content) > MAXIMAL_SIZE:
        raise InputError.of(f"`{full}` is larger than {MAXIMAL_SIZE:,} bytes; it is left alone")
    return Found(content, stat.S_IMODE(status.st_mode))


def _apply(top: Path, change: Change) -> None:
    full = _below(top, change.path)
    if change.after is None:
        full.unlink()
        return
    private = change.path.startswith("/etc/stockade/")
    full.parent.mkdir(mode=0o700 if private else 0o755, parents=True, exist_ok=True)
    write_all({full: change.after}, mode=change.mode)
