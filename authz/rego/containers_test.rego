package stockade.authz_test

import data.stockade.authz
import rego.v1

test_a_harmless_container if allowed({}, create({}))

test_privileged if {
	allowed({"privileged": true}, create({"privileged": true}))
	allowed({"privileged": true}, create({}))
	denied({}, create({"privileged": true}), [
		"privileged: a privileged container is not permitted",
	])
}

# One word permits all that comes with it, where the container is privileged.
test_privileged_permits_what_comes_with_it if {
	undone := {
		"privileged": true,
		"seccomp": {"kind": "unconfined"},
		"apparmor": "unconfined",
		"paths": {"masked": "none", "read_only": "none"},
	}
	allowed({"privileged": true}, create(undone))
	denied({"privileged": true}, create(object.union(undone, {"privileged": false})), [
		"apparmor: unconfined is not permitted, only default",
		"masked-paths: a change of masked or read-only paths is not permitted",
		"seccomp: unconfined is not permitted, only default",
	])
}

test_capabilities if {
	two := create({"capabilities": {"add": ["BPF", "NET_ADMIN"]}})
	allowed({"capabilities": any_name}, two)
	allowed({"capabilities": names(["BPF", "NET_ADMIN"])}, two)
	denied({"capabilities": names(["BPF"])}, two, ["capabilities: NET_ADMIN is not permitted"])
	denied({}, two, [
		"capabilities: BPF is not permitted",
		"capabilities: NET_ADMIN is not permitted",
	])
}

test_host_namespaces if {
	kinds := ["cgroup", "ipc", "pid", "user", "uts", "network"]
	allowing := {kind |
		some kind in kinds
		namespaces := object.union(base_rule.namespaces, {kind: {"host": true}})
		allowed({"namespaces": namespaces}, create({"namespaces": {kind: {"mode": "host"}}}))
	}
	allowing == {kind | some kind in kinds}
	denying := {kind |
		some kind in kinds
		fault := sprintf("namespaces: %s host is not permitted", [kind])
		denied({}, create({"namespaces": {kind: {"mode": "host"}}}), [fault])
	}
	denying == {kind | some kind in kinds}
}

test_harmless_namespaces if {
	allowed({}, create({"namespaces": {"ipc": {"mode": "private"}, "network": {"mode": "none"}}}))
	denied({}, create({"namespaces": {"ipc": {"mode": "shareable"}}}), [
		"namespaces: ipc shareable is not permitted",
	])
}

joins(kind, target) := create({"namespaces": {kind: {"mode": "container", "target": target}}})

# The container must also be one that the rule is about.
test_namespaces_of_containers if {
	permitted := {"namespaces": object.union(base_rule.namespaces, {"pid": {"container": true}})}
	asked := joins("pid", "web")
	allowed(permitted, object.union(asked, {"references": [container({})]}))
	allowed(object.union(permitted, {"owner": "any"}), asked)
	fault := ["namespaces: pid container:web is not permitted"]
	denied(permitted, asked, fault)
	denied(permitted, object.union(asked, {"references": [foreign("container")]}), fault)
	denied({}, object.union(asked, {"references": [container({})]}), fault)
	host := object.union(asked, {"spec": {"namespaces": {"pid": {"mode": "host"}}}})
	denied(object.union(permitted, {"owner": "any"}), host, [
		"namespaces: pid host:web is not permitted",
	])
	denied(object.union(permitted, {"owner": "any"}), joins("pid", null), [
		"namespaces: pid container is not permitted",
	])
}

test_named_network_mode if {
	asked := create({"namespaces": {"network": {"mode": "named", "target": "ci-1"}}})
	allowed({"networks": pats(["ci-[^/]*"])}, asked)
	denied({"networks": pats(["web"])}, asked, ["namespaces: network named:ci-1 is not permitted"])
	host := create({"namespaces": {"network": {"mode": "host", "target": "ci-1"}}})
	denied({"networks": anything}, host, ["namespaces: network host:ci-1 is not permitted"])
}

test_seccomp if {
	unconfined := create({"seccomp": {"kind": "unconfined"}})
	profile := create({"seccomp": {"kind": "profile", "policies": ["web", "small"]}})
	allowed({}, create({"seccomp": {"kind": "builtin"}}))
	allowed({"seccomp": any_name}, unconfined)
	allowed({"seccomp": names(["unconfined"])}, unconfined)
	allowed({"seccomp": names(["web"])}, profile)
	denied({}, unconfined, ["seccomp: unconfined is not permitted, only default"])
	denied({"seccomp": names(["web", "db"])}, create({}), [
		"seccomp: default is not permitted, only db, web",
	])
	denied({"seccomp": names([])}, profile, ["seccomp: profile is not permitted, only none"])
}

test_seccomp_policies_count_for_profiles_only if {
	asked := create({"seccomp": {"kind": "unconfined", "policies": ["web"]}})
	denied({"seccomp": names(["web"])}, asked, ["seccomp: unconfined is not permitted, only web"])
}

# What a policy is called cannot make it one of the words.
test_seccomp_policies_with_misleading_names if {
	asked := create({"seccomp": {"kind": "profile", "policies": ["default", "unconfined"]}})
	denied({"seccomp": names(["default", "unconfined"])}, asked, [
		"seccomp: profile is not permitted, only default, unconfined",
	])
}

test_apparmor if {
	unconfined := create({"apparmor": "unconfined"})
	allowed({"apparmor": any_name}, unconfined)
	allowed({"apparmor": names(["unconfined"])}, unconfined)
	denied({}, unconfined, ["apparmor: unconfined is not permitted, only default"])
	denied({"apparmor": names(["web"])}, create({}), [
		"apparmor: default is not permitted, only web",
	])
}

test_masked_paths if {
	masked := create({"paths": {"masked": "none"}})
	read_only := create({"paths": {"read_only": "none"}})
	allowed({"masked_paths": true}, masked)
	allowed({"masked_paths": true}, read_only)
	fault := ["masked-paths: a change of masked or read-only paths is not permitted"]
	denied({}, masked, fault)
	denied({}, read_only, fault)
}

test_selinux if {
	asked := create({"selinux": ["type:web_t", "level:s0"]})
	allowed({"selinux": anything}, asked)
	allowed({"selinux": pats(["type:web_t", "level:s0"])}, asked)
	denied({"selinux": pats(["level:s0"])}, asked, ["selinux: type:web_t is not permitted"])
}

test_runtimes if {
	asked := create({"runtime": "runsc"})
	allowed({"runtimes": pats(["runsc"])}, asked)
	denied({}, asked, ["runtimes: runsc is not permitted"])
	denied({"runtimes": pats(["runsc"])}, create({}), ["runtimes: (empty) is not permitted"])
}

test_log_drivers if {
	asked := create({"log": {"driver": "syslog"}})
	allowed({"log_drivers": anything}, asked)
	allowed({}, create({"log": {"driver": "json-file"}}))
	denied({}, asked, ["log-drivers: syslog is not permitted"])
}

test_cgroup_parents if {
	permitted := {"cgroup_parents": pats(["/ci/.*"])}
	allowed(permitted, create({"cgroup_parent": "/ci/a"}))
	allowed({"cgroup_parents": anything}, create({"cgroup_parent": "/ci/../a"}))
	denied(permitted, create({"cgroup_parent": "/ci/../a"}), [
		"cgroup-parents: /ci/../a is not permitted",
	])
	denied({}, create({"cgroup_parent": "/ci/a"}), ["cgroup-parents: /ci/a is not permitted"])
}

test_sysctls_annotations_storage_options if {
	keys := {
		"sysctls": "sysctls",
		"annotations": "annotations",
		"storage_options": "storage-options",
	}
	held := {key |
		some key, said in keys
		asked := create({key: {"a": "1", "b": "2"}})
		fault := sprintf("%s: b is not permitted", [said])
		allowed({key: anything}, asked)
		allowed({key: pats(["a", "b"])}, asked)
		denied({key: pats(["a"])}, asked, [fault])
	}
	held == object.keys(keys)
}

test_oom if {
	fault := ["oom: evading the out-of-memory killer is not permitted"]
	off := create({"resources": {"oom_kill_disable": true}})
	negative := create({"resources": {"oom_score_adj": -1}})
	allowed({"oom": true}, off)
	allowed({"oom": true}, negative)
	allowed({}, create({"resources": {"oom_score_adj": 5}}))
	denied({}, off, fault)
	denied({}, negative, fault)
	denied({}, create({"resources": {"oom_score_adj": null}}), fault)
}

test_realtime if {
	asked := create({"resources": {"cpu_realtime": true}})
	allowed({"realtime": true}, asked)
	denied({}, asked, ["realtime: real-time scheduling is not permitted"])
}

# A rule without `default` does not hinder an update of other things.
demanding := {
	"seccomp": names(["web"]),
	"apparmor": names(["web"]),
	"runtimes": pats(["runsc"]),
	"log_drivers": pats(["syslog"]),
	"cgroup_parents": pats(["/ci"]),
}

test_updates_leave_alone_what_they_do_not_name if {
	allowed(demanding, update({"resources": {"memory": 5}}))
	denied(demanding, create({"resources": {"memory": 5}}), [
		"apparmor: default is not permitted, only web",
		"cgroup-parents: (empty) is not permitted",
		"log-drivers: (empty) is not permitted",
		"runtimes: (empty) is not permitted",
		"seccomp: default is not permitted, only web",
	])
}

test_updates_that_name_something if {
	denied(demanding, update({"runtime": "runc", "apparmor": "unconfined"}), [
		"apparmor: unconfined is not permitted, only web",
		"runtimes: runc is not permitted",
	])
	denied({}, update({"devices": [{"host": "/dev/sda", "permissions": "rwm"}]}), [
		"devices: /dev/sda:rwm is not permitted",
	])
}

test_unsaid if {
	authz.unsaid({"partial": true}, "")
	authz.unsaid({"partial": true}, "default")
	not authz.unsaid({"partial": true}, "unconfined")
	not authz.unsaid({"partial": false}, "")
	not authz.unsaid({}, "default")
}

# What cannot be evaluated is denied.
test_incomplete_specs if {
	gaps := ["capabilities", "namespaces", "seccomp", "mounts", "ports", "networks", "resources"]
	denied_gaps := {gap |
		some gap in gaps
		asked := changed(create({}), {"spec": object.remove(base_spec, [gap])})
		found := decide_by([base_rule], asked)
		found.allow == false
	}
	denied_gaps == {gap | some gap in gaps}
}
