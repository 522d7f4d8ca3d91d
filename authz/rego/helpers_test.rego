# What the tests share: a harmless rule and harmless requests, to be changed, and what is decided.
# These tests run in `opa test` and in the embedded engine, see tests/authz/test_rego.py.
package stockade.authz_test

import data.stockade.authz
import rego.v1

# --- rules --------------------------------------------------------------------------------

# Expressions, of which the whole text is one.
pats(texts) := {"any": false, "own": false, "patterns": whole(texts)}

whole(texts) := [expression | some text in texts; expression := concat("", ["^", text, "$"])]

none := pats([])

anything := {"any": true, "own": false, "patterns": []}

own := {"any": false, "own": true, "patterns": []}

names(list) := {"any": false, "names": {name: true | some name in list}}

any_name := {"any": true, "names": {}}

options(keys) := {"any": false, "keys": {key: whole(values) | some key, values in keys}}

any_option := {"any": true, "keys": {}}

entries(list) := {"any": false, "entries": list}

any_entry := {"any": true, "entries": []}

# An allow rule that permits nothing but the harmless.
base_rule := {
	"id": "r0",
	"file": "web.yaml",
	"line": 10,
	"effect": "allow",
	"because": "",
	"subjects": {"ci": true},
	"privileged": false,
	"capabilities": names([]),
	"namespaces": {"pid": {}, "ipc": {}, "network": {}, "uts": {}, "user": {}, "cgroup": {}},
	"binds": entries([]),
	"volumes": none,
	"volume_drivers": pats(["", "local"]),
	"volume_options": options({}),
	"volumes_from": false,
	"devices": entries([]),
	"device_rules": none,
	"device_requests": none,
	"tmpfs": {"options": {}, "max_size": null},
	"networks": none,
	"endpoint": names(["aliases"]),
	"ports": {"any": false, "ephemeral": false, "entries": []},
	"sysctls": none,
	"annotations": none,
	"runtimes": pats([""]),
	"cgroup_parents": pats([""]),
	"log_drivers": pats(["", "json-file"]),
	"storage_options": none,
	"seccomp": names(["default"]),
	"apparmor": names(["default"]),
	"selinux": none,
	"masked_paths": false,
	"oom": false,
	"realtime": false,
	"build": base_build_rule,
	"network_drivers": pats(["", "bridge"]),
	"network_options": options({}),
	"plugin_privileges": false,
	"images": any_entry,
	"pinned": false,
	"limits": {
		"memory": null,
		"nano_cpus": null,
		"pids": null,
		"read_bps": null,
		"write_bps": null,
		"read_iops": null,
		"write_iops": null,
	},
	"user": {"any": true, "non_root": false, "patterns": []},
	"no_new_privileges": false,
	"read_only": false,
	"labels": {},
	"internal": false,
	"owner": "self",
	"on": {"labels": {}, "names": null},
}

base_build_rule := {
	"networks": pats(["", "default"]),
	"remote": pats(["", "client-session"]),
	"security": false,
	"cgroup_parents": pats([""]),
	"outputs": false,
}

# A key that is changed is changed as a whole, as in the language.
changed(rule, changes) := object.union(object.remove(rule, object.keys(changes)), changes)

rule_with(changes) := changed(base_rule, changes)

# --- policies and decisions ---------------------------------------------------------------

anybody := {"cn": null, "ou": null, "sans": null, "local": false}

subjects := {
	"ci": object.union(anybody, {"ou": {"builders": true}}),
	"ops": object.union(anybody, {"cn": {"alice": true, "bob": true}}),
	"shell": object.union(anybody, {"local": true}),
}

protected := ["/run/docker.sock", "/etc/docker"]

# All rules are about all operations.
policy(operation, rules) := {
	"revision": "rev",
	"subjects": subjects,
	"by_operation": {operation: {
		"allow": [index | some index, rule in rules; rule.effect == "allow"],
		"deny": [index | some index, rule in rules; rule.effect == "deny"],
	}},
	"rules": rules,
	"protected": protected,
}

decide_by(rules, asked) := found if {
	found := authz.decision with input as asked
		with data.stockade.policy as policy(asked.operation, rules)
}

# One rule with these changes allows what is asked.
allowed(changes, asked) if {
	found := decide_by([rule_with(changes)], asked)
	found == {"allow": true, "rule": "r0", "reasons": [], "subjects": ["ci"], "revision": "rev"}
}

# It does not, and these are all the faults that it finds.
denied(changes, asked, faults) if {
	found := decide_by([rule_with(changes)], asked)
	found.allow == false
	found.rule == null
	found.reasons == sort([concat(" ", ["rule r0 (web.yaml:10):", fault]) | some fault in faults])
}

# --- requests -----------------------------------------------------------------------------

carol := {"method": "tls", "principal": "carol", "cn": "carol", "ou": ["builders"], "sans": []}

dave := {"method": "tls", "principal": "dave", "cn": "dave", "ou": ["builders"], "sans": []}

eve := {"method": "tls", "principal": "eve", "cn": "eve", "ou": [], "sans": []}

ask(operation, changes) := object.union(
	{
		"operation": operation,
		"subject": carol,
		"object": null,
		"container_object": null,
		"spec": null,
		"exec": null,
		"volume": null,
		"network": null,
		"connect": null,
		"build": null,
		"service": null,
		"images": [],
		"other": {},
		"references": [],
	},
	changes,
)

base_image := {
	"text": "nginx:1",
	"registry": "docker.io",
	"repository": "library/nginx",
	"tag": "1",
	"digest": null,
	"id": null,
	"ambiguous": false,
}

base_mode := {"mode": "default", "target": null}

base_spec := {
	"partial": false,
	"image": base_image,
	"user": {"text": "", "root": true},
	"privileged": false,
	"capabilities": {"add": []},
	"namespaces": {
		"pid": base_mode,
		"ipc": base_mode,
		"network": base_mode,
		"uts": base_mode,
		"user": base_mode,
		"cgroup": base_mode,
	},
	"seccomp": {"kind": "default", "policies": []},
	"apparmor": "default",
	"selinux": [],
	"no_new_privileges": false,
	"paths": {"masked": "default", "read_only": "default"},
	"mounts": [],
	"volumes_from": [],
	"devices": [],
	"device_cgroup_rules": [],
	"device_requests": [],
	"cgroup_parent": "",
	"runtime": "",
	"resources": {
		"memory": null,
		"nano_cpus": null,
		"cpu_realtime": false,
		"pids": null,
		"device_read_bps": [],
		"device_write_bps": [],
		"device_read_iops": [],
		"device_write_iops": [],
		"oom_kill_disable": false,
		"oom_score_adj": 0,
	},
	"networks": [],
	"links": [],
	"mac": null,
	"ports": [],
	"publish_all": false,
	"labels": {},
	"sysctls": {},
	"annotations": {},
	"storage_options": {},
	"log": {"driver": ""},
	"read_only": false,
}

create(changes) := ask("container.create", {
	"spec": spec,
	"images": [spec.image],
}) if {
	spec := object.union(base_spec, changes)
}

# An update says nothing of what it does not change.
update(changes) := ask("container.update", {
	"object": container({}),
	"spec": object.union(base_spec, object.union({"partial": true, "image": null}, changes)),
})

# A thing that exists, the property of the person who asks.
thing(kind, changes) := object.union(
	{
		"kind": kind,
		"reference": "web",
		"known": true,
		"name": "web",
		"owner": carol,
		"labels": {},
		"spec": null,
	},
	changes,
)

container(changes) := thing("container", changed({"spec": base_spec}, changes))

# What does not exist.
missing(kind) := thing(kind, {"known": false, "name": null, "owner": null})

# Something that somebody else made.
foreign(kind) := thing(kind, {"owner": eve})

endpoint := {
	"aliases": [],
	"links": [],
	"ipv4": null,
	"ipv6": null,
	"link_local_ips": [],
	"mac": null,
	"driver_options": {},
}
