package stockade.authz_test

import data.stockade.authz
import rego.v1

list := ask("container.list", {})

deny_rule(changes) := rule_with(object.union({"id": "d0", "effect": "deny"}, changes))

test_the_first_rule_that_allows if {
	other := rule_with({"id": "a", "subjects": {"ops": true}})
	found := decide_by([other, rule_with({"id": "b"}), base_rule], list)
	found == {"allow": true, "rule": "b", "reasons": [], "subjects": ["ci"], "revision": "rev"}
}

test_no_rule if {
	found := decide_by([], list)
	found == {
		"allow": false,
		"rule": null,
		"reasons": ["no rule allows container.list to carol (ci)"],
		"subjects": ["ci"],
		"revision": "rev",
	}
}

test_rules_of_other_operations if {
	other := policy("container.create", [base_rule])
	found := authz.decision with input as list with data.stockade.policy as other
	found.allow == false
	found.reasons == ["no rule allows container.list to carol (ci)"]
}

test_rules_of_other_subjects if {
	found := decide_by([rule_with({"subjects": {"ops": true}}), rule_with({"subjects": {}})], list)
	found.allow == false
	found.reasons == ["no rule allows container.list to carol (ci)"]
}

test_nobody_asks if {
	found := decide_by([base_rule], changed(list, {"subject": eve}))
	found.allow == false
	found.subjects == []
	found.reasons == ["no rule allows container.list to eve"]
}

test_a_person_of_several_subjects if {
	alice := object.union(carol, {"cn": "alice"})
	found := decide_by([rule_with({"subjects": {"ops": true}})], changed(list, {"subject": alice}))
	found.allow == true
	found.subjects == ["ci", "ops"]
}

test_deny_rules_win if {
	found := decide_by([base_rule, deny_rule({})], list)
	found.allow == false
	found.rule == "d0"
	found.reasons == ["rule d0 (web.yaml:10) denies container.list"]
	found.subjects == ["ci"]
}

test_deny_rules_say_why if {
	found := decide_by([base_rule, deny_rule({"because": "no"})], list)
	found.reasons == ["rule d0 (web.yaml:10) denies container.list: no"]
}

test_deny_rules_of_other_subjects if {
	found := decide_by([base_rule, deny_rule({"subjects": {"ops": true}})], list)
	found.allow == true
	found.rule == "r0"
}

# A deny rule that names nobody names everybody.
test_deny_rules_of_nobody if {
	found := decide_by([base_rule, deny_rule({"subjects": {}})], list)
	found.allow == false
	found.rule == "d0"
}

test_one_deny_rule_of_several if {
	other := deny_rule({"subjects": {"ops": true}})
	found := decide_by([other, deny_rule({"id": "d1"}), base_rule], list)
	found.allow == false
	found.rule == "d1"
	found.reasons == ["rule d1 (web.yaml:10) denies container.list"]
}

# A deny rule is no permission, even where it is listed as one.
test_rules_of_no_effect if {
	one := policy("container.list", [deny_rule({})])
	odd := object.union(one, {"by_operation": {"container.list": {"allow": [0], "deny": []}}})
	found := authz.decision with input as list with data.stockade.policy as odd
	found.allow == false
}

# No two rules together allow what neither does.
test_rules_stand_alone if {
	asked := create({"privileged": true, "capabilities": {"add": ["BPF"]}})
	powerful := rule_with({"privileged": true})
	capable := rule_with({"capabilities": names(["BPF"])})
	found := decide_by([powerful, capable], asked)
	found.allow == false
	found.reasons == [
		"rule r0 (web.yaml:10): capabilities: BPF is not permitted",
		"rule r0 (web.yaml:10): privileged: a privileged container is not permitted",
	]
}

# --- modules of the user's ----------------------------------------------------------------

test_extra_denials if {
	found := authz.decision with input as list
		with data.stockade.policy as policy("container.list", [base_rule])
		with data.stockade.extra.deny as {"not now"}
	found.allow == false
	found.rule == "rego.deny"
	found.reasons == ["denied: not now"]
}

test_extra_allowances if {
	found := authz.decision with input as list
		with data.stockade.policy as policy("container.list", [])
		with data.stockade.extra.allow as {"yes"}
	found == {
		"allow": true,
		"rule": "rego.allow",
		"reasons": [],
		"subjects": ["ci"],
		"revision": "rev",
	}
}

test_deny_rules_win_over_extra_allowances if {
	found := authz.decision with input as list
		with data.stockade.policy as policy("container.list", [deny_rule({})])
		with data.stockade.extra.allow as {"yes"}
	found.allow == false
	found.rule == "d0"
}

test_extra_denials_win_over_extra_allowances if {
	found := authz.decision with input as list
		with data.stockade.policy as policy("container.list", [base_rule])
		with data.stockade.extra.allow as {"yes"}
		with data.stockade.extra.deny as {"no"}
	found.allow == false
	found.rule == "rego.deny"
}

# Only sets count: anything else cannot be told from a mistake.
test_extra_denials_that_are_no_set if {
	found := authz.decision with input as list
		with data.stockade.policy as policy("container.list", [base_rule])
		with data.stockade.extra.deny as []
	found.allow == false
}

test_extra_allowances_that_are_no_set if {
	found := authz.decision with input as list
		with data.stockade.policy as policy("container.list", [])
		with data.stockade.extra.allow as ["yes"]
	found.allow == false
}

# --- what must be described ---------------------------------------------------------------

test_details_that_are_missing if {
	full := {
		"container.create": create({}),
		"service.create": new_service({}),
		"image.build": building({}),
	}
	incomplete := {operation |
		some operation, asked in full
		some key in authz.details[operation]
		allowed({}, asked)
		found := decide_by([base_rule], changed(asked, {key: null}))
		found.allow == false
		"rule r0 (web.yaml:10): input: the request is not described completely" in found.reasons
	}
	incomplete == object.keys(full)
}

test_each_operation_with_details_demands_them if {
	fault := "rule r0 (web.yaml:10): input: the request is not described completely"
	closed := {operation |
		some operation, _ in authz.details
		fault in decide_by([rule_with({"owner": "any"})], ask(operation, {})).reasons
	}
	closed == object.keys(authz.details)
	count(closed) == 10
}

# Without a list of references the embedded engine raises an error, which denies, too.
test_images_that_are_missing if {
	authz.complete with input as list
	not authz.complete with input as changed(list, {"images": null})
}

# Without any policy nothing is allowed.
test_no_policy_at_all if {
	found := authz.decision with input as list
	found.allow == false
	authz.permission.allow == false with input as list
}
