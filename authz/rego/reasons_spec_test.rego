# Sentences beyond those that the tests of the constraints compare.
package stockade.authz_test

import data.stockade.authz
import rego.v1

test_permitted_names if {
	authz.permitted_names({}) == "none"
	authz.permitted_names({"web": true, "db": true}) == "db, web"
}

test_namespace_sentences if {
	host := {"mode": "host", "target": null}
	joined := {"mode": "container", "target": "web"}
	authz.namespace_text("pid", host) == "namespaces: pid host is not permitted"
	authz.namespace_text("pid", joined) == "namespaces: pid container:web is not permitted"
}

test_all_faults_at_once if {
	asked := create({
		"privileged": true,
		"runtime": "runsc",
		"publish_all": true,
		"links": ["db"],
		"namespaces": {"uts": {"mode": "host"}},
	})
	denied({}, asked, [
		"endpoint: the link db is not permitted",
		"namespaces: uts host is not permitted",
		"ports: publishing all ports is not permitted",
		"privileged: a privileged container is not permitted",
		"runtimes: runsc is not permitted",
	])
}
