package stockade.authz_test

import data.stockade.authz
import rego.v1

bind_entry(source) := {
	"source": source.pattern,
	"exact": source.exact,
	"target": null,
	"read_only": false,
	"propagation": {"": true, "private": true, "rprivate": true},
}

exactly(path) := bind_entry({"pattern": concat("", ["^", path, "$"]), "exact": path})

below(folder) := bind_entry({
	"pattern": concat("", ["^", folder, "/[^/]+(/[^/]+)*$"]),
	"exact": null,
})

binds(list) := {"binds": entries(list)}

base_mount := {
	"type": "bind",
	"source": "/srv/a",
	"target": "/data",
	"read_only": false,
	"propagation": null,
	"driver": null,
	"driver_options": {},
	"tmpfs_options": [],
	"size": null,
	"selinux": "",
}

mount(changes) := object.union(base_mount, changes)

mounting(changes) := create({"mounts": [mount(changes)]})

bind(path) := mounting({"source": path, "resolved": path})

test_binds if {
	allowed(binds([exactly("/srv/a")]), bind("/srv/a"))
	allowed(binds([below("/srv")]), bind("/srv/a/b"))
	allowed({"binds": any_entry}, bind("/srv/a"))
	denied({}, bind("/srv/a"), ["binds: /srv/a is not permitted"])
	denied(binds([exactly("/srv/a")]), bind("/srv/b"), ["binds: /srv/b is not permitted"])
	denied(binds([exactly("/srv/a")]), bind("/srv/a/b"), ["binds: /srv/a/b is not permitted"])
	denied(binds([below("/srv")]), bind("/srv"), ["binds: /srv is not permitted"])
}

test_all_mounts_must_be_permitted if {
	asked := create({"mounts": [
		mount({"source": "/srv/a", "resolved": "/srv/a"}),
		mount({"source": "/etc/x", "resolved": "/etc/x"}),
	]})
	denied(binds([below("/srv")]), asked, ["binds: /etc/x is not permitted"])
	allowed(binds([below("/srv"), exactly("/etc/x")]), asked)
}

# The source as it is written and where it leads.
test_binds_that_lead_elsewhere if {
	asked := mounting({"source": "/srv/a", "resolved": "/etc/x"})
	allowed(binds([below("/srv"), exactly("/etc/x")]), asked)
	denied(binds([below("/srv")]), asked, ["binds: /etc/x, where /srv/a leads, is not permitted"])
	denied(binds([exactly("/etc/x")]), asked, ["binds: /srv/a is not permitted"])
	denied({"binds": any_entry}, mounting({"source": "/srv/a", "resolved": "/run/docker.sock"}), [
		"binds: /run/docker.sock is protected and not listed exactly",
	])
	denied({"binds": any_entry}, mounting({"source": "/srv/a", "resolved": null}), [
		"binds: /srv/a cannot be resolved",
	])
}

test_protected_paths if {
	paths := ["/", "/run", "/run/", "/run/docker.sock", "/run/docker.sock/x", "/etc/docker", "/etc"]
	wide := [below(""), exactly("/srv"), bind_entry({"pattern": "^.*$", "exact": null})]
	listed := {path | some path in paths; allowed(binds([exactly(path)]), bind(path))}
	listed == {path | some path in paths}
	closed := {path |
		some path in paths
		fault := sprintf("binds: %s is protected and not listed exactly", [path])
		denied({"binds": any_entry}, bind(path), [fault])
		denied(binds(wide), bind(path), [fault])
	}
	closed == {path | some path in paths}
}

test_what_only_resembles_a_protected_path if {
	allowed({"binds": any_entry}, bind("/run/docker.sock2"))
	allowed({"binds": any_entry}, bind("/etc/dockers"))
	authz.apart("/run/docker") with data.stockade.policy as policy("x", [])
	not authz.apart("/run/docker.sock/") with data.stockade.policy as policy("x", [])
}

test_unclean_sources if {
	paths := ["srv/a", "/srv/../etc", "/srv/..", "/srv/./a", "/srv/.", "//srv", "/srv//a", ""]
	closed := {path |
		some path in paths
		found := decide_by([rule_with({"binds": any_entry})], bind(path))
		found.allow == false
	}
	closed == {path | some path in paths}
	exact := {path | some path in paths; allowed(binds([exactly(path)]), bind(path))}
	exact == set()
	authz.absolute("/srv/a..b/.c")
	not authz.absolute(null)
}

test_read_only_entries if {
	permitted := binds([object.union(exactly("/srv/a"), {"read_only": true})])
	asked := bind("/srv/a")
	allowed(permitted, mounting({"resolved": "/srv/a", "read_only": true}))
	denied(permitted, asked, ["binds: /srv/a is not permitted"])
}

# Relabelling writes to the source.
test_relabelling if {
	permitted := binds([object.union(exactly("/srv/a"), {"read_only": true})])
	shared := mounting({"resolved": "/srv/a", "read_only": true, "selinux": "z"})
	alone := mounting({"resolved": "/srv/a", "read_only": true, "selinux": "Z"})
	denied(permitted, shared, ["binds: /srv/a is not permitted"])
	denied(permitted, alone, ["binds: /srv/a is not permitted"])
	allowed(binds([exactly("/srv/a")]), shared)
	allowed(binds([exactly("/srv/a")]), alone)
}

test_targets if {
	permitted := binds([object.union(exactly("/srv/a"), {"target": "^/data$"})])
	allowed(permitted, bind("/srv/a"))
	elsewhere := mounting({"resolved": "/srv/a", "target": "/etc"})
	denied(permitted, elsewhere, ["binds: /srv/a is not permitted"])
	denied(permitted, mounting({"resolved": "/srv/a", "target": null}), [
		"binds: /srv/a is not permitted",
	])
}

test_propagation if {
	rslave := mounting({"resolved": "/srv/a", "propagation": "rslave"})
	entry := object.union(exactly("/srv/a"), {"propagation": {"rslave": true}})
	allowed(binds([entry]), rslave)
	allowed(binds([entry]), mounting({"resolved": "/srv/a", "propagation": "rprivate"}))
	denied(binds([exactly("/srv/a")]), rslave, ["binds: /srv/a is not permitted"])
}

# What one entry says of the source does not help another.
test_bind_entries_stand_alone if {
	elsewhere := object.union(exactly("/srv/a"), {"target": "^/x$"})
	read_only := object.union(exactly("/srv/a"), {"read_only": true})
	denied(binds([elsewhere, read_only]), bind("/srv/a"), ["binds: /srv/a is not permitted"])
}

test_npipes if {
	asked := mounting({"type": "npipe", "source": "x"})
	allowed({"binds": any_entry}, asked)
	denied({}, asked, ["mounts: npipe x is not permitted"])
}

test_unknown_mounts if {
	denied({"binds": any_entry, "volumes": anything}, mounting({"type": "x", "source": "y"}), [
		"mounts: x y is not permitted",
	])
	denied(binds([exactly("/srv/a")]), mounting({"type": "x", "resolved": "/srv/a"}), [
		"mounts: x /srv/a is not permitted",
	])
	denied(listed({}), mounting({"type": "x", "source": "nginx:1"}), [
		"mounts: x nginx:1 is not permitted",
	])
}

test_image_mounts if {
	asked := mounting({"type": "image", "source": "nginx:1"})
	library := {"images": entries([entry({})])}
	pin := {"pinned": true}
	fault := "mounts: image nginx:1 is not permitted"
	allowed({}, asked)
	allowed(library, asked)
	denied({"images": entries([])}, asked, [fault, "images: nginx:1 is not permitted"])
	denied(pin, asked, [fault, "pinned: nginx:1 must be named by digest or id"])
	denied(library, mounting({"type": "image", "source": "other"}), [
		"mounts: image other is not permitted",
	])
}

test_volumes_of_other_containers if {
	asked := create({"volumes_from": [{"container": "web"}]})
	fault := ["volumes-from: web is not permitted"]
	mine := object.union(asked, {"references": [container({})]})
	allowed({"volumes_from": true}, mine)
	allowed({"volumes_from": true, "owner": "any"}, asked)
	denied({}, mine, fault)
	denied({"volumes_from": true}, asked, fault)
	theirs := object.union(asked, {"references": [foreign("container")]})
	denied({"volumes_from": true}, theirs, fault)
}

# --- tmpfs --------------------------------------------------------------------------------

tmpfs(options, size) := mounting({
	"type": "tmpfs",
	"source": "",
	"tmpfs_options": options,
	"size": size,
})

test_tmpfs_options if {
	exec := {"tmpfs": {"options": {"exec": true}, "max_size": null}}
	allowed({}, tmpfs([], null))
	allowed({}, tmpfs(["noexec", "mode=1777", "size=5", "nr_blocks=5"], null))
	allowed(exec, tmpfs(["exec"], null))
	denied({}, tmpfs(["exec", "ro"], null), ["tmpfs: the option exec is not permitted"])
	denied(exec, tmpfs(["suid", "exec"], null), ["tmpfs: the option suid is not permitted"])
}

test_tmpfs_size if {
	small := {"tmpfs": {"options": {}, "max_size": 1024}}
	fault := "tmpfs: /data must have a size, at most 1024 bytes"
	allowed(small, tmpfs([], 1024))
	denied(small, tmpfs([], 1025), [fault])
	denied(small, tmpfs([], null), [fault])
	denied(small, tmpfs([], 0), [fault])
	denied(small, tmpfs(["nr_blocks=5"], 1024), ["tmpfs: the option nr_blocks=5 is not permitted"])
}
