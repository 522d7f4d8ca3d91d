package stockade.authz_test

import rego.v1

# The shipped module says nothing of its own.
test_no_extra_rules if {
	data.stockade.extra.deny == set()
	data.stockade.extra.allow == set()
}
