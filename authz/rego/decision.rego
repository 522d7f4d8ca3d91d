# The entry point, data.stockade.authz.decision.
#
# Every constraint is a positive proof: a function that is true when the constraint holds, and
# undefined when it does not hold or cannot be evaluated. A rule allows when all of them are true.
# Lists are proven by counting the elements that hold; `every` is not used, because one embedded
# engine takes an undefined value in its body for true. `not` serves the sentences only.
package stockade.authz

import rego.v1

# Whether, by which rule, and who asks; always defined.
default permission := {"allow": false, "rule": null, "subjects": [], "revision": ""}

permission := {
	"allow": true,
	"rule": permitting[0],
	"subjects": sort(asking),
	"revision": data.stockade.policy.revision,
} if {
	unhindered
	count(permitting) > 0
} else := {
	"allow": true,
	"rule": "rego.allow",
	"subjects": sort(asking),
	"revision": data.stockade.policy.revision,
} if {
	unhindered
	is_set(data.stockade.extra.allow)
	count(data.stockade.extra.allow) > 0
} else := {
	"allow": false,
	"rule": denying_rule,
	"subjects": sort(asking),
	"revision": data.stockade.policy.revision,
}

# The same with the reasons of a denial.
default decision := {
	"allow": false,
	"rule": null,
	"reasons": ["the policy could not be evaluated"],
	"subjects": [],
	"revision": "",
}

decision := object.union(permission, {"reasons": []}) if {
	permission.allow == true
} else := object.union(permission, {"reasons": sort(reasons)})

# The rules whose operations name the one that is asked for: indexes into the list of rules.
candidates := object.get(
	data.stockade.policy.by_operation,
	input.operation,
	{"allow": [], "deny": []},
)

# No rule and no module of the user denies it.
unhindered if {
	is_set(data.stockade.extra.deny)
	count(data.stockade.extra.deny) == 0
	sparing := [index |
		some index in candidates.deny
		spares(data.stockade.policy.rules[index])
	]
	count(sparing) == count(candidates.deny)
}

# A deny rule that names nobody names everybody.
spares(rule) if {
	named := {name | some name, _ in rule.subjects}
	count(named) > 0
	count(named & asking) == 0
}

# The ids of the rules that allow it, in the order of the policy.
permitting := [rule.id |
	some index in candidates.allow
	rule := data.stockade.policy.rules[index]
	permits(rule)
]

permits(rule) if {
	rule.effect == "allow"
	addressed(rule)
	complete
	object_ok(rule)
	images_ok(rule)
	labels_ok(rule)
	spec_ok(rule)
	service_ok(rule)
	exec_ok(rule)
	volume_ok(rule)
	network_ok(rule)
	connect_ok(rule)
	build_ok(rule)
	import_ok(rule)
	login_ok(rule)
	plugin_ok(rule)
}

# One of the names of the person who asks is named by the rule.
addressed(rule) if {
	some name in asking
	rule.subjects[name] == true
}

# What the input document must hold for an operation; a document without it is denied.
details := {
	"container.create": ["spec"],
	"container.update": ["spec"],
	"service.create": ["spec", "service"],
	"service.update": ["spec", "service"],
	"exec.create": ["exec"],
	"volume.create": ["volume"],
	"network.create": ["network"],
	"network.connect": ["connect"],
	"network.disconnect": ["connect"],
	"image.build": ["build"],
}

complete if {
	needed := object.get(details, input.operation, [])
	given := [key |
		some key in needed
		is_object(input[key])
	]
	count(given) == count(needed)
	is_array(input.images)
	is_array(input.references)
}
