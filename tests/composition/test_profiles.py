"""Inline seccomp profiles are recognised by their meaning, whatever their text."""

import json

import pytest

from stockade.authz.denied import Denied
from stockade.policies import load
from stockade.policies.source import Source
from stockade.profiles import PolicyProfiles, profile_text
from stockade.seccomp.build import DOCKER_CAPABILITIES, Build
from stockade.seccomp.docker import docker_profile
from stockade.seccomp.hosts import ENGINES
from stockade.seccomp.lower import lower
from stockade.seccomp.profile import render
from stockade.seccomp.read_profile import read_profile

NAMES = ("docker-default", "web")
ADMIN = DOCKER_CAPABILITIES | {"CAP_SYS_ADMIN"}
MORE = {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW"}


@pytest.fixture(scope="module")
def profiles() -> PolicyProfiles:
    return PolicyProfiles({name: profile_text(load(name).require()) for name in NAMES})


@pytest.fixture(scope="module")
def web() -> dict:
    return json.loads(profile_text(load("web").require()))


def test_each_policy_equals_itself_and_no_other(profiles: PolicyProfiles) -> None:
    for name in NAMES:
        policy = load(name).require()
        for engine in ENGINES.values():
            rendered = docker_profile(policy, lower(policy, Build.of_machine()), engine)
            text = render(rendered)
            assert read_profile(Source("p", text)).profile is not None
            assert profiles.policies_equal(text, DOCKER_CAPABILITIES) == (name,)


def test_order_and_spelling_do_not_matter(profiles: PolicyProfiles, web: dict) -> None:
    web = dict(web, syscalls=list(reversed(web["syscalls"])))
    for entry in web["syscalls"]:
        entry["names"] = list(reversed(entry["names"]))
    again = json.dumps({key.upper(): value for key, value in web.items()}, indent=7)
    assert profiles.policies_equal(again, DOCKER_CAPABILITIES) == ("web",)


def test_capabilities_may_be_written_without_their_prefix(
    profiles: PolicyProfiles, web: dict
) -> None:
    held = frozenset(name.removeprefix("CAP_") for name in DOCKER_CAPABILITIES)
    assert profiles.policies_equal(json.dumps(web), held) == ("web",)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p | {"defaultAction": "SCMP_ACT_TRAP", "defaultErrnoRet": None},
        lambda p: p | {"defaultErrnoRet": 22},
        lambda p: p | {"flags": ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]},
        lambda p: p | {"syscalls": [*p["syscalls"], MORE]},
        lambda p: p | {"syscalls": [e for e in p["syscalls"] if e["names"] != ["clone"]]},
        lambda p: {"defaultAction": "SCMP_ACT_ALLOW"},
        lambda p: {},
    ],
    ids=["default", "errno", "flags", "one more", "one less", "allow all", "none"],
)
def test_what_differs_is_not_equal(profiles: PolicyProfiles, web: dict, change) -> None:
    assert profiles.policies_equal(json.dumps(change(web)), DOCKER_CAPABILITIES) == ()


def test_a_grant_for_a_capability_counts_only_with_it(profiles: PolicyProfiles, web: dict) -> None:
    more = {
        "names": ["bpf"],
        "action": "SCMP_ACT_ALLOW",
        "includes": {"caps": ["CAP_SYS_ADMIN"]},
    }
    text = json.dumps(web | {"syscalls": [*web["syscalls"], more]})
    assert profiles.policies_equal(text, DOCKER_CAPABILITIES) == ("web",)
    assert profiles.policies_equal(text, ADMIN) == ()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"defaultAction": "SCMP_ACT_NONSENSE"}', '{"unknown": 1}', "[" * 9999]
)
def test_what_cannot_be_read_is_denied(profiles: PolicyProfiles, text: str) -> None:
    with pytest.raises(Denied) as denied:
        profiles.policies_equal(text, DOCKER_CAPABILITIES)
    assert denied.value.code == "seccomp-profile"
