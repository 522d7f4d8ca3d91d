# Images by registry, repository, tag, digest and id.
package stockade.authz

import rego.v1

# Operations that make no sense without an image; where its name cannot be seen (an archive that
# is loaded) only a rule without wishes about images allows them.
needs_image := {
	"container.create": true,
	"image.load": true,
	"image.pull": true,
	"image.push": true,
	"image.tag": true,
	"service.create": true,
	"service.update": true,
}

# Operations that run an image or fetch one; `pinned` is a wish about these.
pins_image := {
	"container.create": true,
	"image.pull": true,
	"service.create": true,
	"service.update": true,
}

images_ok(rule) if {
	rule.images.any == true
	rule.pinned == false
}

images_ok(rule) if {
	named_images_ok(rule, named_images)
}

named_images_ok(rule, images) if {
	enough(images)
	good := [image |
		some image in images
		image_ok(rule, image)
		pin_ok(rule, image)
	]
	count(good) == count(images)
}

enough(_) if object.get(needs_image, input.operation, false) == false

enough(images) if count(images) > 0

# What the operation names, and what the spec would run.
named_images := array.concat(input.images, [input.spec.image]) if {
	input.spec.partial == false
} else := input.images

image_ok(rule, _) if rule.images.any == true

image_ok(rule, image) if {
	image.ambiguous == false
	some entry in rule.images.entries
	image_matches(entry, image)
}

image_matches(entry, image) if {
	is_string(entry.id)
	entry.id == image.id
}

image_matches(entry, image) if {
	image.id == null
	is_string(image.registry)
	is_string(image.repository)
	fits(entry.registry, image.registry)
	fits(entry.repository, image.repository)
	tag_ok(entry, image)
	digest_ok(entry, image)
}

tag_ok(entry, _) if entry.tag == null

# Beside a digest the engine ignores the tag.
tag_ok(entry, image) if {
	image.digest == null
	is_string(image.tag)
	entry.tag != null
	fits(entry.tag, image.tag)
}

tag_ok(entry, image) if {
	is_string(entry.digest)
	entry.digest == image.digest
}

digest_ok(entry, _) if entry.digest == null

digest_ok(entry, image) if entry.digest == image.digest

pin_ok(rule, _) if rule.pinned == false

pin_ok(_, _) if object.get(pins_image, input.operation, false) == false

pin_ok(_, image) if is_string(image.digest)

pin_ok(_, image) if is_string(image.id)

# Which registry a login is for no plugin is told. Whose images must be from some registries does
# not get the engine to talk to others.
login_ok(_) if input.operation != "registry.login"

login_ok(rule) if rule.images.any == true
