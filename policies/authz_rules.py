"""The `authz` section: nodes to subjects and rules, in the author's own words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .authz_entries import read_binds, read_devices, read_images, read_ports
from .authz_model import Authz, AuthzRule, Build, Limits, Objects, Subject, Tmpfs, Words
from .authz_values import (
    USER,
    read_any,
    read_capabilities,
    read_choice,
    read_choices,
    read_count,
    read_cpus,
    read_items,
    read_keyed,
    read_size,
    read_words,
)
from .fields import Fields, read_boolean, read_list, read_mapping, read_text
from .model import Name
from .nodes import Node, ScalarNode
from .problems import Report, shown
from .source import Location

AUTHZ_KEYS = ("subjects", "rules", "rego")
SUBJECT_KEYS = ("cn", "ou", "san", "local")
SUBJECT_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
OPERATION = re.compile(r"@[a-z][a-z0-9-]{0,62}|\*|[a-z]+\.(?:\*|[a-z]+(?:-[a-z]+)*)")
MAXIMAL_BECAUSE = 512

NAMESPACES: Mapping[str, tuple[str, ...]] = {
    "pid": ("host", "container"),
    "ipc": ("host", "container", "shareable"),
    "network": ("host", "container"),
    "uts": ("host",),
    "user": ("host",),
    "cgroup": ("host",),
}
"""The namespaces, and of each the modes that a rule may allow besides the harmless ones."""
ENDPOINT = ("aliases", "links", "fixed-ip", "fixed-mac", "driver-options")
OWNERS = ("self", "subject", "any")

_SAN = re.compile(r"(?:DNS|URI|email|IP):\S+")

Reader = Callable[[Node, str, Report], Any]


def _words(*special: str, of: str = "pattern") -> Reader:
    return lambda node, what, report: read_words(node, what, report, special, of)


def _namespaces(node: Node, what: str, report: Report) -> dict[str, Words] | None:
    mapping = read_mapping(node, what, report, "as in {pid: [host]}")
    if mapping is None:
        return None
    fields = Fields(mapping, what, NAMESPACES, report, {"net": "write `network`"})
    _not_empty(fields, what, report)
    return {
        key: read_choices(entry.value, f"{what}, `{key}`", report, NAMESPACES[key])
        for key, entry in fields.entries.items()
    }


def _not_empty(fields: Fields, what: str, report: Report) -> None:
    if not fields.node.entries:
        report.add(f"{what} is an empty mapping", fields.at, "say something in it, or delete it")


def _parts(
    node: Node, what: str, report: Report, readers: Mapping[str, Reader]
) -> tuple[Location, dict[str, Any]] | None:
    """The values of a mapping with these keys, by the names of their fields in the model."""
    mapping = read_mapping(node, what, report)
    if mapping is None:
        return None
    fields = Fields(mapping, what, readers, report)
    _not_empty(fields, what, report)
    values = {
        key.replace("-", "_"): readers[key](entry.value, f"`{key}`", report)
        for key, entry in fields.entries.items()
    }
    return fields.at, values


def _tmpfs(node: Node, what: str, report: Report) -> Tmpfs | None:
    parts = _parts(node, what, report, {"options": _words(of="option"), "max-size": read_size})
    if parts is None:
        return None
    at, values = parts
    options: Words | None = values.get("options")
    return Tmpfs(options.items if options else (), values.get("max_size"), at)


_BUILD: Mapping[str, Reader] = {
    "networks": _words("any"),
    "remote": _words("any"),
    "security": read_boolean,
    "cgroup-parents": _words("any", "default"),
    "outputs": read_boolean,
}
_LIMITS: Mapping[str, Reader] = {
    "memory": read_size,
    "cpus": read_cpus,
    "pids": read_count,
    "read-bps": read_size,
    "write-bps": read_size,
    "read-iops": read_count,
    "write-iops": read_count,
}


def _build(node: Node, what: str, report: Report) -> Build | None:
    parts = _parts(node, what, report, _BUILD)
    if parts is None:
        return None
    at, values = parts
    values.update((key, bool(values.get(key))) for key in ("security", "outputs"))
    return Build(at, **values)


def _limits(node: Node, what: str, report: Report) -> Limits | None:
    parts = _parts(node, what, report, _LIMITS)
    return None if parts is None else Limits(parts[0], **parts[1])


def _labels(node: Node, what: str, report: Report) -> Any:
    return read_keyed(node, what, report, any_key=False)


def _objects(node: Node, what: str, report: Report) -> Objects | None:
    parts = _parts(node, what, report, {"labels": _labels, "names": _words()})
    return None if parts is None else Objects(parts[0], **parts[1])


def _user(node: Node, what: str, report: Report) -> Words:
    words = read_words(node, what, report, ("any", "non-root"), "user")
    for name in words.items:
        if not USER.fullmatch(name.text):
            hint = "a name, a number, or both with a group: `app`, `1000`, `1000:1000`"
            report.add(f"{what}: {shown(name.text)} names no user", name.at, hint)
    return words


def _endpoint(node: Node, what: str, report: Report) -> Words:
    return read_choices(node, what, report, ENDPOINT, ("any",))


def _owner(node: Node, what: str, report: Report) -> str | None:
    return read_choice(node, what, report, OWNERS)


CONSTRAINTS: Mapping[str, Reader] = {
    # what may be asked for
    "privileged": read_boolean,
    "capabilities": read_capabilities,
    "namespaces": _namespaces,
    "binds": read_binds,
    "volumes": _words("any", "own"),
    "volume-drivers": _words("any", "default"),
    "volume-options": read_keyed,
    "volumes-from": read_boolean,
    "devices": read_devices,
    "device-rules": _words("any", of="rule"),
    "device-requests": _words("any", "default"),
    "tmpfs": _tmpfs,
    "networks": _words("any", "own"),
    "endpoint": _endpoint,
    "ports": read_ports,
    "sysctls": _words("any"),
    "annotations": _words("any"),
    "runtimes": _words("any", "default"),
    "cgroup-parents": _words("any", "default"),
    "log-drivers": _words("any", "default"),
    "storage-options": _words("any"),
    "seccomp": _words("any", "default", "unconfined", of="policy"),
    "apparmor": _words("any", "default", "unconfined", of="profile"),
    "selinux": _words("any", of="label option"),
    "masked-paths": read_any,
    "oom": read_boolean,
    "realtime": read_boolean,
    "build": _build,
    "network-drivers": _words("any", "default"),
    "network-options": read_keyed,
    "plugin-privileges": read_any,
    # what is required
    "images": read_images,
    "pinned": read_boolean,
    "limits": _limits,
    "user": _user,
    "no-new-privileges": read_boolean,
    "read-only": read_boolean,
    "labels": _labels,
    "internal": read_boolean,
    # which existing things
    "owner": _owner,
    "objects": _objects,
}
"""The constraints of an allow rule, in the order in which the manual has them."""
_EFFECTS = ("allow", "deny")
_RULE_KEYS = (*_EFFECTS, "subjects", "because", *CONSTRAINTS)
_RULE_HINTS = {
    "operations": "the operations stand behind `allow` or `deny`",
    "who": "write `subjects`",
    "reason": "write `because`",
    "caps": "write `capabilities`",
    "cap-add": "write `capabilities`",
    "mounts": "write `binds`, `volumes` or `tmpfs`",
    "network": "write `networks` for named ones, `namespaces: {network: [host]}` for the host's",
    "pid": "write `namespaces: {pid: [host]}`",
    "memory": "write `limits: {memory: 512m}`",
    "cpus": "write `limits: {cpus: 2}`",
    "pids": "write `limits: {pids: 512}`",
    "read_only": "write `read-only`",
    "on": "write `objects`",
    "names": "write `objects: {names: [web]}`",
    "when": "the constraints are keys of their own, such as `binds`",
}


def read_authz(node: Node, report: Report) -> Authz | None:
    """The value of `authz`."""
    mapping = read_mapping(node, "`authz`", report, "it holds `subjects` and `rules`")
    if mapping is None:
        return None
    fields = Fields(mapping, "`authz`", AUTHZ_KEYS, report)
    _not_empty(fields, "`authz`", report)
    subjects, rules, rego = (fields.get(key) for key in AUTHZ_KEYS)
    items = read_list(rules, "`rules`", report, "rules") if rules is not None else None
    found = [read_rule(item, i, report) for i, item in enumerate(items or ())]
    return Authz(
        read_subjects(subjects, report) if subjects is not None else (),
        tuple(rule for rule in found if rule is not None),
        _rego(rego, report) if rego is not None else (),
        fields.at,
    )


def _rego(node: Node, report: Report) -> tuple[Name, ...]:
    words = read_words(node, "`rego`", report, (), "path")
    for name in words.items:
        if not name.text.endswith(".rego"):
            report.add(f"`rego`: {shown(name.text)} does not end in .rego", name.at)
    return words.items


def read_subjects(node: Node, report: Report) -> tuple[Subject, ...]:
    """The value of `subjects`."""
    mapping = read_mapping(node, "`subjects`", report, "as in {ops: {cn: [alice]}, shell: local}")
    found: list[Subject] = []
    for entry in mapping.entries if mapping else ():
        name = entry.key.text
        if not SUBJECT_NAME.fullmatch(name):
            hint = "small letters, digits, `_`, `.` and `-`, at most 63"
            report.add(f"{shown(name)} cannot be the name of a subject", entry.key.at, hint)
        subject = _subject(name, entry.key.at, entry.value, report)
        if subject is not None:
            found.append(subject)
    return tuple(found)


def _subject(name: str, at: Location, node: Node, report: Report) -> Subject | None:
    what = f"subject {shown(name)}"
    if isinstance(node, ScalarNode) and node.text == "local":
        return Subject(name, at, local=True)
    hint = "as in {cn: [alice, bob]}, {ou: builders}, or the word `local` for the unix socket"
    mapping = read_mapping(node, what, report, hint)
    if mapping is None:
        return None
    hints = {
        "sans": "write `san`",
        "o": "of the subject's fields `cn` and `ou` count",
        "user": "write `cn`",
        "group": "write `ou`",
        "dns": 'write `san: ["DNS:host.example.org"]`',
        "uri": 'write `san: ["URI:spiffe://example.org/app"]`',
    }
    fields = Fields(mapping, what, SUBJECT_KEYS, report, hints)
    _not_empty(fields, what, report)
    local = fields.get("local")
    is_local = bool(read_boolean(local, "`local`", report)) if local is not None else False
    if local is not None and len(fields.entries) > 1:
        hint = "make two subjects; a rule can name both"
        report.add("whoever comes by the unix socket has no certificate", local.at, hint)
    elif isinstance(local, ScalarNode) and local.text == "false":
        report.add("`local` can only be true", local.at, "delete it, and say `cn`, `ou` or `san`")
    return Subject(
        name,
        at,
        _certificate(fields, "cn", "common name", report),
        _certificate(fields, "ou", "organizational unit", report),
        _certificate(fields, "san", "alternative name", report),
        is_local,
    )


def _certificate(fields: Fields, key: str, of: str, report: Report) -> tuple[Name, ...] | None:
    node = fields.get(key)
    if node is None:
        return None
    found = tuple(Name(s.text, s.at) for s in read_items(node, f"`{key}`", report, of))
    for name in found if key == "san" else ():
        if not _SAN.fullmatch(name.text):
            hint = "begin it with its kind: `DNS:`, `URI:`, `email:` or `IP:`"
            report.add(f"{shown(name.text)} is no alternative name", name.at, hint)
    return found


def read_rule(node: Node, index: int, report: Report) -> AuthzRule | None:
    """An entry of `rules`; None when it is not a rule at all."""
    hint = 'a rule is written `- {allow: ["@read"], subjects: [ops]}`'
    mapping = read_mapping(node, "a rule", report, hint)
    if mapping is None:
        return None
    fields = Fields(mapping, "the rule", _RULE_KEYS, report, _RULE_HINTS)
    effects = [key for key in _EFFECTS if key in fields.entries]
    if len(effects) != 1:
        _wrong_effects(fields, report)
        return None
    effect = effects[0]
    listing = fields.require("subjects", "say who; there is no default")
    operations = fields.get(effect)
    because = fields.get("because")
    values = _constraints(fields, effect == "allow", report)
    said = {key: fields.key_at(key) for key in CONSTRAINTS if key in fields.entries}
    return AuthzRule(
        effect == "allow",
        _operations(operations, f"`{effect}`", report) if operations is not None else (),
        _names(listing, report) if listing is not None else (),
        _because(because, report) if because is not None else "",
        f"authz.rules[{index}]",
        fields.at,
        said,
        **values,
    )


def _wrong_effects(fields: Fields, report: Report) -> None:
    if "allow" in fields.entries:
        related = (("the first", fields.key_at("allow")),)
        hint = "make two rules of it; a deny rule wins whatever their order"
        report.add("the rule both allows and denies", fields.key_at("deny"), hint, related)
    elif len(fields.entries) == len(fields.node.entries):
        hint = "begin it with `allow:` or `deny:` and operations"
        report.add("the rule neither allows nor denies", fields.at, hint)


def _constraints(fields: Fields, allow: bool, report: Report) -> dict[str, Any]:
    """The values of the constraints, by the names of their fields in the model."""
    values: dict[str, Any] = {}
    for key, read in CONSTRAINTS.items():
        entry = fields.entries.get(key)
        if entry is None:
            continue
        if not allow:
            hint = "delete it; a deny rule refuses its operations whatever is asked for"
            report.add(f"a deny rule takes no `{key}`", entry.key.at, hint)
            continue
        values[key.replace("-", "_")] = read(entry.value, f"`{key}`", report)
    return values


def _operations(node: Node, what: str, report: Report) -> tuple[Name, ...]:
    found: list[Name] = []
    for scalar in read_items(node, what, report, "operation"):
        if OPERATION.fullmatch(scalar.text):
            found.append(Name(scalar.text, scalar.at))
            continue
        hint = 'as in container.create, "container.*", "@lifecycle"; docs/operations.md has all'
        report.add(f"{shown(scalar.text)} is no operation", scalar.at, hint)
    return tuple(found)


def _names(node: Node, report: Report) -> tuple[Name, ...]:
    found: list[Name] = []
    for scalar in read_items(node, "`subjects`", report, "subject"):
        if SUBJECT_NAME.fullmatch(scalar.text):
            found.append(Name(scalar.text, scalar.at))
        else:
            hint = "name those that `authz.subjects` defines"
            report.add(f"{shown(scalar.text)} is no name of a subject", scalar.at, hint)
    return tuple(found)


def _because(node: Node, report: Report) -> str:
    scalar = read_text(node, "`because`", report)
    if scalar is None:
        return ""
    if len(scalar.text) > MAXIMAL_BECAUSE:
        report.add(f"`because` is longer than {MAXIMAL_BECAUSE} characters", scalar.at)
    return " ".join(scalar.text.split())
