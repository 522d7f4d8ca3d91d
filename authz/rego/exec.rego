# A command in a container that exists.
package stockade.authz

import rego.v1

exec_ok(_) if input.exec == null

exec_ok(rule) if {
	is_object(input.exec)
	privileged_ok(rule, input.exec)
	user_ok(rule, exec_user)
}

# Without a user of its own a command runs as the container's.
exec_user := input.object.spec.user if {
	input.exec.user.text == ""
} else := input.exec.user
