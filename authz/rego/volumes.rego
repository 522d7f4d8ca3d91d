# Volumes that are created.
package stockade.authz

import rego.v1

volume_ok(_) if input.volume == null

volume_ok(rule) if {
	is_object(input.volume)
	new_volume_ok(rule, input.volume.name)
	driver_ok(rule, input.volume.driver)
	driver_options_ok(rule, input.volume.driver_options)
	cluster_ok(rule, input.volume)
}

# Cluster volumes are made by a driver that the engine may choose, for all nodes of the swarm.
cluster_ok(_, volume) if volume.cluster == false

cluster_ok(rule, volume) if {
	volume.cluster == true
	rule.volume_drivers.any == true
}

new_volume_ok(rule, name) if volume_name_ok(rule, name)

# What does not exist yet will belong to the person who asks.
new_volume_ok(rule, name) if {
	rule.volumes.own == true
	some thing in input.references
	thing.kind == "volume"
	thing.reference == name
	thing.known == false
}
