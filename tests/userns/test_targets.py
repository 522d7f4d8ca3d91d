"""The renderers of a userns section: exact text, and what each target refuses."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockade.policies.errors import InputError, TargetError
from stockade.policies.source import Location, Source
from stockade.policies.userns_model import Span, Tenant, Userns
from stockade.userns.ids import IdRange
from stockade.userns.targets import DEFAULTS, TARGETS, Request, compile_targets

AT = Location(Source("hosts.yaml", "x"), 1, 1)
STRICT = re.compile(r"([^:\s]+:(0|[1-9]\d*):[1-9]\d*\n)*")


def section(*tenants: tuple[str, int], block: int = 65536) -> Userns:
    found = tuple(Tenant(name, blocks, AT) for name, blocks in tenants)
    return Userns((Span(524288, 1879048191, AT),), block, found, (), AT)


def request(userns: Userns, tenant: str = "", daemon_json: str | None = None) -> Request:
    blocks, first = {}, 589824
    for each in userns.tenants:
        blocks[each.name] = IdRange(first, each.blocks * userns.block)
        first += each.blocks * userns.block
    source = None if daemon_json is None else Source("daemon.json", daemon_json)
    return Request(blocks, tenant, source)


def render(target: str, userns: Userns, tenant: str = "", daemon_json: str | None = None) -> str:
    ((_, content),) = compile_targets(userns, [target], request(userns, tenant, daemon_json))
    return content.decode()


ONE, TWO = section(("web", 1)), section(("web", 1), ("ci", 2))


def test_subuid_and_subgid_are_strict_and_equal() -> None:
    assert render("subuid", TWO) == "ci:655360:131072\nweb:589824:65536\n"
    assert render("subgid", TWO) == render("subuid", TWO)
    assert render("subuid", TWO, "ci") == "ci:655360:131072\n"
    assert render("subuid", section()) == ""


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", fullmatch=True)


@given(st.dictionaries(NAMES, st.integers(1, 9), max_size=5))
def test_subuid_is_always_in_the_strict_form(tenants: dict[str, int]) -> None:
    assert STRICT.fullmatch(render("subuid", section(*tenants.items())))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, '{\n  "userns-remap": "web"\n}\n'),
        ("", '{\n  "userns-remap": "web"\n}\n'),
        ("{}", '{\n  "userns-remap": "web"\n}'),
        ('{"a": {"b": [1]}, "z": 1}\n', '{"a": {"b": [1]}, "z": 1,"userns-remap": "web"}\n'),
        ('{\n\t"z": 1\n}', '{\n\t"z": 1,\n\t"userns-remap": "web"\n}'),
        ('{"userns-remap": "web", "z": 1}', '{"userns-remap": "web", "z": 1}'),
        ('{"userns-remap": "", "z": 1}', '{"userns-remap": "web", "z": 1}'),
        ('{"userns-remap": null, "z": 1}', '{"userns-remap": "web", "z": 1}'),
    ],
)
def test_daemon_json_is_merged(before: str | None, after: str) -> None:
    assert render("daemon.json", ONE, daemon_json=before) == after


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ('{"userns-remap": "other"}', "set already"),
        ('{"userns-remap": ["web"]}', "set already"),
        ('{"userns-remap": "web:web"}', "set already"),
        ("[]", "no JSON object"),
        ('{"a": 1, "a": 1}', "twice|again|duplicate"),
    ],
)
def test_daemon_json_that_is_not_merged(before: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        render("daemon.json", ONE, daemon_json=before)


@pytest.mark.parametrize("name", ["default", "root"])
def test_names_that_dockerd_takes_for_something_else(name: str) -> None:
    with pytest.raises(TargetError, match="cannot name the tenant"):
        render("daemon.json", section((name, 1)))


def test_oci_maps_have_the_namespace_beside_the_mappings() -> None:
    maps = json.loads(render("oci-maps", TWO))
    line = {"containerID": 0, "hostID": 655360, "size": 131072}
    assert list(maps) == ["ci", "web"]
    assert maps["ci"]["linux"] == {
        "namespaces": [{"type": "user"}],
        "uidMappings": [line],
        "gidMappings": [line],
    }
    assert "nosuid" in maps["ci"]["idmappedMount"]["options"]


def test_arguments_of_programs() -> None:
    assert render("podman-args", ONE) == "--uidmap=0:589824:65536\n--gidmap=0:589824:65536\n"
    assert render("podman-args", section(("containers", 8))) == "--userns=auto:size=65536\n"
    assert render("newuidmap-args", TWO, "ci") == "0 655360 131072\n"
    assert render("nspawn-args", TWO, "web") == "--private-users=589824:65536\n"
    assert 'security.idmap.base: "589824"' in render("incus", ONE)


def test_kubelet() -> None:
    assert render("kubelet", section(("kubelet", 40), ("web", 1))) == (
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 40\n"
    )
    text = render("kubelet", section(("kubelet", 200), block=131072))
    assert text.endswith("maxPods: 110\nuserNamespaces:\n  idsPerPod: 131072\n")
    with pytest.raises(TargetError, match="of no other name"):
        render("kubelet", ONE)
    with pytest.raises(TargetError, match="of no other name"):
        render("kubelet", section(("kubelet", 200), ("web", 1)), "web")


def test_what_is_for_one_tenant_asks_which() -> None:
    for target in TARGETS.values():
        if target.single and target.name != "kubelet":
            with pytest.raises(TargetError, match="--tenant"):
                render(target.name, TWO)


def test_nspawn_refuses_more_than_a_block() -> None:
    with pytest.raises(TargetError, match="131072 ids"):
        render("nspawn-args", TWO, "ci")


def test_an_unknown_tenant() -> None:
    with pytest.raises(InputError, match=r"no tenant `we`.*web"):
        render("subuid", TWO, "we")


def test_every_refusal_is_told_at_once() -> None:
    with pytest.raises(TargetError) as caught:
        compile_targets(TWO, ["daemon.json", "incus", "subuid"], request(TWO))
    assert len(caught.value.problems) == 2
    assert set(DEFAULTS) <= set(TARGETS)
