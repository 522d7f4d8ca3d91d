"""Trees of hosts and `userns` sections for tests, made quickly."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from stockade.policies.source import Location, Source
from stockade.policies.userns_model import Span, Tenant, Userns
from stockade.userns.model import HostFiles

AT = Location(Source("hosts.yaml", "tenants: {}"), 1, 1)
SYSTEMD = (524288, 1879048191)
"""The span of systemd's containers: 28,664 blocks."""


def section(
    tenants: Mapping[str, int] | Iterable[str],
    spans: Iterable[tuple[int, int]] = (SYSTEMD,),
    reserved: Iterable[tuple[int, int]] = (),
    block: int = 65536,
) -> Userns:
    """A section as the policy's reader makes it; tenants by name, with their blocks."""
    sizes = tenants if isinstance(tenants, Mapping) else dict.fromkeys(tenants, 1)
    return Userns(
        tuple(Span(first, last, AT) for first, last in spans),
        block,
        tuple(Tenant(name, blocks, AT) for name, blocks in sizes.items()),
        tuple(Span(first, last, AT) for first, last in reserved),
        AT,
    )


def host_files(**contents: bytes) -> HostFiles:
    """The files of a host; those not named are not there."""
    names = (
        "subuid", "subgid", "passwd", "group", "login_defs", "daemon_json", "registry",
    )  # fmt: skip
    return HostFiles(**{name: contents.get(name) for name in names})


def tree(root: Path, **contents: bytes) -> Path:
    """A root with /etc and these files in it: subuid, subgid, passwd, group, registry."""
    (root / "etc").mkdir(parents=True)
    for name, content in contents.items():
        path = root / "etc" / name.replace("_", ".")
        if name == "registry":
            path = root / "var/lib/stockade/userns.json"
            path.parent.mkdir(parents=True)
        path.write_bytes(content)
    return root
