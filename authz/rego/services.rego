# What a service is beyond its containers.
package stockade.authz

import rego.v1

service_ok(_) if input.service == null

service_ok(rule) if {
	is_object(input.service)
	ports_ok(rule, input.service.ports)
	networks_ok(rule, input.service.networks)
	service_things_ok(rule, "secret", input.service.secrets)
	service_things_ok(rule, "config", input.service.configs)
	credentials_ok(rule, input.service)
}

# Secrets and configs are shown to whoever runs in the service.
service_things_ok(_, _, things) if things == []

service_things_ok(rule, _, _) if rule.owner == "any"

service_things_ok(rule, kind, things) if {
	good := [thing |
		some thing in things
		own(rule, kind, thing.id)
	]
	count(good) == count(things)
}

credentials_ok(_, service) if nothing(service.credential_spec)

credentials_ok(rule, _) if rule.privileged == true
