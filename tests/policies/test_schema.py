"""The JSON Schema that editors use and the loader agree on what a policy looks like.

What a schema cannot say is in BEYOND_SCHEMA, and only there may the two differ.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import authz_policies
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import stockade.policies
from stockade.policies import library_names, load_text
from stockade.policies.authz_rules import CONSTRAINTS, NAMESPACES
from stockade.policies.capabilities import CAPABILITIES
from stockade.policies.catalog import LIBRARY
from stockade.policies.errnos import ERRNO_NAMES
from stockade.policies.nodes import Kind, MappingNode, Node, SequenceNode
from stockade.policies.problems import Report
from stockade.policies.rules import ACTIONS
from stockade.policies.source import Source
from stockade.policies.yamltext import parse_yaml

CASES = Path(__file__).parent / "cases"
PATH = Path(stockade.policies.__file__).parent / "schema" / "policy-1.schema.json"
SCHEMA: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

HEAD = "stockade: 1\nname: x\n"
S = HEAD + "seccomp: {default: deny, "
R = HEAD + "seccomp: {default: deny, rules: ["
U = HEAD + "userns: {tenants: {web: {}}, "

VALID = [
    *authz_policies.VALID,
    HEAD + "seccomp: {default: deny}",
    HEAD + "seccomp: {default: deny, rules: []}",
    HEAD + "seccomp: {default: trace, with: 65535}",
    HEAD + "seccomp: {default: allow}",
    HEAD + "extends: ./good.yaml",
    HEAD + "extends: ./good.yaml\nseccomp: {}",
    HEAD + "extends: ./good.yaml\nseccomp: {newer: kill}",
    HEAD + "extends: ./good.yaml\ntests: []",
    HEAD + "extends: ./good.yaml\ndescription: |\n  two\n  lines",
    HEAD + "extends: ./good.yaml\ndescription: '5'",
    'stockade: 1\nname: "0.x_y-z"\nextends: ./good.yaml',
    S + "with: EPERM}",
    S + "with: 0}",
    S + "with: 0xfff}",
    S + "newer: ENOSYS}",
    S + "newer: 38}",
    S + "newer: default}",
    S + "newer: kill-thread}",
    S + "architectures: [x86_64, arm]}",
    R + "{allow: read}]}",
    R + "{allow: [read, write]}]}",
    R + "{allow: '@keyring'}]}",
    R + "{deny: read, with: ENOTSUP}]}",
    R + "{trace: read, with: 5}]}",
    R + "{trace: read}]}",
    R + "{allow: read, when: 'fd == 1'}]}",
    R + "{allow: read, needs: CAP_BPF}]}",
    R + "{allow: read, needs: [CAP_BPF, CAP_PERFMON]}]}",
    R + "{allow: read, kernel: '>=5.8'}]}",
    R + "{allow: read, kernel: '< 6.10'}]}",
    R + "{allow: read, architectures: [x86_64]}]}",
    R + "{kill: _llseek}]}",
    U + "span: 524288-1879048191}",
    U + "span: [524288-1879048191], block: 131072, reserved: []}",
    U + "span: [524288-655359, 65536-131071], reserved: [524288-524288]}",
    HEAD + "userns: {span: 65536-131071, tenants: {}}",
    HEAD + "userns: {span: 65536-131071, tenants: {a: null, root: {}, _X.y-z: {blocks: 65536}}}",
    S + "}\ntests: [{call: read, expect: allow}]",
    S + "}\ntests: [{call: read, expect: deny, with: EPERM, needs: CAP_BPF}]",
    S + "}\ntests: [{call: read, expect: trace, with: 0, architectures: [arm]}]",
]
INVALID = [
    *authz_policies.INVALID,
    "[]",
    "text",
    "5",
    "stockade: 1",
    "name: x",
    HEAD,
    "name: x\nseccomp: {default: deny}",
    "stockade: 2\nname: x\nseccomp: {default: deny}",
    "stockade: '1'\nname: x\nseccomp: {default: deny}",
    "stockade: true\nname: x\nseccomp: {default: deny}",
    "stockade: 1\nname: X\nseccomp: {default: deny}",
    "stockade: 1\nname: -x\nseccomp: {default: deny}",
    "stockade: 1\nname: 5\nseccomp: {default: deny}",
    "stockade: 1\nname: null\nseccomp: {default: deny}",
    f"stockade: 1\nname: {'x' * 64}\nseccomp: {{default: deny}}",
    HEAD + "seccomp:",
    HEAD + "seccomp: {}",
    HEAD + "seccomp: []",
    HEAD + "seccomp: {rules: []}",
    HEAD + "seccomp: {default: block}",
    HEAD + "seccomp: {default: yes}",
    HEAD + "seccomp: {default: allow, with: EPERM}",
    HEAD + "seccomp: {default: trace, with: EPERM}",
    HEAD + "extends: ./good.yaml\nseccomp: {with: EPERM}",
    HEAD + "extends: [a]",
    HEAD + "extends: ' '",
    HEAD + "extends: ./good.yaml\ndescription: 5",
    HEAD + "extends: ./good.yaml\ndescription: ''",
    HEAD + f"extends: ./good.yaml\ndescription: {'x' * 4097}",
    HEAD + "extends: ./good.yaml\nrules: []",
    HEAD + "extends: ./good.yaml\nuserns: {}",
    HEAD + "extends: ./good.yaml\nauthz: {}",
    HEAD + "extends: ./good.yaml\ntests: {}",
    S + "with: EPREM}",
    S + "with: 4096}",
    S + "with: -1}",
    S + "with: '1'}",
    S + "with: null}",
    S + "newer: allow}",
    S + "newer: deny}",
    S + "newer: trace}",
    S + "newer: 4096}",
    S + "newer: null}",
    S + "architectures: []}",
    S + "architectures: x86_64}",
    S + "architectures: [x86_64, x86_64]}",
    S + "architectures: [X86]}",
    S + "architectures: [5]}",
    S + "rules: {}}",
    S + "rule: []}",
    R + "read]}",
    R + "{}]}",
    R + "{when: 'fd == 1'}]}",
    R + "{allow: read, deny: write}]}",
    R + "{allow: []}]}",
    R + "{allow: null}]}",
    R + "{allow: {a: b}}]}",
    R + "{allow: [read, read]}]}",
    R + "{allow: [[read]]}]}",
    R + "{allow: Read}]}",
    R + "{allow: 5}]}",
    R + "{allow: no}]}",
    R + "{allow: '@'}]}",
    R + "{allow: read, with: EPERM}]}",
    R + "{deny: read, with: ''}]}",
    R + "{deny: read, with: [EPERM]}]}",
    R + "{trace: read, with: 65536}]}",
    R + "{allow: read, when: ''}]}",
    R + "{allow: read, when: 1}]}",
    R + "{allow: read, needs: []}]}",
    R + "{allow: read, needs: SYS_ADMIN}]}",
    R + "{allow: read, needs: [CAP_BPF, CAP_BPF]}]}",
    R + "{allow: read, kernel: 5.8}]}",
    R + "{allow: read, kernel: '5.8'}]}",
    R + "{allow: read, kernel: '>=05.8'}]}",
    R + "{allow: read, architectures: arm}]}",
    R + "{allow: read, if: x}]}",
    HEAD + "userns:",
    HEAD + "userns: {}",
    HEAD + "userns: {span: 65536-131071}",
    HEAD + "userns: {tenants: {a: {}}}",
    HEAD + "userns: {span: 65536-131071, tenants: [a]}",
    HEAD + "userns: {span: 65536-131071, tenants: {a: 2}}",
    HEAD + "userns: {span: 65536-131071, tenants: {a: {blocks: 0}}}",
    HEAD + "userns: {span: 65536-131071, tenants: {a: {blocks: 65537}}}",
    HEAD + "userns: {span: 65536-131071, tenants: {a: {size: 1}}}",
    HEAD + "userns: {span: 65536-131071, tenants: {'1000': {}}}",
    HEAD + f"userns: {{span: 65536-131071, tenants: {{{'x' * 33}: {{}}}}}}",
    U + "span: []}",
    U + "span: 65536}",
    U + "span: 065536-131071}",
    U + "span: 0x10000-0x1ffff}",
    U + "span: 65536 - 131071}",
    U + "span: 65536-131071, block: 65535}",
    U + "span: 65536-131071, block: 0}",
    U + "span: 65536-131071, block: '65536'}",
    U + "span: 65536-131071, reserved: 65536-65537}",
    U + "span: 65536-131071, reserve: []}",
    S + "}\ntests: [read]",
    S + "}\ntests: [{call: read}]",
    S + "}\ntests: [{expect: deny}]",
    S + "}\ntests: [{call: read, expect: no}]",
    S + "}\ntests: [{call: 5, expect: deny}]",
    S + "}\ntests: [{call: read, expect: allow, with: EPERM}]",
    S + "}\ntests: [{call: read, expect: deny, with: 5000}]",
    S + "}\ntests: [{call: read, expect: deny, needs: BPF}]",
]
BEYOND_SCHEMA = [
    *authz_policies.BEYOND_SCHEMA,
    (R + "{allow: read, when: 'fd = 1'}]}", "the syntax of conditions"),
    (R + "{allow: '@no-such'}]}", "which groups there are"),
    (U + "span: 1000-200000}", "whose ids they are"),
    (U + "span: 131071-65536}", "which number is larger"),
    (U + "span: 65537-131072}", "whether a block fits"),
    (U + "span: [65536-262143, 131072-327679]}", "whether spans overlap"),
    (U + "span: 65536-131071, reserved: [1-2]}", "whether a span holds another"),
    (HEAD + "extends: ./nowhere.yaml", "what can be extended"),
    (HEAD + "extends: ./extends-self.yaml", "whether `extends` goes in a circle"),
    (S + "}\ntests: [{call: 'read(', expect: deny}]", "the syntax of calls"),
    (S + "}\nname: y", "a key that is there twice"),
    ("stockade: 1.0\nname: x\nseccomp: {default: deny}", "1.0 is an integer to JSON Schema"),
    (S + "with: 1_0}", "how a number is written"),
    (HEAD + "extends: &a ./good.yaml", "anchors, aliases, tags"),
]


def plain(node: Node) -> Any:
    """What an editor's schema checker sees."""
    if isinstance(node, MappingNode):
        return {entry.key.text: plain(entry.value) for entry in node.entries}
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.items]
    if node.kind is Kind.INTEGER:
        return int(node.text.replace("_", ""), 0)
    if node.kind is Kind.FLOAT:
        return float(node.text)
    if node.kind is Kind.BOOLEAN:
        return node.text in ("true", "yes", "on")
    return None if node.kind is Kind.NULL else node.text


def verdicts(text: str) -> tuple[bool, bool, str]:
    """Whether the schema accepts it, whether the loader does, and what both say."""
    node = parse_yaml(Source("x", text), Report())
    assert node is not None
    errors = [error.message for error in VALIDATOR.iter_errors(plain(node))]
    loaded = load_text(text, directory=CASES)
    said = [problem.message for problem in loaded.problems]
    return not errors, not said, f"{text}\nschema: {errors}\nloader: {said}"


def test_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert len(VALID) + len(INVALID) >= 60


@pytest.mark.parametrize("text", VALID)
def test_valid(text: str) -> None:
    schema, loader, why = verdicts(text)
    assert (schema, loader) == (True, True), why


@pytest.mark.parametrize("text", INVALID)
def test_invalid(text: str) -> None:
    schema, loader, why = verdicts(text)
    assert (schema, loader) == (False, False), why


@pytest.mark.parametrize(("text", "what"), BEYOND_SCHEMA)
def test_beyond_schema(text: str, what: str) -> None:
    schema, loader, why = verdicts(text)
    assert (schema, loader) == (True, False), f"{what}: {why}"


def test_lists_of_the_schema() -> None:
    defs = SCHEMA["$defs"]
    assert defs["action"]["enum"] == list(ACTIONS)
    assert defs["capability"]["enum"] == list(CAPABILITIES)
    assert defs["errno"]["anyOf"][0]["enum"] == sorted(ERRNO_NAMES)
    assert [choice["required"][0] for choice in defs["rule"]["oneOf"]] == list(ACTIONS)
    rule = defs["authz-rule"]["properties"]
    assert list(rule) == ["allow", "deny", "subjects", "because", *CONSTRAINTS]
    assert list(rule["namespaces"]["properties"]) == list(NAMESPACES)


def test_the_library_fits_the_schema() -> None:
    for name in library_names():
        text = (LIBRARY / f"{name}.yaml").read_text(encoding="utf-8")
        node = parse_yaml(Source(name, text), Report())
        assert node is not None
        assert not list(VALIDATOR.iter_errors(plain(node))), name


# --- mutations --------------------------------------------------------------------------

BASE: dict[str, Any] = {
    "stockade": 1,
    "name": "base",
    "description": "text",
    "extends": "./good.yaml",
    "seccomp": {
        "default": "deny",
        "with": "EPERM",
        "newer": "ENOSYS",
        "architectures": ["x86_64", "arm"],
        "rules": [
            {"deny": ["ptrace", "@keyring"], "with": 13},
            {"trace": "open", "with": 5, "when": "arg0 == 1"},
            {"allow": "bpf", "needs": ["CAP_BPF"], "kernel": ">=5.8", "architectures": ["arm"]},
        ],
    },
    "tests": [
        {"call": "open", "expect": "deny", "with": "EPERM", "needs": "CAP_BPF"},
        {"call": "open", "expect": "allow"},
    ],
    "authz": authz_policies.SECTION,
    "userns": {"span": "524288-1879048191", "tenants": {"web": {}, "ci": {"blocks": 2}}},
}
# No text here is well formed but meaningless: that would be beyond the schema.
VALUES: list[Any] = [
    None, True, False, 0, 1, 5, -1, 4095, 4096, 65535, 65536, "", " ", "deny", "allow", "trace",
    "kill", "default", "EPERM", "CAP_BPF", "Open", "@keyring", ">=5.8", "x86_64", [], {}, [[]],
    ["open"], ["open", "open"], [1], ["CAP_BPF"], {"deny": "open"}, {"call": "open"}, "a b",
    "any", "local", "x.y", "host", "/a", {"a": "x"}, ["any", "own"], {"cn": "x"}, "a.rego", "1g",
]  # fmt: skip
KEYS = [
    "stockade", "name", "description", "extends", "seccomp", "default", "with", "newer",
    "architectures", "rules", "allow", "deny", "kill", "trace", "when", "needs", "kernel", "tests",
    "call", "expect", "zzz", "userns", "authz", "subjects", "rego", "local", "cn", "because",
    "binds", "limits", "owner", "privileged", "source", "labels", "span", "tenants", "blocks",
]  # fmt: skip
# Under these keys a text means something to the loader only.
MEANT = {"when": "arg0 == 1", "extends": "./good.yaml", "call": "open"}


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    document = copy.deepcopy(BASE)
    for _ in range(draw(st.integers(1, 3))):
        parent: Any = document
        while True:
            keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(parent[key], dict | list) and draw(st.booleans()):
                parent = parent[key]
                continue
            if draw(st.booleans()):
                parent[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
            else:
                del parent[key]
            break
        if isinstance(parent, dict) and draw(st.booleans()):
            parent[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return meant(document)


def meant(value: Any, key: str = "") -> Any:
    """The document with every text under a key of MEANT that is not blank made meaningful."""
    if isinstance(value, dict):
        return {name: meant(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [meant(inner) for inner in value]
    return MEANT[key] if key in MEANT and isinstance(value, str) and value.strip() else value


def test_base_is_valid() -> None:
    assert verdicts(json.dumps(BASE))[:2] == (True, True)


@settings(max_examples=1000, deadline=None)
@given(mutated())
def test_mutations(document: Any) -> None:
    schema, loader, why = verdicts(json.dumps(document))
    assert schema == loader, why
