package stockade.authz_test

import data.stockade.authz
import rego.v1

acting(operation, object) := ask(operation, {"object": object})

test_owners if {
	fault := ["owner: container web is not owned by the person who asks"]
	allowed({}, acting("container.kill", container({})))
	allowed({"owner": "any"}, acting("container.kill", foreign("container")))
	allowed({"owner": "any"}, acting("container.kill", container({"owner": null})))
	denied({}, acting("container.kill", foreign("container")), fault)
	denied({}, acting("container.kill", container({"owner": null})), fault)
	denied({"owner": "subject"}, acting("container.kill", foreign("container")), [
		"owner: container web is not owned by anybody of the same subject",
	])
}

test_what_does_not_exist if {
	denied({}, acting("container.kill", missing("container")), ["owner: there is no container web"])
	denied({}, acting("volume.remove", missing("volume")), ["owner: there is no volume web"])
	denied({"owner": "subject"}, acting("network.remove", missing("network")), [
		"owner: there is no network web",
	])
}

test_what_nobody_owns if {
	fault := ["owner: secret web is not owned by the person who asks"]
	allowed({}, acting("image.remove", thing("image", {"owner": null})))
	allowed({}, acting("node.inspect", thing("node", {"owner": null})))
	allowed({}, acting("plugin.disable", thing("plugin", {"owner": null})))
	denied({}, acting("secret.remove", thing("secret", {"owner": null})), fault)
}

test_operations_that_need_an_object if {
	unknown := {operation |
		some operation, _ in authz.needs_object
		some fault in decide_by([rule_with({"owner": "any"})], ask(operation, {})).reasons
		endswith(fault, ": object: what is acted upon is not known")
	}
	unknown == object.keys(authz.needs_object)
	allowed({}, ask("container.list", {}))
	allowed({}, ask("container.prune", {}))
}

# Networks are joined on behalf of a container.
test_connecting_without_a_container if {
	asked := changed(connecting("network.connect", {}), {"container_object": null})
	denied({"networks": anything}, asked, ["object: what is acted upon is not known"])
}

test_labels_of_objects if {
	dev := {"on": {"labels": {"env": ["^dev$"]}, "names": null}}
	fault := ["objects: container web does not have the labels that are asked for"]
	allowed(dev, acting("container.kill", container({"labels": {"env": "dev"}})))
	denied(dev, acting("container.kill", container({"labels": {"env": "prod"}})), fault)
	denied(dev, acting("container.kill", container({})), fault)
}

test_names_of_objects if {
	ci := {"on": {"labels": {}, "names": ["^ci-.*$"]}}
	fault := ["objects: the name of container web is not permitted"]
	allowed(ci, acting("container.kill", container({"name": "ci-1"})))
	denied(ci, acting("container.kill", container({})), fault)
	denied(ci, acting("container.kill", container({"name": null})), fault)
	denied({"on": {"labels": {}, "names": []}}, acting("container.kill", container({})), fault)
}

entering := [
	"checkpoint.create",
	"container.attach",
	"container.copy-to",
	"container.restart",
	"container.start",
	"container.unpause",
	"exec.start",
]

# Who runs something in a container has all that it has.
test_entering_containers if {
	privileged := container({"spec": object.union(base_spec, {"privileged": true})})
	entered := [operation |
		some operation in entering
		allowed({}, acting(operation, container({})))
		allowed({"privileged": true}, acting(operation, privileged))
		denied({}, acting(operation, privileged), [concat(" ", [
			"container web has what the rule does not permit:",
			"privileged: a privileged container is not permitted",
		])])
		denied({}, acting(operation, container({"spec": null})), [
			"container web: what it may do is not known",
		])
	]
	entered == entering
	allowed({}, acting("container.kill", privileged))
}

# The binds of a container that exists are held against the protected paths too.
test_entering_containers_with_binds if {
	mounts := [mount({"source": "/srv/a", "resolved": "/srv/a"})]
	spec := object.union(base_spec, {"mounts": mounts})
	asked := acting("container.start", container({"spec": spec}))
	allowed(binds([below("/srv")]), asked)
	denied({}, asked, [concat(" ", [
		"container web has what the rule does not permit:",
		"binds: /srv/a is not permitted",
	])])
}

# Containers and other things that a request refers to are found by kind and reference.
test_references if {
	found := ask("container.list", {"references": [
		container({"reference": "db"}),
		thing("volume", {}),
		thing("secret", {"reference": "db"}),
		foreign("secret"),
	]})
	authz.container_ok(base_rule, "db") with input as found
	not authz.container_ok(base_rule, "web") with input as found
	authz.own(base_rule, "volume", "web") with input as found
	authz.own(base_rule, "secret", "db") with input as found
	not authz.own(base_rule, "volume", "db") with input as found
	not authz.own(base_rule, "secret", "web") with input as found
}

# What is demanded of new containers is not demanded of those that exist.
test_demands_are_about_new_containers if {
	allowed({"read_only": true}, acting("container.start", container({})))
}
