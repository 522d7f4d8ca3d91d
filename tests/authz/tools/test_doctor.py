"""What is said of engines: evidence in, findings out."""

from dataclasses import replace

import pytest

from stockade.authz.doctor import Engine, PluginSocket, examine, parse_version
from stockade.policies.jsonedit import read_settings
from stockade.policies.source import Source

GOOD = Engine(
    docker="/run/docker.sock",
    version="29.3.1",
    error="",
    loaded=("stockade",),
    settings=read_settings(
        Source("daemon.json", '{"authorization-plugins": ["stockade"], "tlsverify": true}')
    ),
    command_line=("/usr/bin/dockerd", "-H", "fd://"),
    managed=(),
    plugin_sockets=(PluginSocket("/run/docker/plugins/stockade.sock", 0o600, 0, True),),
    socket_mode=0o660,
    group="docker",
    members=(),
)


def ids(engine):
    return {each.id for each in examine(engine)}


def settings(text):
    return read_settings(Source("daemon.json", text))


def test_a_good_engine_has_no_findings():
    assert ids(GOOD) == set()


@pytest.mark.parametrize(
    ("change", "id_"),
    [
        ({"version": None, "error": "Permission denied"}, "engine-not-reached"),
        ({"settings": None}, "plugin-not-configured"),
        ({"settings": settings('{"authorization-plugins": ["x"]}')}, "plugin-not-configured"),
        ({"loaded": ()}, "plugin-not-loaded"),
        ({"loaded": ("x", "stockade")}, "other-plugins"),
        ({"loaded": ("stockade", "x")}, "other-plugins"),
        ({"version": "29.3.0"}, "cve-2026-34040"),
        ({"version": "28.5.2"}, "cve-2026-34040"),
        ({"version": "20.10.24+dfsg1"}, "cve-2024-41110"),
        ({"version": "27.1.0"}, "cve-2024-41110"),
        ({"version": "17.06.0-ce"}, "cve-2024-41110"),
        ({"command_line": ("dockerd", "-H", "tcp://0.0.0.0:2375")}, None),
        ({"managed": ("stockade:latest",)}, "managed-plugin-shadows"),
        ({"socket_mode": 0o666}, "socket-open-to-all"),
        ({"members": ("alice",)}, "socket-group"),
        (
            {
                "plugin_sockets": (
                    PluginSocket("/run/docker/plugins/stockade.sock", 0o666, 0, True),
                )
            },
            "plugin-socket-loose",
        ),
        (
            {
                "plugin_sockets": (
                    PluginSocket("/etc/docker/plugins/stockade.spec", 0o644, 5, False),
                )
            },
            "plugin-socket-loose",
        ),
        ({"plugin_sockets": GOOD.plugin_sockets * 2}, "several-plugin-sockets"),
        ({"plugin_sockets": (), "loaded": None}, "plugin-not-running"),
    ],
)
def test_each_fault_is_found(change, id_):
    assert ids(replace(GOOD, **change)) >= ({id_} if id_ else set())


@pytest.mark.parametrize("version", ["27.1.1", "26.1.5", "25.0.6", "23.0.15", "28.5.2"])
def test_fixed_engines_have_no_zero_length_flaw(version):
    assert "cve-2024-41110" not in ids(replace(GOOD, version=version))


@pytest.mark.parametrize(
    "where",
    [
        {"command_line": ("dockerd", "-H", "tcp://0.0.0.0:2375")},
        {"command_line": ("dockerd", "--host=tcp://0.0.0.0:2375")},
        {"command_line": ("dockerd", "-H0.0.0.0:2375")},
        {
            "settings": settings(
                '{"authorization-plugins": ["stockade"], "hosts": ["tcp://[::]:1"]}'
            )
        },
    ],
)
def test_listeners_without_tls(where):
    plain = replace(GOOD, settings=settings('{"authorization-plugins": ["stockade"]}'))
    assert "listener-without-tls" in ids(replace(plain, **where))
    if "command_line" in where:
        verified = (*where["command_line"], "--tlsverify")
        assert "listener-without-tls" not in ids(replace(plain, command_line=verified))


def test_tls_that_verifies_nobody_does_not_count():
    plain = settings('{"authorization-plugins": ["stockade"], "tls": true, "tlsverify": false}')
    engine = replace(GOOD, settings=plain, command_line=("dockerd", "-H", "tcp://x:2376"))
    assert "listener-without-tls" in ids(engine)


def test_grpc_beside_the_api():
    plain = replace(GOOD, settings=settings('{"authorization-plugins": ["stockade"]}'))
    assert "plugin-not-asked-for-grpc" in ids(replace(plain, version="29.2.0"))
    assert "plugin-not-asked-for-grpc" not in ids(replace(plain, version="29.1.9"))


def test_hosts_in_both_places():
    both = settings('{"authorization-plugins": ["stockade"], "hosts": ["unix:///x"]}')
    assert "hosts-twice" in ids(replace(GOOD, settings=both))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("29.3", (29, 3, 0)),
        ("v27.0.3-rc.1", (27, 0, 3)),
        ("dev", None),
        ("", None),
    ],
)
def test_versions(text, version):
    assert parse_version(text) == version


def test_findings_say_why_or_what_to_do():
    broken = replace(
        GOOD, version="20.10.24", settings=None, loaded=None, socket_mode=0o666, members=("a",)
    )
    for each in examine(broken):
        assert each.fix or each.why
        assert not each.message.endswith(".")
