"""The `authz` section, compiled: defaults, places, joining, errors, bundles."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from stockade.authz.check import check
from stockade.authz.compile import compile_bundle, policy_data, revised
from stockade.policies import load, load_text
from stockade.policies.errors import InputError

HEAD = "stockade: 1\nname: ci\nauthz:\n  subjects: {ci: {ou: builders}, shell: local}\n  rules:\n"
IMAGE = f"sha256:{'0' * 63}1"


def data_of(text: str) -> dict[str, Any]:
    policy = load_text(text).require()
    assert policy.authz is not None
    return policy_data(policy.authz, policy.name)


def rule(constraints: str = "", operations: str = "container.create") -> dict[str, Any]:
    text = f"{HEAD}    - {{allow: [{operations}], subjects: ci, {constraints}}}\n"
    [found] = data_of(text)["rules"]
    return dict(found)


def problems(text: str) -> list[str]:
    policy = load_text(text).require()
    assert policy.authz is not None
    return [problem.message for problem in check(policy.authz)]


# --- rules --------------------------------------------------------------------------------

NONE = {"any": False, "own": False, "patterns": []}
DEFAULTS: dict[str, Any] = {
    "id": "authz.rules[0]",
    "file": "<text>",
    "line": 6,
    "effect": "allow",
    "because": "",
    "subjects": {"ci": True},
    "privileged": False,
    "capabilities": {"any": False, "names": {}},
    "namespaces": {kind: {} for kind in ("pid", "ipc", "network", "uts", "user", "cgroup")},
    "binds": {"any": False, "entries": []},
    "volumes": NONE,
    "volume_drivers": {**NONE, "patterns": ["^$", "^local$"]},
    "volume_options": {"any": False, "keys": {}},
    "volumes_from": False,
    "devices": {"any": False, "entries": []},
    "device_rules": NONE,
    "device_requests": NONE,
    "tmpfs": {"options": {}, "max_size": None},
    "networks": NONE,
    "endpoint": {"any": False, "names": {"aliases": True}},
    "ports": {"any": False, "ephemeral": False, "entries": []},
    "sysctls": NONE,
    "annotations": NONE,
    "runtimes": {**NONE, "patterns": ["^$"]},
    "cgroup_parents": {**NONE, "patterns": ["^$"]},
    "log_drivers": {**NONE, "patterns": ["^$", "^json-file$", "^local$", "^none$", "^journald$"]},
    "storage_options": NONE,
    "seccomp": {"any": False, "names": {"default": True}},
    "apparmor": {"any": False, "names": {"default": True}},
    "selinux": NONE,
    "masked_paths": False,
    "oom": False,
    "realtime": False,
    "build": {
        "networks": {**NONE, "patterns": ["^$", "^default$", "^bridge$", "^none$"]},
        "remote": {**NONE, "patterns": ["^$", "^client-session$"]},
        "security": False,
        "cgroup_parents": {**NONE, "patterns": ["^$"]},
        "outputs": False,
    },
    "network_drivers": {**NONE, "patterns": ["^$", "^bridge$"]},
    "network_options": {"any": False, "keys": {}},
    "plugin_privileges": False,
    "images": {"any": True, "entries": []},
    "pinned": False,
    "limits": dict.fromkeys(
        ("memory", "nano_cpus", "pids", "read_bps", "write_bps", "read_iops", "write_iops")
    ),
    "user": {"any": True, "non_root": False, "patterns": []},
    "no_new_privileges": False,
    "read_only": False,
    "labels": {},
    "internal": False,
    "owner": "self",
    "on": {"labels": {}, "names": None},
}


def test_what_a_silent_rule_means() -> None:
    assert rule() == DEFAULTS


@pytest.mark.parametrize(
    ("constraints", "key", "value"),
    [
        ("privileged: true", "privileged", True),
        ("capabilities: [CAP_CHOWN, NET_ADMIN]", "capabilities",
         {"any": False, "names": {"CHOWN": True, "NET_ADMIN": True}}),
        ("capabilities: any", "capabilities", {"any": True, "names": {}}),
        ("volumes: [own, 'ci-*']", "volumes",
         {"any": False, "own": True, "patterns": ["^ci-[^/]*$"]}),
        ("volumes: [any, x]", "volumes", {"any": True, "own": False, "patterns": ["^x$"]}),
        ("volume-drivers: [default, nfs]", "volume_drivers", {**NONE, "patterns": ["^$", "^nfs$"]}),
        ("volume-drivers: nfs", "volume_drivers", {**NONE, "patterns": ["^nfs$"]}),
        ("volume-options: {o: ['a=*,[x]', 'b'], p: any}", "volume_options",
         {"any": False, "keys": {"o": [r"^a=[^/]*,\[x\]$", "^b$"], "p": ["(?s)^.*$"]}}),
        ("network-options: any", "network_options", {"any": True, "keys": {}}),
        ("device-rules: 'c 10:* rwm'", "device_rules", {**NONE, "patterns": [r"^c 10:\* rwm$"]}),
        ("device-requests: [default, nvidia]", "device_requests",
         {**NONE, "patterns": ["^$", "^nvidia$"]}),
        ("tmpfs: {options: [exec, suid], max-size: 64m}", "tmpfs",
         {"options": {"exec": True, "suid": True}, "max_size": 64 << 20}),
        ("endpoint: [fixed-ip]", "endpoint", {"any": False, "names": {"fixed-ip": True}}),
        ("seccomp: [default, docker-default]", "seccomp",
         {"any": False, "names": {"default": True, "docker-default": True}}),
        ("seccomp: any", "seccomp", {"any": True, "names": {}}),
        ("apparmor: unconfined", "apparmor", {"any": False, "names": {"unconfined": True}}),
        ("masked-paths: any", "masked_paths", True),
        ("plugin-privileges: any", "plugin_privileges", True),
        ("user: [non-root, app, '10*:10*']", "user",
         {"any": False, "non_root": True, "patterns": ["^app(:[^/]*)?$", "^10[^/]*:10[^/]*$"]}),
        ("user: any", "user", {"any": True, "non_root": False, "patterns": []}),
        ("labels: {team: [ci, 'x-*']}", "labels", {"team": ["^ci$", "^x-[^/]*$"]}),
        ("owner: subject", "owner", "subject"),
        ("objects: {labels: {env: dev}, names: 'ci-*'}", "on",
         {"labels": {"env": ["^dev$"]}, "names": ["^ci-[^/]*$"]}),
    ],
)  # fmt: skip
def test_what_a_constraint_means(constraints: str, key: str, value: object) -> None:
    assert rule(constraints) == {**DEFAULTS, key: value}


def test_namespaces() -> None:
    found = rule("namespaces: {pid: host, network: [host, container]}")["namespaces"]
    assert found == {
        **DEFAULTS["namespaces"],
        "pid": {"host": True},
        "network": {"host": True, "container": True},
    }


def test_binds() -> None:
    text = "binds: ['/a:ro', {source: /b/**, target: /c, propagation: rslave}, '/d:/e', any]"
    private = {"": True, "private": True, "rprivate": True}
    assert rule(text)["binds"] == {
        "any": True,
        "entries": [
            {"source": "^/a$", "exact": "/a", "target": None, "read_only": True,
             "propagation": private},
            {"source": "^/b/[^/]+(/[^/]+)*$", "exact": None, "target": "^/c$",
             "read_only": False, "propagation": {**private, "rslave": True}},
            {"source": "^/d$", "exact": "/d", "target": "^/e$", "read_only": False,
             "propagation": private},
        ],
    }  # fmt: skip


def test_devices() -> None:
    found = rule("devices: [{host: /dev/kvm}, '/dev/fuse:rw', '/dev/snd/*']")["devices"]
    letters = [(each["host"], "".join(each["permissions"])) for each in found["entries"]]
    assert letters == [("^/dev/kvm$", "mrw"), ("^/dev/fuse$", "rw"), ("^/dev/snd/[^/]+$", "mrw")]


def test_ports() -> None:
    found = rule("ports: [80, '8000-8999/udp', '127.0.0.1:1/tcp', '[0:0::1]:2', ephemeral]")
    assert found["ports"] == {
        "any": False,
        "ephemeral": True,
        "entries": [
            {"low": 80, "high": 80, "host_ip": None, "protocol": None},
            {"low": 8000, "high": 8999, "host_ip": None, "protocol": "udp"},
            {"low": 1, "high": 1, "host_ip": "127.0.0.1", "protocol": "tcp"},
            {"low": 2, "high": 2, "host_ip": "::1", "protocol": None},
        ],
    }


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("nginx", r"^docker\.io$", "^library/nginx$", None, None),
        ("nginx:1.*", r"^docker\.io$", "^library/nginx$", r"^1\.[^/]*$", None),
        ("nginx*", r"^docker\.io$", "^library/nginx[^/]*$", None, None),
        ("team/app", r"^docker\.io$", "^team/app$", None, None),
        ("docker.io/nginx", r"^docker\.io$", "^library/nginx$", None, None),
        ("index.docker.io/nginx", r"^docker\.io$", "^library/nginx$", None, None),
        ("docker.io/*", r"^docker\.io$", "^library/[^/]*$", None, None),
        ("docker.io/**", r"^docker\.io$", "(?s)^.*$", None, None),
        ("localhost/x", "^localhost$", "^x$", None, None),
        ("a.b:5000/x/y:v*", r"^a\.b:5000$", "^x/y$", "^v[^/]*$", None),
        ("*.example.org/**", r"^[^/]*\.example\.org$", "(?s)^.*$", None, None),
        (f"nginx@{IMAGE}", r"^docker\.io$", "^library/nginx$", None, IMAGE),
        (f"nginx:1@{IMAGE}", r"^docker\.io$", "^library/nginx$", None, IMAGE),
    ],
)
def test_images(
    text: str, registry: str, repository: str, tag: str | None, digest: str | None
) -> None:
    found = {"registry": registry, "repository": repository, "tag": tag, "digest": digest}
    assert rule(f"images: ['{text}']")["images"] == {"any": False, "entries": [found]}


def test_images_by_id() -> None:
    found = rule(f"images: ['{IMAGE}', any]")["images"]
    assert found == {"any": True, "entries": [{"id": IMAGE}]}


@pytest.mark.parametrize(
    ("written", "size"),
    [("1024", 1024), ("7b", 7), ("512k", 512 << 10), ("2g", 2 << 30), ("1t", 1 << 40)],
)
def test_sizes(written: str, size: int) -> None:
    assert rule(f"limits: {{memory: {written}}}")["limits"]["memory"] == size


@pytest.mark.parametrize(
    ("written", "share"), [("2", 2 * 10**9), ("1.5", 1_500_000_000), ("0.000000001", 1)]
)
def test_processors(written: str, share: int) -> None:
    assert rule(f"limits: {{cpus: {written}}}")["limits"]["nano_cpus"] == share


def test_the_other_limits() -> None:
    text = "limits: {pids: 5, read-bps: 1k, write-bps: 2k, read-iops: 3, write-iops: 4}"
    assert rule(text)["limits"] == {
        "memory": None, "nano_cpus": None, "pids": 5, "read_bps": 1024, "write_bps": 2048,
        "read_iops": 3, "write_iops": 4,
    }  # fmt: skip


def test_builds() -> None:
    text = "build: {networks: host, remote: ['https://git.example.org/**'], outputs: true}"
    found = rule(text, "image.build")["build"]
    assert found["networks"]["patterns"][0] == "^host$"
    assert found["remote"]["patterns"][0] == r"(?s)^https://git\.example\.org/.*$"
    assert (found["security"], found["outputs"]) == (False, True)


# --- the whole ----------------------------------------------------------------------------


def test_subjects() -> None:
    text = HEAD.replace("ou: builders", "cn: [b, a], san: ['DNS:x.example.org']") + "    []\n"
    assert data_of(text)["subjects"] == {
        "ci": {"cn": {"a": True, "b": True}, "ou": None, "sans": {"DNS:x.example.org": True},
               "local": False},
        "shell": {"cn": None, "ou": None, "sans": None, "local": True},
    }  # fmt: skip


def test_rules_are_found_by_operation() -> None:
    text = HEAD + (
        "    - {deny: plugin.*, subjects: ci, because: 'for\n        ops'}\n"
        '    - {allow: ["@exec", plugin.list], subjects: [ci, shell]}\n'
        "    - {allow: exec.start, subjects: shell}\n"
    )
    found = data_of(text)
    assert found["by_operation"]["plugin.list"] == {"allow": [1], "deny": [0]}
    assert found["by_operation"]["exec.start"] == {"allow": [1, 2], "deny": []}
    assert "container.create" not in found["by_operation"]
    first = found["rules"][0]
    assert (first["effect"], first["because"], first["line"]) == ("deny", "for ops", 6)


def test_the_revision_is_that_of_the_content() -> None:
    first = data_of(HEAD + "    - {allow: image.list, subjects: ci}\n")
    same = data_of("# a comment\n" + HEAD + "    - {subjects: ci, allow: image.list}\n")
    assert len(first["revision"]) == 64
    assert first["revision"] != same["revision"], "the lines differ, which answers name"
    assert revised(first) == first
    assert data_of(HEAD + "    - {allow: image.list, subjects: ci}\n") == first
    assert revised({**first, "protected": []})["revision"] != first["revision"]


def test_extends(tmp_path: Path) -> None:
    below = tmp_path / "base"
    below.mkdir()
    (below / "web.yaml").write_text("stockade: 1\nname: web\nseccomp: {default: deny}\n")
    (below / "extra.rego").write_text("# ours\npackage stockade.extra\n")
    (below / "base.yaml").write_text(
        "stockade: 1\nname: base\nauthz:\n"
        "  subjects: {ops: {cn: alice}, shell: {local: true}}\n  rego: extra.rego\n"
        "  rules: [{allow: '*', subjects: ops, seccomp: [./web.yaml, docker-default]}]\n"
    )
    (tmp_path / "ci.yaml").write_text(
        HEAD.replace("authz:", "extends: ./base/base.yaml\nauthz:")
        + "    - {allow: image.list, subjects: [ci, ops]}\n"
    )
    policy = load(str(tmp_path / "ci.yaml")).require()
    assert policy.authz is not None
    assert check(policy.authz) == []
    found = policy_data(policy.authz, "ci")
    assert sorted(found["subjects"]) == ["ci", "ops", "shell"]
    assert [(each["id"], each["file"]) for each in found["rules"]] == [
        ("authz.rules[0]", "ci.yaml"),
        ("base/base.yaml:authz.rules[0]", "base/base.yaml"),
    ]
    profiles = {"base/web.yaml": "base/web.yaml", "docker-default": "docker-default"}
    assert found["profiles"] == profiles
    assert [name.text for name in policy.authz.rego] == ["base/extra.rego"]
    assert b"base/web.yaml" in gzip.decompress(compile_bundle(policy.authz, "ci"))


def test_where_the_policy_lies_makes_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ci.yaml").write_text(HEAD + "    - {allow: image.list, subjects: ci}\n")
    made = []
    for where, name in ((tmp_path, "ci.yaml"), (tmp_path.parent, f"{tmp_path.name}/ci.yaml")):
        monkeypatch.chdir(where)
        policy = load(name).require()
        assert policy.authz is not None
        made.append(compile_bundle(policy.authz, "ci"))
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{allow: container.run, subjects: ci}",
         "unknown operation `container.run`; did you mean `@run`?"),
        ("{deny: contaner.*, subjects: ci}",
         "`contaner.*` names no operation; did you mean `container.*`?"),
        ("{allow: '@red', subjects: ci}", "unknown group `@red`; did you mean `@read`?"),
        ("{deny: image.list, subjects: cii}", "unknown subject `cii`; did you mean `ci`?"),
        ("{allow: '*', subjects: ci, volumes: 'a***'}", "`***` is no wildcard"),
        ("{allow: '*', subjects: ci, networks: '[ab]'}", "`[` means nothing in a pattern"),
        ("{allow: '*', subjects: ci, binds: /a**/b}",
         "in a path `**` stands alone between slashes, not in `a**`"),
        ("{allow: '*', subjects: ci, labels: {a: \"x\\x01\"}}", "a control character in a pattern"),
        ("{allow: '*', subjects: ci, seccomp: doker-default}",
         "`seccomp`: `doker-default` cannot be used: unknown library policy `doker-default`; did "
         "you mean `docker-default`?"),
    ],
)  # fmt: skip
def test_what_cannot_be_compiled(entry: str, message: str) -> None:
    text = f"{HEAD}    - {entry}\n"
    assert problems(text) == [message]
    with pytest.raises(InputError) as caught:
        data_of(text)
    assert [problem.message for problem in caught.value.problems] == [message]
    assert all(problem.at is not None for problem in caught.value.problems)


def test_without_subjects() -> None:
    text = "stockade: 1\nname: x\nauthz: {rules: [{allow: image.list, subjects: a}]}\n"
    assert problems(text) == ["unknown subject `a`"]
