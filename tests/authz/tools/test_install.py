"""Plans: what is written in which order, and that a second time changes nothing."""

import json

import pytest

from stockade.authz.install import (
    DAEMON_JSON,
    POLICY,
    SPEC,
    Found,
    plan_install,
    plan_uninstall,
    unit_templates,
)
from stockade.policies.errors import InputError

UNITS = {"stockade-authz.service": b"[Service]\n", "stockade-authz.socket": b"[Socket]\n"}
UNIT = "/etc/systemd/system/stockade-authz.service"
SOCKET = "/etc/systemd/system/stockade-authz.socket"


class Host:
    """Files in memory."""

    def __init__(self, **files):
        self.files = {path: Found(content, 0o640) for path, content in files.items()}

    def __call__(self, path):
        return self.files.get(path)

    def apply(self, plan):
        for change in plan.changes:
            if change.after is None:
                del self.files[change.path]
            else:
                self.files[change.path] = Found(change.after, change.mode)


@pytest.mark.parametrize("more", [{}, {"socket_activation": True}, {"spec": True}])
def test_installed_twice_changes_nothing_the_second_time(more):
    host = Host(**{DAEMON_JSON: b'{"debug": true}'})
    plan = plan_install(host, {"authz.yaml": b"x"}, UNITS, **more)
    assert [each.path for each in plan.changes] == [
        POLICY,
        UNIT,
        *([SOCKET] if "socket_activation" in more else []),
        *([SPEC] if "spec" in more else []),
        DAEMON_JSON,  # last: until then dockerd starts without the plugin
    ]
    host.apply(plan)
    assert host(POLICY) == Found(b"x", 0o600)
    assert host(DAEMON_JSON).mode == 0o640, "the mode of what is there stays"
    assert json.loads(host(DAEMON_JSON).content)["authorization-plugins"] == ["stockade"]
    again = plan_install(host, {"authz.yaml": b"x"}, UNITS, **more)
    assert again.changes == ()
    assert plan_install(host, {}, UNITS, **more).changes == (), "the policy there is kept"


def test_nothing_is_restarted_by_us_but_said():
    steps = plan_install(Host(), {"authz.yaml": b""}, UNITS).steps
    assert steps[0] == "systemctl daemon-reload"
    assert steps.index("systemctl enable --now stockade-authz.service") < steps.index(
        f"dockerd --validate --config-file {DAEMON_JSON}"
    )
    assert "restart docker" in steps[-1]


def test_out_again_and_daemon_json_goes_first():
    host = Host(**{DAEMON_JSON: b'{"debug": true}'})
    host.apply(plan_install(host, {"authz.yaml": b"x"}, UNITS, spec=True, socket_activation=True))
    plan = plan_uninstall(host, UNITS)
    assert plan.changes[0].path == DAEMON_JSON
    host.apply(plan)
    assert set(host.files) == {DAEMON_JSON, POLICY}
    assert json.loads(host(DAEMON_JSON).content) == {"debug": True}
    assert plan_uninstall(host, UNITS).changes == ()


def test_without_a_policy_it_is_not_installed():
    with pytest.raises(InputError, match="no policy"):
        plan_install(Host(), {}, UNITS)


def test_a_broken_daemon_json_is_left_alone():
    for text in (b"{", b'{"a": 1, "a": 2}', b"\xff"):
        with pytest.raises(InputError):
            plan_install(Host(**{DAEMON_JSON: text}), {"authz.yaml": b""}, UNITS)


def test_a_diff_cannot_forge_a_terminal():
    host = Host(**{POLICY: b"\xc2\x9b31m"})
    plan = plan_install(host, {"authz.yaml": b"\x1b[31m\n"}, UNITS)
    shown = "".join(change.diff() for change in plan.changes)
    assert "\x1b" not in shown
    assert "\x9b" not in shown


def test_units_are_shipped():
    units = unit_templates()
    assert any(name.endswith(".service") for name in units)
    assert any(name.endswith(".socket") for name in units)
