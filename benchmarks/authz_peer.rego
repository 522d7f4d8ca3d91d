# tests/e2e/authz/policy.yaml once more, as far as opa-docker-authz shows a request to its policy:
# who asks by the certificate's common name only, bodies as they are, nothing of existing things.
package docker.authz

import rego.v1

default allow := false

subjects contains "ops" if input.User == "alice"

subjects contains "builders" if input.User == "bob"

subjects contains "deploy" if input.User == "carol"

subjects contains "shell" if input.User == ""

route := concat("/", array.slice(input.PathArr, 2, count(input.PathArr))) if {
	regex.match(`^v1\.[0-9]+$`, input.PathArr[1])
} else := concat("/", array.slice(input.PathArr, 1, count(input.PathArr)))

asked := sprintf("%s %s", [input.Method, route])

allow if "ops" in subjects

allow if {
	some name in ["builders", "shell"]
	name in subjects
	some pattern in reading
	regex.match(pattern, asked)
}

allow if {
	some name in ["builders", "shell"]
	name in subjects
	some pattern in working
	regex.match(pattern, asked)
}

allow if {
	some name in ["builders", "shell"]
	name in subjects
	asked == "POST containers/create"
	ordinary
	object.get(host, "CapAdd", null) in [null, [], ["NET_BIND_SERVICE"]]
	bad_binds == 0
	good_ports
	allowed_image
}

allow if {
	"deploy" in subjects
	asked == "POST containers/create"
	ordinary
	object.get(host, "CapAdd", null) in [null, []]
	object.get(host, "Binds", null) in [null, []]
	input.Body.Image == "stockade-test:busybox"
	some option in host.SecurityOpt
	startswith(option, "no-new-privileges")
	host.ReadonlyRootfs == true
	host.Memory > 0
	host.Memory <= 268435456
	host.NanoCpus > 0
	host.NanoCpus <= 1000000000
	host.PidsLimit > 0
	host.PidsLimit <= 100
	not input.Body.User in ["", "0", "root"]
	input.Body.Labels.team == "deploy"
}

reading := [
	`^(GET|HEAD) _ping$`,
	`^GET (version|info|system/df)$`,
	`^GET (containers|images)/json$`,
	`^GET images/.+/(json|history)$`,
	`^GET (networks|volumes)(/[^/]+)?$`,
]

working := [
	`^POST containers/[^/]+/(start|stop|kill|restart|pause|unpause|wait|resize|rename|attach|update)$`,
	`^GET containers/[^/]+/(json|logs|top|stats|changes|export|archive)$`,
	`^PUT containers/[^/]+/archive$`,
	`^DELETE (containers|images|networks|volumes)/.+$`,
	`^POST containers/[^/]+/exec$`,
	`^(POST|GET) exec/[^/]+/(start|resize|json)$`,
	`^POST (build|build/cancel|commit|session|volumes/create|networks/create)$`,
	`^POST (images|networks)/.+/(tag|connect|disconnect)$`,
]

host := object.get(input.Body, "HostConfig", {})

# No more rights than a container has that asks for none.
ordinary if {
	object.get(host, "Privileged", false) == false
	every mode in ["PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode", "CgroupParent"] {
		object.get(host, mode, "") in ["", "private", "none"]
	}
	every list in ["Devices", "DeviceRequests", "DeviceCgroupRules", "VolumesFrom", "Mounts"] {
		object.get(host, list, null) in [null, []]
	}
	object.get(host, "MaskedPaths", null) == null
	object.get(host, "ReadonlyPaths", null) == null
	object.get(host, "OomKillDisable", false) in [null, false]
	regex.match(`^(default|none|bridge|ci-.*|)$`, object.get(host, "NetworkMode", ""))
	not unconfined
}

unconfined if {
	some option in host.SecurityOpt
	not startswith(option, "no-new-privileges")
}

bad_binds := count([bind |
	some bind in host.Binds
	not regex.match(`^(@SRV@/[^:]+:/data/[^:]+:ro|ci-[^:/]*:[^:]+(:r[ow])?)$`, bind)
])

good_ports if {
	bad := [port |
		some published in host.PortBindings
		some port in published
		not regex.match(`^(8[0-9]{3}|)$`, port.HostPort)
	]
	count(bad) == 0
}

allowed_image if input.Body.Image == "stockade-test:busybox"

allowed_image if regex.match(`^ci-[^/]*(:[^/]*)?$`, input.Body.Image)
