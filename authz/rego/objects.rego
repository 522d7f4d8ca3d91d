# The existing thing that is acted upon: owner, labels, name; and what a container may be when
# something is run in it.
package stockade.authz

import rego.v1

# Operations that must name an existing thing.
needs_object := {
	"checkpoint.create": true,
	"checkpoint.list": true,
	"checkpoint.remove": true,
	"config.inspect": true,
	"config.remove": true,
	"config.update": true,
	"container.attach": true,
	"container.changes": true,
	"container.copy-from": true,
	"container.copy-to": true,
	"container.export": true,
	"container.inspect": true,
	"container.kill": true,
	"container.logs": true,
	"container.pause": true,
	"container.remove": true,
	"container.rename": true,
	"container.resize": true,
	"container.restart": true,
	"container.start": true,
	"container.stat": true,
	"container.stats": true,
	"container.stop": true,
	"container.top": true,
	"container.unpause": true,
	"container.update": true,
	"container.wait": true,
	"exec.create": true,
	"exec.inspect": true,
	"exec.resize": true,
	"exec.start": true,
	"image.attestations": true,
	"image.commit": true,
	"image.distribution": true,
	"image.history": true,
	"image.inspect": true,
	"image.push": true,
	"image.remove": true,
	"image.tag": true,
	"network.connect": true,
	"network.disconnect": true,
	"network.inspect": true,
	"network.remove": true,
	"node.inspect": true,
	"node.remove": true,
	"node.update": true,
	"plugin.disable": true,
	"plugin.enable": true,
	"plugin.inspect": true,
	"plugin.push": true,
	"plugin.remove": true,
	"plugin.set": true,
	"plugin.upgrade": true,
	"secret.inspect": true,
	"secret.remove": true,
	"secret.update": true,
	"service.inspect": true,
	"service.logs": true,
	"service.remove": true,
	"service.update": true,
	"task.inspect": true,
	"task.logs": true,
	"volume.inspect": true,
	"volume.remove": true,
	"volume.update": true,
}

# Operations that run or change something inside of a container that exists.
enters := {
	"checkpoint.create": true,
	"container.attach": true,
	"container.copy-to": true,
	"container.restart": true,
	"container.start": true,
	"container.unpause": true,
	"exec.create": true,
	"exec.start": true,
}

# Things that nobody owns.
ownerless := {
	"image": true,
	"node": true,
	"plugin": true,
}

# Networks are joined and left on behalf of a container; `networks` says which.
acted_upon := input.container_object if {
	input.operation in {"network.connect", "network.disconnect"}
} else := input.object

object_ok(_) if {
	acted_upon == null
	object.get(needs_object, input.operation, false) == false
}

object_ok(rule) if {
	is_object(acted_upon)
	owned_ok(rule, acted_upon)
	on_labels_ok(rule, acted_upon)
	on_names_ok(rule, acted_upon)
	entry_ok(rule, acted_upon)
}

owned_ok(rule, thing) if owner_ok(rule, thing)

owned_ok(_, thing) if ownerless[thing.kind] == true

on_labels_ok(rule, thing) if {
	good := [key |
		some key, expressions in rule.on.labels
		matches(expressions, thing.labels[key])
	]
	count(good) == count(rule.on.labels)
}

on_names_ok(rule, _) if rule.on.names == null

on_names_ok(rule, thing) if matches(rule.on.names, thing.name)

entry_ok(_, _) if object.get(enters, input.operation, false) == false

entry_ok(rule, thing) if {
	is_object(thing.spec)
	confined(rule, thing.spec)
}

# A container that the request refers to: it must be one that the rule would let be acted upon.
container_ok(rule, _) if rule.owner == "any"

container_ok(rule, text) if {
	some thing in input.references
	thing.kind == "container"
	thing.reference == text
	owner_ok(rule, thing)
}

# A thing of another kind that belongs to somebody the rule accepts.
own(rule, kind, text) if {
	some thing in input.references
	thing.kind == kind
	thing.reference == text
	is_object(thing.owner)
	owner_ok(rule, thing)
}
