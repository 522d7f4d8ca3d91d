"""What becomes of every field of every body: read, harmless or refused.

A field that is in no class is unknown. Unknown and refused fields may be there with Go's zero
value, as clients send them; anything else denies the request. A test walks the API's schema and
holds that every field of it has a class here.

Types are named as in the API's specification, inner ones after the path to them
(`Mount.BindOptions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..denied import Denied
from ..model import Json
from .swarm_fields import SWARM_FIELDS
from .values import is_zero


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one type by class."""

    read: frozenset[str]
    """Decided about: the document says what they ask for."""
    harmless: frozenset[str] = frozenset()
    """They give a container nothing that a rule could want to know."""
    refused: frozenset[str] = frozenset()
    """Windows', or superseded, or not the client's to say."""

    @property
    def accepted(self) -> frozenset[str]:
        """Those that may have a value."""
        return self.read | self.harmless


_CONTAINER_FIELDS: Mapping[str, tuple[str, str, str]] = {
    "ContainerConfig": (
        """
        Hostname Domainname User ExposedPorts Env Cmd Healthcheck Image Volumes Entrypoint Labels
        StopSignal MacAddress
        """,
        """
        AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce WorkingDir NetworkDisabled
        StopTimeout OnBuild Shell
        """,
        "ArgsEscaped",
    ),
    "ContainerCreate": ("HostConfig NetworkingConfig", "", ""),
    "HealthConfig": ("Test", "Interval Timeout Retries StartPeriod StartInterval", ""),
    "NetworkingConfig": ("EndpointsConfig", "", ""),
    "Resources": (
        """
        CpuShares Memory CgroupParent BlkioWeight BlkioDeviceReadBps BlkioDeviceWriteBps
        BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod
        CpuRealtimeRuntime CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests
        KernelMemory MemoryReservation MemorySwap MemorySwappiness NanoCpus OomKillDisable
        PidsLimit Ulimits
        """,
        "BlkioWeightDevice KernelMemoryTCP",
        "CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth DiskQuota",
    ),
    "HostConfig": (
        """
        Binds LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver VolumesFrom
        Mounts Annotations CapAdd CapDrop CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd
        IpcMode Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt
        StorageOpt Tmpfs UTSMode UsernsMode ShmSize Sysctls Runtime Isolation MaskedPaths
        ReadonlyPaths Init
        """,
        "ConsoleSize ContainerIDFile",
        "Cgroup Capabilities",
    ),
    "ContainerUpdate": ("RestartPolicy", "", ""),
    "HostConfig.LogConfig": ("Type Config", "", ""),
    "RestartPolicy": ("Name MaximumRetryCount", "", ""),
    "ThrottleDevice": ("Path Rate", "", ""),
    "Resources.BlkioWeightDevice": ("", "Path Weight", ""),
    "Resources.Ulimits": ("Name Soft Hard", "", ""),
    "DeviceMapping": ("PathOnHost PathInContainer CgroupPermissions", "", ""),
    "DeviceRequest": ("Driver Count DeviceIDs Capabilities Options", "", ""),
    "PortBinding": ("HostIp HostPort", "", ""),
    "Mount": (
        """
        Target Source Type ReadOnly Consistency BindOptions VolumeOptions ImageOptions TmpfsOptions
        ClusterOptions
        """,
        "",
        "",
    ),
    "Mount.BindOptions": (
        "Propagation NonRecursive CreateMountpoint ReadOnlyNonRecursive",
        "ReadOnlyForceRecursive",
        "",
    ),
    "Mount.VolumeOptions": ("NoCopy Labels DriverConfig Subpath", "", ""),
    "Mount.VolumeOptions.DriverConfig": ("Name Options", "", ""),
    "Mount.ImageOptions": ("Subpath", "", ""),
    "Mount.TmpfsOptions": ("SizeBytes Mode Options", "", ""),
    "Mount.ClusterOptions": ("", "", ""),
    "EndpointSettings": (
        "IPAMConfig Links MacAddress Aliases DriverOpts GwPriority",
        """
        Gateway IPAddress IPPrefixLen IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen
        """,
        # The engine would take the network with this id instead of the one that is named.
        "NetworkID EndpointID DNSNames",
    ),
    "EndpointIPAMConfig": ("IPv4Address IPv6Address LinkLocalIPs", "", ""),
    "ExecConfig": (
        "User Privileged Tty DetachKeys Env WorkingDir Cmd",
        "AttachStdin AttachStdout AttachStderr ConsoleSize Detach Container",
        "",
    ),
    "ExecStartConfig": ("", "Detach Tty ConsoleSize", ""),
    "VolumeCreateRequest": ("Name Driver DriverOpts Labels ClusterVolumeSpec", "", ""),
    "VolumeUpdate": ("Spec", "", ""),
    "NetworkCreate": (
        """
        Name CheckDuplicate Driver Scope Internal Attachable Ingress ConfigOnly ConfigFrom IPAM
        EnableIPv6 Options Labels
        """,
        "EnableIPv4",
        "",
    ),
    "ConfigReference": ("Network", "", ""),
    "IPAM": ("Driver Config Options", "", ""),
    "IPAMConfig": ("Subnet", "IPRange Gateway AuxiliaryAddresses", ""),
    "NetworkConnectRequest": ("Container EndpointConfig", "", ""),
    "NetworkDisconnectRequest": ("Container", "Force", ""),
    "CheckpointCreate": ("CheckpointID Exit", "", "CheckpointDir"),
}
"""Type -> read, harmless, refused."""

FIELDS: Mapping[str, Fields] = {
    name: Fields(*(frozenset(words.split()) for words in classes))
    for name, classes in {**_CONTAINER_FIELDS, **SWARM_FIELDS}.items()
}
"""Every type that a body is made of."""

_ACCEPTED: Mapping[str, frozenset[str]] = {
    **{name: fields.accepted for name, fields in FIELDS.items()},
    "HostConfig": FIELDS["HostConfig"].accepted | FIELDS["Resources"].accepted,
    "ContainerCreate": FIELDS["ContainerCreate"].accepted | FIELDS["ContainerConfig"].accepted,
    "ContainerUpdate": FIELDS["ContainerUpdate"].accepted | FIELDS["Resources"].accepted,
}
"""Go embeds Resources in HostConfig, and the configuration in the request."""

_REFUSED = frozenset().union(*(fields.refused for fields in FIELDS.values()))


def check(kind: str, value: Mapping[str, Json]) -> None:
    """Raises Denied for a field with a value that is refused or in no class."""
    if not value:
        return
    for name in value.keys() - _ACCEPTED[kind]:
        if is_zero(value[name]):
            continue
        if name in _REFUSED:
            raise Denied("refused-field", f"{kind} may not say {name}")
        raise Denied("unknown-field", f"{kind} has a field {name!r} that is not known")
