# Volumes that are created.
package stockade.authz

import rego.v1

volume_ok(_) if input.volume == null

volume_ok(rule) if {
	is_object(input.volume)
	new_volume_ok(rule, input.volume.name)
	driver_ok(rule, input.volume.driver)
	driver_options_ok(rule, input.volume.driver_options)
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
