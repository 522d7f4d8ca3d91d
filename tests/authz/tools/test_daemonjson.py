"""daemon.json: one entry in, one out, everything else byte for byte."""

import json

import pytest

from stockade.authz.daemonjson import with_plugin, without_plugin
from stockade.policies.errors import InputError
from stockade.policies.source import Source

FILES = [
    "{}",
    "{ }\n",
    '{"debug": true}',
    '{\n    "debug": true,\n    "x-unknown": {"authorization-plugins": ["not this"]}\n}\n',
    '{\r\n\t"hosts": ["unix:///run/docker.sock"],\r\n\t"data-root": "/d"\r\n}\r\n',
    '{"authorization-plugins": []}',
    '{"authorization-plugins": null, "a": 1e400}',
    '{"authorization-plugins": ["first"], "b": [1, 2]}',
    '{\n  "authorization-plugins": [\n    "first",\n    "second"\n  ],\n  "debug": false\n}\n',
    '{\n  "debug": false,\n  "authorization-plugins": [\n    "fir\\u0073t"\n  ]\n}\n',
    '{"a": "]}{[,\\"", "authorization-plugins" : [ "x,]\\"" ] }',
]


def source(text):
    return Source("daemon.json", text)


@pytest.mark.parametrize("text", FILES)
def test_the_plugin_comes_last_and_nothing_else_changes(text):
    merged = with_plugin(source(text), "stockade")
    before, after = json.loads(text), json.loads(merged)
    assert after.pop("authorization-plugins") == [
        *(before.pop("authorization-plugins", None) or []),
        "stockade",
    ]
    assert list(after.items()) == list(before.items())
    assert with_plugin(source(merged), "stockade") == merged
    # Every byte that was there is still there, in its order.
    rest = iter(merged)
    kept = text.replace("null", "") if "null" in text else text
    assert all(each in rest for each in kept.replace(" ", "").replace("\n", ""))


@pytest.mark.parametrize("text", FILES)
def test_taken_out_again(text):
    merged = with_plugin(source(text), "stockade")
    again = without_plugin(source(merged), "stockade")
    before, after = json.loads(text), json.loads(again)
    if not before.get("authorization-plugins"):
        before.pop("authorization-plugins", None)
    assert list(after.items()) == list(before.items())
    if before.get("authorization-plugins"):
        assert again == text
    assert without_plugin(source(again), "stockade") == again


def test_no_file_yet():
    merged = with_plugin(source(""), "stockade")
    assert json.loads(merged) == {"authorization-plugins": ["stockade"]}
    assert merged.endswith("}\n")


def test_a_plugin_named_twice_is_taken_out_twice():
    text = '{"authorization-plugins": ["stockade", "a", "stockade"]}'
    assert json.loads(without_plugin(source(text), "stockade")) == {"authorization-plugins": ["a"]}


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"a": 1} x',
        '{"a": 1, "a": 2}',
        '{"authorization-plugins": ["a"], "authorization-plugins": []}',
        '{"authorization-plugins": "stockade"}',
        '{"authorization-plugins": [1]}',
        '{"authorization-plugins": [["stockade"]]}',
        "{// comment\n}",
        "{'a': 1}",
        '{"a": 1,}',
    ],
)
def test_what_is_not_sure_is_left_alone(text):
    for change in (with_plugin, without_plugin):
        with pytest.raises(InputError):
            change(source(text), "stockade")
