# Texts against the compiled patterns of a rule: {any, patterns: [expression]} and
# {any, keys: {key: [expression]}}.
package stockade.authz

import rego.v1

matches(expressions, text) if {
	is_string(text)
	is_array(expressions)
	some expression in expressions
	fits(expression, text)
}

# An expression is a regular expression. The embedded engine replaces simple ones when it loads a
# policy, because comparing is cheaper: {is: text}, {starts: text} and anything without a slash,
# {begins: text} and anything, {below: folder} and a clean path; in patterns it moves those that
# are one text to {exact: {text: true}}.
fits(expression, text) if expression.is == text

fits(expression, text) if {
	startswith(text, expression.starts)
	contains(trim_prefix(text, expression.starts), "/") == false
}

fits(expression, text) if startswith(text, expression.begins)

fits(expression, text) if {
	startswith(text, expression.below)
	text != expression.below
	endswith(text, "/") == false
	contains(text, "//") == false
}

fits(expression, text) if {
	is_string(expression)
	regex.match(expression, text)
}

text_ok(patterns, _) if patterns.any == true

text_ok(patterns, text) if patterns.exact[text] == true

text_ok(patterns, text) if matches(patterns.patterns, text)

texts_ok(patterns, _) if patterns.any == true

texts_ok(_, texts) if texts == []

texts_ok(patterns, texts) if {
	good := [text |
		some text in texts
		text_ok(patterns, text)
	]
	count(good) == count(texts)
}

# The keys of a map, whatever their values.
keys_ok(patterns, _) if patterns.any == true

keys_ok(_, map) if map == {}

keys_ok(patterns, map) if {
	good := [key |
		some key, _ in map
		text_ok(patterns, key)
	]
	count(good) == count(map)
}

# The keys of a map, and the values that each of them may have.
options_ok(keyed, _) if keyed.any == true

options_ok(_, options) if options == {}

options_ok(keyed, options) if {
	good := [key |
		some key, value in options
		option_ok(keyed, key, value)
	]
	count(good) == count(options)
}

option_ok(keyed, _, _) if keyed.any == true

option_ok(keyed, key, value) if matches(keyed.keys[key], value)

# Names in a rule: {any, names: {NAME: true}}.
name_ok(names, _) if names.any == true

name_ok(names, name) if names.names[name] == true

nothing(text) if text == null

nothing(text) if text == ""
