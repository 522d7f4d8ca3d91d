# Sentences beyond those that the tests of the constraints compare.
package stockade.authz_test

import data.stockade.authz
import rego.v1

test_quoted_values if {
	authz.text_of("x") == "x"
	authz.text_of("") == "(empty)"
	authz.text_of(null) == "(none)"
	authz.text_of(5) == "5"
	authz.text_of(["x"]) == `["x"]`
}

test_an_operation_that_is_no_text if {
	authz.operation_text == "the operation" with input as {"operation": null}
	authz.operation_text == "x.y" with input as {"operation": "x.y"}
}

# All faults of all rules are told, in order.
test_all_rules_complain if {
	asked := create({"privileged": true, "runtime": "x"})
	second := rule_with({"id": "r1", "line": 20, "privileged": true})
	found := decide_by([base_rule, second], asked)
	found.reasons == [
		"rule r0 (web.yaml:10): privileged: a privileged container is not permitted",
		"rule r0 (web.yaml:10): runtimes: x is not permitted",
		"rule r1 (web.yaml:20): runtimes: x is not permitted",
	]
}

# A denial silences the complaints.
test_denials_only if {
	found := decide_by([base_rule, deny_rule({"because": "no"})], create({"privileged": true}))
	found.reasons == ["rule d0 (web.yaml:10) denies container.create: no"]
}

test_extra_denials_beside_rules if {
	found := authz.decision with input as list
		with data.stockade.policy as policy("container.list", [deny_rule({})])
		with data.stockade.extra.deny as {"a", 5}
	found.reasons == [
		"denied: 5",
		"denied: a",
		"rule d0 (web.yaml:10) denies container.list",
	]
}
