"""Ways round a policy that were open once: whole requests, decided as the plugin does it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stockade.authz.dockercli import ApiRequest
from stockade.authz.model import Identity
from stockade.authz.world import Judged, World
from stockade.cli.authz.loading import make_ready

ALICE = Identity("tls", "CN=alice", "alice")
BOB = Identity("tls", "CN=bob", "bob")
POLICY = """
stockade: 1
name: adversary
authz:
  subjects: {people: {cn: [alice, bob]}}
  rules:
    - allow: ["@run", "@lifecycle", container.update, service.create, secret.create, config.create]
      subjects: people
      limits: {memory: 1g, cpus: 1, pids: 100}
      images: ["docker.io/library/*"]
    - allow: registry.login
      subjects: people
      images: ["docker.io/library/*"]
"""
LIMITS = {"Memory": 1 << 29, "NanoCpus": 10**9, "PidsLimit": 50}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path: Path = tmp_path_factory.mktemp("policy") / "adversary.yaml"
    path.write_text(POLICY)
    with World(make_ready(str(path)).rules) as made:
        yield made


@pytest.fixture(scope="module")
def ask(world: World) -> Callable[..., Judged]:
    def run(method: str, target: str, body: object = None, who: Identity = ALICE) -> Judged:
        return world.judge(ApiRequest(method, target, body), who)

    return run


@pytest.fixture(scope="module")
def made(world: World) -> Callable[..., None]:
    """Makes a request that is allowed happen."""

    def run(target: str, body: object, creates: str = "", who: Identity = ALICE) -> None:
        request = ApiRequest("POST", target, body)
        if creates:
            request = replace(request, creates=(creates, "<<X>>"))
        (judged,) = world.judge_all([request], who)
        assert judged.allow, judged.reasons

    return run


def test_a_quota_alone_may_lift_the_limit_of_cpus(ask, made):
    """A container of one CPU may have a period of 1 ms: then a quota of 100 ms is 100 CPUs."""
    slow = {"Memory": 1 << 29, "CpuPeriod": 1000, "CpuQuota": 1000, "PidsLimit": 50}
    made("/containers/create?name=web", {"Image": "nginx", "HostConfig": slow}, "container")
    update = "/containers/web/update"
    found = ask("POST", update, {"CpuQuota": 100_000})
    assert not found.allow
    assert "name quota and period together, or --cpus" in found.reasons[0]
    assert not ask("POST", update, {"CpuPeriod": 1000}).allow
    assert ask("POST", update, {"CpuQuota": 100_000, "CpuPeriod": 100_000}).allow
    assert ask("POST", update, {"NanoCpus": 10**9}).allow


def test_a_login_shows_no_registry(ask):
    found = ask("POST", "/auth")
    assert (found.allow, found.code) == (False, "rule-denied")
    assert "does not show its registry" in found.reasons[0]


@pytest.mark.parametrize("kind", ["secret", "config"])
def test_services_have_secrets_of_their_owner_only(kind, ask, made):
    name = kind.capitalize()
    made(f"/{kind}s/create", {"Name": "mine", "Data": "aGk="})
    id_ = ask("GET", f"/{kind}s/mine").document["object"]["id"]
    held = [{f"{name}ID": id_, f"{name}Name": "mine", "File": {"Name": "x"}}]
    limits = {"Limits": {"MemoryBytes": 1 << 29, "NanoCPUs": 10**9, "Pids": 50}}
    task = {"ContainerSpec": {"Image": "nginx", f"{name}s": held}, "Resources": limits}
    asked = ("POST", "/services/create", {"Name": "web", "TaskTemplate": task})
    assert ask(*asked).allow
    foreign = ask(*asked, who=BOB)
    assert not foreign.allow
    assert f"a {kind} of the service is not owned" in foreign.reasons[0]


@pytest.mark.parametrize(
    "host",
    [
        {"Binds": [f"/srv/a:/m{n}" for n in range(20_000)]},
        {
            "Mounts": [
                {"Type": "image", "Source": f"a{n}", "Target": f"/m{n}"} for n in range(5_000)
            ]
        },
        {"Devices": [{"PathOnHost": f"/dev/{n}"} for n in range(20_000)]},
        {"Sysctls": {f"a{n}": "1" for n in range(20_000)}},
        {"Links": ["a:b"] * 20_000},
        {"PortBindings": {"80/tcp": [{"HostPort": "1"}] * 20_000}},
        {"Ulimits": [{}] * 500_000},
        {"VolumeDriver": "x", "Tmpfs": {f"/m{n}": "" for n in range(20_000)}},
    ],
    ids=lambda host: next(iter(host)),
)
def test_nobody_keeps_the_rules_busy(host, ask):
    begin = time.process_time()
    found = ask("POST", "/containers/create", {"Image": "nginx", "HostConfig": host})
    assert (found.allow, found.code) == (False, "too-many")
    assert time.process_time() - begin < 3


def test_nobody_keeps_the_rules_busy_with_one_option(ask):
    options = {"o": "lowerdir=" + "/a:" * 20_000}
    assert ask("POST", "/volumes/create", {"DriverOpts": options}).code == "too-many"


def test_a_range_of_ports_is_not_too_many(ask):
    ports = {f"{n}/udp": [{"HostPort": str(n)}] for n in range(10_000, 12_000)}
    asked = {"Image": "nginx", "HostConfig": {**LIMITS, "PortBindings": ports}}
    assert ask("POST", "/containers/create", asked).code == "rule-denied"
