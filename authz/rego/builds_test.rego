package stockade.authz_test

import rego.v1

building(changes) := ask("image.build", {"build": object.union(
	{
		"remote": "",
		"network": "",
		"outputs": "",
		"cgroup_parent": "",
		"security_options": [],
		"labels": {},
	},
	changes,
)})

build(changes) := {"build": object.union(base_build_rule, changes)}

test_a_harmless_build if {
	allowed({}, building({}))
	allowed({}, building({"remote": "client-session", "network": "default"}))
	allowed({"build": {}}, building({"network": null, "remote": null}))
}

test_build_networks if {
	fault := ["build: the network web is not permitted"]
	allowed(build({"networks": pats(["web"])}), building({"network": "web"}))
	denied({}, building({"network": "web"}), fault)
	denied({"networks": anything}, building({"network": "web"}), fault)
}

# A network asked for by its id is judged by its name too.
test_true_names_of_build_networks if {
	asked := object.union(
		building({"network": "1a"}),
		{"references": [thing("network", {"reference": "1a", "name": "host"})]},
	)
	allowed(build({"networks": pats(["1a", "host"])}), asked)
	by_id := build({"networks": pats(["1a"])})
	denied(by_id, asked, ["build: the network 1a is not permitted"])
	denied(object.union(by_id, {"owner": "any"}), asked, ["build: the network 1a is not permitted"])
}

test_builds_in_networks_of_containers if {
	asked := building({"network": "container:web"})
	permitted := build({"networks": pats(["container:.*"])})
	fault := ["build: the network container:web is not permitted"]
	allowed(permitted, object.union(asked, {"references": [container({})]}))
	denied(permitted, asked, fault)
	denied(permitted, object.union(asked, {"references": [foreign("container")]}), fault)
	denied({}, object.union(asked, {"references": [container({})]}), fault)
}

test_build_contexts if {
	asked := building({"remote": "https://example.org/a.git"})
	allowed(build({"remote": pats(["https://example.org/.*"])}), asked)
	denied({}, asked, ["build: the context https://example.org/a.git is not permitted"])
}

test_build_security_options if {
	asked := building({"security_options": ["seccomp=unconfined"]})
	allowed(build({"security": true}), asked)
	denied({}, asked, ["build: security options are not permitted"])
}

test_build_cgroup_parents if {
	permitted := build({"cgroup_parents": pats(["/ci/.*"])})
	allowed(permitted, building({"cgroup_parent": "/ci/a"}))
	denied(permitted, building({"cgroup_parent": "/ci/../a"}), [
		"build: the cgroup parent /ci/../a is not permitted",
	])
	denied({}, building({"cgroup_parent": "/ci/a"}), [
		"build: the cgroup parent /ci/a is not permitted",
	])
}

test_build_outputs if {
	allowed(build({"outputs": true}), building({"outputs": "type=local"}))
	denied({}, building({"outputs": "type=local"}), ["build: outputs are not permitted"])
}

# --- imports ------------------------------------------------------------------------------

importing(other) := ask("image.import", {"other": other})

test_imports_from_elsewhere_are_builds if {
	asked := importing({"source": "https://example.org/a.tar"})
	allowed({}, importing({"source": "-"}))
	allowed(build({"remote": pats(["https://example.org/.*"])}), asked)
	denied({}, asked, ["build: the source https://example.org/a.tar is not permitted"])
}

test_imports_from_nowhere if {
	found := decide_by([base_rule], importing({}))
	found.allow == false
}
