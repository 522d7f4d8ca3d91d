# Binds, volumes, tmpfs and what is inherited from other containers; the protected paths.
package stockade.authz

import rego.v1

mounts_ok(_, spec) if spec.mounts == []

mounts_ok(rule, spec) if {
	good := [mount |
		some mount in spec.mounts
		mount_ok(rule, mount)
	]
	count(good) == count(spec.mounts)
}

mount_ok(rule, mount) if {
	mount.type == "bind"
	source_ok(rule, mount, mount.source)
	resolved_ok(rule, mount)
}

mount_ok(rule, mount) if {
	mount.type in {"volume", "cluster"}
	volume_name_ok(rule, mount.source)
	driver_ok(rule, mount.driver)
	driver_options_ok(rule, mount.driver_options)
}

mount_ok(rule, mount) if {
	mount.type == "tmpfs"
	tmpfs_options_ok(rule, mount.tmpfs_options)
	tmpfs_size_ok(rule, mount)
}

mount_ok(rule, mount) if {
	mount.type == "image"
	rule.images.any == true
	rule.pinned == false
}

mount_ok(rule, mount) if {
	mount.type == "image"
	some image in input.images
	image.text == mount.source
	image_ok(rule, image)
	pin_ok(rule, image)
}

mount_ok(rule, mount) if {
	mount.type == "npipe"
	rule.binds.any == true
}

resolved_ok(_, mount) if mount.resolved == mount.source

resolved_ok(rule, mount) if source_ok(rule, mount, mount.resolved)

# The source as it is written and, separately, where it leads: each must be permitted.
source_ok(rule, _, path) if {
	path in apart_paths
	rule.binds.any == true
}

source_ok(rule, mount, path) if {
	path in apart_paths
	some entry in rule.binds.entries
	entry_leads_to(entry, path)
	entry_permits(entry, mount)
}

source_ok(rule, mount, path) if {
	some entry in rule.binds.entries
	entry.exact == path
	absolute(path)
	entry_permits(entry, mount)
}

# The sources of binds in this request that are not protected.
apart_paths := {path |
	some spec in specs
	some mount in spec.mounts
	mount.type == "bind"
	some path in [mount.source, mount.resolved]
	absolute(path)
	apart(path)
}

specs contains input.spec

specs contains input.object.spec

# An exact entry is compared as text: that is cheaper.
entry_leads_to(entry, path) if entry.exact == path

entry_leads_to(entry, path) if {
	entry.exact == null
	fits(entry.source, path)
}

absolute(path) if {
	is_string(path)
	startswith(path, "/")
	contains(folder(path), "/../") == false
	contains(folder(path), "/./") == false
	contains(path, "//") == false
}

entry_permits(entry, mount) if {
	target_ok(entry, mount)
	writing_ok(entry, mount)
	propagation_ok(entry, mount)
}

target_ok(entry, _) if entry.target == null

target_ok(entry, mount) if {
	is_string(mount.target)
	entry.target != null
	fits(entry.target, mount.target)
}

writing_ok(entry, _) if entry.read_only == false

# Relabelling (z, Z) writes to the host whatever the container may do.
writing_ok(entry, mount) if {
	entry.read_only == true
	mount.read_only == true
	mount.selinux == ""
}

propagation_ok(_, mount) if mount.propagation == null

propagation_ok(_, mount) if mount.propagation in {"", "private", "rprivate"}

propagation_ok(entry, mount) if entry.propagation[mount.propagation] == true

# A path as a prefix: what lies below it begins with this text.
folder(path) := concat("", [trim_right(path, "/"), "/"])

protected_folders := [folder(path) | some path in data.stockade.policy.protected]

# Neither a protected path nor below one nor above one.
apart(path) if {
	own_folder := folder(path)
	good := [other |
		some other in protected_folders
		startswith(own_folder, other) == false
		startswith(other, own_folder) == false
	]
	count(good) == count(data.stockade.policy.protected)
}

volume_name_ok(_, name) if name == ""

volume_name_ok(rule, name) if text_ok(rule.volumes, name)

volume_name_ok(rule, name) if {
	rule.volumes.own == true
	own(rule, "volume", name)
}

driver_ok(rule, driver) if {
	driver == null
	text_ok(rule.volume_drivers, "")
}

driver_ok(rule, driver) if {
	is_string(driver)
	text_ok(rule.volume_drivers, driver)
}

driver_options_ok(_, options) if options == {}

driver_options_ok(rule, options) if {
	options_ok(rule.volume_options, options)
	good := [key |
		some key, value in options
		option_apart(rule, value)
	]
	count(good) == count(options)
}

# A volume with `o: bind` or an overlay is a bind in other words. Relative paths start at the
# daemon's working directory, the root. Overlays drop the backslashes of a path, binds keep them.
option_apart(rule, value) if {
	is_string(value)
	pieces := option_pieces(value)
	good := [piece |
		some piece in pieces
		piece_ok(rule, piece)
	]
	count(good) == count(pieces)
}

option_pieces(value) := split(replace(replace(value, "=", ","), ":", ","), ",")

piece_ok(_, piece) if piece == ""

piece_ok(_, piece) if {
	piece_apart(piece)
	piece_apart(replace(piece, `\`, ""))
}

piece_ok(rule, piece) if {
	some entry in rule.binds.entries
	entry.exact == piece
	entry.read_only == false
}

piece_apart(piece) if {
	path := cleaned(piece)
	contains(path, "/../") == false
	apart(path)
}

cleaned(piece) := regex.replace(concat("", ["/", piece, "/"]), "/([.]?/)+", "/")

# Options of a tmpfs that give its user nothing.
harmless_tmpfs := {
	"async": true,
	"gid": true,
	"mode": true,
	"noatime": true,
	"nodev": true,
	"nodiratime": true,
	"noexec": true,
	"nosuid": true,
	"nr_inodes": true,
	"private": true,
	"relatime": true,
	"ro": true,
	"rprivate": true,
	"rw": true,
	"strictatime": true,
	"uid": true,
}

tmpfs_options_ok(_, options) if options == []

tmpfs_options_ok(rule, options) if {
	good := [option |
		some option in options
		tmpfs_option_ok(rule, split(option, "=")[0])
	]
	count(good) == count(options)
}

tmpfs_option_ok(_, name) if harmless_tmpfs[name] == true

tmpfs_option_ok(rule, name) if rule.tmpfs.options[name] == true

tmpfs_option_ok(rule, name) if {
	name in {"size", "nr_blocks"}
	rule.tmpfs.max_size == null
}

tmpfs_size_ok(rule, _) if rule.tmpfs.max_size == null

tmpfs_size_ok(rule, mount) if at_most(rule.tmpfs.max_size, mount.size)

volumes_from_ok(_, spec) if spec.volumes_from == []

volumes_from_ok(rule, spec) if {
	rule.volumes_from == true
	good := [other |
		some other in spec.volumes_from
		container_ok(rule, other.container)
	]
	count(good) == count(spec.volumes_from)
}
