package stockade.authz_test

import rego.v1

base_service := {
	"labels": {},
	"secrets": [],
	"configs": [],
	"networks": [],
	"ports": [],
	"credential_spec": null,
}

# The service is in the document twice, and its ports and networks are its containers' too.
new_service(changes) := ask("service.create", {
	"spec": object.union(base_spec, {
		"service": service,
		"networks": service.networks,
		"ports": service.ports,
	}),
	"service": service,
	"images": [base_image],
}) if {
	service := object.union(base_service, changes)
}

service_update(changes) := object.union(
	new_service(changes),
	{"operation": "service.update", "object": thing("service", {})},
)

test_a_harmless_service if {
	allowed({}, new_service({}))
	allowed({}, service_update({}))
}

test_ports_of_services if {
	asked := new_service({"ports": publishing({}).spec.ports})
	allowed(ports([web_port]), asked)
	denied({}, asked, ["ports: the host port 8080 is not permitted"])
}

test_networks_of_services if {
	asked := new_service({"networks": joining("web", {}).spec.networks})
	allowed({"networks": pats(["web"])}, asked)
	denied({}, asked, ["networks: web is not permitted"])
}

# Of what the service itself says, not only of what its containers do.
test_a_service_that_says_more_than_its_spec if {
	unproven := ["what it asks for could not be proven"]
	with_ports := {"service": {"ports": publishing({}).spec.ports}}
	with_networks := {"service": {"networks": joining("web", {}).spec.networks}}
	denied({}, object.union(new_service({}), with_ports), unproven)
	denied({}, object.union(new_service({}), with_networks), unproven)
}

test_secrets_and_configs if {
	kinds := {"secret": "secrets", "config": "configs"}
	held := {kind |
		some kind, key in kinds
		asked := new_service({key: [{"id": "web"}]})
		fault := [sprintf("owner: a %s of the service is not owned as the rule asks", [kind])]
		allowed({}, object.union(asked, {"references": [thing(kind, {})]}))
		allowed({"owner": "any"}, asked)
		denied({}, object.union(asked, {"references": [foreign(kind)]}), fault)
		denied({}, object.union(asked, {"references": [thing("volume", {})]}), fault)
		denied({}, asked, fault)
	}
	held == {"secret", "config"}
}

test_credential_specs if {
	asked := new_service({"credential_spec": "x"})
	allowed({"privileged": true}, asked)
	denied({}, asked, ["privileged: a credential specification is not permitted"])
}
