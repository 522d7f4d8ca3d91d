# Why a request is denied: sentences for the person who asked, made only when it is denied.
# Nothing is decided here.
package stockade.authz

import rego.v1

reasons := messages if {
	count(messages) > 0
} else := complaints if {
	count(complaints) > 0
} else := {sprintf("no rule allows %s to %s%s", [operation_text, person_text, names_text])}

messages := extra_messages | rule_messages

complaints := {sentence |
	some rule in addressing
	some sentence in complaints_of(rule)
}

# Denied by somebody, not only allowed by nobody.
extra_messages := {sprintf("denied: %s", [text_of(message)]) |
	some message in data.stockade.extra.deny
}

rule_messages := {sentence |
	some rule in denying
	sentence := sprintf("rule %s denies %s%s", [place(rule), operation_text, because(rule)])
}

denying := [rule |
	some index in candidates.deny
	rule := data.stockade.policy.rules[index]
	not spares(rule)
]

denying_rule := "rego.deny" if {
	count(data.stockade.extra.deny) > 0
} else := denying[0].id if {
	count(denying) > 0
} else := null

addressing := [rule |
	some index in candidates.allow
	rule := data.stockade.policy.rules[index]
	addressed(rule)
]

place(rule) := sprintf("%s (%s:%d)", [rule.id, rule.file, rule.line])

because(rule) := "" if nothing(rule.because)

else := sprintf(": %s", [rule.because])

operation_text := input.operation if {
	is_string(input.operation)
} else := "the operation"

names_text := "" if {
	count(asking) == 0
} else := sprintf(" (%s)", [concat(", ", sort(asking))])

complaints_of(rule) := {sprintf("rule %s: %s", [place(rule), fault]) |
	some fault in faults(rule)
} if {
	count(faults(rule)) > 0
} else := {sprintf("rule %s: what it asks for could not be proven", [place(rule)]) | not permits(rule)}

faults(rule) := union({
	input_faults,
	object_faults(rule),
	spec_faults(rule),
	exec_faults(rule),
	image_faults(rule),
	volume_faults(rule),
	network_faults(rule),
	build_faults(rule),
	other_faults(rule),
})

input_faults := {"input: the request is not described completely" | not complete}

object_faults(rule) := {"object: what is acted upon is not known" |
	not is_object(acted_upon)
	not object_ok(rule)
} | {sentence |
	is_object(acted_upon)
	some sentence in thing_faults(rule, acted_upon)
}

thing_faults(rule, thing) := (((({sentence |
	not owned_ok(rule, thing)
	thing.known == false
	sentence := sprintf("owner: there is no %s", [thing_text(thing)])
} | {sentence |
	not owned_ok(rule, thing)
	thing.known == true
	sentence := sprintf("owner: %s is not owned by %s", [thing_text(thing), owners[rule.owner]])
}) | {sentence |
	not on_labels_ok(rule, thing)
	sentence := sprintf("objects: %s does not have the labels that are asked for", [thing_text(thing)])
}) | {sentence |
	not on_names_ok(rule, thing)
	sentence := sprintf("objects: the name of %s is not permitted", [thing_text(thing)])
}) | {sentence |
	enters[input.operation] == true
	not is_object(thing.spec)
	sentence := sprintf("%s: what it may do is not known", [thing_text(thing)])
}) | {sentence |
	enters[input.operation] == true
	is_object(thing.spec)
	some fault in confinement_faults(rule, thing.spec)
	sentence := sprintf("%s has what the rule does not permit: %s", [thing_text(thing), fault])
}

owners := {"self": "the person who asks", "subject": "anybody of the same subject"}

thing_text(thing) := sprintf("%s %s", [thing.kind, text_of(thing.reference)])

# What a sentence quotes: a text, or a short mark for what is none.
text_of(value) := value if {
	is_string(value)
	value != ""
} else := json.marshal(value) if {
	is_number(value)
} else := "(none)" if {
	value == null
} else := "(empty)" if {
	value == ""
} else := json.marshal(value)

spec_faults(rule) := ({sentence |
	is_object(input.spec)
	some sentence in confinement_faults(rule, input.spec)
} | {sentence |
	is_object(input.spec)
	some sentence in demand_faults(rule, input.spec)
}) | {sentence |
	is_object(input.spec)
	is_object(input.spec.service)
	some sentence in service_faults(rule, input.spec.service)
}

exec_faults(rule) := {sentence |
	is_object(input.exec)
	not privileged_ok(rule, input.exec)
	sentence := "privileged: a privileged command is not permitted"
} | {sentence |
	is_object(input.exec)
	not user_ok(rule, exec_user)
	sentence := sprintf("user: %s is not permitted", [text_of(exec_user.text)])
}

image_faults(rule) := {sentence |
	not images_ok(rule)
	some image in named_images
	some sentence in one_image_faults(rule, image)
} | {sentence |
	not images_ok(rule)
	not enough(named_images)
	sentence := sprintf("images: %s does not say which images", [operation_text])
}

one_image_faults(rule, image) := ({sentence |
	not image_ok(rule, image)
	not image.ambiguous
	sentence := sprintf("images: %s is not permitted", [text_of(image.text)])
} | {sentence |
	not image_ok(rule, image)
	image.ambiguous == true
	sentence := sprintf("images: %s could be an id; write it with a tag", [text_of(image.text)])
}) | {sentence |
	not pin_ok(rule, image)
	sentence := sprintf("pinned: %s must be named by digest or id", [text_of(image.text)])
}

volume_faults(rule) := {sentence |
	is_object(input.volume)
	not new_volume_ok(rule, input.volume.name)
	sentence := sprintf("volumes: %s is not permitted", [text_of(input.volume.name)])
} | {sentence |
	is_object(input.volume)
	some sentence in (driver_faults(rule, input.volume) | cluster_faults(rule, input.volume))
}

cluster_faults(rule, volume) := {"volume-drivers: a cluster volume is not permitted" |
	not cluster_ok(rule, volume)
}

driver_faults(rule, volume) := ({sentence |
	not driver_ok(rule, volume.driver)
	sentence := sprintf("volume-drivers: %s is not permitted", [text_of(volume.driver)])
} | {sentence |
	not driver_options_ok(rule, volume.driver_options)
	some key, value in volume.driver_options
	not option_ok(rule.volume_options, key, value)
	sentence := sprintf("volume-options: %s=%s is not permitted", [key, text_of(value)])
}) | {sentence |
	some key, value in volume.driver_options
	not option_apart(rule, value)
	sentence := sprintf("binds: the volume option %s=%s is a protected path", [key, text_of(value)])
}

network_faults(rule) := ({sentence |
	is_object(input.network)
	some sentence in new_network_faults(rule, input.network)
} | {sentence |
	is_object(input.connect)
	not connect_ok(rule)
	not joinable(rule, input.connect.network)
	sentence := sprintf("networks: %s is not permitted", [text_of(input.connect.network)])
}) | {sentence |
	is_object(input.connect)
	not connect_ok(rule)
	not connect_endpoint_ok(rule, input.connect.endpoint)
	sentence := "endpoint: a link, an address or an option of it is not permitted"
}

new_network_faults(rule, network) := ((({sentence |
	not network_driver_ok(rule, network)
	sentence := sprintf("network-drivers: %s is not permitted", [text_of(network.driver)])
} | {sentence |
	not ipam_driver_ok(rule, network)
	sentence := sprintf("network-drivers: %s is not permitted", [text_of(network.ipam_driver)])
}) | {sentence |
	some options in [network.driver_options, network.ipam_options]
	some key, value in options
	not option_ok(rule.network_options, key, value)
	sentence := sprintf("network-options: %s=%s is not permitted", [key, text_of(value)])
}) | {sentence |
	not internal_ok(rule, network)
	sentence := "internal: the network must be internal"
}) | {sentence |
	not config_from_ok(rule, network)
	sentence := sprintf("networks: %s is not permitted", [text_of(network.config_from)])
}

build_faults(rule) := {sentence |
	is_object(input.build)
	some sentence in one_build_faults(rule, input.build)
}

one_build_faults(rule, build) := ((({sentence |
	not build_network_ok(rule, build)
	sentence := sprintf("build: the network %s is not permitted", [text_of(build.network)])
} | {sentence |
	not build_remote_ok(rule, build)
	sentence := sprintf("build: the context %s is not permitted", [text_of(build.remote)])
}) | {sentence |
	not build_security_ok(rule, build)
	sentence := "build: security options are not permitted"
}) | {sentence |
	not build_cgroup_ok(rule, build)
	sentence := sprintf("build: the cgroup parent %s is not permitted", [text_of(build.cgroup_parent)])
}) | {sentence |
	not build_outputs_ok(rule, build)
	sentence := "build: outputs are not permitted"
}

other_faults(rule) := (({sentence |
	not login_ok(rule)
	sentence := "images: a login does not show its registry; a rule without `images` permits it"
} | {sentence |
	not import_ok(rule)
	sentence := sprintf("build: the source %s is not permitted", [text_of(input.other.source)])
}) | {sentence |
	not labels_ok(rule)
	some key, expressions in rule.labels
	not label_matches(expressions, key)
	sentence := sprintf("labels: %s is missing or has a value that is not permitted", [key])
}) | {sentence |
	not plugin_ok(rule)
	sentence := "plugin-privileges: they are not permitted"
}

label_matches(expressions, key) if matches(expressions, new_labels[key])
