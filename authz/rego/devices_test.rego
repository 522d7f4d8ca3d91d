package stockade.authz_test

import rego.v1

fuse(letters) := {
	"host": "^/dev/fuse$",
	"permissions": {letter: true | some letter in letters},
}

device(host, permissions) := create({"devices": [{"host": host, "permissions": permissions}]})

test_devices if {
	allowed({"devices": any_entry}, device("/dev/sda", "rwm"))
	allowed({"devices": entries([fuse(["r", "w"])])}, device("/dev/fuse", "rw"))
	allowed({"devices": entries([fuse(["r", "w"])])}, device("/dev/fuse", "r"))
	denied({}, device("/dev/fuse", "r"), ["devices: /dev/fuse:r is not permitted"])
	denied({"devices": entries([fuse(["r", "w"])])}, device("/dev/sda", "r"), [
		"devices: /dev/sda:r is not permitted",
	])
}

test_device_permissions if {
	permitted := {"devices": entries([fuse(["r"])])}
	denied(permitted, device("/dev/fuse", "rw"), ["devices: /dev/fuse:rw is not permitted"])
	denied(permitted, device("/dev/fuse", "m"), ["devices: /dev/fuse:m is not permitted"])
	denied(permitted, device("/dev/fuse", ""), ["devices: /dev/fuse:(empty) is not permitted"])
	denied({"devices": entries([fuse(["w", "m"])])}, device("/dev/fuse", "rwm"), [
		"devices: /dev/fuse:rwm is not permitted",
	])
}

# No two entries together permit what neither does.
test_device_entries_stand_alone if {
	denied({"devices": entries([fuse(["r"]), fuse(["w"])])}, device("/dev/fuse", "rw"), [
		"devices: /dev/fuse:rw is not permitted",
	])
}

test_all_devices_must_be_permitted if {
	asked := create({"devices": [
		{"host": "/dev/fuse", "permissions": "r"},
		{"host": "/dev/sda", "permissions": "r"},
	]})
	denied({"devices": entries([fuse(["r"])])}, asked, ["devices: /dev/sda:r is not permitted"])
}

test_devices_do_not_climb if {
	permitted := {"devices": entries([{"host": "^/dev/.*$", "permissions": {"r": true}}])}
	allowed(permitted, device("/dev/a", "r"))
	denied(permitted, device("/dev/../a", "r"), ["devices: /dev/../a:r is not permitted"])
	denied(permitted, device(null, "r"), ["devices: (none):r is not permitted"])
}

test_device_rules if {
	asked := create({"device_cgroup_rules": ["c 10:200 rwm", "a *:* r"]})
	allowed({"device_rules": anything}, asked)
	allowed({"device_rules": pats(["c 10:200 rwm", `a \*:\* r`])}, asked)
	denied({"device_rules": pats(["c 10:200 rwm"])}, asked, [
		"device-rules: a *:* r is not permitted",
	])
}

test_device_requests if {
	asked := create({"device_requests": [{"driver": "nvidia"}, {"driver": ""}]})
	allowed({"device_requests": anything}, asked)
	allowed({"device_requests": pats(["nvidia", ""])}, asked)
	denied({"device_requests": pats(["nvidia"])}, asked, [
		"device-requests: (empty) is not permitted",
	])
	denied({}, asked, [
		"device-requests: (empty) is not permitted",
		"device-requests: nvidia is not permitted",
	])
}
