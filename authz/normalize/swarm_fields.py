"""The classes of the fields of Swarm's bodies, plugins', registries'; see `fields`."""

from __future__ import annotations

from collections.abc import Mapping

SWARM_FIELDS: Mapping[str, tuple[str, str, str]] = {
    "ServiceSpec": (
        "Name Labels TaskTemplate Mode Networks EndpointSpec",
        "UpdateConfig RollbackConfig",
        "",
    ),
    "ServiceSpec.Mode": ("Replicated Global ReplicatedJob GlobalJob", "", ""),
    "ServiceSpec.Mode.Replicated": ("Replicas", "", ""),
    "ServiceSpec.Mode.ReplicatedJob": ("MaxConcurrent TotalCompletions", "", ""),
    "ServiceSpec.UpdateConfig": (
        "",
        "Parallelism Delay FailureAction Monitor MaxFailureRatio Order",
        "",
    ),
    "ServiceSpec.RollbackConfig": (
        "",
        "Parallelism Delay FailureAction Monitor MaxFailureRatio Order",
        "",
    ),
    "TaskSpec": (
        "ContainerSpec Resources RestartPolicy Placement Runtime Networks LogDriver",
        "ForceUpdate",
        # Tasks that run plugins, or attach containers of others.
        "PluginSpec NetworkAttachmentSpec",
    ),
    "TaskSpec.Resources": ("Limits Reservations SwapBytes MemorySwappiness", "", ""),
    "Limit": ("NanoCPUs MemoryBytes Pids", "", ""),
    "ResourceObject": ("MemoryBytes", "NanoCPUs GenericResources", ""),
    "TaskSpec.RestartPolicy": ("Condition MaxAttempts", "Delay Window", ""),
    "TaskSpec.Placement": ("Constraints", "Preferences MaxReplicas Platforms", ""),
    "TaskSpec.Placement.Preferences": ("", "Spread", ""),
    "TaskSpec.Placement.Preferences.Spread": ("", "SpreadDescriptor", ""),
    "Platform": ("", "Architecture OS", ""),
    "GenericResources": ("", "NamedResourceSpec DiscreteResourceSpec", ""),
    "GenericResources.NamedResourceSpec": ("", "Kind Value", ""),
    "GenericResources.DiscreteResourceSpec": ("", "Kind Value", ""),
    "TaskSpec.PluginSpec": ("", "", "Name Remote Disabled Privileges Env"),
    "TaskSpec.NetworkAttachmentSpec": ("", "", "ContainerID"),
    "TaskSpec.LogDriver": ("Name Options", "", ""),
    "TaskSpec.ContainerSpec": (
        """
        Image Labels Command Args Hostname Env User Groups Privileges ReadOnly Mounts StopSignal
        Healthcheck Hosts DNSConfig Secrets OomScoreAdj Configs Isolation Init Sysctls
        CapabilityAdd CapabilityDrop Ulimits
        """,
        "Dir TTY OpenStdin StopGracePeriod",
        "",
    ),
    "TaskSpec.ContainerSpec.DNSConfig": ("Nameservers Search Options", "", ""),
    "TaskSpec.ContainerSpec.Privileges": (
        "CredentialSpec SELinuxContext Seccomp AppArmor NoNewPrivileges",
        "",
        "",
    ),
    "TaskSpec.ContainerSpec.Privileges.CredentialSpec": ("Config File Registry", "", ""),
    "TaskSpec.ContainerSpec.Privileges.SELinuxContext": ("Disable User Role Type Level", "", ""),
    "TaskSpec.ContainerSpec.Privileges.Seccomp": ("Mode Profile", "", ""),
    "TaskSpec.ContainerSpec.Privileges.AppArmor": ("Mode", "", ""),
    "TaskSpec.ContainerSpec.Secrets": ("File SecretID SecretName", "", ""),
    "TaskSpec.ContainerSpec.Configs": ("File Runtime ConfigID ConfigName", "", ""),
    "TaskSpec.ContainerSpec.Secrets.File": ("Name", "UID GID Mode", ""),
    "TaskSpec.ContainerSpec.Ulimits": ("Name Soft Hard", "", ""),
    "TaskSpec.ContainerSpec.Configs.File": ("Name", "UID GID Mode", ""),
    "NetworkAttachmentConfig": ("Target Aliases DriverOpts", "", ""),
    "EndpointSpec": ("Ports", "Mode", ""),
    "EndpointPortConfig": (
        "Protocol TargetPort PublishedPort PublishMode",
        "Name",
        "",
    ),
    "ClusterVolumeSpec": (
        """
        Group AccessMode Secrets AccessibilityRequirements CapacityRange Availability
        """,
        "",
        "",
    ),
    "ClusterVolumeSpec.AccessMode": ("", "Scope Sharing MountVolume BlockVolume", ""),
    "ClusterVolumeSpec.AccessMode.MountVolume": ("", "FsType MountFlags", ""),
    "ClusterVolumeSpec.AccessMode.Secrets": ("", "Key Secret", ""),
    "ClusterVolumeSpec.AccessMode.AccessibilityRequirements": ("", "Requisite Preferred", ""),
    "ClusterVolumeSpec.AccessMode.CapacityRange": ("", "RequiredBytes LimitBytes", ""),
    "Topology": ("", "Segments", ""),
    "SwarmInit": (
        """
        ListenAddr AdvertiseAddr DataPathAddr DataPathPort DefaultAddrPool ForceNewCluster
        SubnetSize Spec AutoLockManagers Availability
        """,
        "",
        "",
    ),
    "SwarmJoin": (
        "ListenAddr AdvertiseAddr DataPathAddr RemoteAddrs JoinToken Availability",
        "",
        "",
    ),
    "SwarmUnlock": ("UnlockKey", "", ""),
    "SwarmSpec": (
        "Name Labels Orchestration Raft Dispatcher CAConfig EncryptionConfig TaskDefaults",
        "",
        "",
    ),
    "SwarmSpec.Orchestration": ("TaskHistoryRetentionLimit", "", ""),
    "SwarmSpec.Raft": (
        """
        SnapshotInterval KeepOldSnapshots LogEntriesForSlowFollowers ElectionTick HeartbeatTick
        """,
        "",
        "",
    ),
    "SwarmSpec.Dispatcher": ("HeartbeatPeriod", "", ""),
    "SwarmSpec.CAConfig": (
        "NodeCertExpiry ExternalCAs SigningCACert SigningCAKey ForceRotate",
        "",
        "",
    ),
    "SwarmSpec.EncryptionConfig": ("AutoLockManagers", "", ""),
    "SwarmSpec.TaskDefaults": ("LogDriver", "", ""),
    "SwarmSpec.CAConfig.ExternalCAs": ("Protocol URL Options CACert", "", ""),
    "SwarmSpec.TaskDefaults.LogDriver": ("Name Options", "", ""),
    "NodeSpec": ("Name Labels Role Availability", "", ""),
    "SecretSpec": ("Name Labels Data Driver Templating", "", ""),
    "ConfigSpec": ("Name Labels Data Templating", "", ""),
    "Driver": ("Name Options", "", ""),
    "PluginPrivilege": ("Name Description Value", "", ""),
    "AuthConfig": (
        "username password auth email serveraddress identitytoken registrytoken",
        "",
        "",
    ),
}
"""Type -> read, harmless, refused."""
