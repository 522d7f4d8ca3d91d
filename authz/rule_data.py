"""One rule of the language -> what the shipped Rego reads, every key present.

A key that the author left out has its default here, so that Rego knows no defaults. A list of
the author's takes the place of the default; `default` in it names the engine's own choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ..policies.authz_model import (
    AuthzRule,
    Bind,
    Build,
    Device,
    Entries,
    Image,
    Keyed,
    Limits,
    Objects,
    Port,
    Tmpfs,
    Words,
)
from ..policies.authz_rules import NAMESPACES
from ..policies.model import Name
from ..policies.problems import Report
from . import patterns
from .model import Json

Regex = Callable[[str], str]

ANY_VALUE = "(?s)^.*$"
"""Matches every text."""
_ENGINE_LOGS = ("", "json-file", "local", "none", "journald")
_PRIVATE = ("", "private", "rprivate")
_BUILD_NETWORKS = ("", "default", "bridge", "none")
_FROM_CLIENT = ("", "client-session")


@dataclass(slots=True)
class RuleData:
    """Makes the data of rules; what is no pattern is reported, and the data then not to be
    used."""

    report: Report = field(default_factory=Report)

    def rule(self, rule: AuthzRule, subjects: Iterable[str]) -> dict[str, Json]:
        """Everything but `id`, `file` and `line`."""
        words = self.words
        return {
            "effect": "allow" if rule.allow else "deny",
            "because": rule.because,
            "subjects": dict.fromkeys(sorted(subjects), True),
            "privileged": bool(rule.privileged),
            "capabilities": named(rule.capabilities, (), "CAP_"),
            "namespaces": _namespaces(rule.namespaces or {}),
            "binds": self.binds(rule.binds),
            "volumes": words(rule.volumes),
            "volume_drivers": words(rule.volume_drivers, ("", "local")),
            "volume_options": self.keyed(rule.volume_options),
            "volumes_from": bool(rule.volumes_from),
            "devices": self.devices(rule.devices),
            "device_rules": words(rule.device_rules, regex=patterns.exact),
            "device_requests": words(rule.device_requests),
            "tmpfs": _tmpfs(rule.tmpfs),
            "networks": words(rule.networks),
            "endpoint": named(rule.endpoint, ("aliases",)),
            "ports": _ports(rule.ports),
            "sysctls": words(rule.sysctls),
            "annotations": words(rule.annotations),
            "runtimes": words(rule.runtimes, ("",)),
            "cgroup_parents": words(rule.cgroup_parents, ("",)),
            "log_drivers": words(rule.log_drivers, _ENGINE_LOGS),
            "storage_options": words(rule.storage_options),
            "seccomp": named(rule.seccomp, ("default",)),
            "apparmor": named(rule.apparmor, ("default",)),
            "selinux": words(rule.selinux, regex=patterns.value),
            "masked_paths": bool(rule.masked_paths),
            "oom": bool(rule.oom),
            "realtime": bool(rule.realtime),
            "build": self.build(rule.build),
            "network_drivers": words(rule.network_drivers, ("", "bridge")),
            "network_options": self.keyed(rule.network_options),
            "plugin_privileges": bool(rule.plugin_privileges),
            "images": self.images(rule.images),
            "pinned": bool(rule.pinned),
            "limits": _limits(rule.limits),
            "user": self.user(rule.user),
            "no_new_privileges": bool(rule.no_new_privileges),
            "read_only": bool(rule.read_only),
            "labels": self.keys(rule.labels),
            "internal": bool(rule.internal),
            "owner": rule.owner or "self",
            "on": self.objects(rule.objects),
        }

    def regex(self, name: Name, make: Regex) -> str:
        """The expression of a pattern; empty when it is none, which is reported."""
        try:
            return make(name.text)
        except patterns.PatternError as error:
            self.report.add(str(error), name.at, error.hint)
            return ""

    def words(
        self, words: Words | None, default: Iterable[str] = (), regex: Regex = patterns.name
    ) -> Json:
        """PATTERNS: {any, own, patterns}."""
        if words is None:
            return {"any": False, "own": False, "patterns": [patterns.exact(t) for t in default]}
        found = [self.regex(name, regex) for name in words.items]
        if "default" in words.special:
            found.insert(0, patterns.exact(""))
        return {"any": words.any, "own": "own" in words.special, "patterns": found}

    def keys(self, keyed: Keyed | None) -> Json:
        """Exact keys, each with the expressions of its values."""
        found: dict[str, list[str]] = {}
        for key, values in keyed.entries if keyed is not None else ():
            given = [self.regex(name, patterns.value) for name in values.items]
            found[key.text] = [ANY_VALUE] if values.any else given
        return found

    def keyed(self, keyed: Keyed | None) -> Json:
        """KEYED: {any, keys}."""
        return {"any": keyed is not None and keyed.any, "keys": self.keys(keyed)}

    def binds(self, binds: Entries[Bind] | None) -> Json:
        """{any, entries}; `exact` is the source of an entry without wildcards."""
        entries = [
            {
                "source": self.regex(bind.source, patterns.path),
                "exact": bind.source.text if patterns.is_literal(bind.source.text) else None,
                "target": None if bind.target is None else self.regex(bind.target, patterns.path),
                "read_only": bind.read_only,
                "propagation": dict.fromkeys(sorted({*_PRIVATE, *bind.propagation}), True),
            }
            for bind in (binds.items if binds is not None else ())
        ]
        return {"any": binds is not None and binds.any, "entries": entries}

    def devices(self, devices: Entries[Device] | None) -> Json:
        """{any, entries}."""
        entries = [
            {
                "host": self.regex(device.host, patterns.path),
                "permissions": dict.fromkeys(sorted(device.permissions), True),
            }
            for device in (devices.items if devices is not None else ())
        ]
        return {"any": devices is not None and devices.any, "entries": entries}

    def images(self, images: Entries[Image] | None) -> Json:
        """{any, entries}; an entry has `id` alone, or registry, repository, tag and digest."""
        if images is None:
            return {"any": True, "entries": []}
        return {"any": images.any, "entries": [self.image(image) for image in images.items]}

    def image(self, image: Image) -> Json:
        """One entry of `images`."""
        if image.id is not None:
            return {"id": image.id}
        tag = image.tag
        return {
            "registry": self.regex(Name(image.registry, image.at), patterns.name),
            "repository": self.regex(Name(image.repository, image.at), patterns.name),
            "tag": None if tag is None else self.regex(Name(tag, image.at), patterns.name),
            "digest": image.digest,
        }

    def build(self, build: Build | None) -> Json:
        """What a build may ask for; networks and contexts include the harmless ones."""
        networks = self.words(build.networks if build is not None else None)
        networks["patterns"] += [patterns.exact(text) for text in _BUILD_NETWORKS]
        remote = self.words(build.remote if build is not None else None, regex=patterns.value)
        remote["patterns"] += [patterns.exact(text) for text in _FROM_CLIENT]
        parents = build.cgroup_parents if build is not None else None
        return {
            "networks": networks,
            "remote": remote,
            "security": build is not None and build.security,
            "cgroup_parents": self.words(parents, ("",)),
            "outputs": build is not None and build.outputs,
        }

    def user(self, words: Words | None) -> Json:
        """{any, non_root, patterns}."""
        if words is None:
            return {"any": True, "non_root": False, "patterns": []}
        found = [self.regex(name, patterns.user) for name in words.items]
        return {"any": words.any, "non_root": "non-root" in words.special, "patterns": found}

    def objects(self, objects: Objects | None) -> Json:
        """{labels, names}; `names` is null where none are asked for."""
        if objects is None:
            return {"labels": {}, "names": None}
        names = objects.names
        found = None if names is None else [self.regex(name, patterns.name) for name in names.items]
        return {"labels": self.keys(objects.labels), "names": found}


def named(words: Words | None, default: Iterable[str], prefix: str = "") -> Json:
    """{any, names}: exact names, the special words among them, without `prefix`."""
    if words is None:
        return {"any": False, "names": dict.fromkeys(default, True)}
    found = {name.text.removeprefix(prefix) for name in words.items} | words.special - {"any"}
    return {"any": words.any, "names": dict.fromkeys(sorted(found), True)}


def _namespaces(given: Mapping[str, Words]) -> Json:
    return {
        kind: dict.fromkeys(
            sorted(name.text for name in given[kind].items) if kind in given else (), True
        )
        for kind in NAMESPACES
    }


def _tmpfs(tmpfs: Tmpfs | None) -> Json:
    options = tmpfs.options if tmpfs is not None else ()
    return {
        "options": dict.fromkeys(sorted(name.text for name in options), True),
        "max_size": tmpfs.max_size if tmpfs is not None else None,
    }


def _ports(ports: Entries[Port] | None) -> Json:
    special = ports.special if ports is not None else frozenset[str]()
    entries = [
        {"low": p.low, "high": p.high, "host_ip": p.host_ip, "protocol": p.protocol}
        for p in (ports.items if ports is not None else ())
    ]
    return {"any": "any" in special, "ephemeral": "ephemeral" in special, "entries": entries}


def _limits(limits: Limits | None) -> Json:
    fields = ("memory", "pids", "read_bps", "write_bps", "read_iops", "write_iops")
    found = {name: getattr(limits, name, None) for name in fields}
    return {**found, "nano_cpus": limits.cpus if limits is not None else None}
