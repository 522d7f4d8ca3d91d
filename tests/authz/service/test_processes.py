"""Workers that end or hang are replaced, the socket stays open; a stop answers what was asked."""

import contextlib
import os
import signal
import threading
import time
from http.client import BadStatusLine
from pathlib import Path

import pytest

UNANSWERED = (BadStatusLine, ConnectionError)


def test_a_worker_that_ends_is_replaced(service, eventually):
    before = service.workers()
    with pytest.raises(UNANSWERED):
        service.ask({"do": "exit"})
    service.says("ended with exit status 9")
    assert service.ask({})["Allow"] is True
    after = eventually(lambda: len(found := service.workers()) == 2 and found)
    assert len(before & after) == 1


def test_a_worker_killed_while_it_starts_is_replaced(start, eventually):
    service = start(wait=False)
    children = f"/proc/{service.process.pid}/task/{service.process.pid}/children"
    eventually(lambda: "in force" in service.output)
    workers = eventually(lambda: Path(children).read_text().split())
    os.kill(int(workers[0]), signal.SIGKILL)
    service.says("ended with signal SIGKILL")
    service.says("listening on")
    eventually(lambda: len(service.workers()) == 2)


def test_a_worker_that_hangs_is_killed_and_replaced(start, eventually):
    """What it was asked is denied in its place, at the deadline."""
    service = start("deadline=0.3")
    begin = time.monotonic()
    assert service.ask({"do": "spin", "seconds": 60})["Allow"] is False
    assert time.monotonic() - begin < 5
    service.says("has answered nobody")
    eventually(lambda: len(service.workers()) == 2)


def test_whoever_waits_behind_a_hang_is_denied_and_idle_connections_stay(start):
    service = start("deadline=1.5", "workers=1")
    idle, *kept = [service.connection() for _ in range(4)]
    for each in (idle, *kept):
        each.ask({})
    answers = []

    def client(connection, document):
        answers.append(connection.ask(document))

    documents = [{"do": "spin", "seconds": 60}, {}, {"padding": "x" * 5_600_000}]
    threads = [
        threading.Thread(target=client, args=pair) for pair in zip(kept, documents, strict=True)
    ]
    for thread in threads:
        thread.start()
        time.sleep(0.3)  # the first one must be first
    late = service.ask({})  # nobody had taken its connection: the next worker does
    for thread in threads:
        thread.join()
    assert [answer["Allow"] for answer in answers] == [False] * 3
    assert late["Allow"] is True
    before = idle.sock
    assert idle.ask({})["Allow"] is True
    assert idle.sock is before


def test_a_stopped_worker_is_replaced(service, eventually):
    """A process that cannot even run is no different."""
    before = service.workers()
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    eventually(lambda: len(new := service.workers()) == 2 and not new & before)


def test_when_everything_stood_still_nobody_is_to_blame(service):
    before = service.workers()
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in (service.process.pid, *before):
            os.kill(pid, number)
        time.sleep(2.5 if number == signal.SIGSTOP else 0.5)
    assert service.workers() == before
    assert "killed" not in service.output


def test_a_slow_decision_that_waits_is_denied_and_no_hang(start):
    service = start("deadline=0.3", "workers=1")
    begin = time.monotonic()
    assert service.ask({"do": "sleep", "seconds": 60})["Allow"] is False
    assert time.monotonic() - begin < 5
    assert "killed" not in service.output


def test_both_workers_killed_under_load(service, eventually):
    stop, answered, unanswered = threading.Event(), [], []

    def client():
        while not stop.is_set():
            try:
                with contextlib.closing(service.connection()) as connection:
                    while not stop.is_set():
                        answered.append(connection.ask({})["Allow"])
            except UNANSWERED as error:
                unanswered.append(error)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    workers = service.workers()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(new := service.workers()) == 2 and not new & workers)
    count = len(answered)
    eventually(lambda: len(answered) > count + 50)
    stop.set()
    for thread in threads:
        thread.join()
    assert all(answered)
    assert len(unanswered) <= 8  # those that were on a killed worker, never a refused connection


def test_a_killed_master_takes_its_workers_along(start, eventually):
    service = start()
    workers = service.workers()
    service.process.kill()
    service.process.wait()
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))  # noqa: PTH110
    again = start(wait=False)  # over the socket that was left behind
    again.says("listening on", 2)
    assert again.ask({})["Allow"] is True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_what_was_asked(start, number):
    service = start("deadline=5")
    answers = []
    idle = service.connection()
    idle.ask({})

    def client():
        answers.append(service.ask({"do": "sleep", "seconds": 1.0}))

    threads = [threading.Thread(target=client) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    service.process.send_signal(number)
    for thread in threads:
        thread.join()
    assert service.process.wait(20) == 0
    assert [answer["phase"] for answer in answers] == ["REQUEST"] * 3
    assert not service.socket.exists()
    idle.close()


def test_a_stop_under_load_leaves_nobody_without_an_answer(start, eventually):
    """A client sees an answer, or a connection that took none of its request."""
    service = start()
    lost, answered = [], []

    def client():
        with contextlib.closing(service.connection()) as connection:
            while True:
                try:
                    connection.request("POST", "/AuthZPlugin.AuthZReq", b"{}")
                except OSError:
                    return  # not sent
                try:
                    connection.getresponse().read()
                    answered.append(1)
                except (BadStatusLine, OSError) as error:
                    lost.append(error)
                    return

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    eventually(lambda: len(answered) > 200)
    assert service.stop() == 0
    for thread in threads:
        thread.join()
    assert not lost


def test_a_stop_has_a_limit(start):
    service = start("stop_limit=0.5")
    failures = []

    def client():
        try:
            service.ask({"do": "sleep", "seconds": 60})
        except UNANSWERED as error:
            failures.append(error)

    thread = threading.Thread(target=client)
    thread.start()
    time.sleep(0.5)
    assert service.stop() == 0
    thread.join()
    assert failures


def test_a_second_service_is_refused(start):
    service = start()
    second = start("socket=/nonexistent/s", wait=False)
    assert second.process.wait(20) == 2
    assert "another service uses the state directory" in service.output
