package stockade.authz_test

import rego.v1

joining(name, changes) := create({"networks": [object.union(
	object.union(endpoint, {"name": name}),
	changes,
)]})

network_known(asked, found) := object.union(asked, {"references": [found]})

test_networks if {
	allowed({}, joining("bridge", {}))
	allowed({"networks": anything}, joining("web", {}))
	allowed({"networks": pats(["web"])}, joining("web", {}))
	denied({"networks": pats(["db"])}, joining("web", {}), ["networks: web is not permitted"])
	denied({"networks": anything}, joining(null, {}), ["networks: (none) is not permitted"])
}

# `any` is about networks, not about the host's.
test_the_network_of_the_host if {
	host := {"namespaces": object.union(base_rule.namespaces, {"network": {"host": true}})}
	allowed(host, joining("host", {}))
	denied(host, joining("web", {}), ["networks: web is not permitted"])
	denied({"networks": anything}, joining("host", {}), ["networks: host is not permitted"])
	own_host := network_known(joining("host", {}), thing("network", {"reference": "host"}))
	denied({"networks": own}, own_host, ["networks: host is not permitted"])
}

test_own_networks if {
	asked := joining("web", {})
	fault := ["networks: web is not permitted"]
	allowed({"networks": own}, network_known(asked, thing("network", {})))
	denied({"networks": own}, network_known(asked, foreign("network")), fault)
	denied({"networks": own}, network_known(asked, missing("network")), fault)
	denied({"networks": own}, network_known(asked, container({})), fault)
	denied({"networks": own}, network_known(asked, thing("network", {"reference": "db"})), fault)
	denied({}, network_known(asked, thing("network", {})), fault)
}

named(name) := network_known(
	joining("1a", {}),
	thing("network", {"reference": "1a", "name": name}),
)

# A network asked for by its id is judged by its name too.
test_true_names_of_networks if {
	allowed({"networks": anything}, named("web"))
	denied({"networks": anything}, named("host"), ["networks: 1a is not permitted"])
	denied({"networks": pats(["1a"])}, named("web"), ["networks: 1a is not permitted"])
	allowed({"networks": pats(["1a", "web"])}, named("web"))
	other := thing("network", {"reference": "2b", "name": "host"})
	allowed({"networks": anything}, network_known(joining("1a", {}), other))
}

endpoint_fault := ["endpoint: a link, an address or an option of it in bridge is not permitted"]

test_endpoints if {
	features := {
		"aliases": {"aliases": ["db"]},
		"fixed-ip": {"ipv4": "10.0.0.1", "ipv6": "fd::1", "link_local_ips": ["fe80::1"]},
		"fixed-mac": {"mac": "02:00:00:00:00:01"},
		"driver-options": {"driver_options": {"x": "y"}},
	}
	open := {feature |
		some feature, changes in features
		allowed({"endpoint": names([feature])}, joining("bridge", changes))
		allowed({"endpoint": any_name}, joining("bridge", changes))
		denied({"endpoint": names(["links"])}, joining("bridge", changes), endpoint_fault)
	}
	open == object.keys(features)
}

test_each_address_of_an_endpoint if {
	asked := [{"ipv4": "10.0.0.1"}, {"ipv6": "fd::1"}, {"link_local_ips": ["fe80::1"]}]
	closed := [changes |
		some changes in asked
		denied({}, joining("bridge", changes), endpoint_fault)
	]
	closed == asked
}

test_links if {
	permitted := {"endpoint": names(["links"])}
	asked := joining("bridge", {"links": ["web:db"]})
	allowed(permitted, object.union(asked, {"references": [container({})]}))
	denied(permitted, object.union(asked, {"references": [foreign("container")]}), endpoint_fault)
	denied({}, object.union(asked, {"references": [container({})]}), endpoint_fault)
}

test_links_of_the_container if {
	permitted := {"endpoint": names(["links"])}
	asked := create({"links": ["web:db"]})
	fault := ["endpoint: the link web:db is not permitted"]
	allowed(permitted, object.union(asked, {"references": [container({})]}))
	denied(permitted, asked, fault)
	denied({}, object.union(asked, {"references": [container({})]}), fault)
}

test_the_mac_of_the_container if {
	asked := create({"mac": "02:00"})
	allowed({"endpoint": names(["fixed-mac"])}, asked)
	denied({}, asked, ["endpoint: the MAC address 02:00 is not permitted"])
}

# --- ports --------------------------------------------------------------------------------

web_port := {"host_ip": null, "low": 8000, "high": 8999, "protocol": null}

ports(list) := {"ports": {"any": false, "ephemeral": false, "entries": list}}

any_port := {"ports": {"any": true, "ephemeral": false, "entries": []}}

ephemeral := {"ports": {"any": false, "ephemeral": true, "entries": []}}

publishing(changes) := create({"ports": [object.union(
	{"host_ip": "", "host_port": 8080, "host_port_end": null, "protocol": "tcp"},
	changes,
)]})

test_ports if {
	allowed(any_port, publishing({}))
	allowed(ports([web_port]), publishing({"host_port": 8000}))
	allowed(ports([web_port]), publishing({"host_port": 8999}))
	denied({}, publishing({}), ["ports: the host port 8080 is not permitted"])
	denied(ports([web_port]), publishing({"host_port": 7999}), [
		"ports: the host port 7999 is not permitted",
	])
	denied(ports([web_port]), publishing({"host_port": 9000}), [
		"ports: the host port 9000 is not permitted",
	])
}

test_port_ranges if {
	allowed(ports([web_port]), publishing({"host_port": 8000, "host_port_end": 8999}))
	denied(ports([web_port]), publishing({"host_port": 8000, "host_port_end": 9000}), [
		"ports: the host port 8000 is not permitted",
	])
	denied(ports([web_port]), publishing({"host_port": 8001, "host_port_end": 8000}), [
		"ports: the host port 8001 is not permitted",
	])
}

test_port_addresses_and_protocols if {
	local := ports([object.union(web_port, {"host_ip": "127.0.0.1", "protocol": "tcp"})])
	allowed(local, publishing({"host_ip": "127.0.0.1"}))
	denied(local, publishing({}), ["ports: the host port 8080 is not permitted"])
	denied(local, publishing({"host_ip": "127.0.0.1", "protocol": "udp"}), [
		"ports: the host port 8080 is not permitted",
	])
}

test_ephemeral_ports if {
	asked := publishing({"host_port": null})
	allowed(ephemeral, asked)
	allowed(any_port, asked)
	denied(ports([web_port]), asked, ["ports: an ephemeral host port is not permitted"])
	denied(ephemeral, publishing({}), ["ports: the host port 8080 is not permitted"])
}

test_publishing_all_ports if {
	asked := create({"publish_all": true})
	allowed(any_port, asked)
	allowed(ephemeral, asked)
	denied(ports([web_port]), asked, ["ports: publishing all ports is not permitted"])
}

# --- networks that are made ---------------------------------------------------------------

new_network(changes) := ask("network.create", {"network": object.union(
	{
		"name": "web",
		"driver": "bridge",
		"internal": false,
		"driver_options": {},
		"labels": {},
		"ipam_driver": "default",
		"ipam_options": {},
		"config_from": "",
	},
	changes,
)})

test_network_drivers if {
	permitted := {"network_drivers": pats(["macvlan"])}
	allowed({}, new_network({}))
	allowed(permitted, new_network({"driver": "macvlan"}))
	denied({}, new_network({"driver": "macvlan"}), ["network-drivers: macvlan is not permitted"])
	denied(permitted, new_network({}), ["network-drivers: bridge is not permitted"])
	allowed({"network_drivers": pats(["bridge", "dhcp"])}, new_network({"ipam_driver": "dhcp"}))
	allowed({"network_drivers": pats(["bridge"])}, new_network({"ipam_driver": ""}))
	denied({}, new_network({"ipam_driver": "dhcp"}), ["network-drivers: dhcp is not permitted"])
}

test_network_options if {
	permitted := {"network_options": options({"mtu": ["1500"]})}
	allowed(permitted, new_network({"driver_options": {"mtu": "1500"}}))
	allowed({"network_options": any_option}, new_network({"ipam_options": {"x": "y"}}))
	denied(permitted, new_network({"driver_options": {"mtu": "9000"}}), [
		"network-options: mtu=9000 is not permitted",
	])
	denied(permitted, new_network({"ipam_options": {"x": "y"}}), [
		"network-options: x=y is not permitted",
	])
}

test_internal_networks if {
	allowed({"internal": true}, new_network({"internal": true}))
	denied({"internal": true}, new_network({}), ["internal: the network must be internal"])
}

# It takes over the options of the other.
test_networks_made_from_others if {
	asked := new_network({"config_from": "web"})
	allowed({"networks": pats(["web"])}, asked)
	denied({}, asked, ["networks: web is not permitted"])
}

# --- connecting ---------------------------------------------------------------------------

connecting(operation, changes) := ask(operation, {
	"object": thing("network", {"owner": eve}),
	"container_object": container({}),
	"connect": {"network": "web", "endpoint": object.union(endpoint, changes)},
})

test_connecting if {
	permitted := {"networks": pats(["web"])}
	allowed(permitted, connecting("network.connect", {}))
	allowed({"networks": anything}, connecting("network.connect", {"aliases": ["a"]}))
	denied({}, connecting("network.connect", {}), ["networks: web is not permitted"])
	denied({"networks": own}, connecting("network.connect", {}), ["networks: web is not permitted"])
	denied(permitted, connecting("network.connect", {"mac": "02:00"}), [
		"endpoint: a link, an address or an option of it is not permitted",
	])
	bare := {"connect": {"network": "web", "endpoint": null}}
	allowed(permitted, changed(connecting("network.connect", {}), bare))
}

# A network that is joined need not be one's own, the container must be.
test_connecting_containers_of_others if {
	theirs := {"container_object": foreign("container")}
	fault := ["owner: container web is not owned by the person who asks"]
	operations := ["network.connect", "network.disconnect"]
	closed := [operation |
		some operation in operations
		denied({"networks": anything}, changed(connecting(operation, {}), theirs), fault)
	]
	closed == operations
}

test_disconnecting if {
	allowed({}, connecting("network.disconnect", {}))
}
