"""Sockets: made safely, passed by systemd, and over TLS."""

import json
import os
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stockade.authz import listen
from stockade.policies.errors import InputError

STAND_IN = Path(__file__).with_name("stand_in.py")


def test_a_stale_socket_is_replaced(tmp_path):
    path = tmp_path / "s.sock"
    listen.listen_unix(path).close()
    assert path.exists()
    listening = listen.listen_unix(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert stat.S_IMODE(path.lstat().st_mode) == 0o600
    listening.close()


def test_a_socket_that_is_listened_on_is_not_taken(tmp_path):
    path = tmp_path / "s.sock"
    with listen.listen_unix(path):
        before = path.lstat().st_ino
        with pytest.raises(InputError, match="somebody listens"):
            listen.listen_unix(path)
        assert path.lstat().st_ino == before


@pytest.mark.parametrize("kind", ["file", "directory", "link", "dangling", "fifo"])
def test_what_is_no_socket_is_left_alone(tmp_path, kind):
    path, other = tmp_path / "s.sock", tmp_path / "other"
    if kind == "file":
        path.write_text("precious")
    elif kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        if kind == "link":
            listen.listen_unix(other).close()
        path.symlink_to(other)
    with pytest.raises(InputError, match="exists and is"):
        listen.listen_unix(path)
    assert os.path.lexists(path)
    assert kind != "file" or path.read_text() == "precious"


@pytest.mark.parametrize(("mode", "fine"), [(0o777, False), (0o770, False), (0o1777, True)])
def test_a_directory_in_which_others_could_replace_it(tmp_path, mode, fine):
    directory = tmp_path / "d"
    directory.mkdir()
    directory.chmod(mode)
    if fine:
        listen.listen_unix(directory / "s").close()
    else:
        with pytest.raises(InputError, match="others may write"):
            listen.listen_unix(directory / "s")


def test_a_long_path_is_an_error_of_input(tmp_path):
    with pytest.raises(InputError, match="too long"):
        listen.listen_unix(tmp_path / ("x" * 120))


def test_only_the_own_socket_is_removed(tmp_path):
    path = tmp_path / "s"
    first = listen.listen_unix(path)
    own = listen.inode(path)
    first.close()
    second = listen.listen_unix(path)
    listen.unlink_own(path, own)
    assert path.exists()
    listen.unlink_own(path, listen.inode(path))
    assert not path.exists()
    second.close()


def test_sockets_meant_for_another_process_are_not_taken():
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "x"}
    assert listen.passed(environment) == []
    assert environment == {}


def test_a_word_to_systemd(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        listen.notify({"NOTIFY_SOCKET": str(tmp_path / "notify")}, "READY=1")
        assert receiver.recv(100) == b"READY=1"
    listen.notify({}, "READY=1")
    listen.notify({"NOTIFY_SOCKET": str(tmp_path / "gone")}, "READY=1")


#: As systemd does it: the socket is descriptor 3, LISTEN_PID the program's own.
ACTIVATE = """
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(128)
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def activated(directory, output):
    path = directory / "passed.sock"
    with output.open("ab") as stream:
        return path, subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, path, STAND_IN, directory],
            stderr=stream,
            start_new_session=True,
        )


def test_socket_activation(start, tmp_path, eventually):
    service = start(wait=False)  # for its clean-up and client
    service.says("listening on")
    assert service.stop() == 0
    path, service.process = activated(tmp_path, tmp_path / "stderr")
    service.says("passed.sock")
    service.socket = path
    assert service.ask({})["Allow"] is True
    assert not (tmp_path / "plugin.sock").exists()
    assert service.stop() == 0
    assert path.exists()  # it is systemd's


def test_what_is_passed_must_be_a_listening_unix_socket(tmp_path):
    (tmp_path / "policy.json").write_text('{"revision": "one"}')
    program = ACTIVATE.replace("listening.listen(128)", "pass")
    words = [sys.executable, "-c", program, tmp_path / "p.sock", STAND_IN, tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "no listening unix socket" in done.stderr


@pytest.fixture
def authorities(tmp_path):
    """A server certificate, and clients of the right and of another authority."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def certificate(name, issuer=None):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        by, signer = issuer or (subject, key)
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(by)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(issuer is None, None), True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
            )
        )
        pem = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        (tmp_path / f"{name}.pem").write_bytes(pem)
        (tmp_path / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return subject, key

    ours, other = certificate("ours"), certificate("other")
    certificate("server", ours)
    certificate("daemon", ours)
    certificate("stranger", other)
    return tmp_path


@pytest.mark.parametrize("who", ["daemon", "stranger", None])
def test_tls_asks_for_the_daemons_certificate(start, authorities, who):
    service = start("tls=server.pem,server.key,ours.pem")
    (line,) = [line for line in service.output.splitlines() if "https://" in line]
    port = int(line.rpartition(":")[2])
    context = ssl.create_default_context(cafile=authorities / "ours.pem")
    if who is not None:
        context.load_cert_chain(authorities / f"{who}.pem", authorities / f"{who}.key")

    def ask():
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as client,
        ):
            client.sendall(
                b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
                b"Connection: close\r\n\r\n{}"
            )
            return b"".join(iter(lambda: client.recv(10_000), b""))

    if who == "daemon":
        body = ask().partition(b"\r\n\r\n")[2]
        assert json.loads(body)["Allow"] is True
    else:
        try:
            answer = ask()
        except OSError:  # a TLS alert
            answer = b""
        assert answer == b""
    assert service.ask({})["Allow"] is True
