"""Specs have the keys that documents.py says, and share nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_type_hints

from stockade.authz import documents
from stockade.authz.normalize import container


class Reader:
    """Every profile equals `web`."""

    def policies_equal(self, profile_text: str, capabilities: frozenset[str]) -> tuple[str, ...]:
        return ("web",)


def create(host: Any) -> Any:
    return container.create({"Image": "a", "HostConfig": host}, "", Reader())


def conforms(value: Any, kind: type) -> None:
    """The keys are those that the type has, all the way down."""
    hints = get_type_hints(kind)
    assert set(value) == set(hints), kind
    for key, hint in hints.items():
        inner, one = hint, value[key]
        if isinstance(one, list):
            inner, one = hint.__args__[0], one[0] if one else None
        for option in getattr(inner, "__args__", (inner,)):
            if isinstance(one, dict) and hasattr(option, "__required_keys__"):
                conforms(one, option)


FULL = {
    "Binds": ["/a:/b"],
    "VolumesFrom": ["x"],
    "Devices": [{"PathOnHost": "/dev/a"}],
    "DeviceRequests": [{"Driver": "x"}],
    "PortBindings": {"80/tcp": []},
    "Ulimits": [{"Name": "x", "Soft": 1, "Hard": 1}],
    "BlkioDeviceReadBps": [{"Path": "/dev/a", "Rate": 1}],
    "NetworkMode": "web",
}


def test_specs_are_what_documents_says() -> None:
    conforms(create(FULL), documents.Spec)
    conforms(container.harmless(), documents.Spec)
    conforms(container.execution({"Cmd": ["x"]}), documents.Exec)


def test_specs_are_plain_json() -> None:
    found = create(FULL)
    assert json.loads(json.dumps(found)) == found


def test_two_specs_share_nothing_that_can_change() -> None:
    one, two = container.harmless(), container.harmless()
    one["mounts"].append(1)
    one["labels"]["a"] = "b"
    one["resources"]["memory"] = 1
    one["seccomp"]["policies"].append("x")
    assert two == container.harmless()


CLIENT = json.loads((Path(__file__).parent / "docker-run.json").read_text())


def test_what_dockers_command_line_sends_asks_for_nothing() -> None:
    found = container.create(CLIENT, "", Reader())
    expected = container.harmless()
    expected.update(
        image=found["image"], networks=found["networks"], command=["true"], auto_remove=True
    )
    assert found == expected
    assert [one["name"] for one in found["networks"]] == ["default"]
