"""The targets of a `userns` section, for `stockade compile`: from the registry of a host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from ..policies.errors import InputError
from ..policies.model import Policy
from ..policies.reading import read_source
from ..policies.source import Source
from ..policies.userns_model import Userns
from ..userns.ids import IdRange

TARGETS = (
    *("subuid", "subgid", "oci-maps", "daemon.json", "podman-args"),
    *("newuidmap-args", "nspawn-args", "incus", "kubelet"),
)
"""Those of userns/targets.py; here so that other policies need not import it."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class MapRequest:
    """The options that only targets of a `userns` section have."""

    tenant: str
    root: str
    merge: str | None


def map_options(command: F) -> F:
    """--tenant, --root and --merge."""
    for option in (
        click.option("--merge", metavar="FILE", help="The daemon.json to add `userns-remap` to."),
        click.option(
            "--root", default="/", metavar="DIR",
            help="userns: the host whose registry says who has which ids. Default: /.",
        ),
        click.option("--tenant", default="", metavar="T", help="userns: only this tenant."),
    ):  # fmt: skip
        command = option(command)
    return command


def targets_of(policy: Policy, request: MapRequest) -> tuple[str, ...]:
    """The targets of the policy's section where none is named."""
    from ..userns.targets import DEFAULTS
    from ..userns.targets import TARGETS as KNOWN

    if policy.userns is None or not policy.userns.tenants:
        return ()
    single = bool(request.tenant) or len(policy.userns.tenants) == 1
    return tuple(name for name in DEFAULTS if single or not KNOWN[name].single)


def compiled_maps(
    policy: Policy, names: Sequence[str], request: MapRequest
) -> list[tuple[str, bytes]]:
    """Suffix and content of every file; raises InputError."""
    from ..userns import targets

    section = policy.userns
    if section is None:
        raise InputError.of(
            f"policy {policy.name} has no `userns` section",
            policy.at,
            "add one: a `span` of host ids, and `tenants`",
        )
    root = Path(request.root)
    settings = _settings(request, root) if "daemon.json" in names else None
    asked = targets.Request(_blocks(section, root, request.tenant), request.tenant, settings)
    made = targets.compile_targets(section, names, asked)
    return [(target.suffix, content) for target, content in made]


def _settings(request: MapRequest, root: Path) -> Source | None:
    from ..userns.host import DAEMON_JSON, MAXIMAL_SETTINGS, read_below

    if request.merge is not None:
        return read_source(Path(request.merge))
    data = read_below(root, DAEMON_JSON, MAXIMAL_SETTINGS)
    if data is None:
        return None
    name = str(root / DAEMON_JSON)
    try:
        return Source(name, data.decode("utf-8"))
    except UnicodeDecodeError:
        raise InputError.of(f"`{name}` is not UTF-8") from None


def _blocks(section: Userns, root: Path, tenant: str) -> dict[str, IdRange]:
    """Every tenant's ids: what the registry says, else what `userns apply` would give it."""
    from ..userns.host import REGISTRY, read_host
    from ..userns.registry import read as read_registry
    from .userns.hosts import listed_of, live_of, note

    files = read_host(root)
    blocks = read_registry(files.registry, str(root / REGISTRY)).blocks
    sizes = {each.name: each.blocks * section.block for each in section.tenants}
    missing = sorted(
        name for name in sizes if name not in blocks or blocks[name].count != sizes[name]
    )
    if missing:
        from ..userns.outlook import allocation

        found = allocation(files, section, live_of(root), listed_of(root))
        blocks = found.plan.registry.blocks
        if not tenant or tenant in missing:
            some = f"{missing[0]} and {len(missing) - 1} more" if missing[1:] else missing[0]
            note(f"not applied yet for {some}: stockade userns apply; until then another plan "
                 "may give these ids to others")  # fmt: skip
    return {name: blocks[name] for name in sizes}
