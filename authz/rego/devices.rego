# Devices, device cgroup rules and requests to device drivers.
package stockade.authz

import rego.v1

devices_ok(rule, _) if rule.devices.any == true

devices_ok(_, spec) if spec.devices == []

devices_ok(rule, spec) if {
	good := [device |
		some device in spec.devices
		device_ok(rule, device)
	]
	count(good) == count(spec.devices)
}

device_ok(rule, _) if rule.devices.any == true

device_ok(rule, device) if {
	some entry in rule.devices.entries
	is_string(device.host)
	fits(entry.host, device.host)
	contains(device.host, "..") == false
	device.permissions in {"r", "rw", "rwm", "rm", "w", "wm", "m"}
	access_ok(entry, device, "r")
	access_ok(entry, device, "w")
	access_ok(entry, device, "m")
}

access_ok(entry, _, letter) if entry.permissions[letter] == true

access_ok(_, device, letter) if contains(device.permissions, letter) == false

device_rules_ok(rule, spec) if texts_ok(rule.device_rules, spec.device_cgroup_rules)

device_requests_ok(rule, _) if rule.device_requests.any == true

device_requests_ok(_, spec) if spec.device_requests == []

device_requests_ok(rule, spec) if {
	good := [request |
		some request in spec.device_requests
		text_ok(rule.device_requests, request.driver)
	]
	count(good) == count(spec.device_requests)
}
