package stockade.authz_test

import data.stockade.authz
import rego.v1

limits(changes) := {"limits": object.union(base_rule.limits, changes)}

test_limits if {
	kinds := ["memory", "nano_cpus", "pids"]
	held := [kind |
		some kind in kinds
		rule := limits({kind: 100})
		allowed(rule, create({"resources": {kind: 100}}))
		denied(rule, create({"resources": {kind: 101}}), [limit_fault(kind, "101")])
		denied(rule, create({"resources": {kind: 0}}), [limit_fault(kind, "0")])
		denied(rule, create({"resources": {kind: -1}}), [limit_fault(kind, "-1")])
		denied(rule, create({}), [limit_fault(kind, "(none)")])
	]
	held == kinds
}

limit_fault(kind, value) := sprintf(
	"limits: %s is %s, it must be set and at most 100%s",
	[kind, value, hint(kind, value)],
)

hint("nano_cpus", "-1") := "; name quota and period together, or --cpus"

hint("nano_cpus", value) := "" if value != "-1"

hint(kind, _) := "" if kind != "nano_cpus"

# An update need not say it, but may not raise it.
test_limits_of_updates if {
	kinds := ["memory", "nano_cpus", "pids"]
	held := [kind |
		some kind in kinds
		rule := limits({kind: 100})
		allowed(rule, update({}))
		allowed(rule, update({"resources": {kind: 100}}))
		denied(rule, update({"resources": {kind: 101}}), [limit_fault(kind, "101")])
		denied(rule, update({"resources": {kind: -1}}), [limit_fault(kind, "-1")])
	]
	held == kinds
}

test_rates if {
	kinds := ["read_bps", "write_bps", "read_iops", "write_iops"]
	held := [kind |
		some kind in kinds
		rule := limits({kind: 100})
		key := concat("", ["device_", kind])
		fault := [sprintf("limits: %s must be set for a device and at most 100", [kind])]
		allowed(rule, create({"resources": {key: [{"rate": 100}, {"rate": 1}]}}))
		denied(rule, create({"resources": {key: [{"rate": 100}, {"rate": 101}]}}), fault)
		denied(rule, create({"resources": {key: [{"rate": 0}]}}), fault)
		denied(rule, create({}), fault)
		allowed(rule, update({}))
	]
	held == kinds
}

wanted(any, non_root, texts) := {"user": {
	"any": any,
	"non_root": non_root,
	"patterns": whole(texts),
}}

as_user(text, root) := create({"user": {"text": text, "root": root}})

test_users if {
	allowed(wanted(true, false, []), as_user("0", true))
	allowed(wanted(false, true, []), as_user("1000", false))
	allowed(wanted(false, false, ["app"]), as_user("app", null))
	denied(wanted(false, true, []), as_user("0", true), ["user: 0 is not permitted"])
	denied(wanted(false, true, []), as_user("app", null), ["user: app is not permitted"])
	denied(wanted(false, true, []), as_user("", true), ["user: (empty) is not permitted"])
	denied(wanted(false, false, ["app"]), as_user("1000", false), ["user: 1000 is not permitted"])
}

test_no_new_privileges if {
	allowed({"no_new_privileges": true}, create({"no_new_privileges": true}))
	allowed({"no_new_privileges": true}, update({}))
	denied({"no_new_privileges": true}, create({}), ["no-new-privileges: it must be set"])
}

test_read_only_root if {
	allowed({"read_only": true}, create({"read_only": true}))
	allowed({"read_only": true}, update({}))
	denied({"read_only": true}, create({}), ["read-only: the root file system must be read-only"])
}

# A spec must say whether it is a part of one.
test_a_spec_that_does_not_say_what_it_is if {
	denied({}, create({"partial": null}), ["what it asks for could not be proven"])
}

test_at_most if {
	authz.at_most(5, 5)
	not authz.at_most(5, 6)
	not authz.at_most(5, 0)
	not authz.at_most(5, "1")
	not authz.at_most(5, null)
	not authz.at_most(null, 5)
	not authz.at_most("9", 5)
}
