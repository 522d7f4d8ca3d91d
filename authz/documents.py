"""The parts of the input document that normalisation makes, as types.

Rego reads them as plain JSON; docs/authz.md describes them for the authors of rules. Every key is
always there. Where null is possible it means not said, not known or without a limit, as noted.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class ImageReference(TypedDict):
    """An image as a request names it, normalised as Docker does."""

    text: str
    """As asked."""
    registry: str | None
    """`docker.io`; null, like the next two, when the text is an id."""
    repository: str | None
    """`library/nginx`."""
    tag: str | None
    """`latest` when neither tag nor digest is said; null beside a digest, and for a pull or push
    of every tag."""
    digest: str | None
    """`sha256:…`."""
    id: str | None
    """`sha256:` and 64 digits, when the text was a whole id."""
    ambiguous: bool
    """The text could be the beginning of an id, and then be another image than it names."""


class User(TypedDict):
    """Who a process runs as."""

    text: str
    user: str
    group: str
    root: bool | None
    """Null for a name other than root: its id is the image's to say."""


class Endpoint(TypedDict):
    """How a container takes part in a network."""

    aliases: list[str]
    links: list[str]
    ipv4: str | None
    ipv6: str | None
    link_local_ips: list[str]
    mac: str | None
    driver_options: dict[str, str]
    priority: int


class NamedEndpoint(Endpoint):
    """One network of a container; `default`, `bridge`, `none` and `host` are names too."""

    name: str


class Namespace(TypedDict):
    """default, private, host, container, shareable, none, bridge or named, and whose."""

    mode: str
    target: str | None
    """The container, or the network that mode `named` names."""


class Namespaces(TypedDict):
    """All six."""

    pid: Namespace
    ipc: Namespace
    network: Namespace
    uts: Namespace
    user: Namespace
    cgroup: Namespace


class Capabilities(TypedDict):
    """Upper case, without CAP_, sorted, unique; `ALL` is one of them."""

    add: list[str]
    drop: list[str]


class Seccomp(TypedDict):
    """Which filter the container's processes get. Unconfined when privileged."""

    kind: Literal["default", "builtin", "unconfined", "profile"]
    policies: list[str]
    """Policies that the profile equals in meaning."""
    sha256: str | None
    """Of the profile's text."""


class Paths(TypedDict):
    """MaskedPaths and ReadonlyPaths: default, none or custom."""

    masked: str
    read_only: str


class Mount(TypedDict):
    """Something in the container's file system from outside its image."""

    type: str
    """bind, volume, tmpfs, image or cluster."""
    source: str
    """A cleaned path, a volume's name (empty: anonymous), an image."""
    target: str
    """Cleaned. Empty for the driver of volumes that the image declares."""
    read_only: bool
    """With all that is mounted below it."""
    propagation: str | None
    recursive: bool
    create_source: bool
    driver: str | None
    """Of volumes; empty is the engine's own."""
    driver_options: dict[str, str]
    labels: dict[str, str]
    no_copy: bool
    subpath: str | None
    tmpfs_options: list[str]
    """Those that weaken Docker's defaults: exec, suid, dev, …; the harmless are left out."""
    size: int | None
    """Bytes; null without a bound, or with one that depends on the host."""
    mode: int | None
    selinux: str
    """`z`, `Z` or empty."""
    resolved: str | None
    """A bind's source without symbolic links, filled in on the host."""
    inherited: bool
    """Of inspected containers: came from another container."""


class VolumesFrom(TypedDict):
    """Another container's volumes."""

    container: str
    read_only: bool


class Device(TypedDict):
    """A device, or a directory of devices, of the host."""

    host: str
    container: str
    permissions: str
    """Of `rwm`, in this order."""


class DeviceRequest(TypedDict):
    """Devices that a driver chooses."""

    driver: str
    count: int
    ids: list[str]
    capabilities: list[list[str]]
    options: dict[str, str]


class Rate(TypedDict):
    """A limit for one block device; 0 is none."""

    path: str
    rate: int


class Ulimit(TypedDict):
    """-1 is unlimited."""

    name: str
    soft: int
    hard: int


class Resources(TypedDict):
    """Null is not limited; in a partial spec null is unchanged and -1 made unlimited."""

    memory: int | None
    memory_swap: int | None
    """Memory and swap together; -1 is unlimited."""
    memory_reservation: int | None
    nano_cpus: int | None
    """Billionths of a CPU, whichever way it was said."""
    cpu_shares: int | None
    cpuset_cpus: str
    cpuset_mems: str
    cpu_realtime: bool
    pids: int | None
    blkio_weight: int | None
    device_read_bps: list[Rate]
    device_write_bps: list[Rate]
    device_read_iops: list[Rate]
    device_write_iops: list[Rate]
    kernel_memory: int | None
    oom_kill_disable: bool
    oom_score_adj: int
    swappiness: int | None
    ulimits: list[Ulimit]
    shm_size: int | None


class Port(TypedDict):
    """A published port; host_port null is one that the engine chooses."""

    host_ip: str
    host_port: int | None
    host_port_end: int | None
    """The last of a range; the same as the first when there is one."""
    container_port: int
    protocol: str


class Log(TypedDict):
    """driver is empty for the engine's choice."""

    driver: str
    options: dict[str, str]


class Restart(TypedDict):
    """no, always, unless-stopped or on-failure."""

    policy: str
    retries: int


class ServiceFile(TypedDict):
    """A secret or config in a service's tasks."""

    id: str
    name: str
    target: str | None


class Service(TypedDict):
    """A service, beside what its tasks' containers are."""

    mode: str
    """replicated, global, replicated-job or global-job."""
    replicas: int | None
    name: str
    labels: dict[str, str]
    secrets: list[ServiceFile]
    configs: list[ServiceFile]
    constraints: list[str]
    networks: list[NamedEndpoint]
    ports: list[Port]
    credential_spec: str | None


class Spec(TypedDict):
    """What a container is, or would be by a request."""

    partial: bool
    """Of container.update: only `resources` and `restart` are the request's."""
    image: ImageReference | None
    user: User
    privileged: bool
    capabilities: Capabilities
    namespaces: Namespaces
    seccomp: Seccomp
    apparmor: str
    """default, unconfined or a profile's name."""
    selinux: list[str]
    no_new_privileges: bool
    paths: Paths
    mounts: list[Mount]
    volumes_from: list[VolumesFrom]
    devices: list[Device]
    device_cgroup_rules: list[str]
    device_requests: list[DeviceRequest]
    cgroup_parent: str
    runtime: str
    isolation: str
    resources: Resources
    networks: list[NamedEndpoint]
    links: list[str]
    dns: list[str]
    dns_search: list[str]
    dns_options: list[str]
    extra_hosts: list[str]
    hostname: str
    domainname: str
    mac: str | None
    ports: list[Port]
    publish_all: bool
    exposed: list[str]
    labels: dict[str, str]
    sysctls: dict[str, str]
    annotations: dict[str, str]
    group_add: list[str]
    storage_options: dict[str, str]
    log: Log
    restart: Restart
    auto_remove: bool
    init: bool | None
    read_only: bool
    entrypoint: list[str]
    command: list[str]
    env_names: list[str]
    healthcheck: bool
    stop_signal: str
    name: str | None
    service: Service | None
    """Of services; the input document has it a second time at the top."""


class Exec(TypedDict):
    """A process in a container that runs."""

    privileged: bool
    user: User
    tty: bool
    command: list[str]
    env_names: list[str]
    workdir: str
    detach_keys: str


class Volume(TypedDict):
    """A volume to be made."""

    name: str
    driver: str
    driver_options: dict[str, str]
    labels: dict[str, str]
    cluster: bool


class Network(TypedDict):
    """A network to be made."""

    name: str
    driver: str
    internal: bool
    attachable: bool
    ingress: bool
    ipv6: bool
    driver_options: dict[str, str]
    labels: dict[str, str]
    subnets: list[str]
    ipam_driver: str
    ipam_options: dict[str, str]
    scope: str
    config_from: str | None
    config_only: bool
    check_duplicate: bool


class Connect(TypedDict):
    """A container joining or leaving a network."""

    network: str
    container: str
    endpoint: Endpoint


class Build(TypedDict):
    """An image to be built."""

    tags: list[ImageReference]
    remote: str
    network: str
    dockerfile: str
    args_names: list[str]
    target: str
    pull: bool
    platform: str
    outputs: str
    """JSON, as asked."""
    version: str
    memory: int | None
    memory_swap: int | None
    nano_cpus: int | None
    cpu_shares: int | None
    cpuset_cpus: str
    cpuset_mems: str
    shm_size: int | None
    cgroup_parent: str
    security_options: list[str]
    extra_hosts: list[str]
    ulimits: list[Ulimit]
    labels: dict[str, str]
    session: str
    cache_from: list[ImageReference]
    squash: bool


class Subject(TypedDict):
    """Who asks, or made something."""

    method: str
    """local or tls."""
    principal: str
    cn: str | None
    ou: list[str]
    sans: list[str]


class Thing(TypedDict):
    """Something that exists, or was said to, and what is known of it."""

    kind: str
    reference: str
    """As asked."""
    id: str | None
    known: bool
    """Whether it exists."""
    name: str | None
    owner: Subject | None
    """Null when it was not made through the plugin."""
    labels: dict[str, str]
    image: ImageReference | None
    spec: Spec | None


class Document(TypedDict):
    """All that rules see as `input`."""

    operation: str
    version: str | None
    subject: Subject
    parameters: dict[str, str]
    query: dict[str, Any]
    object: Thing | None
    container_object: Thing | None
    references: list[Thing]
    """Everything else that the request uses."""
    spec: Spec | None
    exec: Exec | None
    volume: Volume | None
    network: Network | None
    connect: Connect | None
    build: Build | None
    service: Service | None
    images: list[ImageReference]
    other: dict[str, Any]
    """What only one operation says."""
