# Sentences about what a container asks for, for reasons.rego.
package stockade.authz

import rego.v1

confinement_faults(rule, spec) := union({
	power_faults(rule, spec),
	namespace_faults(rule, spec),
	mount_faults(rule, spec),
	device_faults(rule, spec),
	joining_faults(rule, spec),
	setting_faults(rule, spec),
	hardening_faults(rule, spec),
})

# One's own is only what exists already: a mount may find what somebody else has just made.
volume_text(rule, name) := sprintf("volumes: %s does not exist; make it with docker volume create", [name]) if {
	rule.volumes.own == true
	some thing in input.references
	thing.kind == "volume"
	thing.reference == name
	thing.known == false
} else := sprintf("volumes: %s is not permitted", [text_of(name)])

power_faults(rule, spec) := {sentence |
	not privileged_ok(rule, spec)
	sentence := "privileged: a privileged container is not permitted"
} | {sentence |
	not capabilities_ok(rule, spec)
	some name in spec.capabilities.add
	not rule.capabilities.names[name]
	sentence := sprintf("capabilities: %s is not permitted", [text_of(name)])
}

namespace_faults(rule, spec) := {sentence |
	some name in ["cgroup", "ipc", "pid", "user", "uts"]
	asked := spec.namespaces[name]
	not namespace_ok(rule, name, asked)
	sentence := namespace_text(name, asked)
} | {sentence |
	asked := spec.namespaces.network
	not network_namespace_ok(rule, asked)
	sentence := namespace_text("network", asked)
}

namespace_text(name, asked) := sprintf("namespaces: %s %s is not permitted", [name, text_of(asked.mode)]) if {
	not is_string(asked.target)
} else := sprintf(
	"namespaces: %s %s:%s is not permitted",
	[name, text_of(asked.mode), asked.target],
)

mount_faults(rule, spec) := {sentence |
	some mount in spec.mounts
	not mount_ok(rule, mount)
	some sentence in one_mount_faults(rule, mount)
} | {sentence |
	not volumes_from_ok(rule, spec)
	some other in spec.volumes_from
	sentence := sprintf("volumes-from: %s is not permitted", [text_of(other.container)])
}

one_mount_faults(rule, mount) := (((({sentence |
	mount.type == "bind"
	some path in {mount.source, mount.resolved}
	not source_ok(rule, mount, path)
	sentence := bind_text(rule, mount, path)
} | {sentence |
	mount.type in {"volume", "cluster"}
	not volume_name_ok(rule, mount.source)
	sentence := volume_text(rule, mount.source)
}) | {sentence |
	mount.type in {"volume", "cluster"}
	some sentence in driver_faults(rule, mount)
}) | {sentence |
	mount.type == "tmpfs"
	some option in mount.tmpfs_options
	not tmpfs_option_ok(rule, split(option, "=")[0])
	sentence := sprintf("tmpfs: the option %s is not permitted", [option])
}) | {sentence |
	mount.type == "tmpfs"
	not tmpfs_size_ok(rule, mount)
	sentence := sprintf(
		"tmpfs: %s must have a size, at most %d bytes",
		[text_of(mount.target), rule.tmpfs.max_size],
	)
}) | {sentence |
	not mount.type in {"bind", "volume", "cluster", "tmpfs"}
	sentence := sprintf("mounts: %s %s is not permitted", [text_of(mount.type), text_of(mount.source)])
}

bind_text(_, mount, path) := sprintf("binds: %s cannot be resolved", [text_of(mount.source)]) if {
	path == null
} else := sprintf("binds: %s is protected and not listed exactly", [text_of(path)]) if {
	absolute(path)
	not apart(path)
} else := sprintf("binds: %s is not permitted", [text_of(path)]) if {
	path == mount.source
} else := sprintf("binds: %s, where %s leads, is not permitted", [text_of(path), text_of(mount.source)])

device_faults(rule, spec) := ({sentence |
	some device in spec.devices
	not device_ok(rule, device)
	sentence := sprintf(
		"devices: %s:%s is not permitted",
		[text_of(device.host), text_of(device.permissions)],
	)
} | {sentence |
	not device_rules_ok(rule, spec)
	some text in spec.device_cgroup_rules
	not text_ok(rule.device_rules, text)
	sentence := sprintf("device-rules: %s is not permitted", [text_of(text)])
}) | {sentence |
	not device_requests_ok(rule, spec)
	some request in spec.device_requests
	not text_ok(rule.device_requests, request.driver)
	sentence := sprintf("device-requests: %s is not permitted", [text_of(request.driver)])
}

joining_faults(rule, spec) := (((({sentence |
	some network in spec.networks
	not joinable(rule, network.name)
	sentence := sprintf("networks: %s is not permitted", [text_of(network.name)])
} | {sentence |
	some network in spec.networks
	not endpoint_ok(rule, network)
	sentence := sprintf(
		"endpoint: a link, an address or an option of it in %s is not permitted",
		[text_of(network.name)],
	)
}) | {sentence |
	not links_ok(rule, spec.links)
	some link in spec.links
	sentence := sprintf("endpoint: the link %s is not permitted", [text_of(link)])
}) | {sentence |
	not address_ok(rule, spec.mac, "fixed-mac")
	sentence := sprintf("endpoint: the MAC address %s is not permitted", [text_of(spec.mac)])
}) | {sentence |
	some port in spec.ports
	not port_ok(rule, port)
	sentence := port_text(port)
}) | {sentence |
	not publish_all_ok(rule, spec)
	sentence := "ports: publishing all ports is not permitted"
}

port_text(port) := "ports: an ephemeral host port is not permitted" if {
	port.host_port == null
} else := sprintf("ports: the host port %s is not permitted", [text_of(port.host_port)])

setting_faults(rule, spec) := (((({sentence |
	not keys_ok(rule.sysctls, spec.sysctls)
	some key, _ in spec.sysctls
	not text_ok(rule.sysctls, key)
	sentence := sprintf("sysctls: %s is not permitted", [key])
} | {sentence |
	not keys_ok(rule.annotations, spec.annotations)
	some key, _ in spec.annotations
	not text_ok(rule.annotations, key)
	sentence := sprintf("annotations: %s is not permitted", [key])
}) | {sentence |
	not keys_ok(rule.storage_options, spec.storage_options)
	some key, _ in spec.storage_options
	not text_ok(rule.storage_options, key)
	sentence := sprintf("storage-options: %s is not permitted", [key])
}) | {sentence |
	not setting_ok(rule.runtimes, spec, spec.runtime)
	sentence := sprintf("runtimes: %s is not permitted", [text_of(spec.runtime)])
}) | {sentence |
	not parent_ok(rule, spec)
	sentence := sprintf("cgroup-parents: %s is not permitted", [text_of(spec.cgroup_parent)])
}) | {sentence |
	not setting_ok(rule.log_drivers, spec, spec.log.driver)
	sentence := sprintf("log-drivers: %s is not permitted", [text_of(spec.log.driver)])
}

hardening_faults(rule, spec) := (((({sentence |
	not seccomp_ok(rule, spec)
	sentence := sprintf(
		"seccomp: %s is not permitted, only %s",
		[text_of(spec.seccomp.kind), permitted_names(rule.seccomp.names)],
	)
} | {sentence |
	not apparmor_ok(rule, spec)
	sentence := sprintf(
		"apparmor: %s is not permitted, only %s",
		[text_of(spec.apparmor), permitted_names(rule.apparmor.names)],
	)
}) | {sentence |
	not texts_ok(rule.selinux, spec.selinux)
	some text in spec.selinux
	not text_ok(rule.selinux, text)
	sentence := sprintf("selinux: %s is not permitted", [text_of(text)])
}) | {sentence |
	not paths_ok(rule, spec)
	sentence := "masked-paths: a change of masked or read-only paths is not permitted"
}) | {sentence |
	not oom_ok(rule, spec.resources)
	sentence := "oom: evading the out-of-memory killer is not permitted"
}) | {sentence |
	not realtime_ok(rule, spec.resources)
	sentence := "realtime: real-time scheduling is not permitted"
}

permitted_names(names) := "none" if {
	count(names) == 0
} else := concat(", ", sort([name | some name, _ in names]))

demand_faults(rule, spec) := ((({sentence |
	some key in ["memory", "nano_cpus", "pids"]
	limit := rule.limits[key]
	limit != null
	value := object.get(spec.resources, key, null)
	not limit_kept(spec, limit, value)
	sentence := sprintf(
		"limits: %s is %s, it must be set and at most %d%s",
		[key, text_of(value), limit, limit_hint(key, value)],
	)
} | {sentence |
	spec.partial == false
	some key in ["read_bps", "write_bps", "read_iops", "write_iops"]
	limit := rule.limits[key]
	not rates_within(limit, object.get(spec.resources, concat("", ["device_", key]), null))
	sentence := sprintf("limits: %s must be set for a device and at most %d", [key, limit])
}) | {sentence |
	spec.partial == false
	not user_ok(rule, spec.user)
	sentence := sprintf("user: %s is not permitted", [text_of(spec.user.text)])
}) | {sentence |
	spec.partial == false
	not no_new_privileges_ok(rule, spec)
	sentence := "no-new-privileges: it must be set"
}) | {sentence |
	spec.partial == false
	not read_only_ok(rule, spec)
	sentence := "read-only: the root file system must be read-only"
}

limit_hint(key, value) := "; name quota and period together, or --cpus" if {
	key == "nano_cpus"
	value == -1
} else := ""

limit_kept(spec, limit, value) if {
	spec.partial == true
	kept_within(limit, value)
}

limit_kept(spec, limit, value) if {
	spec.partial == false
	within(limit, value)
}

service_faults(rule, service) := {sentence |
	some kind, things in {"secret": service.secrets, "config": service.configs}
	not service_things_ok(rule, kind, things)
	sentence := sprintf("owner: a %s of the service is not owned as the rule asks", [kind])
} | {sentence |
	not credentials_ok(rule, service)
	sentence := "privileged: a credential specification is not permitted"
}
