# What a rule demands of a container that is made: limits, user, no-new-privileges, read-only root.
package stockade.authz

import rego.v1

demanded(rule, spec) if {
	spec.partial == true
	partial_limits_ok(rule.limits, spec.resources)
}

demanded(rule, spec) if {
	spec.partial == false
	limits_ok(rule.limits, spec.resources)
	user_ok(rule, spec.user)
	no_new_privileges_ok(rule, spec)
	read_only_ok(rule, spec)
}

limits_ok(limits, resources) if {
	within(limits.memory, resources.memory)
	within(limits.nano_cpus, resources.nano_cpus)
	within(limits.pids, resources.pids)
	rates_within(limits.read_bps, resources.device_read_bps)
	rates_within(limits.write_bps, resources.device_write_bps)
	rates_within(limits.read_iops, resources.device_read_iops)
	rates_within(limits.write_iops, resources.device_write_iops)
}

# An update: what it does not name (null) stays as it is.
partial_limits_ok(limits, resources) if {
	kept_within(limits.memory, resources.memory)
	kept_within(limits.nano_cpus, resources.nano_cpus)
	kept_within(limits.pids, resources.pids)
}

within(limit, _) if limit == null

within(limit, value) if at_most(limit, value)

kept_within(_, value) if value == null

kept_within(limit, value) if within(limit, value)

at_most(limit, value) if {
	is_number(limit)
	is_number(value)
	value > 0
	value <= limit
}

rates_within(limit, _) if limit == null

rates_within(limit, rates) if {
	count(rates) > 0
	good := [entry |
		some entry in rates
		at_most(limit, entry.rate)
	]
	count(good) == count(rates)
}

user_ok(rule, _) if rule.user.any == true

user_ok(rule, user) if {
	rule.user.non_root == true
	user.root == false
}

user_ok(rule, user) if text_ok(rule.user, user.text)

no_new_privileges_ok(rule, _) if rule.no_new_privileges == false

no_new_privileges_ok(rule, spec) if {
	rule.no_new_privileges == true
	spec.no_new_privileges == true
}

read_only_ok(rule, _) if rule.read_only == false

read_only_ok(rule, spec) if {
	rule.read_only == true
	spec.read_only == true
}
