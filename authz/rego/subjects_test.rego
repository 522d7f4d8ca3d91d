package stockade.authz_test

import data.stockade.authz
import rego.v1

named_by(who, person) if authz.answers_to(object.union(anybody, who), person)

local_person := {"method": "local", "principal": "local", "cn": null, "ou": [], "sans": []}

test_common_names if {
	named_by({"cn": {"carol": true, "dave": true}}, carol)
	not named_by({"cn": {"alice": true}}, carol)
	not named_by({"cn": {"carol": true}}, object.union(carol, {"cn": null}))
}

test_organizational_units if {
	named_by({"ou": {"builders": true}}, carol)
	not named_by({"ou": {"builders": true}}, eve)
	not named_by({"ou": {"ops": true}}, carol)
}

test_alternative_names if {
	person := object.union(carol, {"sans": ["DNS:a", "URI:b"]})
	named_by({"sans": {"URI:b": true}}, person)
	not named_by({"sans": {"URI:c": true}}, person)
	not named_by({"sans": {"URI:b": true}}, carol)
}

test_all_that_a_subject_says_must_match if {
	named_by({"cn": {"carol": true}, "ou": {"builders": true}}, carol)
	not named_by({"cn": {"carol": true}, "ou": {"ops": true}}, carol)
	not named_by({"cn": {"alice": true}, "ou": {"builders": true}}, carol)
	not named_by({"cn": {"carol": true}, "sans": {"DNS:a": true}}, carol)
}

# A subject that says nothing is nobody.
test_an_empty_subject if {
	not named_by({}, carol)
	not named_by({}, local_person)
}

test_the_local_subject if {
	named_by({"local": true}, local_person)
	not named_by({"local": true}, carol)
	not named_by({"cn": {"carol": true}}, object.union(carol, {"method": "local"}))
	not named_by({"cn": {"carol": true}}, object.union(carol, {"method": "none"}))
}

owned(changes, asking, owner) if {
	found := decide_by([rule_with(changes)], ask("container.kill", {
		"subject": asking,
		"object": container({"owner": owner}),
	}))
	found.allow == true
}

test_what_one_made_oneself if {
	owned({}, carol, carol)
	not owned({}, carol, dave)
	not owned({}, carol, null)
	not owned({}, carol, object.union(carol, {"method": "local"}))
	nobody := object.union(carol, {"principal": null})
	not owned({}, nobody, nobody)
}

test_what_the_same_subject_made if {
	owned({"owner": "subject"}, carol, carol)
	owned({"owner": "subject"}, carol, dave)
	not owned({"owner": "subject"}, carol, eve)
	not owned({"owner": "subject"}, carol, null)
}

# It must be a subject of both and of the rule.
test_subjects_that_are_shared_but_not_the_rules if {
	both := object.union(carol, {"cn": "alice", "principal": "alice"})
	ops := object.union(eve, {"cn": "bob", "principal": "bob"})
	owned({"owner": "subject", "subjects": {"ci": true, "ops": true}}, both, ops)
	not owned({"owner": "subject"}, both, ops)
}

test_what_anybody_made if {
	owned({"owner": "any"}, carol, eve)
	owned({"owner": "any"}, carol, null)
	not owned({"owner": "x"}, carol, carol)
}

test_who_asks_in_sentences if {
	authz.person_text == "carol" with input as {"subject": carol}
	authz.person_text == "nobody" with input as {"subject": {"principal": null}}
	authz.person_text == "nobody" with input as {}
}
