"""What monitors see."""

import json
import os
import signal
import socket

import pytest

from stockade.authz.metrics import Meter, Totals, counted, receive
from stockade.authz.model import CanonicalRequest, Decision, Identity, Phase


def decision(allow=True, code="allowed", operation="container.create", duration=0.003):
    request = CanonicalRequest(
        operation, "POST", "/", None, Identity("local", "local"), {}, {}, "low", None, None, (), {}
    )
    return Decision("id", allow, code, "", Phase.REQUEST, "", duration, "", request, None)


@pytest.fixture
def channel():
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    yield ends
    for end in ends:
        end.close()


def text(totals):
    return totals.text().decode()


def test_decisions_of_two_workers_add_up(channel):
    totals = Totals()
    for worker in (0, 1):
        meter = Meter(worker)
        meter.observe(decision())
        meter.observe(decision(False, "rule-denied"))
        meter.in_flight = 2
        meter.send(channel[0])
    for _ in range(4):
        totals.add(receive(channel[1]))
    said = text(totals)
    labels = 'allow="{}",code="{}",operation="container.create",phase="request"'
    for allow, code in (("true", "allowed"), ("false", "rule-denied")):
        counted_ = f"stockade_authz_decisions_total{{{labels.format(allow, code)}}} 2.0"
        assert counted_ in said
    assert "stockade_authz_in_flight 4.0" in said
    assert 'decision_duration_seconds_bucket{le="0.0025",phase="request"} 0.0' in said
    assert 'decision_duration_seconds_bucket{le="0.005",phase="request"} 4.0' in said
    assert 'decision_duration_seconds_count{phase="request"} 4.0' in said
    assert 'decision_duration_seconds_sum{phase="request"} 0.012' in said


def test_nothing_is_counted_twice_or_lost_when_the_queue_is_full(channel):
    channel[0].setblocking(False)
    totals, meter = Totals(), Meter(0)
    for _ in range(2000):
        meter.observe(decision())
        meter.send(channel[0])  # nobody reads: the queue fills
    channel[1].setblocking(False)

    def drain():
        try:
            while True:
                totals.add(receive(channel[1]))
        except BlockingIOError:
            pass

    drain()
    meter.send(channel[0])
    drain()
    assert 'phase="request"} 2000.0' in text(totals)


def test_many_kinds_of_decisions_fit_the_channel(channel):
    totals, meter = Totals(), Meter(0)
    for number in range(1000):
        meter.observe(decision(operation=f"operation.{number}"))
    meter.send(channel[0])
    for _ in range(6):
        totals.add(receive(channel[1]))
    assert text(totals).count('allow="true"') == 1000


def test_slow_decisions_engine_errors_and_log_failures(channel):
    totals, meter = Totals(), Meter(0)
    meter.observe(decision(False, "engine-unreachable", duration=100.0))

    def full(_decision):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        counted(meter, full)(decision())
    counted(meter, lambda _decision: None)(decision())
    meter.logged("ab12")
    meter.send(channel[0])
    totals.add(receive(channel[1]))
    said = text(totals)
    assert 'bucket{le="5.0",phase="request"} 0.0' in said
    assert 'bucket{le="+Inf",phase="request"} 1.0' in said
    assert "stockade_authz_engine_errors_total 1.0" in said
    assert "stockade_authz_log_failures_total 1.0" in said
    assert 'stockade_authz_log_hash_info{hash="ab12"} 1.0' in said


def test_metrics_of_a_running_service(service, eventually):
    for _ in range(10):
        service.ask({"do": "deny"})
    eventually(
        lambda: 'code="deny",operation="",phase="request"} 10.0' in service.admin("/metrics")[1]
    )
    said = service.admin("/metrics")[1]
    assert 'policy_info{name="stand-in",revision="one"} 1.0' in said
    assert 'process_resident_bytes{process="worker-1"}' in said
    assert "stockade_authz_workers 2.0" in said


def test_health(service, eventually):
    status, said = eventually(lambda: (found := service.admin("/healthz"))[0] == 200 and found)
    assert status == 200
    found = json.loads(said)
    assert (found["status"], found["revision"], found["workers"]) == ("ok", "one", 2)


def test_the_admin_process_is_replaced_and_holds_up_nobody(service, eventually):
    def admin_process():
        children = f"/proc/{service.process.pid}/task/{service.process.pid}/children"
        with open(children, encoding="ascii") as stream:  # noqa: PTH123
            return {int(pid) for pid in stream.read().split()} - service.workers()

    (first,) = eventually(admin_process)
    os.kill(first, signal.SIGKILL)
    assert service.ask({})["Allow"] is True
    eventually(lambda: admin_process() - {first})
    eventually(lambda: service.admin("/healthz")[0] == 200)


def test_without_a_word_of_the_master_the_service_counts_as_gone(service, eventually):
    eventually(lambda: service.admin("/healthz")[0] == 200)
    os.kill(service.process.pid, signal.SIGSTOP)
    try:
        _, said = eventually(lambda: (found := service.admin("/healthz"))[0] == 503 and found)
        assert "no worker answers" in said
        assert service.ask({})["Allow"] is True  # workers need no master to answer
    finally:
        os.kill(service.process.pid, signal.SIGCONT)
