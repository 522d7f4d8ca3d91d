package stockade.authz_test

import rego.v1

entry(changes) := object.union(
	{"registry": "^docker.io$", "repository": "^library/[^/]*$", "tag": null, "digest": null},
	changes,
)

listed(changes) := {"images": entries([entry(changes)])}

pull(changes) := ask("image.pull", {"images": [object.union(base_image, changes)]})

push(images) := ask("image.push", {"object": thing("image", {}), "images": images})

digest := "sha256:00"

test_images if {
	fault := ["images: nginx:1 is not permitted"]
	allowed({}, pull({}))
	allowed(listed({}), pull({}))
	allowed(listed({}), create({}))
	denied({"images": entries([])}, pull({}), fault)
	denied(listed({"registry": "^example.org$"}), pull({}), fault)
	denied(listed({"repository": "^web$"}), pull({}), fault)
	denied(listed({"repository": "^web$"}), create({}), fault)
}

test_all_images_must_be_permitted if {
	other := object.union(base_image, {"text": "x/y", "repository": "x/y"})
	denied(listed({}), push([base_image, other]), [
		"images: x/y is not permitted",
	])
}

# The image of the spec counts, whatever the request names beside it.
test_the_image_of_the_spec if {
	other := {"image": {"text": "x/y", "repository": "x/y"}}
	asked := changed(create(other), {"images": [base_image]})
	denied(listed({}), asked, ["images: x/y is not permitted"])
	allowed(listed({}), update({}))
}

test_tags if {
	allowed(listed({"tag": "^1$"}), pull({}))
	denied(listed({"tag": "^2$"}), pull({}), ["images: nginx:1 is not permitted"])
	denied(listed({"tag": "^.*$"}), pull({"tag": null}), ["images: nginx:1 is not permitted"])
}

# Beside a digest the engine ignores the tag.
test_digests if {
	allowed(listed({"digest": digest}), pull({"digest": digest}))
	allowed(listed({"digest": digest, "tag": "^2$"}), pull({"digest": digest}))
	denied(listed({"digest": digest}), pull({}), ["images: nginx:1 is not permitted"])
	denied(listed({"digest": digest}), pull({"digest": "sha256:11"}), [
		"images: nginx:1 is not permitted",
	])
	denied(listed({"tag": "^1$"}), pull({"digest": digest}), ["images: nginx:1 is not permitted"])
}

test_ids if {
	by_id := {"id": "sha256:22", "text": "22", "registry": null, "repository": null, "tag": null}
	allowed({"images": entries([{"id": "sha256:22"}])}, pull(by_id))
	denied({"images": entries([{"id": "sha256:33"}])}, pull(by_id), ["images: 22 is not permitted"])
	denied({"images": entries([{"id": "sha256:22"}])}, pull({}), [
		"images: nginx:1 is not permitted",
	])
	denied(listed({}), pull(by_id), ["images: 22 is not permitted"])
	denied(listed({}), pull({"id": "sha256:22"}), ["images: nginx:1 is not permitted"])
}

test_ambiguous_images if {
	asked := pull({"ambiguous": true, "text": "abc"})
	allowed({}, asked)
	denied(listed({}), asked, ["images: abc could be an id; write it with a tag"])
}

test_pinned_images if {
	fault := ["pinned: nginx:1 must be named by digest or id"]
	allowed({"pinned": true}, pull({"digest": digest}))
	allowed({"pinned": true}, pull({"id": "sha256:22"}))
	denied({"pinned": true}, pull({}), fault)
	denied({"pinned": true}, create({}), fault)
	allowed({"pinned": true}, push([base_image]))
}

# Where no name can be seen, only a rule without wishes allows.
test_operations_that_need_an_image if {
	load := ask("image.load", {})
	allowed({}, load)
	denied(listed({}), load, ["images: image.load does not say which images"])
	denied({"pinned": true}, load, ["images: image.load does not say which images"])
	allowed(listed({}), ask("image.list", {}))
}

test_an_image_that_is_not_described if {
	asked := ask("image.pull", {"images": [null]})
	denied(listed({}), asked, ["what it asks for could not be proven"])
}

test_logins if {
	login := ask("registry.login", {})
	fault := ["images: a login does not show its registry; a rule without `images` permits it"]
	allowed({}, login)
	allowed({"pinned": true}, login)
	denied(listed({}), login, fault)
	denied({"images": entries([])}, login, fault)
}
