package stockade.authz_test

import data.stockade.authz
import rego.v1

base_volume := {
	"name": "data",
	"driver": "local",
	"driver_options": {},
	"labels": {},
	"cluster": false,
}

new_volume(changes) := ask("volume.create", {"volume": object.union(base_volume, changes)})

volume(changes) := mounting(object.union({"type": "volume", "source": "data"}, changes))

test_anonymous_volumes if {
	allowed({}, volume({"source": ""}))
	allowed({}, new_volume({"name": ""}))
}

test_named_volumes if {
	fault := ["volumes: data is not permitted"]
	allowed({"volumes": pats(["data"])}, volume({}))
	allowed({"volumes": pats(["data"])}, volume({"type": "cluster"}))
	allowed({"volumes": pats(["data"])}, new_volume({}))
	denied({"volumes": pats(["other"])}, volume({}), fault)
	denied({}, volume({"type": "cluster"}), fault)
	denied({"volumes": pats(["other"])}, new_volume({}), fault)
}

known(asked, found) := object.union(asked, {"references": [named_data]}) if {
	named_data := object.union(found, {"reference": "data"})
}

test_own_volumes if {
	fault := ["volumes: data is not permitted"]
	absent := ["volumes: data does not exist; make it with docker volume create"]
	allowed({"volumes": own}, known(volume({}), thing("volume", {})))
	denied({"volumes": own}, known(volume({}), foreign("volume")), fault)
	denied({"volumes": own}, known(volume({}), missing("volume")), absent)
	denied({"volumes": own}, known(volume({}), thing("network", {})), fault)
	denied({"volumes": own}, volume({}), fault)
	denied({}, known(volume({}), thing("volume", {})), fault)
	denied({"volumes": own, "owner": "any"}, known(volume({}), missing("volume")), absent)
}

# What does not exist yet will be one's own.
test_new_volumes_of_ones_own if {
	fault := ["volumes: data is not permitted"]
	allowed({"volumes": own}, known(new_volume({}), missing("volume")))
	allowed({"volumes": own}, known(new_volume({}), thing("volume", {})))
	denied({"volumes": own}, known(new_volume({}), foreign("volume")), fault)
	denied({"volumes": own}, known(new_volume({}), missing("network")), fault)
	other := object.union(new_volume({}), {"references": [missing("volume")]})
	denied({"volumes": own}, other, fault)
	denied({"volumes": own}, new_volume({}), fault)
	denied({}, known(new_volume({}), missing("volume")), fault)
}

test_volume_drivers if {
	permitted := {"volumes": anything, "volume_drivers": pats(["nfs"])}
	allowed(permitted, volume({"driver": "nfs"}))
	allowed(permitted, new_volume({"driver": "nfs"}))
	denied({"volumes": anything}, new_volume({"driver": "nfs"}), [
		"volume-drivers: nfs is not permitted",
	])
	denied(permitted, volume({}), ["volume-drivers: (none) is not permitted"])
	denied(permitted, new_volume({}), ["volume-drivers: local is not permitted"])
}

# The engine may choose their driver.
test_cluster_volumes if {
	asked := new_volume({"cluster": true})
	fault := ["volume-drivers: a cluster volume is not permitted"]
	allowed({"volumes": anything, "volume_drivers": anything}, asked)
	denied({"volumes": anything}, asked, fault)
	denied({"volumes": anything, "volume_drivers": pats([".*"])}, asked, fault)
	denied({"volumes": anything}, new_volume({"cluster": null}), fault)
}

mountable(options_permitted, list) := {
	"volumes": anything,
	"volume_options": options_permitted,
	"binds": entries(list),
}

test_volume_options if {
	asked := new_volume({"driver_options": {"type": "nfs", "o": "addr=10.0.0.1"}})
	allowed(mountable(any_option, []), asked)
	allowed(mountable(options({"type": ["nfs"], "o": ["addr=[0-9.]*"]}), []), asked)
	denied(mountable(options({"o": ["addr=[0-9.]*"]}), []), asked, [
		"volume-options: type=nfs is not permitted",
	])
	denied({"volumes": anything}, volume({"driver_options": {"a": "1", "b": "2"}}), [
		"volume-options: a=1 is not permitted",
		"volume-options: b=2 is not permitted",
	])
}

# A path in an option is a bind in other words.
test_volume_options_with_protected_paths if {
	values := [
		"/etc/docker",
		"/",
		"/etc",
		"etc",
		"/etc/docker/x",
		"//etc/./docker",
		"/srv/../etc/docker",
		"lowerdir=/srv:/etc/docker,upperdir=/x",
		"lowerdir=/srv,upperdir=/run/docker.sock",
		`lowerdir=/srv:/et\c/docker`,
		`lowerdir=/srv/.\./etc`,
		".",
	]
	closed := {value |
		some value in values
		sentence := sprintf("binds: the volume option o=%s is a protected path", [value])
		denied(mountable(any_option, []), new_volume({"driver_options": {"o": value}}), [sentence])
	}
	closed == {value | some value in values}
}

test_volume_options_with_other_paths if {
	values := ["", "/srv/a", "bind", "lowerdir=/srv:/opt,upperdir=/x", `user=a\b`, "/etc/dockers"]
	open := {value |
		some value in values
		allowed(mountable(any_option, []), new_volume({"driver_options": {"o": value}}))
	}
	open == {value | some value in values}
}

test_volume_options_listed_as_binds if {
	asked := new_volume({"driver_options": {"device": "/etc/docker"}})
	sentence := ["binds: the volume option device=/etc/docker is a protected path"]
	allowed(mountable(any_option, [exactly("/etc/docker")]), asked)
	denied(mountable(any_option, [below("/etc")]), asked, sentence)
	read_only := object.union(exactly("/etc/docker"), {"read_only": true})
	denied(mountable(any_option, [read_only]), asked, sentence)
}

test_volume_options_that_are_no_texts if {
	not authz.option_apart(base_rule, 1) with data.stockade.policy as policy("x", [])
	authz.option_apart(base_rule, "1") with data.stockade.policy as policy("x", [])
}
