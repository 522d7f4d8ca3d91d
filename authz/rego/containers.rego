# What a container may be: the constraints on a spec, whether it is asked for (create, service,
# update) or exists already and is entered (exec, start).
package stockade.authz

import rego.v1

spec_ok(_) if input.spec == null

spec_ok(rule) if {
	is_object(input.spec)
	demanded(rule, input.spec)
	confined(rule, input.spec)
}

# Nothing is asked for beyond what the rule permits.
confined(rule, spec) if {
	capabilities_ok(rule, spec)
	powers_ok(rule, spec)
	namespaces_ok(rule, spec)
	seccomp_ok(rule, spec)
	apparmor_ok(rule, spec)
	setting_ok(rule.runtimes, spec, spec.runtime)
	parent_ok(rule, spec)
	setting_ok(rule.log_drivers, spec, spec.log.driver)
	joined_ok(rule, spec)
	ports_ok(rule, spec.ports)
	mounts_ok(rule, spec)
}

# Most containers ask for nothing of all this, which is seen at once.
powers_ok(_, spec) if {
	spec.privileged == false
	spec.volumes_from == []
	spec.devices == []
	spec.device_cgroup_rules == []
	spec.device_requests == []
	spec.publish_all == false
	spec.sysctls == {}
	spec.annotations == {}
	spec.storage_options == {}
	spec.selinux == []
	spec.paths.masked == "default"
	spec.paths.read_only == "default"
	spec.resources.oom_kill_disable == false
	spec.resources.oom_score_adj == 0
	spec.resources.cpu_realtime == false
}

powers_ok(rule, spec) if {
	privileged_ok(rule, spec)
	volumes_from_ok(rule, spec)
	devices_ok(rule, spec)
	device_rules_ok(rule, spec)
	device_requests_ok(rule, spec)
	publish_all_ok(rule, spec)
	keys_ok(rule.sysctls, spec.sysctls)
	keys_ok(rule.annotations, spec.annotations)
	keys_ok(rule.storage_options, spec.storage_options)
	texts_ok(rule.selinux, spec.selinux)
	paths_ok(rule, spec)
	oom_ok(rule, spec.resources)
	realtime_ok(rule, spec.resources)
}

privileged_ok(_, spec) if spec.privileged == false

privileged_ok(rule, spec) if {
	rule.privileged == true
	spec.privileged == true
}

# A privileged container has no seccomp, no apparmor and no masked paths: one word permits all.
privileged_by(rule, spec) if {
	rule.privileged == true
	spec.privileged == true
}

capabilities_ok(rule, _) if rule.capabilities.any == true

capabilities_ok(_, spec) if spec.capabilities.add == []

capabilities_ok(rule, spec) if {
	good := [name |
		some name in spec.capabilities.add
		rule.capabilities.names[name] == true
	]
	count(good) == count(spec.capabilities.add)
}

# Modes that give a container nothing of the host or of another container.
harmless_modes := {"default": true, "private": true, "none": true, "bridge": true}

namespaces_ok(_, spec) if {
	spec.namespaces.pid.mode == "default"
	spec.namespaces.ipc.mode == "default"
	spec.namespaces.uts.mode == "default"
	spec.namespaces.user.mode == "default"
	spec.namespaces.cgroup.mode == "default"
	spec.namespaces.network.mode == "default"
}

namespaces_ok(rule, spec) if {
	namespace_ok(rule, "pid", spec.namespaces.pid)
	namespace_ok(rule, "ipc", spec.namespaces.ipc)
	namespace_ok(rule, "uts", spec.namespaces.uts)
	namespace_ok(rule, "user", spec.namespaces.user)
	namespace_ok(rule, "cgroup", spec.namespaces.cgroup)
	network_namespace_ok(rule, spec.namespaces.network)
}

namespace_ok(_, _, asked) if harmless_modes[asked.mode] == true

namespace_ok(rule, name, asked) if {
	rule.namespaces[name][asked.mode] == true
	asked.mode != "container"
}

namespace_ok(rule, name, asked) if {
	asked.mode == "container"
	rule.namespaces[name].container == true
	is_string(asked.target)
	container_ok(rule, asked.target)
}

network_namespace_ok(rule, asked) if namespace_ok(rule, "network", asked)

network_namespace_ok(rule, asked) if {
	asked.mode == "named"
	joinable(rule, asked.target)
}

# An update that does not speak of a setting leaves it as it is.
unsaid(spec, text) if {
	spec.partial == true
	text in {"", "default"}
}

setting_ok(patterns, _, text) if text_ok(patterns, text)

setting_ok(_, spec, text) if unsaid(spec, text)

parent_ok(rule, spec) if cgroup_parent_ok(rule.cgroup_parents, spec.cgroup_parent)

parent_ok(_, spec) if unsaid(spec, spec.cgroup_parent)

seccomp_ok(rule, _) if rule.seccomp.any == true

seccomp_ok(_, spec) if unsaid(spec, spec.seccomp.kind)

seccomp_ok(rule, spec) if privileged_by(rule, spec)

seccomp_ok(rule, spec) if {
	spec.seccomp.kind in {"default", "builtin"}
	rule.seccomp.names["default"] == true
}

seccomp_ok(rule, spec) if {
	spec.seccomp.kind == "unconfined"
	rule.seccomp.names.unconfined == true
}

seccomp_ok(rule, spec) if {
	spec.seccomp.kind == "profile"
	some name in spec.seccomp.policies
	name != "default"
	name != "unconfined"
	rule.seccomp.names[name] == true
}

apparmor_ok(rule, _) if rule.apparmor.any == true

apparmor_ok(rule, spec) if privileged_by(rule, spec)

apparmor_ok(rule, spec) if rule.apparmor.names[spec.apparmor] == true

apparmor_ok(_, spec) if unsaid(spec, spec.apparmor)

paths_ok(rule, _) if rule.masked_paths == true

paths_ok(rule, spec) if privileged_by(rule, spec)

paths_ok(_, spec) if {
	spec.paths.masked == "default"
	spec.paths.read_only == "default"
}

# `..` leaves the cgroup whose name it follows; only `any` permits that.
cgroup_parent_ok(patterns, _) if patterns.any == true

cgroup_parent_ok(patterns, text) if {
	text_ok(patterns, text)
	contains(text, "..") == false
}

oom_ok(rule, _) if rule.oom == true

oom_ok(_, resources) if {
	resources.oom_kill_disable == false
	is_number(resources.oom_score_adj)
	resources.oom_score_adj >= 0
}

realtime_ok(rule, _) if rule.realtime == true

realtime_ok(_, resources) if resources.cpu_realtime == false
