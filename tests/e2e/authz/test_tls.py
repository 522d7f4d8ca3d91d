"""Who asks is what the client's certificate says and nothing else; and the plugin itself on TLS."""

import contextlib
import http.client
import json
import shutil
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from authz_load import eventually, verify
from certificates import DAY, Authority, Pair
from cryptography import x509
from dockerd import Docker
from plugin_host import PROTOCOL, PluginHost, Service
from raw_http import Wire

pytestmark = pytest.mark.docker

SPECS = Path("/etc/docker/plugins")
PING = {"RequestMethod": "GET", "RequestUri": "/_ping"}


@pytest.fixture(scope="module")
def service(engine: PluginHost, make_service: Callable[[], Service]) -> Service:
    return engine.use(make_service)


def create(host: PluginHost, wire: Wire, name: str, **more: object) -> tuple[int, str]:
    body = {"Image": host.image, "Cmd": ["true"], **more}
    answer = wire.ask("POST", f"/containers/create?name={name}", body)
    return answer.status, answer.message


#: As the policy wants it from deployments.
CONFINED: dict[str, Any] = {
    "User": "1000",
    "Labels": {"team": "deploy"},
    "HostConfig": {
        "Memory": 64 << 20,
        "NanoCpus": 500_000_000,
        "PidsLimit": 50,
        "ReadonlyRootfs": True,
        "SecurityOpt": ["no-new-privileges"],
    },
}


class TestPeople:
    @pytest.mark.parametrize(
        ("who", "version", "plain", "privileged", "plugins"),
        [
            ("alice", 200, 201, 201, 200),
            ("bob", 200, 201, 403, 403),
            ("carol", 200, 403, 403, 403),
            ("mallory", 403, 403, 403, 403),
            ("local", 200, 201, 403, 403),
        ],
    )
    def test_each_gets_what_the_policy_gives(
        self, who, version, plain, privileged, plugins, service, engine
    ):
        wire = engine.wire(who)
        assert wire.ask("GET", "/version").status == version
        assert create(engine, wire, f"tls-{who}")[0] == plain
        host = {"Privileged": True}
        assert create(engine, wire, f"tls-{who}-root", HostConfig=host)[0] == privileged
        assert wire.ask("GET", "/plugins").status == plugins

    def test_a_subject_by_its_san(self, service, engine, seccomp_option):
        confined = json.loads(json.dumps(CONFINED))
        confined["HostConfig"]["SecurityOpt"].append(seccomp_option)
        assert create(engine, engine.wire("carol"), "tls-confined", **confined)[0] == 201
        del confined["Labels"]
        status, said = create(engine, engine.wire("carol"), "tls-unlabelled", **confined)
        assert (status, "label" in said) == (403, True)

    def test_the_log_has_the_principal(self, service, engine):
        engine.wire("bob").ask("GET", "/volumes/tls-logged")
        engine.wire("local").ask("GET", "/volumes/tls-logged-local")
        users = {
            record["uri"]: record["user"]
            for record in service.records()
            if record.get("operation") == "volume.inspect"
        }
        assert users["/volumes/tls-logged"] == "CN=bob,OU=builders"
        assert users["/volumes/tls-logged-local"] == "local"


#: Headers by which some proxies and some plugins name a user.
CLAIMS = (
    "User: alice",
    "X-Docker-User: alice",
    "X-Remote-User: alice",
    "X-Forwarded-User: alice",
    "X-Forwarded-For: 127.0.0.1",
    'X-Forwarded-Client-Cert: Subject="OU=ops,CN=alice"',
    "X-SSL-Client-S-DN: OU=ops,CN=alice",
    "Authorization: Basic YWxpY2U6eA==",
    "UserAuthNMethod: TLS",
    "RequestPeerCertificates: alice",
    "X-Stockade-User: alice",
)


class TestClaims:
    @pytest.mark.parametrize("who", ["mallory", "bob", "local", "carol"])
    def test_headers_change_nothing(self, who, service, engine):
        wire = engine.wire(who)
        plain = wire.ask("GET", "/plugins")
        claimed = wire.ask("GET", "/plugins", headers=CLAIMS)
        assert plain.status == claimed.status == 403
        words = [each.message.partition(" [decision")[0] for each in (plain, claimed)]
        assert words[0] == words[1]
        record = next(r for r in reversed(service.records()) if r.get("uri") == "/plugins")
        assert "alice" not in record["user"]

    def test_they_take_nothing_away_either(self, service, engine):
        claims = [claim.replace("alice", "mallory") for claim in CLAIMS]
        assert engine.wire("alice").ask("GET", "/plugins", headers=claims).status == 200
        assert engine.wire("bob").ask("GET", "/version", headers=claims).status == 200

    def test_the_plugins_own_nonce_cannot_be_invented(self, service, engine):
        for who in ("local", "bob", "alice"):
            headers = ["X-Stockade-Nonce: " + "A" * 43]
            answer = engine.wire(who).ask("GET", "/version", headers=headers)
            assert (answer.status, "own requests only" in answer.message) == (403, True)


@pytest.fixture(scope="module")
def others(engine: PluginHost) -> dict[str, Wire]:
    """People with certificates that are nearly somebody's."""
    client = engine.authority.client
    uri = x509.UniformResourceIdentifier
    spiffe = "spiffe://example.org/deploy"
    pairs = {
        "bob-of-ops": client("bob-ops", cn=["bob"], ou=["ops"]),
        "bob-of-two": client("bob-two", cn=["bob"], ou=["builders", "night"]),
        "alice-of-none": client("alice-none", cn=["alice"]),
        "alice-of-builders": client("alice-builders", cn=["alice"], ou=["builders"]),
        "Alice": client("alice-upper", cn=["Alice"], ou=["ops"]),
        "alice-blank": client("alice-blank", cn=["alice "], ou=["ops"]),
        "two-names": client("two-names", cn=["alice", "bob"], ou=["ops"]),
        "names-turned": client("names-turned", cn=["bob", "alice"], ou=["ops"]),
        "no-name": client("no-name", sans=[uri(spiffe)]),
        "deploy-below": client("deploy-below", cn=["x"], sans=[uri(f"{spiffe}/more")]),
        "deploy-dns": client("deploy-dns", cn=["y"], sans=[x509.DNSName("example.org")]),
        "deploy-two": client(
            "deploy-two", cn=["z"], sans=[x509.DNSName("a.example.org"), uri(spiffe)]
        ),
        "ou-in-cn": client("ou-in-cn", cn=["alice,OU=ops"]),
    }
    ca = engine.authority.certificate
    return {name: Wire(engine.port, ca, pair) for name, pair in pairs.items()}


class TestCertificates:
    @pytest.mark.parametrize(
        ("name", "version", "plugins"),
        [
            ("bob-of-ops", 403, 403),
            ("bob-of-two", 200, 403),
            ("alice-of-none", 403, 403),
            ("alice-of-builders", 200, 403),
            ("Alice", 403, 403),
            ("alice-blank", 403, 403),
            ("two-names", 403, 403),
            ("names-turned", 403, 403),
            ("no-name", 403, 403),
            ("deploy-below", 403, 403),
            ("deploy-dns", 403, 403),
            ("deploy-two", 200, 403),
            ("ou-in-cn", 403, 403),
        ],
    )
    def test_nearly_somebody(self, name, version, plugins, others, service):
        assert others[name].ask("GET", "/version").status == version
        assert others[name].ask("GET", "/plugins").status == plugins

    def test_the_same_name_with_another_unit_owns_nothing(self, others, service, engine):
        bob, other = engine.wire("bob"), others["bob-of-two"]
        assert create(engine, bob, "tls-bobs")[0] == 201
        assert create(engine, other, "tls-others")[0] == 201
        for wire, own, foreign in ((bob, "bobs", "others"), (other, "others", "bobs")):
            assert wire.ask("GET", f"/containers/tls-{own}/json").status == 200
            assert wire.ask("GET", f"/containers/tls-{foreign}/json").status == 403
            assert wire.ask("DELETE", f"/containers/tls-{foreign}").status == 403

    def test_expired_cannot_connect(self, service, engine):
        with pytest.raises(OSError, match=r"(?i)alert|reset|closed|eof"):
            _must_answer(engine.wire("expired"))

    def test_another_authority_or_none_cannot_connect(self, service, engine, tmp_path):
        stranger = Authority(tmp_path, "stockade-test").client("alice", cn=["alice"], ou=["ops"])
        for pair in (stranger, None):
            with pytest.raises(OSError, match=r"(?i)alert|reset|closed|eof|unknown"):
                _must_answer(Wire(engine.port, engine.authority.certificate, pair))

    def test_an_authority_in_between(self, service, engine, tmp_path):
        below = Authority(tmp_path, "below", engine.authority)
        ca = engine.authority.certificate
        bob = Wire(engine.port, ca, below.client("bob", cn=["bob"], ou=["builders"]))
        assert bob.ask("GET", "/version").status == 200
        assert bob.ask("GET", "/plugins").status == 403


def _must_answer(wire: Wire) -> None:
    """With TLS 1.3 a server's refusal of a certificate comes with the first read."""
    answer = wire.ask("GET", "/version")
    if answer.status == 0:
        raise ConnectionResetError("the connection was closed")
    pytest.fail(f"it was answered: {answer}")


@pytest.fixture(scope="module")
def remote(
    engine: PluginHost, policy: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Service, int, Authority]]:
    """A service, the port of its TLS listener, and its authority."""
    authority = Authority(tmp_path_factory.mktemp("tls"), "plugin-ca")
    server = authority.server()
    directory = Path(tempfile.mkdtemp(prefix="stockade-remote-"))
    options = ["--tls-listen", "127.0.0.1:0", "--tls-cert", str(server.certificate)]
    options += ["--tls-key", str(server.key), "--tls-ca", str(authority.certificate)]
    service = Service(
        directory,
        policy,
        directory / "p.sock",
        directory / "docker/docker.sock",
        options=options,
    )
    try:
        service.start()
        said = eventually(lambda: "https://" in service.output.read_text(), service)
        assert said
        line = next(each for each in service.output.read_text().splitlines() if "https" in each)
        yield service, int(line.rpartition(":")[2]), authority
    finally:
        service.kill()
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def daemon(
    remote: tuple[Service, int, Authority], engine: PluginHost
) -> Iterator[tuple[Docker, int]]:
    """A dockerd that has the service as its plugin, by https, and the port it serves on."""
    service, port, authority = remote
    pair = authority.client("daemon", cn=["daemon"])
    made = [path for path in (SPECS, SPECS.parent) if not path.exists()]
    SPECS.mkdir(parents=True, exist_ok=True)
    spec = SPECS / f"{engine.name}-tls.json"
    tls = {
        "InsecureSkipVerify": False,
        "CAFile": str(authority.certificate),
        "CertFile": str(pair.certificate),
        "KeyFile": str(pair.key),
    }
    address = f"https://localhost:{port}"
    spec.write_text(json.dumps({"Name": spec.stem, "Addr": address, "TLSConfig": tls}))
    own = engine.authority.server("second")
    listener = socket.create_server(("127.0.0.1", 0))
    directory = service.docker.parent
    directory.mkdir()
    docker = Docker(
        directory,
        listener=listener,
        options=[
            f"--authorization-plugin={spec.stem}",
            "--tlsverify",
            f"--tlscacert={engine.authority.certificate}",
            f"--tlscert={own.certificate}",
            f"--tlskey={own.key}",
        ],
    )
    try:
        docker.start()
        yield docker, listener.getsockname()[1]
    finally:
        docker.stop()
        listener.close()
        spec.unlink()
        for path in made:
            with contextlib.suppress(OSError):  # dockerd keeps its key there
                path.rmdir()


class TestPluginOnTls:
    """The service listens for daemons on other machines; a dockerd finds it by a spec file."""

    @pytest.mark.parametrize("who", ["daemon", "none", "stranger", "expired"])
    def test_who_may_ask(self, who, remote, tmp_path):
        service, port, authority = remote
        pairs: dict[str, Callable[[], Pair | None]] = {
            "daemon": lambda: authority.client("daemon", cn=["daemon"]),
            "none": lambda: None,
            "stranger": lambda: Authority(tmp_path, "plugin-ca").client("d", cn=["daemon"]),
            "expired": lambda: authority.client("old", cn=["daemon"], valid=-DAY),
        }
        answer = self._call(Wire(port, authority.certificate, pairs[who]()))
        if who == "daemon":
            assert answer == {"Allow": True, "Msg": "", "Err": ""}
        else:
            assert answer is None
        health = eventually(lambda: service.health()["status"] == "ok", service)
        assert health

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
    def test_neither_plain_nor_old(self, remote):
        service, port, authority = remote
        assert self._call(Wire(port)) is None
        pair = authority.client("daemon", cn=["daemon"])
        context = ssl.create_default_context(cafile=authority.certificate)
        context.load_cert_chain(pair.certificate, pair.key)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            pytest.raises(OSError, match=r"(?i)ssl|tls|reset|eof"),
        ):
            context.wrap_socket(plain, server_hostname="localhost").recv(1)
        assert service.call("/AuthZPlugin.AuthZReq", PING).json()["Allow"] is True

    def _call(self, wire: Wire) -> Any:
        """The answer to a call; None when there is none."""
        body = json.dumps(PING).encode()
        head = f"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: x\r\nAccept: {PROTOCOL}\r\n"
        head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        try:
            answer = wire.send(head.encode() + body, method="POST")
        except (OSError, http.client.HTTPException):
            return None
        return answer.json() if answer.status == 200 else None

    def test_dockerd_asks_it(self, daemon, remote, engine):
        docker, port = daemon
        service = remote[0]
        ca = engine.authority.certificate
        bob, mallory = (Wire(port, ca, engine.people[who]) for who in ("bob", "mallory"))
        assert bob.ask("GET", "/version").status == 200
        assert mallory.ask("GET", "/version").status == 403
        assert Wire(docker.socket).ask("GET", "/version").status == 200
        assert bob.ask("POST", "/volumes/create", {"Name": "ci-remote"}).status == 201
        assert mallory.ask("POST", "/volumes/create", {"Name": "ci-remote"}).status == 403
        # Its own questions go to that dockerd, which asks it by TLS about them.
        assert bob.ask("DELETE", "/volumes/ci-remote").status == 204
        users = {record["user"] for record in service.records() if record.get("operation")}
        assert users >= {"CN=bob,OU=builders", "CN=mallory", "local"}
        verify(service.log)
