"""What a `userns` section can be compiled to: every target, its file name and the way to it.

Pure: the tenants' ids come from the registry, or from a plan. What a program cannot express is
refused with the reason. A new target is a function here and a line in TARGETS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..policies.errors import InputError, TargetError
from ..policies.problems import did_you_mean, listed
from ..policies.source import Problem, Source
from ..policies.userns_model import Userns
from .bundle import NO_SETUID
from .ids import BLOCK, IdRange
from .remap import with_remap

PODMAN_OWNER = "containers"
"""Whose ids `podman run --userns=auto` gives out; containers-storage.conf(5), auto-userns."""
KUBELET = "kubelet"
"""Whose ids the kubelet gives out; no other name serves (kubernetes, user namespaces)."""
DEFAULT_PODS = 110
"""`maxPods` where a kubelet's configuration does not say."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is compiled for."""

    blocks: Mapping[str, IdRange]
    """The ids of every tenant of the section."""
    tenant: str = ""
    """`--tenant`: whose files; empty: all tenants', or the only one's."""
    daemon_json: Source | None = None
    """The settings that `userns-remap` is merged into."""


@dataclass(frozen=True, slots=True)
class Target:
    """One form that a `userns` section can be compiled to."""

    name: str
    suffix: str
    """Appended to the policy's name: `.subuid`."""
    render: Callable[[Userns, Request], bytes]
    """The file's bytes. Raises TargetError when the target cannot say it."""
    single: bool = True
    """Whether it is for one tenant only."""


def chosen(section: Userns, request: Request) -> dict[str, IdRange]:
    """The tenants asked for, by name; raises InputError for one that there is not."""
    names = [each.name for each in section.tenants]
    if request.tenant and request.tenant not in names:
        raise InputError.of(
            f"no tenant `{request.tenant}`{did_you_mean(request.tenant, names)}",
            section.at,
            f"there are {listed(names)}" if names else "the section has no tenants",
        )
    wanted = [request.tenant] if request.tenant else sorted(names)
    return {name: request.blocks[name] for name in wanted}


def is_single(section: Userns, request: Request) -> bool:
    """Whether there is one tenant that targets for a single one are for."""
    return bool(request.tenant) or len(section.tenants) == 1


def _only(target: str, section: Userns, request: Request) -> tuple[str, IdRange]:
    tenants = chosen(section, request)
    if len(tenants) != 1:
        raise TargetError.of(
            f"{target} is for one tenant, and the policy has {len(tenants)}",
            section.at,
            "choose with --tenant",
        )
    return next(iter(tenants.items()))


def _subordinate(section: Userns, request: Request) -> bytes:
    """subuid(5), subgid(5): the strict form that all their readers take for the same."""
    tenants = chosen(section, request).items()
    return "".join(f"{name}:{ids.first}:{ids.count}\n" for name, ids in tenants).encode()


def _daemon_json(section: Userns, request: Request) -> bytes:
    name, _ = _only("daemon.json", section, request)
    source = request.daemon_json or Source("daemon.json", "")
    return with_remap(source, name).encode()


def _oci_maps(section: Userns, request: Request) -> bytes:
    """For each tenant what belongs into config.json, and into each of its id-mapped mounts.

    runtime-spec, config-linux.md and config.md. Neither part works without the other in the
    same file: with mappings but no namespace the container has the host's ids.
    """
    tenants = {}
    for name, ids in chosen(section, request).items():
        lines = [{"containerID": 0, "hostID": ids.first, "size": ids.count}]
        maps = {"uidMappings": lines, "gidMappings": lines}
        tenants[name] = {
            "linux": {"namespaces": [{"type": "user"}], **maps},
            "idmappedMount": {"options": ["bind", "idmap", *NO_SETUID], **maps},
        }
    return (json.dumps(tenants, indent=2) + "\n").encode()


def _podman_args(section: Userns, request: Request) -> bytes:
    """podman-run(1): `podman run $(cat FILE) …`, rootful."""
    name, ids = _only("podman-args", section, request)
    if name == PODMAN_OWNER:
        return f"--userns=auto:size={section.block}\n".encode()
    line = f"0:{ids.first}:{ids.count}"
    return f"--uidmap={line}\n--gidmap={line}\n".encode()


def _kubelet(section: Userns, request: Request) -> bytes:
    """KubeletConfiguration: as many pods as there are blocks. The ids stand in subuid."""
    names = [each.name for each in section.tenants]
    if KUBELET not in names or request.tenant not in ("", KUBELET):
        raise TargetError.of(
            "kubelet: it uses the ids of the owner `kubelet`, and of no other name",
            section.at,
            f"name the tenant so: {KUBELET}: {{blocks: {DEFAULT_PODS}}}",
        )
    ids = request.blocks[KUBELET]
    pods = ids.count // section.block
    # It does not start with fewer blocks than it may have pods.
    text = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    text += f"maxPods: {min(pods, DEFAULT_PODS)}\n"
    if section.block != BLOCK:
        text += f"userNamespaces:\n  idsPerPod: {section.block}\n"
    return text.encode()


def _incus(section: Userns, request: Request) -> bytes:
    """A profile's configuration (`incus profile edit NAME`): a map for one container.

    Incus, instance options `security.idmap.*`. The ids must also stand behind `root` in subuid
    and subgid, as those of a tenant `root` do.
    """
    name, ids = _only("incus", section, request)
    return (
        f"description: ids of {name}\n"
        "config:\n"
        f'  security.idmap.base: "{ids.first}"\n'
        '  security.idmap.isolated: "true"\n'
        f'  security.idmap.size: "{ids.count}"\n'
    ).encode()


def _newuidmap_args(section: Userns, request: Request) -> bytes:
    """newuidmap(1), newgidmap(1): what follows the process id."""
    _, ids = _only("newuidmap-args", section, request)
    return f"0 {ids.first} {ids.count}\n".encode()


def _nspawn_args(section: Userns, request: Request) -> bytes:
    """systemd-nspawn(1): `--private-users=FIRST:COUNT`, for a tree of files of its own."""
    name, ids = _only("nspawn-args", section, request)
    if ids.count != BLOCK:
        raise TargetError.of(
            f"nspawn-args: the tenant `{name}` has {ids.count} ids; systemd's containers have "
            f"{BLOCK}, and the ownership of their files is shifted by whole blocks of so many",
            section.at,
            "give the tenant one block of 65536",
        )
    return f"--private-users={ids.first}:{ids.count}\n".encode()


TARGETS = {
    target.name: target
    for target in (
        Target("subuid", ".subuid", _subordinate, single=False),
        Target("subgid", ".subgid", _subordinate, single=False),
        Target("oci-maps", ".oci-maps.json", _oci_maps, single=False),
        Target("daemon.json", ".daemon.json", _daemon_json),
        Target("podman-args", ".podman-args", _podman_args),
        Target("newuidmap-args", ".newuidmap-args", _newuidmap_args),
        Target("nspawn-args", ".nspawn-args", _nspawn_args),
        Target("incus", ".incus.yaml", _incus),
        Target("kubelet", ".kubelet.yaml", _kubelet),
    )
}
DEFAULTS = ("subuid", "subgid", "oci-maps", "daemon.json", "podman-args")
"""Written where no target is named; those for a single tenant only where there is one."""


def compile_targets(
    section: Userns, names: Iterable[str], request: Request
) -> list[tuple[Target, bytes]]:
    """The files of the named targets, complete or not at all.

    Raises InputError with every refusal of a target.
    """
    made: list[tuple[Target, bytes]] = []
    refusals: list[Problem] = []
    for name in names:
        try:
            made.append((TARGETS[name], TARGETS[name].render(section, request)))
        except TargetError as error:
            refusals += error.problems
    if refusals:
        raise TargetError(dict.fromkeys(refusals))
    return made
