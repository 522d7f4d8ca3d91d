"""The form in which dockerd calls is read at once; every other form has the same answer."""

import contextlib
import json
import threading
import time

import pytest

from stockade.authz import goform
from stockade.authz.model import Phase

BODY = b'{"do":"allow"}'


def call(*headers, body=BODY, path="/AuthZPlugin.AuthZReq", version="HTTP/1.1"):
    lines = [f"POST {path} {version}", "Host: plugin", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


FORM = call(
    "User-Agent: Go-http-client/1.1",
    f"Content-Length: {len(BODY)}",
    "Accept: application/vnd.docker.plugins.v1.2+json",
    "Accept-Encoding: gzip",
)
LENGTH = f"Content-Length: {len(BODY)}"
OTHER_FORMS = {
    "in two pieces": FORM[:-3],
    "no length": call(),
    "two lengths": call(LENGTH, LENGTH),
    "a length that is none": call("Content-Length: +14"),
    "no space": call(f"Content-Length:{len(BODY)}"),
    "folded": call(LENGTH, "X: a", " b"),
    "chunked": call("Transfer-Encoding: chunked", LENGTH),
    "the connection is closed": call(LENGTH, "CONNECTION: close"),
    "expect": call(LENGTH, "Expect: 100-continue"),
    "a bare line feed": call(LENGTH, "X: a\nY: b"),
    "a name with a space": call(LENGTH, "Content-Length : 3"),
    "a colon alone": call(LENGTH, ": x"),
    "HTTP/1.0": call(LENGTH, version="HTTP/1.0"),
    "another path": call(LENGTH, path="/AuthZPlugin.AuthZReq?x"),
    "activation": call(LENGTH, path="/Plugin.Activate"),
    "GET": b"GET" + FORM[4:],
    "nothing": b"",
}


def test_the_form():
    phase, begin, end = goform.read(FORM)
    assert (phase, FORM[begin:end]) == (Phase.REQUEST, BODY)
    assert goform.read(FORM + b"POST ") == (phase, begin, end)
    assert goform.read(FORM.replace(b"Req", b"Res"))[0] is Phase.RESPONSE


@pytest.mark.parametrize("other", OTHER_FORMS)
def test_other_forms_are_left_alone(other):
    assert goform.read(OTHER_FORMS[other]) is None


def read_answer(client):
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"}"):
        piece = client.recv(65536)
        assert piece, data
        data += piece
    return json.loads(data.partition(b"\r\n\r\n")[2])


def test_forms_may_take_turns_on_a_connection(service):
    with contextlib.closing(service.connection()) as connection:
        connection.connect()
        client = connection.sock
        for pieces in [
            [FORM],
            [FORM[:-3], FORM[-3:]],
            [FORM],
            [FORM[:9], FORM[9:70], FORM[70:]],
            [call("Content-Length:14")],
            [FORM],
        ]:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(0.02)
            answer = read_answer(client)
            assert (answer["Allow"], answer["size"]) == (True, len(BODY))


def test_two_at_once_are_answered_in_turn(service):
    with contextlib.closing(service.connection()) as connection:
        connection.connect()
        first = FORM.replace(b"Req", b"Res")
        connection.sock.sendall(first + FORM)
        data = b""
        while data.count(b'"phase"') < 2:
            data += connection.sock.recv(65536)
        assert data.index(b'"RESPONSE"') < data.index(b'"REQUEST"')


def test_a_fault_is_a_denial_in_any_form(service):
    with contextlib.closing(service.connection()) as connection:
        assert connection.ask({"do": "raise"})["Allow"] is False
        assert connection.ask({})["Allow"] is True


def test_a_busy_connection_is_not_said_to_wait(start):
    """Each of its requests came after the answer before."""
    service = start("workers=1")
    with contextlib.closing(service.connection()) as connection:
        spin = {"do": "spin", "seconds": 0.002}
        late = [connection.ask(spin)["late"] for _ in range(150)]
    assert sorted(late)[140] < 0.02


def test_a_busy_connection_leaves_others_their_turn(start):
    service = start("workers=1")
    ended = threading.Event()

    def busy():
        with contextlib.closing(service.connection()) as connection:
            while not ended.is_set():
                connection.ask({"do": "spin", "seconds": 0.002})

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    times = []
    try:
        with contextlib.closing(service.connection()) as other:
            for _ in range(30):
                begin = time.monotonic()
                other.ask({})
                times.append(time.monotonic() - begin)
                time.sleep(0.01)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert sorted(times)[25] < 0.06
