# Networks that are joined, created and connected to; ports.
package stockade.authz

import rego.v1

harmless_networks := {"bridge": true, "default": true, "none": true}

joined_ok(rule, spec) if {
	networks_ok(rule, spec.networks)
	links_ok(rule, spec.links)
	address_ok(rule, spec.mac, "fixed-mac")
}

networks_ok(_, networks) if networks == []

networks_ok(rule, networks) if {
	good := [network |
		some network in networks
		joinable(rule, network.name)
		endpoint_ok(rule, network)
	]
	count(good) == count(networks)
}

# The name as it is asked for, and the true name of what it was found to be: an id may be asked
# for where rules speak of names.
joinable(rule, name) if {
	is_string(name)
	others := true_names(name)
	good := [other |
		some other in others
		joinable_name(rule, name, other)
	]
	count(good) == count(others)
}

true_names(name) := {name} | {thing.name |
	some thing in known_networks
	thing.reference == name
	is_string(thing.name)
}

joinable_name(_, _, name) if harmless_networks[name] == true

joinable_name(rule, _, name) if {
	name == "host"
	rule.namespaces.network.host == true
}

joinable_name(rule, _, name) if {
	name != "host"
	text_ok(rule.networks, name)
}

joinable_name(rule, asked, name) if {
	name != "host"
	rule.networks.own == true
	some thing in known_networks
	thing.reference == asked
	is_object(thing.owner)
	owner_ok(rule, thing)
}

known_networks := [thing |
	some thing in array.concat(input.references, [input.object])
	thing.kind == "network"
]

links_ok(_, links) if links == []

links_ok(rule, links) if {
	name_ok(rule.endpoint, "links")
	good := [link |
		some link in links
		container_ok(rule, split(link, ":")[0])
	]
	count(good) == count(links)
}

endpoint_ok(rule, endpoint) if {
	asked_ok(rule, endpoint.aliases, "aliases")
	links_ok(rule, endpoint.links)
	address_ok(rule, endpoint.ipv4, "fixed-ip")
	address_ok(rule, endpoint.ipv6, "fixed-ip")
	asked_ok(rule, endpoint.link_local_ips, "fixed-ip")
	address_ok(rule, endpoint.mac, "fixed-mac")
	asked_ok(rule, endpoint.driver_options, "driver-options")
}

asked_ok(_, things, _) if things == []

asked_ok(_, things, _) if things == {}

asked_ok(rule, _, feature) if name_ok(rule.endpoint, feature)

address_ok(_, text, _) if nothing(text)

address_ok(rule, _, feature) if name_ok(rule.endpoint, feature)

ports_ok(rule, _) if rule.ports.any == true

ports_ok(_, ports) if ports == []

ports_ok(rule, ports) if {
	good := [port |
		some port in ports
		port_ok(rule, port)
	]
	count(good) == count(ports)
}

port_ok(rule, _) if rule.ports.any == true

port_ok(rule, port) if {
	port.host_port == null
	rule.ports.ephemeral == true
}

port_ok(rule, port) if {
	is_number(port.host_port)
	last := last_port(port)
	some entry in rule.ports.entries
	entry.low <= port.host_port
	port.host_port <= last
	last <= entry.high
	same_or_any(entry.host_ip, port.host_ip)
	same_or_any(entry.protocol, port.protocol)
}

last_port(port) := port.host_port if port.host_port_end == null

last_port(port) := port.host_port_end if is_number(port.host_port_end)

same_or_any(wanted, _) if wanted == null

same_or_any(wanted, given) if wanted == given

publish_all_ok(_, spec) if spec.publish_all == false

publish_all_ok(rule, _) if rule.ports.any == true

publish_all_ok(rule, _) if rule.ports.ephemeral == true

network_ok(_) if input.network == null

network_ok(rule) if {
	is_object(input.network)
	network_driver_ok(rule, input.network)
	ipam_driver_ok(rule, input.network)
	options_ok(rule.network_options, input.network.driver_options)
	options_ok(rule.network_options, input.network.ipam_options)
	internal_ok(rule, input.network)
	config_from_ok(rule, input.network)
}

# A network takes over the options of the one it is made from.
config_from_ok(_, network) if nothing(network.config_from)

config_from_ok(rule, network) if joinable(rule, network.config_from)

network_driver_ok(rule, network) if text_ok(rule.network_drivers, network.driver)

ipam_driver_ok(_, network) if nothing(network.ipam_driver)

ipam_driver_ok(_, network) if network.ipam_driver == "default"

ipam_driver_ok(rule, network) if text_ok(rule.network_drivers, network.ipam_driver)

internal_ok(rule, _) if rule.internal == false

internal_ok(rule, network) if {
	rule.internal == true
	network.internal == true
}

connect_ok(_) if input.connect == null

connect_ok(_) if {
	is_object(input.connect)
	input.operation == "network.disconnect"
}

connect_ok(rule) if {
	is_object(input.connect)
	joinable(rule, input.connect.network)
	connect_endpoint_ok(rule, input.connect.endpoint)
}

connect_endpoint_ok(_, endpoint) if endpoint == null

connect_endpoint_ok(rule, endpoint) if {
	is_object(endpoint)
	endpoint_ok(rule, endpoint)
}
