"""`stockade userns oci`."""

from __future__ import annotations

import os
import stat
import textwrap
from pathlib import Path
from typing import Any

import click

from ...policies.errors import InputError
from ...policies.problems import did_you_mean
from ...runtime.places import is_closed
from ...userns.bundle import (
    MAXIMAL_CONFIG,
    Config,
    bind_mounts,
    idmapped,
    read_config,
    render_config,
    shared_namespaces,
    with_map,
)
from ...userns.host import MAXIMAL_REGISTRY, REGISTRY, read_below
from ...userns.ids import IdRange
from ...userns.registry import read as read_registry
from ..files import write_all

_EPILOG = """\b
Examples:
  stockade userns oci bundle --tenant web
  stockade userns oci bundle --tenant web --mounts idmap
  runc run --bundle bundle web1

\b
Exit status: 0 written, or nothing to change; 2 refused.
"""


@click.command("oci", epilog=_EPILOG)
@click.argument("bundle", metavar="BUNDLE")
@click.option("--tenant", required=True, metavar="T", help="Whose ids the container gets.")
@click.option(
    "--root", default="/", metavar="DIR",
    help="The host whose registry says which ids those are. Default: /.",
)  # fmt: skip
@click.option(
    "--mounts", "how", type=click.Choice(["refuse", "idmap", "keep"]), default="refuse",
    show_default=True,
    help="Bind mounts: seen through the map (nosuid), or as they are.",
)  # fmt: skip
def command(bundle: str, tenant: str, root: str, how: str) -> int:
    """Write a tenant's map and a user namespace into BUNDLE/config.json.

    Everything else in it stays. Refused is what would be host root or somebody else: another
    map, a user that the map has no id for, bind mounts unless --mounts says how.
    """
    block = tenant_block(Path(root), tenant)
    path = Path(bundle) / "config.json"
    data = read_below(Path(bundle), "config.json", MAXIMAL_CONFIG)
    if data is None:
        raise InputError.of(
            f"`{path}` is not there", hint="is it an OCI bundle? runc spec makes a config.json"
        )
    config = read_config(data, str(path))
    mapped = _with_mounts(with_map(config, block), Path(bundle), block, how)
    content = data if mapped == config else render_config(mapped, data)
    if content != data:
        write_all({path: content}, mode=stat.S_IMODE(path.stat().st_mode))
        click.echo(f"wrote {path}: container id 0 is host id {block.first}", err=True)
    else:
        click.echo(f"nothing to change: {path} has this map", err=True)
    for note in _notes(mapped, Path(bundle), block):
        lines = textwrap.wrap(note, 74, break_long_words=False, break_on_hyphens=False)
        click.echo("note: " + "\n      ".join(lines), err=True)
    return 0


def tenant_block(root: Path, tenant: str) -> IdRange:
    """The ids that the host's registry has for a tenant; raises InputError."""
    path = root / REGISTRY
    registry = read_registry(read_below(root, REGISTRY, MAXIMAL_REGISTRY), str(path))
    found = registry.blocks.get(tenant)
    if found is None:
        what = "was released" if tenant in registry.tombstones else "is not"
        raise InputError.of(
            f"tenant `{tenant}` {what} in `{path}`{did_you_mean(tenant, registry.blocks)}",
            hint="stockade userns apply POLICY gives the tenants of a policy their ids",
        )
    return found


def _with_mounts(config: Config, bundle: Path, block: IdRange, how: str) -> Config:
    binds = bind_mounts(config)
    if not binds or how == "keep":
        return config
    if how == "refuse":
        unmapped = [each["destination"] for _, each in binds if not each.get("uidMappings")]
        if unmapped:
            raise InputError.of(
                f"bind mounts of the host: {', '.join(unmapped)}",
                hint="--mounts keep leaves them (their files then belong to nobody inside), "
                "--mounts idmap lets the container's root be root there",
            )
        return config
    mounts: list[Any] = list(config["mounts"])
    for index, entry in binds:
        _check_idmap(entry, bundle)
        mounts[index] = idmapped(entry, block)
    return {**config, "mounts": mounts}


def _check_idmap(entry: Config, bundle: Path) -> None:
    """Refuse a source where the container's root could do more than is meant."""
    source = Path(os.path.realpath(bundle / str(entry.get("source", ""))))
    try:
        status = source.stat()
        nosuid = bool(os.statvfs(source).f_flag & os.ST_NOSUID)
    except OSError as error:
        raise InputError.of(f"the source of {entry['destination']}: {error}") from error
    if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
        raise InputError.of(
            f"`{source}` is no file or directory: through a map it would serve the container's "
            "root as it serves the host's",
            hint="--mounts keep leaves it as it is",
        )
    # `ro` is no way out: the runtime sets it in the container's own mount namespace, whose root
    # may take it back with CAP_SYS_ADMIN.
    if not (nosuid or is_closed(str(source))):
        raise InputError.of(
            f"host users can reach `{source}`, where the container's root could leave them a "
            "setuid program of host root",
            hint="chmod 0700 a directory above it, or mount it nosuid on the host",
        )


def _notes(config: Config, bundle: Path, block: IdRange) -> list[str]:
    notes = []
    if any("uidMappings" in each for _, each in bind_mounts(config)):
        notes.append(
            "idmapped mounts need runc 1.2 or crun 1.5; an older runc ignores them and the files "
            "belong to nobody inside"
        )
    root = config.get("root")
    path = bundle / str(root.get("path", "")) if isinstance(root, dict) else bundle
    if path.is_dir() and path.stat().st_uid not in block:
        notes.append(
            f"{path} belongs to host id {path.stat().st_uid}, so its files belong to nobody "
            "inside and cannot be written. config.json has no map for a root file system. "
            "stockade-runtime mounts it through the map by itself; or chown it to "
            f"{block.first} and so on, which drops setuid bits and file capabilities and is "
            "for one tenant only"
        )
    shared = shared_namespaces(config)
    if shared:
        notes.append(f"the container shares {shared}; runtimes then fail to mount /proc or /sys")
    return notes
