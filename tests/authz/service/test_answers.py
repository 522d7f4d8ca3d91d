"""Every call is answered, with a 200 and JSON, on a connection that stays usable."""

import contextlib
import json
import socket
import stat
import threading

import pytest

DENIED = {"Allow": False, "Msg": "a fault of the authorization plugin", "Err": ""}
LARGE = 5_600_000


def test_activation(service):
    assert service.ask({}, path="/Plugin.Activate") == {"Implements": ["authz"]}


@pytest.mark.parametrize(
    ("path", "phase"),
    [("/AuthZPlugin.AuthZReq", "REQUEST"), ("/AuthZPlugin.AuthZRes", "RESPONSE")],
)
def test_both_phases_reach_the_decider(service, path, phase):
    answer = service.ask({"do": "allow"}, path=path)
    assert (answer["Allow"], answer["phase"]) == (True, phase)


def test_one_connection_serves_every_call(service):
    with contextlib.closing(service.connection()) as connection:
        connection.connect()
        first = connection.sock
        for document in [{}, {"do": "deny"}, {"do": "raise"}, b"", b"x" * LARGE, {}]:
            connection.ask(document)
            assert connection.sock is first


def test_a_base_exception_is_a_denial(service):
    assert service.ask({"do": "raise"}) == DENIED
    assert service.ask({})["Allow"] is True


def test_an_empty_body_reaches_the_decider(service):
    answer = service.ask(b"")
    assert (answer["Allow"], answer["size"]) == (False, 0)


@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_arrive_whole(service, chunked):
    body = b"x" * LARGE
    with contextlib.closing(service.connection()) as connection:
        if chunked:
            pieces = (body[at : at + 50_000] for at in range(0, LARGE, 50_000))
            connection.request("POST", "/AuthZPlugin.AuthZReq", pieces, encode_chunked=True)
            answer = json.loads(connection.getresponse().read())
        else:
            answer = connection.ask(body)
        assert answer["size"] == LARGE
        assert connection.ask({})["size"] == 2


@pytest.mark.parametrize("size", [(8 << 20) + 1, 12 << 20])
def test_a_body_beyond_the_cap_is_cut_for_the_decider_to_deny(service, size):
    with contextlib.closing(service.connection()) as connection:
        assert connection.ask(b"x" * size)["size"] == (8 << 20) + 1
        assert connection.ask({})["size"] == 2


def test_expect_continue(service):
    with contextlib.closing(service.connection()) as connection:
        connection.connect()
        connection.sock.sendall(
            b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.sock.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sock.sendall(b"{}")
        # In one piece: a client never sees half an answer.
        assert b'"Allow": true' in connection.sock.recv(10_000)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 404),
        ("POST", "/AuthZPlugin.AuthZReq/", 404),
        ("POST", "//AuthZPlugin.AuthZReq", 200),
        ("POST", "/VolumeDriver.Create", 404),
        ("GET", "/AuthZPlugin.AuthZReq", 405),
        ("OPTIONS", "/AuthZPlugin.AuthZReq", 405),
    ],
)
def test_what_is_no_call_is_a_denial(service, method, path, status):
    with contextlib.closing(service.connection()) as connection:
        connection.request(method, path, b"{}")
        response = connection.getresponse()
        assert response.status == status
        assert json.loads(response.read())["Allow"] is False
        assert connection.ask({})["Allow"] is True


def test_200_parallel_clients(service):
    answers, failures = [], []
    gate = threading.Barrier(200)

    def client():
        try:
            with contextlib.closing(service.connection()) as connection:
                gate.wait()
                answers.extend(connection.ask({"n": n})["Allow"] for n in range(5))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(answers) == 1000


def test_large_bodies_in_parallel_are_held_a_few_at_a_time(service):
    sizes = []

    def client():
        sizes.append(service.ask(b"x" * LARGE)["size"])

    threads = [threading.Thread(target=client) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # One that had to wait for too long is denied as if it were empty.
    assert len(sizes) == 40
    assert set(sizes) <= {LARGE, 0}


def test_a_request_that_waited_past_its_deadline_is_denied(start):
    service = start("workers=1", "deadline=0.5", "grace=5")
    answers = []

    def spin():
        answers.append(service.ask({"do": "spin", "seconds": 1.5}))

    with contextlib.closing(service.connection()) as other:
        assert other.ask({})["Allow"] is True
        thread = threading.Thread(target=spin)
        thread.start()
        # Comes while the only worker computes; it can see it no sooner than a second later.
        threading.Event().wait(0.3)
        late = other.ask({})
        thread.join()
    assert late["late"] > 0.5
    assert late["Allow"] is False
    assert service.ask({})["late"] < 0.5


def test_a_body_that_does_not_come_is_a_denial_in_time(start):
    service = start("deadline=0.3")
    with contextlib.closing(service.connection()) as connection:
        connection.connect()
        connection.sock.sendall(
            b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n{"
        )
        answer = b"".join(iter(lambda: connection.sock.recv(10_000), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert json.loads(body)["Allow"] is False


def test_dry_run_says_so(start):
    service = start("dry_run=true")
    assert service.ask({"do": "deny"})["Allow"] is True
    assert "EVERY REQUEST IS ALLOWED" in service.output


def test_the_socket_is_private(service):
    mode = service.socket.lstat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert [path.name for path in service.directory.iterdir() if path.name[0] == "."] == []


def test_garbage_closes_only_its_own_connection(service):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(10)
        client.connect(str(service.socket))
        client.sendall(b"\x16\x03\x01 what\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400")
    assert service.ask({})["Allow"] is True
