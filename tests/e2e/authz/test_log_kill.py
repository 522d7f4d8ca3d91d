"""kill -9 of the service at random moments under load: every decision that was answered is in the
log, and the log verifies.
"""

import contextlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import threading
import time
from pathlib import Path

from authz_load import DECISION, eventually, verify
from plugin_host import Service

from stockade.authz.log_verify import files_of
from stockade.authz.log_verify import verify as look_at

POLICY = Path(__file__).with_name("policy.yaml")
MOMENTS = 44
#: Every so many moments the whole service is killed, else one of its processes or all of them.
WHOLE = 5
CLIENTS = 20


class Caller:
    """Calls as dockerd makes them, on a kept connection, and what was answered."""

    def __init__(self, path: Path, name: int) -> None:
        self.allowed: set[str] = set()
        self.denied: set[str] = set()
        self.unanswered = 0
        self.wrong: list[str] = []
        self._path, self._name = path, name
        self._connection: http.client.HTTPConnection | None = None

    def run(self, stop: threading.Event) -> None:
        """Asks for something new each time, until told to stop."""
        for number in itertools.count():
            if stop.is_set():
                return
            kind = ("images", "nodes")[number % 2]
            try:
                self._call(f"/{kind}/c-{self._name}-{number}/json", kind == "images")
            except (OSError, http.client.HTTPException):
                self.unanswered += 1
                self._connection = None
                time.sleep(0.005)

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            connection = http.client.HTTPConnection("plugin", timeout=20)
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(20)
            connection.sock.connect(str(self._path))
            self._connection = connection
        return self._connection

    def _call(self, uri: str, allowed: bool) -> None:
        connection = self._connected()
        document = {"RequestMethod": "GET", "RequestUri": uri}
        connection.request("POST", "/AuthZPlugin.AuthZReq", json.dumps(document))
        answer = json.loads(connection.getresponse().read())
        found = DECISION.search(answer["Msg"])
        if answer["Allow"] and allowed:
            self.allowed.add(uri)
        elif found and not answer["Allow"]:
            self.denied.add(found[1])
        else:
            self.wrong.append(f"{uri}: {answer}")


def kill_some(service: Service, chance: random.Random) -> None:
    """One process or all below the master, which replaces them."""
    children = service.workers()
    for pid in children if chance.random() < 0.3 else children[:1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_all(service: Service, chance: random.Random) -> None:
    """The master alone, or the whole group at once; and what the log looks like then."""
    if chance.random() < 0.5:
        os.kill(service.master, signal.SIGKILL)
        service.process.wait()
    else:
        service.kill()
    # The last line may lack its end: its decision was not answered.
    flaws = {flaw.code for flaw in look_at(files_of(service.log)).flaws}
    assert flaws <= {"unfinished"}
    service.start()


def answered(callers: list[Caller]) -> int:
    return sum(len(each.allowed) + len(each.denied) for each in callers)


def test_at_many_moments(tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.read_text().replace("@SRV@", str(tmp_path)))
    service = Service(tmp_path / "s", policy, tmp_path / "p.sock", tmp_path / "none.sock")
    chance = random.Random(3)
    callers = [Caller(service.path, number) for number in range(CLIENTS)]
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in callers]
    service.start()
    try:
        for thread in threads:
            thread.start()
        for moment in range(MOMENTS):
            before = answered(callers)
            time.sleep(chance.uniform(0.02, 0.3))
            if moment % WHOLE == WHOLE - 1:
                kill_all(service, chance)
                # Something is answered between two of these.
                eventually(lambda before=before: answered(callers) > before, service)
            else:
                kill_some(service, chance)
        time.sleep(0.5)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        code = service.stop()
    assert code == 0
    assert [each.wrong for each in callers if each.wrong] == []
    records = service.records()
    allowed = {r["uri"] for r in records if (r.get("result") or {}).get("allow")}
    denied = {
        r["decision_id"][:13] for r in records if (r.get("result") or {}).get("allow") is False
    }
    for each in callers:
        assert each.allowed
        assert each.denied
        assert each.allowed <= allowed
        assert each.denied <= denied
    assert sum(each.unanswered for each in callers) > MOMENTS
    assert any(record.get("event") == "file-begins" for record in records)
    verify(service.log)
