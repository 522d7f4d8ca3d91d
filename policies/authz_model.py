"""The `authz` section as its author wrote it: every part with its place, nothing filled in.

What an operation's name stands for, and what happens where a rule is silent, `authz` knows.
Sizes are bytes, processor shares billionths of a processor. Locations take no part in
comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from .model import Name
from .source import Location

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Words:
    """A list of the author's: names or patterns, and the words that mean something else."""

    items: tuple[Name, ...]
    special: frozenset[str]
    """`any`, `own`, `default` and their like, as far as the key knows them."""
    at: Location = field(compare=False, repr=False)

    @property
    def any(self) -> bool:
        """Whether everything is meant."""
        return "any" in self.special


@dataclass(frozen=True, slots=True)
class Keyed:
    """Exact keys, each with the patterns of its values."""

    entries: tuple[tuple[Name, Words], ...]
    any: bool
    """Any key with any value."""
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Bind:
    """A directory or file of the host that may be mounted."""

    source: Name
    """A pattern of clean absolute paths."""
    target: Name | None
    """None: anywhere in the container."""
    read_only: bool
    """The mount must be read-only."""
    propagation: tuple[str, ...]
    """Modes allowed besides private ones."""
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Device:
    """A device of the host that may be given to a container."""

    host: Name
    """A pattern of clean absolute paths."""
    permissions: frozenset[str]
    """Of `r`, `w` and `m`."""
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Port:
    """Ports of the host that may be published, both ends included."""

    low: int
    high: int
    host_ip: str | None
    """The address it must be bound to; None: any."""
    protocol: str | None
    """`tcp`, `udp` or `sctp`; None: any."""
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Image:
    """Images by name, or one by its id."""

    registry: str
    """A pattern; `docker.io` when the author left it out. Empty with `id`."""
    repository: str
    """A pattern."""
    tag: str | None
    """A pattern; None: any tag and none."""
    digest: str | None
    """`sha256:…`: this content only."""
    id: str | None
    """`sha256:…` of the image's configuration, which stands alone."""
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Entries(Generic[T]):
    """A list of binds, devices, ports or images."""

    items: tuple[T, ...]
    special: frozenset[str]
    """`any`, `ephemeral`."""
    at: Location = field(compare=False, repr=False)

    @property
    def any(self) -> bool:
        """Whether everything is meant."""
        return "any" in self.special


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """What memory file systems may be."""

    options: tuple[Name, ...]
    """Allowed besides the safe ones: `exec`, `suid`, `dev`."""
    max_size: int | None
    """Bytes; each then needs a size of at most this."""
    at: Location = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Build:
    """What a build may ask for."""

    at: Location = field(compare=False, repr=False)
    networks: Words | None = None
    remote: Words | None = None
    """Contexts that the daemon fetches."""
    security: bool = False
    """Security options, and steps without confinement."""
    cgroup_parents: Words | None = None
    outputs: bool = False
    """Results written by the daemon."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What must be set, and at most to this; None: not asked for."""

    at: Location = field(compare=False, repr=False)
    memory: int | None = None
    cpus: int | None = None
    """Billionths of a processor."""
    pids: int | None = None
    read_bps: int | None = None
    write_bps: int | None = None
    read_iops: int | None = None
    write_iops: int | None = None


@dataclass(frozen=True, slots=True)
class Objects:
    """Which existing things a rule is about."""

    at: Location = field(compare=False, repr=False)
    labels: Keyed | None = None
    names: Words | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks: a client certificate for which every part holds, or the unix socket."""

    name: str
    at: Location = field(compare=False, repr=False)
    cn: tuple[Name, ...] | None = None
    """The common name is one of these; None: not asked for, as below."""
    ou: tuple[Name, ...] | None = None
    san: tuple[Name, ...] | None = None
    """`DNS:…`, `URI:…`, `email:…`, `IP:…`."""
    local: bool = False

    def same(self, other: Subject) -> bool:
        """Whether both mean the same requests, whatever the order of their words."""
        return self._meaning() == other._meaning()

    def _meaning(self) -> tuple[object, ...]:
        parts = (self.cn, self.ou, self.san)
        return (
            self.local,
            *(None if part is None else frozenset(name.text for name in part) for part in parts),
        )


@dataclass(frozen=True, slots=True)
class AuthzRule:
    """One entry of `authz.rules`. A field that is None was not written."""

    allow: bool
    """False: a deny rule, which takes no constraints and wins over every allow rule."""
    operations: tuple[Name, ...]
    """`container.create`, `container.*`, `*`, `@lifecycle`."""
    subjects: tuple[Name, ...]
    because: str
    route: str
    """`authz.rules[3]`, counted from 0 within its own file."""
    at: Location = field(compare=False, repr=False)
    said: Mapping[str, Location] = field(compare=False, repr=False, default_factory=dict)
    """The constraints that are written, by their words in the language, with the places of
    these."""

    # What may be asked for.
    privileged: bool | None = None
    capabilities: Words | None = None
    """With `CAP_`."""
    namespaces: Mapping[str, Words] | None = None
    binds: Entries[Bind] | None = None
    volumes: Words | None = None
    volume_drivers: Words | None = None
    volume_options: Keyed | None = None
    volumes_from: bool | None = None
    devices: Entries[Device] | None = None
    device_rules: Words | None = None
    device_requests: Words | None = None
    tmpfs: Tmpfs | None = None
    networks: Words | None = None
    endpoint: Words | None = None
    ports: Entries[Port] | None = None
    sysctls: Words | None = None
    annotations: Words | None = None
    runtimes: Words | None = None
    cgroup_parents: Words | None = None
    log_drivers: Words | None = None
    storage_options: Words | None = None
    seccomp: Words | None = None
    """The items are policies: library names, and paths from `Authz.directory`."""
    apparmor: Words | None = None
    selinux: Words | None = None
    masked_paths: bool | None = None
    oom: bool | None = None
    realtime: bool | None = None
    build: Build | None = None
    network_drivers: Words | None = None
    network_options: Keyed | None = None
    plugin_privileges: bool | None = None

    # What is required.
    images: Entries[Image] | None = None
    pinned: bool | None = None
    limits: Limits | None = None
    user: Words | None = None
    no_new_privileges: bool | None = None
    read_only: bool | None = None
    labels: Keyed | None = None
    internal: bool | None = None

    # Which existing things.
    owner: str | None = None
    """`self`, `subject` or `any`."""
    objects: Objects | None = None


@dataclass(frozen=True, slots=True)
class Authz:
    """The `authz` section with everything it extends joined in."""

    subjects: tuple[Subject, ...]
    """By name; no name twice."""
    rules: tuple[AuthzRule, ...]
    """This file's first, then those of the policy it extends."""
    rego: tuple[Name, ...]
    """Modules of the author's own: paths from `directory`."""
    at: Location = field(compare=False, repr=False)
    directory: Path = field(compare=False, repr=False, default=Path())
    """Where the policy lies and paths in it start."""

    def reference(self, name: str) -> str:
        """What a policy named in the section is loaded by: a path, or a name of the library."""
        if "/" not in name and not name.endswith((".yaml", ".yml", ".json")):
            return name
        path = self.directory / name
        # Path drops the `./` that keeps a bare name from being one of the library.
        return str(path) if path.is_absolute() else f"./{path}"
