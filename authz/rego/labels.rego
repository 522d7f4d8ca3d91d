# Labels that a rule demands of what is created; privileges of plugins.
package stockade.authz

import rego.v1

labelled := {
	"config.create": true,
	"config.update": true,
	"container.create": true,
	"image.build": true,
	"network.create": true,
	"secret.create": true,
	"secret.update": true,
	"service.create": true,
	"service.update": true,
	"volume.create": true,
}

labels_ok(rule) if rule.labels == {}

labels_ok(_) if object.get(labelled, input.operation, false) == false

labels_ok(rule) if {
	good := [key |
		some key, expressions in rule.labels
		matches(expressions, new_labels[key])
	]
	count(good) == count(rule.labels)
}

new_labels := input.spec.labels if {
	input.operation == "container.create"
} else := input.service.labels if {
	input.operation in {"service.create", "service.update"}
} else := input.volume.labels if {
	input.operation == "volume.create"
} else := input.network.labels if {
	input.operation == "network.create"
} else := input.build.labels if {
	input.operation == "image.build"
} else := input.other.Labels

# Operations that give a plugin what its configuration asks for.
empowers_plugin := {
	"plugin.create": true,
	"plugin.pull": true,
	"plugin.set": true,
	"plugin.upgrade": true,
}

plugin_ok(_) if object.get(empowers_plugin, input.operation, false) == false

plugin_ok(rule) if rule.plugin_privileges == true

plugin_ok(_) if {
	input.operation in {"plugin.pull", "plugin.upgrade"}
	input.other.privileges == []
}
