"""Many clients that ask dockerd for what they may and may not have, and the account of it.

Every request names something that no other one names, so that it is found again: in the decision
log, and among the things that the engine has.
"""

import itertools
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from plugin_host import ROOT, PluginHost, Service
from raw_http import Answer, Session

DECISION = re.compile(r"\[decision ([0-9a-f-]{13})\]")
#: What says that a request was executed, or looked for something that is not there.
WENT_THROUGH = {200, 201, 204, 404}
#: What a client may see instead: a denial, a plugin that is away, a connection that ended.
STOPPED = {403, 500, 0}

_numbers = itertools.count()


@dataclass(frozen=True)
class Ask:
    """A request; `key` is what it alone names."""

    who: str
    method: str
    target: str
    body: object
    key: str
    allowed: bool


@dataclass(frozen=True)
class Sent:
    """A request and what became of it."""

    ask: Ask
    answer: Answer
    seconds: float

    @property
    def decision(self) -> str | None:
        """The beginning of the decision's id that the client was told."""
        found = DECISION.search(self.answer.message)
        return found[1] if found else None


def volume(who: str, prefix: str, allowed: bool, **options: str) -> Ask:
    """Create a volume."""
    name = f"{prefix}-{next(_numbers)}"
    body = {"Name": name, "DriverOpts": options}
    return Ask(who, "POST", "/volumes/create", body, name, allowed)


def container(who: str, image: str, prefix: str, allowed: bool, **host: object) -> Ask:
    """Create a container."""
    target = f"/containers/create?name={prefix}-{next(_numbers)}"
    body = {"Image": image, "Cmd": ["true"], "HostConfig": host}
    return Ask(who, "POST", target, body, target, allowed)


def look(who: str, prefix: str, allowed: bool) -> Ask:
    """Ask for a volume that does not exist."""
    target = f"/volumes/{prefix}-{next(_numbers)}"
    return Ask(who, "GET", target, None, target, allowed)


def mixed(image: str) -> dict[str, Callable[[], Iterator[Ask]]]:
    """What each person asks for, again and again. `bad-` marks what is forbidden."""

    def bob() -> Iterator[Ask]:
        yield volume("bob", "ci-load", True)
        yield volume("bob", "bad-load", False, type="none", o="bind", device="/etc")
        yield look("bob", "ci-none", True)

    def local() -> Iterator[Ask]:
        yield container("local", image, "bad-load", False, Privileged=True)
        yield volume("local", "ci-load", True)
        yield container("local", image, "bad-load", False, Binds=["/:/host"])
        yield container("local", image, "ci-load", True)

    def mallory() -> Iterator[Ask]:
        yield volume("mallory", "bad-load", False)
        yield look("mallory", "bad-none", False)

    def carol() -> Iterator[Ask]:
        yield container("carol", image, "bad-load", False)

    return {"bob": bob, "local": local, "mallory": mallory, "carol": carol}


@dataclass
class Load:
    """Clients in threads, while the `with` lasts."""

    host: PluginHost
    clients: int = 24
    sent: list[Sent] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._stop = threading.Event()
        mix = list(mixed(self.host.image).items())
        self._threads = [
            threading.Thread(target=self._client, args=mix[number % len(mix)])
            for number in range(self.clients)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self, who: str, asks: Callable[[], Iterator[Ask]]) -> None:
        session = Session(self.host.wire(who))
        try:
            while not self._stop.is_set():
                for ask in asks():
                    begin = time.monotonic()
                    answer = session.ask(ask.method, ask.target, ask.body)
                    self.sent.append(Sent(ask, answer, time.monotonic() - begin))
        except BaseException as error:
            self.faults.append(error)
        finally:
            session.close()

    def wait_for(self, more: int, patience: float = 30) -> None:
        """Until so many more requests went through."""
        wanted = self._through() + more
        end = time.monotonic() + patience
        while self._through() < wanted:
            if time.monotonic() > end or self.faults:
                raise RuntimeError(f"the clients get nothing done: {self.faults} {self.sent[-5:]}")
            time.sleep(0.02)

    def _through(self) -> int:
        return sum(each.answer.status in WENT_THROUGH for each in list(self.sent))

    @property
    def slowest(self) -> float:
        """Seconds of the slowest answer."""
        return max(each.seconds for each in self.sent)


def check_answers(sent: list[Sent]) -> None:
    """Nothing forbidden went through, and whatever did not go through was refused by the plugin."""
    for each in sent:
        said = f"{each.ask} {each.answer.status} {each.answer.message[:300]}"
        stopped = each.answer.status in STOPPED
        assert stopped or (each.ask.allowed and each.answer.status in WENT_THROUGH), said
        if each.answer.status == 403:
            assert each.decision, said
        if each.answer.status == 500:
            assert "plugin" in each.answer.message, said


def check_logged(sent: list[Sent], records: list[dict[str, Any]]) -> None:
    """Every answer that a client saw is in the log, as it was answered."""
    allowed, denied = set(), set()
    for record in records:
        result = record.get("result")
        if not result:
            continue  # the log's own
        if result["allow"]:
            allowed.update(_keys(record))
        else:
            denied.add(record["decision_id"][:13])
    for each in sent:
        if each.answer.status in WENT_THROUGH:
            assert each.ask.key in allowed, f"not logged: {each}"
        elif each.decision:
            assert each.decision in denied, f"not logged: {each}"


def check_engine(host: PluginHost, sent: list[Sent], records: list[dict[str, Any]]) -> None:
    """What the engine has was allowed, also where no client saw the answer."""
    allowed = {key for record in records if _is_allow(record) for key in _keys(record)}
    made = {path.name for path in (host.docker.directory / "data/volumes").iterdir()}
    for entry in host.wire("alice").ask("GET", "/containers/json?all=1").json():
        made.add(f"/containers/create{entry['Names'][0].replace('/', '?name=')}")
    found = made & {each.ask.key for each in sent}
    assert found
    assert found <= allowed


def _is_allow(record: dict[str, Any]) -> bool:
    return bool((record.get("result") or {}).get("allow")) and record["phase"] == "request"


def _keys(record: dict[str, Any]) -> Iterator[str]:
    yield record.get("uri") or ""
    made = (record.get("input") or {}).get("volume")
    if made:
        yield made["name"]


def verify(log: Path) -> None:
    """`stockade audit log --verify` finds nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "stockade", "audit", "log", "--verify", str(log)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def eventually(condition: Callable[[], Any], service: Service) -> Any:
    """Waits until the condition gives something true, and gives that."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not come about: {service.output.read_text()[-2000:]}")


def revision(service: Service) -> str:
    """Of the policy in force, once the admin listener knows it."""
    return str(eventually(lambda: service.health().get("revision"), service))


def summary(sent: list[Sent]) -> str:
    """For people."""
    statuses = Counter(each.answer.status for each in sent)
    return f"{len(sent)} requests, {dict(statuses)}, slowest {max(s.seconds for s in sent):.2f} s"
