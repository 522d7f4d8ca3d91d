"""Both engines: a real OPA server and the embedded one, and what they do when things go wrong."""

import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress

import pytest
from authz_samples import create, data, document, person, rule
from certificates import Authority
from opa_server import OpaServer, find_opa

from stockade.authz.denied import Denied
from stockade.authz.engines import opa as opa_engine
from stockade.authz.engines.opa import Server
from stockade.authz.engines.regorus import REMEMBERED, Embedded
from stockade.policies.errors import InputError


def policy(*rules):
    return data(*rules)["stockade"]["policy"]


PING = document("system.ping")
POLICY = policy(rule("system.ping", "container.create", images={"any": True, "entries": []}))
NOTHING = policy(rule("system.info"))
EXTRA = [("no.rego", 'package stockade.extra\n\nimport rego.v1\n\ndeny contains "never"\n')]
LATE = 1.0
"""Seconds beyond the timeout in which a denial must have come."""


def revised(policy, revision):
    return {**policy, "revision": revision * 64}


@pytest.fixture
def server(tmp_path, require):
    require(find_opa(), "needs opa (.ci/opa)")
    made = OpaServer(tmp_path)
    made.start()
    yield made
    made.stop()


def denied(engine, asked=PING):
    """The code of the denial, and that it came in time."""
    begin = time.monotonic()
    with pytest.raises(Denied) as caught:
        engine.decide(asked)
    assert time.monotonic() - begin < 0.5 + LATE
    return caught.value.code


class TestServer:
    def test_it_is_given_the_policy_and_decides(self, server):
        engine = Server(server.url, policy=POLICY)
        engine.prepare()
        assert engine.health()
        assert engine.decide(PING).allow
        assert not engine.decide(document("system.info")).allow
        assert "system.info" in engine.decide(document("system.info")).reasons[0]

    def test_it_is_given_the_policy_at_the_first_question_too(self, server):
        assert Server(server.url, policy=POLICY).decide(PING).allow

    def test_a_server_that_was_restarted_is_given_it_again(self, server, monkeypatch):
        monkeypatch.setattr(opa_engine, "AGAIN", 0.0)
        engine = Server(server.url, policy=POLICY, timeout=5)
        engine.prepare()
        server.stop()
        assert denied(engine) == "engine-failed"
        server.start()
        assert engine.decide(PING).allow

    def test_another_policy_takes_the_place_of_the_first(self, server):
        before = Server(server.url, policy=POLICY, modules=EXTRA)
        before.prepare()
        assert not before.decide(PING).allow
        after = Server(server.url, policy=revised(NOTHING, "1"))
        after.prepare()
        assert after.decide(document("system.info")).allow
        assert denied(before) == "engine-revision"

    def test_another_policy_that_stays_is_replaced(self, server, monkeypatch):
        engine = Server(server.url, policy=POLICY)
        engine.prepare()
        Server(server.url, policy=revised(NOTHING, "1")).prepare()
        assert denied(engine) == "engine-revision"
        monkeypatch.setattr(opa_engine, "AGAIN", 0.0)
        assert engine.decide(PING).allow

    def test_modules_of_the_users_own_decide_too(self, server):
        engine = Server(server.url, policy=POLICY, modules=EXTRA)
        engine.prepare()
        assert "never" in " ".join(engine.decide(PING).reasons)

    def test_a_bad_module_is_refused_by_the_server(self, server):
        broken = [("x.rego", "package stockade.extra\n\nf(x) := f(x)\n")]
        with pytest.raises(Denied, match="f is recursive"):
            Server(server.url, policy=POLICY, modules=broken).prepare()

    def test_no_proxy_is_asked(self, server, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as proxy:
            proxy.settimeout(0)
            address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, address)
            monkeypatch.delenv("no_proxy", raising=False)
            assert Server(server.url, policy=POLICY).decide(PING).allow
            with pytest.raises(BlockingIOError):
                proxy.accept()

    def test_a_closed_engine_denies(self, server):
        engine = Server(server.url, policy=POLICY)
        engine.close()
        assert denied(engine) == "engine-failed"

    @pytest.mark.parametrize("url", ["opa", "ftp://x", "http://", "http://a/b", "http://a:b"])
    def test_urls_that_are_none(self, url):
        with pytest.raises(InputError):
            Server(url, policy=POLICY)


def test_a_token_opens_the_server(tmp_path, require):
    require(find_opa(), "needs opa (.ci/opa)")
    guard = tmp_path / "guard.rego"
    guard.write_text(
        "package system.authz\n\nimport rego.v1\n\ndefault allow := false\n\n"
        'allow if input.identity == "secret"\n'
    )
    options = ["--authentication=token", "--authorization=basic", guard]
    server = OpaServer(tmp_path, options)
    server.start()
    try:
        assert Server(server.url, policy=POLICY, token="secret").decide(PING).allow
        assert denied(Server(server.url, policy=POLICY, token="wrong")) == "engine-failed"
        assert denied(Server(server.url, policy=POLICY)) == "engine-failed"
    finally:
        server.stop()


def test_certificates_are_checked_on_both_sides(tmp_path, require):
    require(find_opa(), "needs opa (.ci/opa)")
    ours, other = Authority(tmp_path / "ours", "ours"), Authority(tmp_path / "other", "other")
    pair, client = ours.server(), ours.client("client", cn=["client"])
    options = [f"--tls-cert-file={pair.certificate}", f"--tls-private-key-file={pair.key}",
               f"--tls-ca-cert-file={ours.certificate}", "--authentication=tls"]  # fmt: skip
    server = OpaServer(tmp_path, options, "https")
    server.start()
    both = {"certificate": client.certificate, "key": client.key}
    try:
        good = Server(server.url, policy=POLICY, authority=ours.certificate, **both)
        assert good.decide(PING).allow
        wrong = Server(server.url, policy=POLICY, authority=other.certificate, **both)
        assert denied(wrong) == "engine-failed"
        assert denied(Server(server.url, policy=POLICY, **both)) == "engine-failed"
        nobody = Server(server.url, policy=POLICY, authority=ours.certificate)
        assert denied(nobody) == "engine-failed"
    finally:
        server.stop()


@contextmanager
def answering(reply):
    """A server that reads a request and then does what `reply` does with the connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65536)
            with suppress(OSError):
                reply(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def drip(connection):
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b" " * 9000:
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def send(text):
    return lambda connection: connection.sendall(text.encode())


def http(status, body, headers=""):
    return send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n{body}")


YES = '{"result": {"allow": true, "rule": "r", "reasons": [], "subjects": [], "revision": "%s"}}'


@pytest.mark.parametrize(
    "reply",
    [
        lambda connection: time.sleep(3),
        drip,
        lambda connection: None,
        send("garbage\r\n\r\n"),
        http("500 No", "{}"),
        http("200 OK", "not JSON"),
        http("200 OK", "[]"),
        http("200 OK", '{"result": true}'),
        http("200 OK", '{"result": {"allow": "yes"}}'),
        http("200 OK", '{"result": {"allow": true, "rule": "r"}}'),
        http("200 OK", YES % ("9" * 64)),
        http("200 OK", YES % ("0" * 64).join(["", "x"])),
        http("302 Found", "", "Location: http://127.0.0.1:1/\r\n"),
    ],
    ids="hangs drips closes garbage 500 text list true word half other longer redirect".split(),
)
def test_whatever_a_server_does_is_a_denial_in_time(reply):
    with answering(reply) as url:
        denied(Server(url, policy=POLICY, timeout=0.5))


def test_the_stand_in_can_say_yes():
    """Without this the denials above could have another reason."""
    with answering(http("200 OK", YES % ("0" * 64))) as url:
        assert Server(url, policy=POLICY).decide(PING).allow


def test_a_server_that_is_not_there():
    assert denied(Server("http://127.0.0.1:1", policy=POLICY, timeout=0.5)) == "engine-failed"


class TestEmbedded:
    def test_it_decides(self):
        engine = Embedded(POLICY)
        assert engine.decide(PING).allow
        assert engine.decide(create(person("alice"))).allow
        assert not engine.decide(document("system.info")).allow

    def test_threads_share_it(self):
        engine, found = Embedded(POLICY), []

        def ask(number):
            asked = create(person("alice"), name=f"web-{number}")
            found.append(engine.decide(asked).allow)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [True] * 20

    def test_what_it_remembers_is_bounded(self):
        engine = Embedded(POLICY)
        for number in range(REMEMBERED + 50):
            engine.decide(document("system.ping", other={"n": str(number)}))
        assert len(engine._allowed) == REMEMBERED

    def test_modules_of_the_users_own_decide_too(self):
        assert Embedded(POLICY, EXTRA).decide(PING).reasons != ()

    def test_a_module_that_does_not_compile(self):
        with pytest.raises(Denied, match=r"x\.rego:1:1"):
            Embedded(POLICY, [("x.rego", "nonsense {")])

    def test_an_error_in_a_module_is_a_denial(self):
        broken = [("x.rego", "package stockade.extra\n\nimport rego.v1\n\n"
                   'deny contains "x" if to_number(input.operation) > 1\n')]  # fmt: skip
        assert denied(Embedded(POLICY, broken)) == "engine-failed"

    def test_a_closed_engine_denies(self):
        engine = Embedded(POLICY)
        engine.close()
        assert denied(engine) == "engine-failed"


GREENLETS = """
import gevent.monkey; gevent.monkey.patch_all()
import gevent, sys
sys.path[:0] = {path!r}
from authz_samples import data, document, rule
from stockade.authz.denied import Denied
from stockade.authz.engines.regorus import Embedded
broken = [("x.rego", 'package stockade.extra\\n\\nimport rego.v1\\n\\n'
           'deny contains "x" if to_number(input.operation) > 1\\n')]
engine = Embedded(data(rule("system.ping"))["stockade"]["policy"], broken)
def ask(number):
    try:
        engine.decide(document("system.ping", parameters={{"n": str(number)}}))
    except Denied as denied:
        return denied.code
jobs = [gevent.spawn(ask, number) for number in range(50)]
gevent.joinall(jobs)
print({{job.value for job in jobs}})
"""


@pytest.mark.parametrize("backtrace", ["0", "1", "full"])
def test_errors_in_greenlets_do_not_bring_the_process_down(backtrace):
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS.format(path=sys.path)],
        env={**os.environ, "RUST_BACKTRACE": backtrace},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "{'engine-failed'}"), done.stderr
