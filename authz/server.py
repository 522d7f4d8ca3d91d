"""The master process: holds the listening sockets, keeps workers answering, loads policies.

It decides nothing and talks to nobody, so that nothing that is asked can stop it. It never
enters gevent's loop, so that its children begin with one of their own.

A worker that has answered nobody for the deadline and a grace (an engine in an endless loop) is
killed, and what was asked of it is denied in its place (rescue.py). The sockets stay open
throughout: nobody is refused a connection.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..policies.errors import InputError
from . import listen, reload, rescue
from .denied import Denied
from .metrics import Meter, post
from .model import Json
from .settings import Settings
from .shared import READY, STARTING, Shared, die_with
from .worker import Parts, Post, work

STARTING_LIMIT = 60.0
"""Seconds that a worker may take until it answers."""
_WAIT = 0.1
_SHORTEST_WAIT = 0.005
_LEAST_SILENCE = 1.0
"""Seconds that a worker may be silent, however short the deadline: it gives a sign each TICK."""
_STANDSTILL = 0.5
"""Seconds that the master was late itself: so was everybody, and nobody is to blame."""
_RESCUE_LIMIT = 3.0
_QUICK_DEATH = 2.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


def say(text: str) -> None:
    """To the person, or the journal."""
    print(f"stockade: {text}", file=sys.stderr, flush=True)


@dataclass
class _Child:
    pid: int
    begin: float


class Master:
    """The process model; `run` returns when the service has ended."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._settings, self._parts = settings, parts
        self._shared = Shared(settings.workers)
        self._workers: dict[int, _Child] = {}
        self._rescuers: dict[int, _Child] = {}
        self._looked = self._forgiven = time.monotonic()
        self._admin: _Child | None = None
        self._loading: reload.Loading | None = None
        self._again = False
        """Another change came while loading."""
        self._watch = reload.Watch()
        self._policy = self._revision = self._problems = ""
        self._reloads = self._failed = self._deaths = 0
        self._hopeless = False
        """A worker ended by itself before it could answer anything."""
        self._not_before = 0.0
        self._sent = 0.0
        self._announced = False
        self._sockets = listen.Sockets(())
        self._channel: tuple[socket.socket, socket.socket] | None = None

    def run(self) -> int:
        """Serves until SIGTERM or SIGINT; gives the exit status. Raises InputError."""
        lock = reload.take_state(self._settings.state)
        unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            _many_files()
            self._parts.begin(self._settings)
            if not self._load_first():
                return 2
            self._sockets = listen.open_sockets(self._settings)
            if self._sockets.admin is not None:
                self._channel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
                for end in self._channel:
                    end.setblocking(False)
            gc.collect()
            gc.freeze()  # what is there now stays shared between the processes
            return self._supervise()
        finally:
            self._remove_sockets()
            signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
            os.close(lock)

    def _load_first(self) -> bool:
        self._watch.begin([str(Path(self._settings.policy).absolute())])
        self._begin_loading()
        while self._loading is not None:
            number = signal.sigtimedwait(_SIGNALS, _WAIT)
            if number is not None and number.si_signo in (signal.SIGTERM, signal.SIGINT):
                return False
            self._reap()
            self._check_loading(time.monotonic())
        return self._shared.generation > 0

    def _supervise(self) -> int:
        for worker in range(self._settings.workers):
            self._start_worker(worker)
        while True:
            received = signal.sigtimedwait(_SIGNALS, self._pause(time.monotonic()))
            number = None if received is None else received.si_signo
            if number in (signal.SIGTERM, signal.SIGINT):
                return self._stop()
            self._reap()
            now = time.monotonic()
            if number == signal.SIGHUP:
                say("reloading the policy")
                self._begin_loading()
            elif self._watch.changed(now):
                say("the policy has changed")
                self._begin_loading()
            self._check_loading(now)
            self._check_workers(now)
            if not self._keep(now):
                return 3
            self._tell(now)

    # --- the policy ---

    def _begin_loading(self) -> None:
        if self._loading is not None:
            self._again = True
            return
        self._again = False
        self._watch.begin(self._watch.files)
        generation = self._shared.generation + 1
        self._loading = reload.Loading(self._load, self._settings, generation)

    def _load(self, settings: Settings) -> reload.Bundle:
        """The policy, tried as a worker will. Raises InputError."""
        bundle = self._parts.load(settings)
        try:
            self._parts.rules(settings, bundle)
        except Denied as denied:
            raise InputError.of(f"the policy cannot be put in force: {denied.reason}") from denied
        return bundle

    def _check_loading(self, now: float) -> None:
        if self._loading is not None:
            self._loading.overdue(now)
        elif self._again:
            self._begin_loading()

    def _loaded(self, outcome: reload.Outcome) -> None:
        self._loading = None
        if outcome.bundle is None:
            self._failed += 1
            self._problems = outcome.problems
            self._watch.also(outcome.files)
            say(f"the policy cannot be used\n{outcome.problems}")
            if self._shared.generation:
                say(f"the old one stays in force, revision {self._revision[:12]}")
            return
        self._watch.also(outcome.bundle.files)
        self._policy, self._revision = outcome.bundle.name, outcome.bundle.revision
        self._problems = ""
        self._reloads += 1
        self._shared.generation += 1
        say(f"policy {self._policy} in force, revision {self._revision[:12]}")

    # --- the processes ---

    def _fork(self, run: Callable[[], int]) -> _Child:
        sys.stderr.flush()
        master = os.getpid()
        pid = os.fork()
        if pid:
            return _Child(pid, time.monotonic())
        code = 1
        try:
            die_with(master)
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # a terminal sends them to every process
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            code = run()
        except BaseException:
            traceback.print_exc(file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _start_worker(self, worker: int, taken: rescue.Taken | None = None) -> None:
        sockets, shared = self._sockets, self._shared
        channel = self._channel[0] if self._channel is not None else None
        post = Post(worker, sockets.plugin, sockets.tls, shared, channel, bool(sockets.own))
        shared.renew(worker)

        def run() -> int:
            if taken is not None:
                for each in taken.owed:
                    each.close()
            kept = [each.detach() for each in taken.idle] if taken is not None else []
            return work(self._settings, self._parts, post, kept)

        self._workers[worker] = self._fork(run)

    def _start_admin(self) -> None:
        listener, channel = self._sockets.admin, self._channel
        assert listener is not None
        assert channel is not None

        def run() -> int:
            from .admin import administer

            return administer(listener, channel[1])

        self._admin = self._fork(run)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._loading is not None and pid == self._loading.pid:
                self._loaded(self._loading.finish(status))
            elif self._admin is not None and pid == self._admin.pid:
                self._admin = None
            self._rescuers.pop(pid, None)
            for worker, child in list(self._workers.items()):
                if child.pid == pid:
                    del self._workers[worker]
                    killed = os.waitstatus_to_exitcode(status) == -signal.SIGKILL
                    self._hopeless |= not killed and self._shared.state(worker) == STARTING
                    self._deaths += 1
                    quick = time.monotonic() - child.begin < _QUICK_DEATH
                    self._not_before = time.monotonic() + (1.0 if quick else 0.0)
                    say(f"worker {worker} ended with {reload.ending(status)}")

    def _silence_ends(self, worker: int) -> float:
        """When a worker has been silent for too long, unless it gives a sign of life."""
        limit = max(self._settings.deadline + self._settings.grace, _LEAST_SILENCE)
        starting = self._shared.state(worker) == STARTING
        last = max(self._shared.last_beat(worker), self._forgiven)
        return last + (STARTING_LIMIT if starting else limit)

    def _pause(self, now: float) -> float:
        """How long to wait for a signal."""
        ends = min((self._silence_ends(worker) for worker in self._workers), default=now + _WAIT)
        return min(_WAIT, max(_SHORTEST_WAIT, ends - now))

    def _check_workers(self, now: float) -> None:
        if now - self._looked > _STANDSTILL:
            self._forgiven = now
        self._looked = now
        for worker in [each for each in self._workers if now > self._silence_ends(each)]:
            self._replace(worker)
        for child in self._rescuers.values():
            if now - child.begin > _RESCUE_LIMIT:
                os.kill(child.pid, signal.SIGKILL)

    def _replace(self, worker: int) -> None:
        """Kills a worker that hangs, and has denied what was asked of it.

        The killed process is not waited for: one that a file system holds cannot end.
        """
        child = self._workers.pop(worker)
        self._deaths += 1
        silent = time.monotonic() - self._shared.last_beat(worker)
        names = {listener.getsockname() for listener in self._sockets.plugin}
        taken = rescue.take(child.pid, self._shared.descriptors(worker), names)
        os.kill(child.pid, signal.SIGKILL)
        count = len(taken.owed)
        say(f"worker {worker} has answered nobody for {silent:.1f} s: killed, {count} denied")

        def run() -> int:
            for each in taken.idle:
                each.close()
            meter = Meter(worker)
            code = rescue.rescue(self._settings, self._parts, meter, taken.owed)
            if self._channel is not None:
                meter.send(self._channel[0])
            return code

        if taken.owed:
            rescuer = self._fork(run)
            self._rescuers[rescuer.pid] = rescuer
        self._start_worker(worker, taken)
        taken.close()

    def _keep(self, now: float) -> bool:
        """Starts what has ended; gives whether there is any sense in going on."""
        if not self._announced:
            if self._hopeless:
                say("a worker cannot start; stopped")
                self._kill()
                return False
            self._announced = self._announce()
        if now >= self._not_before:
            for worker in range(self._settings.workers):
                if worker not in self._workers:
                    self._start_worker(worker)
        if self._admin is None and self._channel is not None:
            self._start_admin()
        return True

    def _announce(self) -> bool:
        if self._ready() < self._settings.workers:
            return False
        for name in self._sockets.names:
            say(f"listening on {name}")
        if self._settings.dry_run:
            say("DRY RUN: EVERY REQUEST IS ALLOWED; the log says what would be denied")
        listen.notify(os.environ, "READY=1")
        return True

    def _ready(self) -> int:
        return sum(self._shared.state(worker) == READY for worker in self._workers)

    def _tell(self, now: float) -> None:
        if self._channel is None or now - self._sent < 1.0:
            return
        self._sent = now
        post(self._channel[0], {"status": self._status(now)})

    def _status(self, now: float) -> Json:
        """What the admin process shows."""
        processes = {"master": os.getpid()}
        processes |= {f"worker-{number}": child.pid for number, child in self._workers.items()}
        if self._admin is not None:
            processes["admin"] = self._admin.pid
        return {
            "time": now,
            "policy": self._policy,
            "revision": self._revision,
            "problems": self._problems,
            "reloads": self._reloads,
            "reload_failed": self._failed,
            "deaths": self._deaths,
            "workers": self._ready(),
            "dry_run": self._settings.dry_run,
            "memory": {name: _resident(pid) for name, pid in processes.items()},
        }

    # --- the end ---

    def _stop(self) -> int:
        say("stopping")
        listen.notify(os.environ, "STOPPING=1")
        self._remove_sockets()
        self._signal(signal.SIGTERM)
        limit = time.monotonic() + self._settings.stop_limit + 1.0
        while self._workers and time.monotonic() < limit:
            signal.sigtimedwait((signal.SIGCHLD,), _WAIT)
            with contextlib.suppress(ChildProcessError):
                while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                    self._workers = {n: c for n, c in self._workers.items() if c.pid != pid}
        self._kill()
        say("stopped")
        return 0

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        children = [*self._workers.values(), *([self._admin] if self._admin else [])]
        if number == signal.SIGKILL:
            children += self._rescuers.values()
        for pid in [child.pid for child in children] + (
            [self._loading.pid] if self._loading is not None else []
        ):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _remove_sockets(self) -> None:
        for path, own in self._sockets.own:
            listen.unlink_own(path, own)


def _many_files() -> None:
    """As many open connections as the kernel grants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _resident(pid: int) -> int:
    """Bytes of memory that a process has, 0 when it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def serve(settings: Settings, parts: Parts) -> int:
    """Runs the service; gives the exit status. Raises InputError.

    `gevent.monkey.patch_all()` must have been called.
    """
    if settings.workers < 1:
        raise InputError.of("at least one worker is needed")
    return Master(settings, parts).run()
