"""Every field of every body type has a class, and what has none is denied."""

from __future__ import annotations

import pytest

from stockade.authz.body_types import body_types
from stockade.authz.denied import Denied
from stockade.authz.normalize.fields import FIELDS, check

EMBEDDED = {
    "HostConfig": ("Resources",),
    "ContainerCreate": ("ContainerConfig",),
    "ContainerUpdate": ("Resources",),
}
TYPES = {name: kind.fields for name, kind in body_types().items() if kind.alias is None}
NOT_IN_SCHEMA = {"Mount.ClusterOptions"}
"""An object without fields."""


def classes(name: str) -> list[frozenset[str]]:
    own = FIELDS[name]
    found = [own.read, own.harmless, own.refused]
    for embedded in EMBEDDED.get(name, ()):
        found = [one | two for one, two in zip(found, classes(embedded), strict=True)]
    return found


@pytest.mark.parametrize("name", sorted(TYPES))
def test_every_field_has_a_class(name: str) -> None:
    read, harmless, refused = classes(name)
    assert set(TYPES[name]) == read | harmless | refused


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_no_field_has_two_classes(name: str) -> None:
    read, harmless, refused = classes(name)
    assert len(read) + len(harmless) + len(refused) == len(read | harmless | refused)


def test_every_type_is_one_of_the_schema() -> None:
    assert set(FIELDS) - set(TYPES) == NOT_IN_SCHEMA


@pytest.mark.parametrize("zero", [None, False, 0, "", [], {}])
@pytest.mark.parametrize("field", ["Novel", "Cgroup"])
def test_zero_values_say_nothing(field: str, zero: object) -> None:
    check("HostConfig", {field: zero})


@pytest.mark.parametrize(
    ("kind", "field", "code"),
    [
        ("HostConfig", "Novel", "unknown-field"),
        ("HostConfig", "hostname", "unknown-field"),
        ("ContainerCreate", "Privileged", "unknown-field"),
        ("HostConfig", "Cgroup", "refused-field"),
        ("HostConfig", "Capabilities", "refused-field"),
        ("HostConfig", "CpuCount", "refused-field"),
        ("EndpointSettings", "NetworkID", "refused-field"),
        ("TaskSpec", "PluginSpec", "refused-field"),
        ("TaskSpec", "NetworkAttachmentSpec", "refused-field"),
    ],
)
def test_values_are_denied(kind: str, field: str, code: str) -> None:
    with pytest.raises(Denied) as caught:
        check(kind, {field: "x"})
    assert caught.value.code == code
