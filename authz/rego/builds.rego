# Builds.
package stockade.authz

import rego.v1

build_ok(_) if input.build == null

build_ok(rule) if {
	is_object(input.build)
	build_network_ok(rule, input.build)
	build_remote_ok(rule, input.build)
	build_security_ok(rule, input.build)
	build_cgroup_ok(rule, input.build)
	build_outputs_ok(rule, input.build)
}

build_network_ok(_, build) if nothing(build.network)

build_network_ok(_, build) if harmless_networks[build.network] == true

build_network_ok(rule, build) if {
	text_ok(rule.build.networks, build.network)
	startswith(build.network, "container:") == false
	others := true_names(build.network)
	good := [other |
		some other in others
		text_ok(rule.build.networks, other)
	]
	count(good) == count(others)
}

build_network_ok(rule, build) if {
	text_ok(rule.build.networks, build.network)
	startswith(build.network, "container:") == true
	container_ok(rule, trim_prefix(build.network, "container:"))
}

build_remote_ok(_, build) if nothing(build.remote)

build_remote_ok(rule, build) if text_ok(rule.build.remote, build.remote)

# An image may be made from an archive that comes with the request; from elsewhere it is a build.
import_ok(_) if input.operation != "image.import"

import_ok(_) if input.other.source == "-"

import_ok(rule) if {
	source := input.other.source
	is_string(source)
	text_ok(rule.build.remote, source)
}

build_security_ok(rule, _) if rule.build.security == true

build_security_ok(_, build) if build.security_options == []

build_cgroup_ok(_, build) if nothing(build.cgroup_parent)

build_cgroup_ok(rule, build) if cgroup_parent_ok(rule.build.cgroup_parents, build.cgroup_parent)

build_outputs_ok(rule, _) if rule.build.outputs == true

build_outputs_ok(_, build) if nothing(build.outputs)
