"""What a request brings back or enters is read from the engine, and judged like a new one."""

import re
from pathlib import Path

import pytest

import stockade.authz
from stockade.authz.denied import Denied
from stockade.authz.existing import ENTERS, bring_back, used_by
from stockade.authz.model import CanonicalRequest, Identity, ObjectReference
from stockade.authz.normalize import EMPTY, ROLLBACK
from stockade.authz.resolve import brought_up_to_date

REGO = Path(stockade.authz.__file__).parent / "rego" / "objects.rego"
PREVIOUS = {
    "Name": "svc",
    "TaskTemplate": {
        "ContainerSpec": {
            "Image": "nginx:1",
            "Mounts": [{"Type": "volume", "Source": "data", "Target": "/data"}],
        }
    },
}


class NoProfiles:
    def read(self, text):
        raise AssertionError(text)


def request(operation="service.update", rollback="7"):
    other = {} if rollback is None else {ROLLBACK: rollback}
    return CanonicalRequest(
        operation, "POST", "/", None, Identity("tls", "CN=a", "a"), {}, {}, "high",
        ObjectReference("service", "svc"), None, (), {**EMPTY, "other": other},
    )  # fmt: skip


def test_the_rules_enter_the_same():
    (block,) = re.findall(r"^enters := \{(.*?)\}", REGO.read_text(), re.S | re.M)
    assert set(re.findall(r'"([\w.-]+)": true', block)) == ENTERS


def test_a_rollback_is_judged_as_what_comes_back():
    asked = []

    def previous(service, version):
        asked.append((service.text, version))
        return PREVIOUS

    found = bring_back(request(), previous, NoProfiles())
    assert asked == [("svc", "7")]
    assert found.details["service"]["name"] == "svc"
    assert [each["repository"] for each in found.details["images"]] == ["library/nginx"]
    assert found.references == (ObjectReference("volume", "data"),)


def test_a_rollback_to_what_is_not_understood_is_denied():
    with pytest.raises(Denied):
        bring_back(request(), lambda *_: {"TaskTemplate": {"Sudo": True}}, NoProfiles())


@pytest.mark.parametrize("other", [request(rollback=None), request("container.start")])
def test_other_requests_stay_as_they_are(other):
    def never(*_):
        raise AssertionError

    assert bring_back(other, never, NoProfiles()) is other


SPEC = {
    "partial": False,
    "namespaces": {"network": {"mode": "container", "target": "db"}},
    "volumes_from": [{"container": "data", "read_only": False}],
    "links": [],
    "networks": [],
    "mounts": [{"type": "volume", "source": "v"}],
}


def test_what_a_container_uses_matters_where_it_is_entered():
    used = used_by("exec.create", {"spec": SPEC})
    assert [(each.kind, each.text) for each in used] == [
        ("container", "db"),
        ("container", "data"),
        ("volume", "v"),
    ]
    assert used_by("container.logs", {"spec": SPEC}) == []


@pytest.mark.parametrize("thing", [None, {"spec": None}, {"spec": {**SPEC, "partial": True}}])
def test_what_is_not_known_refers_to_nothing(thing):
    assert used_by("exec.create", thing) == []


def test_what_was_asked_for_stays_and_what_changed_is_read():
    created = {"cgroup": "default", "resources": 1, "seccomp": "old", "networks": [],
               "restart": "no", "name": "a"}  # fmt: skip
    inspected = {"cgroup": "host", "resources": 2, "seccomp": "new", "networks": ["x"],
                 "restart": "always", "name": "b"}  # fmt: skip
    assert brought_up_to_date(created, inspected) == {**inspected, "cgroup": "default"}


@pytest.mark.parametrize("created", [None, {"another": "form"}])
def test_without_what_was_asked_for_the_inspect_counts(created):
    assert brought_up_to_date(created, {"cgroup": "host"}) == {"cgroup": "host"}


def test_what_cannot_be_read_now_is_not_known():
    assert brought_up_to_date({"cgroup": "default"}, None) is None
