"""Bodies have the one reading that Go gives them, or are denied."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stockade.authz import gojson
from stockade.authz.body_types import body_types, fold
from stockade.authz.denied import Denied
from stockade.authz.model import Json


def create(text: str) -> Json:
    return gojson.decode(text.encode(), "ContainerCreate")


def denied(body: bytes | str, schema: str = "ContainerCreate") -> str:
    with pytest.raises(Denied) as caught:
        gojson.decode(body if isinstance(body, bytes) else body.encode(), schema)
    return caught.value.code


@pytest.mark.parametrize(
    "key",
    [
        "HostConfig",
        "hostconfig",
        "HOSTCONFIG",
        "Ho\u017ftConfig",
        "Ho\\u017ftConfig",
        "ho\\u017FtCONFIG",
    ],
)
def test_field_names_are_folded(key: str) -> None:
    assert create(f'{{"{key}": {{"PRIVILEGED": true}}}}') == {"HostConfig": {"Privileged": True}}


@pytest.mark.parametrize(
    "name", ["NetworkMode", "networkmode", "Networ\u212aMode", "NETWOR\\u212aMODE"]
)
def test_the_sign_kelvin_is_a_k(name: str) -> None:
    assert create(f'{{"HostConfig": {{"{name}": "host"}}}}') == {
        "HostConfig": {"NetworkMode": "host"}
    }


@pytest.mark.parametrize(
    "name", ["\u0130mage", "\u0131mage", "Image ", " Image", "\uff29mage", "Im\u0430ge", ""]
)
def test_other_letters_are_other_fields(name: str) -> None:
    assert denied(json.dumps({name: "x"})) == "unknown-field"


def test_keys_of_maps_are_not_folded() -> None:
    body = {
        "Labels": {"a": "1", "A": "2", "\u017f": "3"},
        "HostConfig": {"Sysctls": {"net.X": "1", "NET.x": "0"}, "Tmpfs": {"/A": "", "/a": ""}},
    }
    assert create(json.dumps(body)) == body


@pytest.mark.parametrize(
    "text",
    [
        '{"Image": "a", "Image": "b"}',
        '{"Image": "a", "image": "b"}',
        '{"Image": "a", "IMAGE": null}',
        '{"Image": null, "Image": "a"}',
        '{"HostConfig": {"Privileged": true}, "HostConfig": {"Memory": 1}}',
        '{"HostConfig": {"Privileged": true}, "hostConfig": {}}',
        '{"HostConfig": {"Privileged": false, "Privileged": true}}',
        '{"HostConfig": {"Binds": ["/a:/a"], "Bind\\u017f": []}}',
        '{"Labels": {"a": "1", "a": "1"}}',
        '{"Labels": {"a": "1", "\\u0061": "2"}}',
        '{"ExposedPorts": {"80/tcp": {}, "80/tcp": {}}}',
    ],
)
def test_duplicates(text: str) -> None:
    assert denied(text) == "duplicate-key"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "{",
        '{"Image": "a"} x',
        '{"Image": "a"}{}',
        '{"Image": "a"}}',
        '{"Image": "a"}\0',
        '{"Image": "a"} {"HostConfig": {}}',
        '{"Image": NaN}',
        '{"HostConfig": {"Memory": Infinity}}',
        '{"HostConfig": {"Memory": -Infinity}}',
        '{"HostConfig": {"Memory": 01}}',
        '{"HostConfig": {"Memory": +1}}',
        '{"HostConfig": {"Memory": ' + "9" * 5000 + "}}",
        "{'Image': 'a'}",
        '{"Image": "a",}',
        '{"Image": "a\nb"}',
        '{"Image": "\\x41"}',
        '{"Image": "a"} // x',
        '\u00a0{"Image": "a"}',
    ],
)
def test_what_is_not_json(text: str) -> None:
    assert denied(text) == "bad-json"


@pytest.mark.parametrize(
    "body",
    [
        b'{"Image": "\xff"}',
        b'{"Image": "\xc0\xaf"}',
        b'{"Image": "\xed\xa0\x80"}',
        b'{"Image": "\\ud800"}',
        b'{"Image": "\\uDC00\\uD800"}',
        b'{"Labels": {"\\ud800": ""}}',
        '{"Image": "a"}'.encode("utf-16"),
    ],
)
def test_what_is_not_unicode(body: bytes) -> None:
    assert denied(body) == "bad-unicode"


def test_a_byte_order_mark() -> None:
    assert denied(b'\xef\xbb\xbf{"Image": "a"}') == "bad-json"


def test_characters_beyond_16_bits() -> None:
    assert create('{"Labels": {"a": "\\ud83d\\ude00"}}') == {"Labels": {"a": "\U0001f600"}}


@pytest.mark.parametrize("depth", [1_200, 9_990, 100_000])
@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_depth(depth: int, left: str, right: str) -> None:
    body = f'{{"Labels": {left * depth}1{right * depth}}}'
    assert denied(body) in ("too-deep", "wrong-type")


def test_size() -> None:
    assert denied(b" " * (gojson.LIMIT + 1)) == "body-too-large"
    assert denied('{"Image": "' + "a" * gojson.LIMIT + '"}') == "body-too-large"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"HostConfig": {"CapAdd": "ALL"}}', "HostConfig.CapAdd"),
        ('{"HostConfig": {"CapDrop": "ALL"}}', "HostConfig.CapDrop"),
        ('{"HostConfig": {"Privileged": "true"}}', "HostConfig.Privileged"),
        ('{"HostConfig": {"Privileged": 1}}', "HostConfig.Privileged"),
        ('{"HostConfig": {"Memory": "1g"}}', "HostConfig.Memory"),
        ('{"HostConfig": {"Memory": 1.0}}', "HostConfig.Memory"),
        ('{"HostConfig": {"Memory": 1e3}}', "HostConfig.Memory"),
        ('{"HostConfig": {"Memory": true}}', "HostConfig.Memory"),
        ('{"HostConfig": []}', "HostConfig"),
        ('{"HostConfig": {"Binds": {}}}', "HostConfig.Binds"),
        ('{"HostConfig": {"Binds": ["/a:/a", 1]}}', "HostConfig.Binds[1]"),
        ('{"HostConfig": {"Binds": [null]}}', "HostConfig.Binds[0]"),
        ('{"HostConfig": {"Mounts": [{"Type": "bind"}, {"Target": 1}]}}', "HostConfig.Mounts[1].Target"),  # noqa: E501
        ('{"HostConfig": {"Mounts": [null]}}', "HostConfig.Mounts[0]"),
        ('{"HostConfig": {"PortBindings": {"80/tcp": {}}}}', "HostConfig.PortBindings['80/tcp']"),
        ('{"Labels": ["a=b"]}', "Labels"),
        ('{"Labels": {"a": 1}}', "Labels['a']"),
        ('{"Env": "A=b"}', "Env"),
        ('{"Image": ["a"]}', "Image"),
        ('{"Cmd": 1}', "Cmd"),
        ('{"Cmd": [["a"]]}', "Cmd[0]"),
        ('{"ExposedPorts": {"80/tcp": 1}}', "ExposedPorts['80/tcp']"),
        ("[]", "body"),
        ('"x"', "body"),
        ("1", "body"),
    ],
)  # fmt: skip
def test_wrong_types(text: str, place: str) -> None:
    with pytest.raises(Denied) as caught:
        create(text)
    assert caught.value.code == "wrong-type"
    assert caught.value.reason.startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"Privileged": true}', "body"),
        ('{"Binds": ["/:/h"]}', "body"),
        ('{"Memory": 0}', "body"),
        ('{"Cpuset": "0"}', "body"),
        ('{"HostConfig": {"Image": ""}}', "HostConfig"),
        ('{"HostConfig": {"LogConfig": {"Options": {}}}}', "HostConfig.LogConfig"),
        ('{"ExposedPorts": {"80/tcp": {"x": 1}}}', "ExposedPorts['80/tcp']"),
        ('{"HostConfig": {"Capabilities": ["CAP_SYS_ADMIN"]}}', "HostConfig.Capabilities"),
        ('{"HostConfig": {"DiskQuota": 1}}', "HostConfig.DiskQuota"),
    ],
)
def test_unknown_fields(text: str, place: str) -> None:
    with pytest.raises(Denied) as caught:
        create(text)
    assert caught.value.code == "unknown-field"
    assert caught.value.reason.startswith(f"{place}: ")


def test_null_is_what_it_is_to_go() -> None:
    assert denied("null") == "wrong-type"
    assert create('{"Image": null, "HostConfig": null}') == {"Image": None, "HostConfig": None}
    assert create('{"Labels": {"a": null}}') == {"Labels": {"a": ""}}
    networks = '{"NetworkingConfig": {"EndpointsConfig": {"web": null}}}'
    assert create(networks) == {"NetworkingConfig": {"EndpointsConfig": {"web": None}}}
    assert create('{"HostConfig": {"MaskedPaths": null, "ReadonlyPaths": []}}') == {
        "HostConfig": {"MaskedPaths": None, "ReadonlyPaths": []}
    }


def test_lists_as_bodies() -> None:
    privilege = [{"Name": "network", "Description": "", "Value": ["host"]}]
    text = '[{"name": "network", "Description": "", "VALUE": ["host"]}]'
    assert gojson.decode(text.encode(), "PluginPrivileges") == privilege
    assert gojson.decode(b"null", "PluginPrivileges") == []
    assert gojson.decode(b'["A=1"]', "PluginSettings") == ["A=1"]
    assert denied("{}", "PluginSettings") == "wrong-type"


def test_commands_may_be_a_string() -> None:
    assert create('{"Cmd": "sh", "Entrypoint": ["a"], "Shell": null}') == {
        "Cmd": ["sh"],
        "Entrypoint": ["a"],
        "Shell": None,
    }


@pytest.mark.parametrize(
    ("schema", "text", "fits"),
    [
        ("ContainerUpdate", '{"Memory": 9223372036854775807}', True),
        ("ContainerUpdate", '{"Memory": 9223372036854775808}', False),
        ("ContainerUpdate", '{"Memory": -9223372036854775808}', True),
        ("ContainerUpdate", '{"Memory": -9223372036854775809}', False),
        ("ContainerUpdate", '{"Memory": -0}', True),
        ("ContainerUpdate", '{"BlkioWeight": 65535}', True),
        ("ContainerUpdate", '{"BlkioWeight": 65536}', False),
        ("ContainerUpdate", '{"BlkioWeight": -1}', False),
        ("ContainerUpdate", '{"BlkioDeviceReadBps": [{"Rate": 18446744073709551615}]}', True),
        ("ContainerUpdate", '{"BlkioDeviceReadBps": [{"Rate": 18446744073709551616}]}', False),
        ("ServiceSpec", '{"EndpointSpec": {"Ports": [{"TargetPort": 4294967296}]}}', False),
        ("ServiceSpec", '{"UpdateConfig": {"MaxFailureRatio": 1e39}}', False),
        ("ServiceSpec", '{"UpdateConfig": {"MaxFailureRatio": 1e400}}', False),
        ("ContainerCreate", '{"HostConfig": {"Memory": 1e999}}', False),
        ("ContainerCreate", '{"x": -1E+999}', False),
        ("ServiceSpec", '{"UpdateConfig": {"MaxFailureRatio": 0.5}}', True),
        ("ServiceSpec", '{"UpdateConfig": {"MaxFailureRatio": 1}}', True),
    ],
)
def test_numbers_have_go_s_width(schema: str, text: str, fits: bool) -> None:
    if fits:
        assert gojson.decode(text.encode(), schema) == json.loads(text)
    else:
        assert denied(text, schema) == "out-of-range"


def test_bytes_are_base64() -> None:
    assert gojson.decode(b'{"data": "aGk="}', "SecretSpec") == {"Data": "aGk="}
    assert denied('{"Data": "aGk"}', "SecretSpec") == "wrong-type"
    assert denied('{"Data": [104, 105]}', "SecretSpec") == "wrong-type"


def test_what_only_some_clients_send_is_dropped() -> None:
    assert create('{"HostConfig": {"Capabilities": [], "DiskQuota": 0, "Memory": 1}}') == {
        "HostConfig": {"Memory": 1}
    }
    assert gojson.decode(b'{"Container": "x", "Cmd": ["sh"]}', "ExecConfig") == {"Cmd": ["sh"]}


@pytest.mark.parametrize("name", sorted(body_types()))
def test_no_type_has_two_fields_that_fold_alike(name: str) -> None:
    fields = list(body_types()[name].fields)
    assert len({fold(field) for field in fields}) == len(fields)


FIELDS = sorted(name for name, kind in body_types()["HostConfig"].fields.items() if kind != "unset")


@given(st.data())
def test_spelling_never_matters(data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(FIELDS))
    variants = {"s": "sS\u017f", "k": "kK\u212a"}
    spelled = "".join(
        data.draw(st.sampled_from(variants.get(c.lower(), c.lower() + c.upper()))) for c in field
    )
    body = json.dumps({spelled: None}, ensure_ascii=data.draw(st.booleans())).encode()
    assert gojson.decode(body, "HostConfig") == {field: None}
    if spelled != field:
        twice = json.dumps({field: None, spelled: None})
        assert denied(twice, "HostConfig") == "duplicate-key"


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_denied(body: bytes) -> None:
    try:
        gojson.decode(body, "ContainerCreate")
    except Denied:
        return
    json.loads(body)


def test_a_duplicate_among_many_keys_is_found_at_once() -> None:
    keys = ",".join(f'"{at:x}":0' for at in range(19_000))
    begin = time.process_time()
    assert denied(f'{{{keys},"a":0}}') == "duplicate-key"
    assert time.process_time() - begin < 2
