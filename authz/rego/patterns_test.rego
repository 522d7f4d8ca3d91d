package stockade.authz_test

import data.stockade.authz
import rego.v1

# The four simple forms, each beside the expression that it stands for.
forms := [
	{"plain": "^web$", "simple": {"is": "web"}},
	{"plain": "^ci-[^/]*$", "simple": {"starts": "ci-"}},
	{"plain": "(?s)^ci-.*$", "simple": {"begins": "ci-"}},
	{"plain": "^/srv/[^/]+(/[^/]+)*$", "simple": {"below": "/srv/"}},
]

texts := [
	"",
	"/",
	"/srv",
	"/srv/",
	"/srv//a",
	"/srv/a",
	"/srv/a/",
	"/srv/a/b",
	"/srvx/a",
	"CI-1",
	"aci-1",
	"ci",
	"ci-",
	"ci-/",
	"ci-1",
	"ci-1/2",
	"ci-ci-1",
	"we",
	"web",
	"web\n",
	"webx",
	"xweb",
]

fitting(expression) := {text | some text in texts; authz.fits(expression, text)}

test_simple_forms_mean_what_the_expressions_mean if {
	[fitting(form.plain) | some form in forms] == [fitting(form.simple) | some form in forms]
}

test_plain_expressions if {
	[fitting(form.plain) | some form in forms] == [
		{"web"},
		{"ci-", "ci-1", "ci-ci-1"},
		{"ci-", "ci-/", "ci-1", "ci-1/2", "ci-ci-1"},
		{"/srv/a", "/srv/a/b"},
	]
}

test_exact_texts_mean_what_the_expressions_mean if {
	plain := pats(["web", "db"])
	simple := {"any": false, "own": false, "patterns": [], "exact": {"web": true, "db": true}}
	[text | some text in texts; authz.text_ok(plain, text)] == ["web"]
	[text | some text in texts; authz.text_ok(simple, text)] == ["web"]
}

test_only_texts_fit if {
	authz.matches(["^.*$"], "1")
	not authz.matches(["^.*$"], 1)
	not authz.matches(["^.*$"], null)
	not authz.matches("^.*$", "1")
	not authz.matches([], "1")
	[form | some form in forms; authz.matches([form.simple], null)] == []
}

test_text if {
	authz.text_ok(anything, "x")
	authz.text_ok(pats(["x"]), "x")
	not authz.text_ok(pats(["x"]), "y")
	not authz.text_ok(none, "x")
	not authz.text_ok(none, "")
}

test_all_texts_must_fit if {
	authz.texts_ok(anything, ["x", "y"])
	authz.texts_ok(none, [])
	authz.texts_ok(pats(["x", "y"]), ["x", "y"])
	not authz.texts_ok(pats(["x"]), ["x", "y"])
	not authz.texts_ok(none, ["x"])
}

test_all_keys_must_fit if {
	authz.keys_ok(anything, {"x": 1})
	authz.keys_ok(none, {})
	authz.keys_ok(pats(["x", "y"]), {"x": 1, "y": 2})
	not authz.keys_ok(pats(["x"]), {"x": 1, "y": 2})
	not authz.keys_ok(none, {"x": 1})
}

test_keys_and_their_values_must_fit if {
	keyed := options({"x": ["1", "2"], "y": ["3"]})
	authz.options_ok(any_option, {"z": "1"})
	authz.options_ok(options({}), {})
	authz.options_ok(keyed, {"x": "2", "y": "3"})
	not authz.options_ok(keyed, {"x": "3"})
	not authz.options_ok(keyed, {"x": "1", "z": "1"})
	not authz.options_ok(keyed, {"x": 1})
	authz.option_ok(any_option, "z", "1")
	authz.option_ok(keyed, "x", "1")
	not authz.option_ok(keyed, "y", "1")
}

test_names if {
	authz.name_ok(any_name, "links")
	authz.name_ok(names(["links"]), "links")
	not authz.name_ok(names(["links"]), "aliases")
}

test_nothing if {
	authz.nothing(null)
	authz.nothing("")
	not authz.nothing("x")
}
