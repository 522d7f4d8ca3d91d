# Who asks, and whose a thing is.
package stockade.authz

import rego.v1

# The names that the policy gives to the person who asks.
asking := names_of(input.subject)

names_of(person) := {name |
	some name, who in data.stockade.policy.subjects
	answers_to(who, person)
}

# All that a subject says must match, and it must say something.
answers_to(who, person) if {
	says_something(who)
	reached_by(who, person)
	cn_matches(who, person)
	ou_matches(who, person)
	san_matches(who, person)
}

says_something(who) if who.local == true

says_something(who) if is_object(who.cn)

says_something(who) if is_object(who.ou)

says_something(who) if is_object(who.sans)

reached_by(who, person) if {
	who.local == true
	person.method == "local"
}

reached_by(who, person) if {
	who.local == false
	person.method == "tls"
}

cn_matches(who, _) if who.cn == null

cn_matches(who, person) if who.cn[person.cn] == true

ou_matches(who, _) if who.ou == null

ou_matches(who, person) if {
	some unit in person.ou
	who.ou[unit] == true
}

san_matches(who, _) if who.sans == null

san_matches(who, person) if {
	some name in person.sans
	who.sans[name] == true
}

# The thing is one that the rule lets this person act upon.
owner_ok(rule, _) if rule.owner == "any"

owner_ok(rule, thing) if {
	rule.owner == "self"
	is_string(input.subject.principal)
	thing.owner.principal == input.subject.principal
	thing.owner.method == input.subject.method
}

owner_ok(rule, thing) if {
	rule.owner == "subject"
	is_object(thing.owner)
	some name in names_of(thing.owner)
	name in asking
	rule.subjects[name] == true
}

person_text := input.subject.principal if is_string(input.subject.principal)

else := "nobody"
