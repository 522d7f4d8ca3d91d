"""From a policy's files to the bundle that workers decide by, and noticing that they changed.

A policy is compiled and validated in a process of its own: whatever it does to the YAML reader or
to the engine (memory, a crash, an endless loop), the service and its old policy stay.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..policies.errors import InputError
from .model import Json
from .settings import Settings
from .shared import die_with

LOADING_LIMIT = 60.0
"""Seconds after which compiling a policy is given up."""
POLL = 0.5
"""Seconds between two looks at the files; two equal looks and it counts as written."""
LOCK_LIMIT = 2.0
"""Seconds to wait for the lock: a killed service's processes may take a moment to end."""
_REPORT = 32 << 10
"""Bytes of problems that are passed on; less than a pipe holds, so that nobody waits."""
_BUNDLE, _NEXT, _LOCK = "policy.json", "policy.next", "lock"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A policy, compiled and validated: all that a worker needs, and nothing to look up again."""

    name: str
    revision: str
    document: Json
    """`data.stockade.policy` for the rules."""
    modules: tuple[tuple[str, str], ...] = ()
    """The user's own Rego: (file name, text)."""
    files: tuple[str, ...] = ()
    """Absolute paths that it was made from, whose change means a reload."""
    extra: Json = None
    """What else the composition wants to hand to workers."""


def read_bundle(state: Path) -> tuple[int, Bundle]:
    """The bundle in force and its generation. Raises OSError, ValueError."""
    stored = json.loads((state / _BUNDLE).read_bytes())
    fields = stored["bundle"]
    fields["modules"] = tuple((name, text) for name, text in fields["modules"])
    fields["files"] = tuple(fields["files"])
    return stored["generation"], Bundle(**fields)


def take_state(state: Path) -> int:
    """Makes the state directory where it is missing and locks it; gives the lock's descriptor.

    Raises InputError when it cannot be used, or another service uses it.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = state.stat()
        if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise InputError.of(
                f"the state directory `{state}` is not this user's alone",
                hint=f"chown it to uid {os.geteuid()} and chmod it to 0700",
            )
        lock = os.open(state / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        hint = "" if os.geteuid() == 0 else "run it as root, or name a --state of your own"
        raise InputError.of(
            f"cannot use the state directory `{state}`: {error.strerror}", hint=hint
        ) from error
    end = time.monotonic() + LOCK_LIMIT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError as error:
            if time.monotonic() > end:
                os.close(lock)
                message = f"another service uses the state directory `{state}`"
                raise InputError.of(message) from error
        time.sleep(0.02)


Stamp = tuple[int, int, int, int] | None


def _stamp(path: str) -> Stamp:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Watch:
    """Tells when files have changed and have stopped changing."""

    def __init__(self) -> None:
        self._known: Mapping[str, Stamp] = {}
        self._seen: Mapping[str, Stamp] = {}
        self._next = 0.0

    def begin(self, files: Iterable[str]) -> None:
        """From now on these; what they are now is no change. Call it before reading them."""
        self._known = self._seen = {path: _stamp(path) for path in files}

    def also(self, files: Iterable[str]) -> None:
        """Watches further files, which were read after `begin`."""
        more = {path: _stamp(path) for path in files if path not in self._known}
        self._known = {**self._known, **more}
        self._seen = {**self._seen, **more}

    @property
    def files(self) -> tuple[str, ...]:
        """What is watched."""
        return tuple(self._known)

    def changed(self, now: float) -> bool:
        """Whether a file differs from `begin` and is the same as at the last look.

        An editor may write a file in pieces: half a policy can be a valid one.
        """
        if now < self._next:
            return False
        self._next = now + POLL
        before, self._seen = self._seen, {path: _stamp(path) for path in self._known}
        return self._seen != self._known and self._seen == before


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt to load."""

    bundle: Bundle | None
    """Only name, revision and files are filled; None when it failed."""
    problems: str = ""
    """For people, with positions."""
    files: tuple[str, ...] = ()
    """The files that the problems are about."""


class Loading:
    """One attempt to load the policy, in a process of its own."""

    def __init__(
        self,
        load: Callable[[Settings], Bundle],
        settings: Settings,
        generation: int,
    ) -> None:
        """Begins. `load` raises InputError for a policy that cannot be used."""
        self._state = settings.state
        self._begin = time.monotonic()
        reading, writing = os.pipe()
        master = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            die_with(master)
            os.close(reading)
            _in_child(load, settings, generation, writing)
        os.close(writing)
        self._report = reading

    def overdue(self, now: float) -> bool:
        """Whether it is time to give up; kills the process then."""
        if now - self._begin < LOADING_LIMIT:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return True

    def finish(self, status: int) -> Outcome:
        """The outcome, once the process has ended with this wait status.

        A good bundle is in force from here on for every worker that looks for it.
        """
        os.set_blocking(self._report, False)  # a child of its own may still hold the other end
        try:
            report = os.read(self._report, 2 * _REPORT)
        except BlockingIOError:
            report = b""
        os.close(self._report)
        if status != 0 or not report:
            return Outcome(None, f"compiling the policy ended with {ending(status)}")
        said = json.loads(report)
        if "problems" in said:
            return Outcome(None, said["problems"], tuple(said["files"]))
        try:
            (self._state / _NEXT).replace(self._state / _BUNDLE)
        except OSError as error:
            return Outcome(None, f"cannot store the compiled policy: {error}")
        return Outcome(Bundle(said["name"], said["revision"], None, (), tuple(said["files"])))


def ending(status: int) -> str:
    """How a process ended, by its wait status, in words."""
    how = os.waitstatus_to_exitcode(status)
    return f"signal {signal.Signals(-how).name}" if how < 0 else f"exit status {how}"


def _in_child(
    load: Callable[[Settings], Bundle], settings: Settings, generation: int, report: int
) -> None:
    """Loads, writes the bundle beside the one in force, reports, exits."""
    code = 70
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        with os.fdopen(report, "wb") as stream:
            stream.write(json.dumps(_loaded(load, settings, generation)).encode())
        code = 0
    except BaseException as error:
        print(f"stockade: compiling the policy: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _loaded(load: Callable[[Settings], Bundle], settings: Settings, generation: int) -> Json:
    try:
        bundle = load(settings)
        stored = {"generation": generation, "bundle": asdict(bundle)}
        path = settings.state / _NEXT
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(json.dumps(stored).encode())
    except InputError as error:
        texts = [problem.render() for problem in error.problems]
        places = {problem.at.source.name for problem in error.problems if problem.at is not None}
        files = sorted(str(Path(name).absolute()) for name in places if Path(name).is_file())
        return {"problems": "\n".join(texts)[:_REPORT], "files": files[:100]}
    except OSError as error:
        name = f"`{error.filename}`: " if error.filename else ""
        return {"problems": f"error: {name}{error.strerror}", "files": []}
    return {"name": bundle.name, "revision": bundle.revision, "files": list(bundle.files)}
