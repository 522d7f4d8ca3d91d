"""What the service counts, in each worker, and how the counts come together.

A worker counts in plain dictionaries, which costs a request about a microsecond, and sends what
was added once a second to the admin process. Files shared through mmap (prometheus-client's
own way) would kill a worker with SIGBUS on a full disk. A killed worker takes its last second
of counts with it; the decision log misses nothing.
"""

from __future__ import annotations

import json
import socket
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from .model import Decision, Json

BUCKETS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds; upper bounds of the duration histogram."""
ENGINE_CODE = "engine"
"""Denials whose code begins so were the engine's failure."""
_LARGEST_MESSAGE = 64 << 10
_PREFIX = "stockade_authz"


class Meter:
    """The counts of one process since it last sent them."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self.in_flight = 0
        """Requests that were read and not yet answered."""
        self._decisions: Counter[tuple[str, bool, str, str]] = Counter()
        self._durations: defaultdict[str, list[float]] = defaultdict(_no_durations)
        self._log_failures = 0
        self._log_hash = ""
        self._log_time = 0.0

    def observe(self, decision: Decision) -> None:
        """Counts a decision."""
        request = decision.request
        operation = request.operation if request is not None else ""
        phase = decision.phase.name
        self._decisions[phase, decision.allow, operation, decision.code] += 1
        durations = self._durations[phase]
        durations[bisect_left(BUCKETS, decision.duration)] += 1
        durations[-1] += decision.duration

    def log_failed(self) -> None:
        """A decision could not be written to the log."""
        self._log_failures += 1

    def logged(self, line_hash: str) -> None:
        """The hash of the line last written to the log."""
        self._log_hash = line_hash
        self._log_time = time.monotonic()

    def send(self, channel: socket.socket) -> None:
        """Sends what was counted; what cannot be sent now stays for the next time."""
        while self._decisions or self._log_failures or self._durations:
            some = dict(list(self._decisions.items())[:200])
            message = {
                "worker": self._worker,
                "in_flight": self.in_flight,
                "decisions": [[*key, count] for key, count in some.items()],
                "durations": self._durations,
                "log_failures": self._log_failures,
                "log_hash": self._log_hash,
                "log_time": self._log_time,
            }
            if not post(channel, message):
                return
            self._decisions -= Counter(some)
            self._durations.clear()
            self._log_failures = 0
        post(channel, {"worker": self._worker, "in_flight": self.in_flight})


def post(channel: socket.socket, message: Json) -> bool:
    """Sends one message to the admin process unless its queue is full."""
    try:
        channel.send(json.dumps(message).encode(), socket.MSG_DONTWAIT)
    except OSError:
        return False
    return True


def receive(channel: socket.socket) -> Json:
    """The next message; waits for it."""
    return json.loads(channel.recv(_LARGEST_MESSAGE * 4))


def _no_durations() -> list[float]:
    """A count for each bucket and one for what is slower, and the sum."""
    return [0.0] * (len(BUCKETS) + 2)


class Totals:
    """The counts of all processes, and what the master last said of itself."""

    def __init__(self) -> None:
        self.status: dict[str, Json] = {}
        """See Master._status."""
        self._decisions: Counter[tuple[str, str, str, str]] = Counter()
        self._durations: defaultdict[str, list[float]] = defaultdict(_no_durations)
        self._log_failures = 0
        self.log_hash = ""
        """Of the last line of the decision log that any worker wrote."""
        self._log_time = 0.0
        self._in_flight: dict[int, int] = {}

    def add(self, message: Json) -> None:
        """Takes in a message of a worker or of the master."""
        if "status" in message:
            self.status = message["status"]
            return
        worker = message["worker"]
        self._in_flight[worker] = message["in_flight"]
        for phase, allow, operation, code, count in message.get("decisions", ()):
            self._decisions[phase, str(allow).lower(), operation, code] += count
        for phase, values in message.get("durations", {}).items():
            sums = self._durations[phase]
            for index, value in enumerate(values):
                sums[index] += value
        self._log_failures += message.get("log_failures", 0)
        if message.get("log_time", 0.0) > self._log_time:
            self.log_hash, self._log_time = message["log_hash"], message["log_time"]

    def text(self) -> bytes:
        """In Prometheus' text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """For prometheus-client."""
        yield from self._of_decisions()
        yield from self._of_service()

    def _of_decisions(self) -> Iterator[Metric]:
        decisions = _counter("decisions", "Decisions", ["phase", "allow", "operation", "code"])
        engine_errors = 0.0
        for key, count in self._decisions.items():
            decisions.add_metric([key[0].lower(), *key[1:]], count)
            engine_errors += count if key[3].startswith(ENGINE_CODE) else 0
        yield decisions
        durations = HistogramMetricFamily(
            f"{_PREFIX}_decision_duration_seconds",
            "From a request's arrival to its decision",
            labels=["phase"],
        )
        for phase, values in self._durations.items():
            total = 0.0
            buckets = []
            for bound, slower in zip([*map(str, BUCKETS), "+Inf"], values[:-1], strict=True):
                total += slower
                buckets.append((bound, total))
            durations.add_metric([phase.lower()], buckets, values[-1])
        yield durations
        yield _gauge("in_flight", "Requests being decided", sum(self._in_flight.values()))
        yield _counted("engine_errors", "Decisions that the engine failed to make", engine_errors)
        yield _counted("log_failures", "Decisions that were not logged", self._log_failures)
        hashes = _labelled("log_hash", "The last line of the decision log", ["hash"])
        hashes.add_metric([self.log_hash], 1)
        yield hashes

    def _of_service(self) -> Iterator[Metric]:
        status = self.status
        yield _counted("reloads", "Policies put in force", status.get("reloads", 0))
        yield _counted(
            "reload_failed", "Policies refused; the old one stays", status.get("reload_failed", 0)
        )
        yield _counted("worker_deaths", "Workers replaced", status.get("deaths", 0))
        yield _gauge("workers", "Workers that answer", status.get("workers", 0))
        yield _gauge("dry_run", "1: everything is allowed", int(status.get("dry_run", False)))
        policy = _labelled("policy", "The policy in force", ["name", "revision"])
        policy.add_metric([status.get("policy", ""), status.get("revision", "")], 1)
        yield policy
        memory = GaugeMetricFamily(
            f"{_PREFIX}_process_resident_bytes", "Memory of a process", labels=["process"]
        )
        for process, size in status.get("memory", {}).items():
            memory.add_metric([process], size)
        yield memory


def _counter(name: str, text: str, labels: list[str]) -> CounterMetricFamily:
    return CounterMetricFamily(f"{_PREFIX}_{name}", text, labels=labels)


def _counted(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"{_PREFIX}_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}_{name}", text, value=value)


def _labelled(name: str, text: str, labels: list[str]) -> GaugeMetricFamily:
    """An `_info` metric: always 1, what it says is in its labels."""
    return GaugeMetricFamily(f"{_PREFIX}_{name}_info", text, labels=labels)


def counted(meter: Meter, log: Callable[[Decision], None]) -> Callable[[Decision], None]:
    """The log with its failures counted."""

    def write(decision: Decision) -> None:
        try:
            log(decision)
        except BaseException:
            meter.log_failed()
            raise

    return write
