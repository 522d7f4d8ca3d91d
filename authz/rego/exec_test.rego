package stockade.authz_test

import rego.v1

executing(changes, spec) := ask("exec.create", {
	"object": container({"spec": object.union(base_spec, spec)}),
	"exec": object.union({"privileged": false, "user": {"text": "", "root": true}}, changes),
})

test_commands if {
	allowed({}, executing({}, {}))
	allowed({"privileged": true}, executing({"privileged": true}, {}))
	denied({}, executing({"privileged": true}, {}), [
		"privileged: a privileged command is not permitted",
	])
}

test_users_of_commands if {
	non_root := wanted(false, true, [])
	allowed(non_root, executing({"user": {"text": "5", "root": false}}, {}))
	denied(non_root, executing({"user": {"text": "0", "root": true}}, {"user": {"root": false}}), [
		"user: 0 is not permitted",
	])
}

# Without one of its own, a command runs as the container's user.
test_users_of_containers_that_commands_run_in if {
	non_root := wanted(false, true, [])
	allowed(non_root, executing({}, {"user": {"text": "5", "root": false}}))
	denied(non_root, executing({"user": {"root": false}}, {"user": {"text": "0"}}), [
		"user: 0 is not permitted",
	])
}

# Who runs something in a container has all that it has.
test_commands_in_containers_that_the_rule_would_not_permit if {
	asked := executing({}, {"privileged": true})
	allowed({"privileged": true}, asked)
	denied({}, asked, [concat(" ", [
		"container web has what the rule does not permit:",
		"privileged: a privileged container is not permitted",
	])])
}
