"""Ordinary use of docker is not disturbed: no false denial, and every exit code and output as
without a plugin. The corpus is ordinary.yaml; programs that speak the API themselves are here.
"""

import os
import pty
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerd import DOCKER
from engine_state import archive
from plugin_host import PluginHost
from raw_http import build

pytestmark = pytest.mark.docker

HERE = Path(__file__).parent
#: Another client, if there is one in PATH before or behind Debian's.
NEWER = Path("/usr/local/bin/docker")
CLIENTS = {"debian": DOCKER} | ({"newer": NEWER} if NEWER.exists() else {})

SCENARIOS = {each["name"]: each for each in yaml.safe_load((HERE / "ordinary.yaml").read_text())}


def cases() -> Iterator[Any]:
    """Every scenario with every client; of the people each client takes the next."""
    for name, scenario in SCENARIOS.items():
        for number, client in enumerate(CLIENTS):
            if client in scenario.get("clients", CLIENTS):
                who = scenario["as"][number % len(scenario["as"])]
                yield pytest.param(name, client, who, id=f"{name}-{client}-{who}")


@pytest.fixture(scope="module")
def files(host: PluginHost, seccomp_option: str) -> Path:
    """What the commands read."""
    home = host.directory / "client"
    (home / "context").mkdir(parents=True)
    (home / "broken").mkdir()
    text = "FROM stockade-test:busybox AS first\nARG A\nRUN echo made $A > /made\nLABEL z=1\n"
    (home / "context" / "Dockerfile").write_text(text + 'CMD ["true"]\n')
    (home / "broken" / "Dockerfile").write_text("FROM stockade-test:busybox\nRUN exit 3\n")
    (home / "env").write_text("FROM_FILE=read\n")
    (home / "profile.json").write_text(seccomp_option.removeprefix("seccomp="))
    return home


@pytest.fixture
def leftovers(host: PluginHost, in_front: None) -> Iterator[None]:
    """What a failed scenario leaves must not fail the next one."""
    yield
    wire = host.wire("alice")
    for entry in wire.ask("GET", "/containers/json?all=1").json():
        wire.ask("DELETE", f"/containers/{entry['Id']}?force=1&v=1")
    if wire.ask("GET", "/swarm").status == 200:
        wire.ask("POST", "/swarm/leave?force=1")
    for entry in wire.ask("GET", "/networks").json():
        if entry["Name"] not in ("bridge", "host", "none", "docker_gwbridge"):
            wire.ask("DELETE", f"/networks/{entry['Id']}")
    for entry in wire.ask("GET", "/volumes").json()["Volumes"] or []:
        wire.ask("DELETE", f"/volumes/{entry['Name']}")
    for entry in wire.ask("GET", "/images/json").json():
        for tag in entry["RepoTags"] or [entry["Id"]]:
            if tag != host.image:
                wire.ask("DELETE", f"/images/{tag}?force=1")


def on_terminal(
    command: list[str], typed: bytes, environment: Mapping[str, str]
) -> tuple[int, str, str]:
    """Run a command on a terminal of its own."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        command, stdin=side, stdout=side, stderr=side, env=environment, start_new_session=True
    )
    os.close(side)
    os.write(main, typed)
    output = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError:  # the last user of the terminal has gone
            break
        output += part
    os.close(main)
    return process.wait(30), output.decode(errors="replace"), ""


def run(step: Mapping[str, Any], command: list[str], home: Path) -> tuple[int, str, str]:
    """Exit code, output and errors of a step."""
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "TERM": "dumb",
        **step.get("env", {}),
    }
    typed = step.get("in", "").encode()
    if "shell" in step:
        script = step["shell"].replace("$DOCKER", shlex.join(command))
        command = ["bash", "-o", "pipefail", "-c", script]
    else:
        command = [*command, *shlex.split(step["do"])]
    if step.get("tty"):
        return on_terminal(command, typed, environment)
    done = subprocess.run(
        command, input=typed, capture_output=True, timeout=60, env=environment, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")


@pytest.mark.parametrize(("name", "client", "who"), list(cases()))
def test_as_without_a_plugin(name, client, who, host, in_front, files, leftovers):
    saved = {
        "IMAGE": host.image,
        "SRV": str(host.files),
        "HOME": str(files),
        "PROFILE": str(files / "profile.json"),
        "TMP": tempfile.mkdtemp(dir=host.directory),
    }
    for each in SCENARIOS[name]["steps"]:
        text = each if isinstance(each, str) else None
        step = {"do": text} if text else dict(each)
        for key, value in step.items():
            if isinstance(value, str):
                for word, meaning in saved.items():
                    value = value.replace(f"<<{word}>>", meaning)
                step[key] = value
        options = host.client_options(step.get("as", who))
        code, out, err = run(step, [str(CLIENTS[client]), *options], files)
        said = f"{step.get('do') or step.get('shell')}\nexit {code}\n{out[-2000:]}\n{err[-2000:]}"
        assert "authorization denied" not in out + err, f"a false denial: {said}"
        assert code == step.get("exit", 0), said
        assert re.search(step.get("out", ""), out.replace("\r\n", "\n")), said
        assert re.search(step.get("err", ""), err), said
        if "save" in step:
            saved[step["save"]] = out.strip()


def test_the_two_clients_are_two(require):
    """A machine without a newer client runs half of the corpus, and says so."""
    require(len(CLIENTS) == 2, f"needs another docker client at {NEWER}")
    versions = {
        subprocess.run([path, "--version"], capture_output=True, check=True).stdout
        for path in CLIENTS.values()
    }
    assert len(versions) == 2


#: As docker compose creates the services of a project.
COMPOSE = {
    "Hostname": "",
    "AttachStdout": True,
    "AttachStderr": True,
    "ExposedPorts": {"80/tcp": {}},
    "Env": ["A=b"],
    "Cmd": ["sleep", "1000"],
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1000000000, "Retries": 3},
    "Labels": {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": "web",
        "com.docker.compose.depends_on": "db:service_started:false",
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
    },
    "HostConfig": {
        "Binds": ["ci-shop:/var/lib:rw"],
        "NetworkMode": "ci-shop",
        "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8088"}]},
        "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "ExtraHosts": [],
        "VolumesFrom": None,
        "CapAdd": None,
        "CapDrop": ["NET_RAW"],
        "Privileged": False,
        "LogConfig": {"Type": "", "Config": None},
        "Mounts": None,
        "Memory": 67108864,
    },
    "NetworkingConfig": {
        "EndpointsConfig": {"ci-shop": {"Aliases": ["web", "shop-web-1"], "Links": None}}
    },
}


@pytest.mark.parametrize("who", ["bob", "local"])
def test_a_compose_project(who, host, in_front, leftovers):
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.version": "2.30.0"}
    network = {
        "CheckDuplicate": True,
        "Name": "ci-shop",
        "Driver": "bridge",
        "EnableIPv6": False,
        "IPAM": None,
        "Internal": False,
        "Attachable": False,
        "Options": None,
        "Labels": labels | {"com.docker.compose.network": "default"},
    }
    volume = {"Name": "ci-shop", "Driver": "", "DriverOpts": None, "Labels": labels}
    query = "filters=%7B%22label%22%3A%7B%22com.docker.compose.project%3Dshop%22%3Atrue%7D%7D"
    wire = host.wire(who)
    for method, target, body, status in (
        ("HEAD", "/_ping", None, 200),
        ("GET", f"/v1.41/networks?{query}", None, 200),
        ("POST", "/v1.41/networks/create", network, 201),
        ("GET", "/v1.41/networks/ci-shop", None, 200),
        ("POST", "/v1.41/volumes/create", volume, 201),
        ("GET", "/v1.41/volumes/ci-shop", None, 200),
        ("GET", f"/v1.41/containers/json?all=1&{query}", None, 200),
        ("POST", "/v1.41/containers/create?name=shop-web-1", COMPOSE | {"Image": host.image}, 201),
        ("POST", "/v1.41/containers/shop-web-1/start", None, 204),
        ("GET", "/v1.41/containers/shop-web-1/json", None, 200),
        ("GET", "/v1.41/containers/shop-web-1/logs?stdout=1&stderr=1", None, 200),
        ("POST", "/v1.41/containers/shop-web-1/stop?t=0", None, 204),
        ("DELETE", "/v1.41/containers/shop-web-1?v=0&force=1", None, 204),
        ("DELETE", "/v1.41/networks/ci-shop", None, 204),
        ("DELETE", "/v1.41/volumes/ci-shop", None, 204),
    ):
        answer = wire.ask(method, target, body)
        assert answer.status == status, (method, target, answer.message)


CREATE = b'{"Image":"stockade-test:busybox","Cmd":["true"]}'


@pytest.mark.parametrize(
    ("line", "headers", "body"),
    [
        ("HTTP/1.1", ["Content-Type: application/json; charset=utf-8"], CREATE),
        ("HTTP/1.1", ["content-type:APPLICATION/JSON"], CREATE),
        ("HTTP/1.0", ["Content-Type: application/json"], CREATE),
        ("HTTP/1.1", ["Content-Type: application/json"], CREATE + b"\n"),
        ("HTTP/1.1", ["Content-Type: application/json"], b" \r\n\t" + CREATE),
        ("HTTP/1.1", ["Content-Type: application/json", "Accept-Encoding: gzip"], CREATE),
        ("HTTP/1.1", ["Content-Type: application/json", "Expect: 100-continue"], CREATE),
        ("HTTP/1.1", ["Content-Type: application/json"], CREATE.replace(b'["true"]', b'"true"')),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_with_habits_of_its_own(line, headers, body, chunked, host, in_front, leftovers):
    framing = f"Content-Length: {len(body)}"
    payload = body
    if chunked and line == "HTTP/1.1":  # 1.0 knows no chunks
        framing = "Transfer-Encoding: chunked"
        payload = b"7\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (body[:7], len(body) - 7, body[7:])
    head = [f"POST /containers/create {line}", "Host: x", "Connection: close", *headers, framing]
    raw = "\r\n".join([*head, "", ""]).encode() + payload
    answer = host.wire("bob").send(raw, method="POST")
    assert answer.status == 201, answer.message


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_an_archive_of_5_megabytes(who, host, in_front, leftovers):
    """Archives never reach a plugin, so their size does not matter."""
    wire = host.wire(who)
    query = "fromSrc=-&repo=ci-large&tag=1"
    answer = wire.ask("POST", f"/images/create?{query}", archive(large="x" * 5_600_000))
    assert answer.status == 200
    assert "errorDetail" not in answer.message


def test_many_requests_on_one_connection(host, in_front):
    """Some clients keep a connection and send the next request before the answer came."""
    with host.wire("bob").connect() as connection:
        connection.sendall(build("GET", "/_ping", keep=True) * 50 + build("GET", "/version"))
        answers = b""
        while part := connection.recv(65536):
            answers += part
    assert answers.count(b"HTTP/1.1 200 OK") == 51
