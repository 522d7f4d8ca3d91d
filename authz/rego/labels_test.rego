package stockade.authz_test

import rego.v1

team := {"labels": {"team": whole(["ci", "web"])}}

labelled(labels) := [
	create({"labels": labels}),
	new_volume({"labels": labels, "name": ""}),
	new_network({"labels": labels}),
	building({"labels": labels}),
	ask("secret.create", {"other": {"Labels": labels}}),
	ask("config.create", {"other": {"Labels": labels}}),
	ask("secret.update", {"other": {"Labels": labels}, "object": thing("secret", {})}),
	ask("config.update", {"other": {"Labels": labels}, "object": thing("config", {})}),
	new_service({"labels": labels}),
	service_update({"labels": labels}),
]

test_labels_of_what_is_made if {
	[asked.operation | some asked in labelled({"team": "ci"}); allowed(team, asked)] == [
		"container.create",
		"volume.create",
		"network.create",
		"image.build",
		"secret.create",
		"config.create",
		"secret.update",
		"config.update",
		"service.create",
		"service.update",
	]
}

test_labels_that_are_missing if {
	fault := ["labels: team is missing or has a value that is not permitted"]
	requests := array.concat(labelled({}), labelled({"team": "db"}))
	[asked.operation | some asked in requests; not denied(team, asked, fault)] == []
	count(requests) == 20
}

test_all_labels_are_demanded if {
	denied({"labels": {"a": ["^.*$"], "b": ["^.*$"]}}, create({"labels": {"a": ""}}), [
		"labels: b is missing or has a value that is not permitted",
	])
}

test_nothing_is_made if {
	allowed(team, ask("container.list", {}))
	allowed(team, update({}))
}

# The labels of a service's containers are not its own.
test_labels_of_a_service if {
	asked := object.union(new_service({}), {"spec": {"labels": {"team": "ci"}}})
	denied(team, asked, ["labels: team is missing or has a value that is not permitted"])
}

# --- plugins ------------------------------------------------------------------------------

test_plugin_privileges if {
	fault := ["plugin-privileges: they are not permitted"]
	pulled := ask("plugin.pull", {"other": {"privileges": [{"Name": "network"}]}})
	allowed({}, ask("plugin.pull", {"other": {"privileges": []}}))
	allowed({"plugin_privileges": true}, pulled)
	denied({}, pulled, fault)
	denied({}, ask("plugin.pull", {}), fault)
	denied({}, ask("plugin.create", {"other": {"privileges": []}}), fault)
	set := ask("plugin.set", {"object": thing("plugin", {"owner": null})})
	allowed({"plugin_privileges": true}, set)
	denied({}, set, fault)
}
