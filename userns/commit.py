"""subuid, subgid and the registry, changed together: after a crash at any moment, all or none.

    locks ─► new contents beside the old, on disk ─► the intent record, on disk   (from here: all)
          ─► registry, subuid and subgid renamed ─► directories on disk ─► the record removed

The record has the digest of every file before and after. Whoever holds the locks next and finds
it does the rest; a file that is neither as it was nor as it was to be stops that. The registry
goes first, so that what is left over is always a difference that the next plan can see.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ..policies.errors import InputError
from ..policies.source import printable
from .handles import (
    DIRECTORY,
    digest,
    digest_of,
    handle_digest,
    is_mount_point,
    is_unchangeable,
    open_directory,
    open_file,
    remove,
    unwritable,
    write_beside,
)
from .host import REGISTRY, SUBGID, SUBUID, read_host
from .intent import INTENT, ORDER, Step, base, beside, read_record, write_record
from .leases import LEASES
from .locks import TIMEOUT, leases_locked, locked
from .model import HostFiles

_STATE = (("var", 0o755), ("lib", 0o755), ("stockade", 0o700))
"""Directories of the registry and the modes they are made with."""


class Session:
    """A host whose locks are held: whoever asks for them does not change its files meanwhile."""

    def __init__(self, root: Path, etc: int, state: int | None) -> None:
        """`etc` and `state`: handles of the root's /etc, under the locks, and of
        /var/lib/stockade (None: not there)."""
        self.root = root
        self._etc = etc
        self._state = state
        self.finished: tuple[str, ...] = ()
        """Files that an interrupted commit had still to change, and that are changed now."""
        self.files = HostFiles(None, None, None, None, None, None, None)
        """As they are now."""

    def recover(self, *, drop: bool = False) -> None:
        """Finish an interrupted commit, then read the files.

        `drop`: forget the commit instead where it cannot be finished. Raises InputError when it
        cannot be finished, or files cannot be read.
        """
        steps = {} if self._state is None else read_record(self._state, self.root)
        stuck = next((name for name, step in steps.items() if self._is_stuck(name, step)), None)
        if stuck is not None and not drop:
            raise _stuck(self.root, stuck)
        try:
            if steps and stuck is None:
                self.finished = self._finish(steps)
            else:
                self._clear(ORDER)
        except InputError:
            if not drop:
                raise
            self._clear(ORDER)
        self.files = read_host(self.root)

    def commit(self, contents: Mapping[str, bytes]) -> tuple[str, ...]:
        """Give these files (`host.SUBUID`, `host.SUBGID`, `host.REGISTRY`) new contents, all or
        none; those that have them already are not touched. The names of the changed ones.

        Raises InputError, with all files as they were, when one cannot be written (a link, a
        full disk, changed by somebody who took no lock); also when one of the last steps fails,
        which the next session does again.
        """
        files = self.files
        olds = {SUBUID: files.subuid, SUBGID: files.subgid, REGISTRY: files.registry}
        steps: dict[str, Step] = {}
        for name in ORDER:
            new = digest(contents.get(name))
            if new is not None and contents[name] != olds[name]:
                steps[name] = Step(digest(olds[name]), new)
        if steps:
            self._prepare(contents, steps)
            self._finish(steps)
            now = {**olds, **{name: contents[name] for name in steps}}
            self.files = replace(
                self.files, subuid=now[SUBUID], subgid=now[SUBGID], registry=now[REGISTRY]
            )
        return tuple(steps)

    def _prepare(self, contents: Mapping[str, bytes], steps: Mapping[str, Step]) -> None:
        """Everything up to the record; when that fails, as if nothing had been."""
        if self._state is None:
            self._state = _open_state(self.root, make=True)
        assert self._state is not None
        shown = self.root
        try:
            for name, step in steps.items():
                shown = self.root / name
                self._write(name, contents[name], step)
            os.fsync(self._etc)
            shown = self.root / INTENT
            write_record(self._state, steps)
        except BaseException as error:
            self._clear(steps)
            if isinstance(error, OSError):
                raise unwritable(shown, error) from error
            raise

    def _clear(self, names: Mapping[str, Step] | tuple[str, ...]) -> None:
        """Without a record, and without what waits to be renamed."""
        if self._state is not None:
            remove(self._state, base(INTENT))
            remove(self._state, beside(INTENT))
        for name in names:
            directory = self._directory(name)
            if directory is not None:
                remove(directory, beside(name))

    def _write(self, name: str, content: bytes, step: Step) -> None:
        """The new content beside the old one."""
        path, directory = self.root / name, self._directory(name)
        assert directory is not None
        old = open_file(directory, base(name), path)
        try:
            if (None if old is None else handle_digest(old)) != step.old:
                raise InputError.of(
                    f"`{path}` is being changed by somebody who takes no lock; nothing was written",
                    hint="run it again",
                )
            if old is not None and is_mount_point(directory, old):
                raise InputError.of(
                    f"`{path}` is a mount point and cannot be replaced as a whole",
                    hint="run Stockade where the file itself is, not where it is mounted",
                )
            if old is not None and is_unchangeable(old):
                raise InputError.of(
                    f"`{path}` is immutable or append-only; nothing was changed",
                    hint=f"somebody wanted that; see lsattr {path}, and chattr -i or -a",
                )
            write_beside(directory, beside(name), content, old)
        finally:
            if old is not None:
                os.close(old)

    def _finish(self, steps: Mapping[str, Step]) -> tuple[str, ...]:
        """Rename what is not renamed yet and remove the record; the names renamed."""
        done = []
        assert self._state is not None
        try:
            for name, step in steps.items():
                directory = self._directory(name)
                assert directory is not None
                if digest_of(directory, base(name), self.root / name) != step.new:
                    os.rename(beside(name), base(name), src_dir_fd=directory, dst_dir_fd=directory)
                    done.append(name)
                else:
                    remove(directory, beside(name))
            os.fsync(self._etc)
            os.fsync(self._state)
            remove(self._state, base(INTENT))
            os.fsync(self._state)
        except OSError as error:
            raise InputError.of(
                f"the last steps of the change failed ({error.strerror}); what is left to do is "
                f"recorded in `{self.root / INTENT}`",
                hint="mend the cause and run the command again: it finishes this change first",
            ) from error
        return tuple(done)

    def _is_stuck(self, name: str, step: Step) -> bool:
        """Whether a file is neither as it is to be, nor as it was and its new content there."""
        directory = self._directory(name)
        assert directory is not None
        now = digest_of(directory, base(name), self.root / name)
        if now == step.new:
            return False
        waiting = digest_of(directory, beside(name), self.root / name)
        return now != step.old or waiting != step.new

    def _directory(self, name: str) -> int | None:
        return self._state if name == REGISTRY else self._etc

    @contextlib.contextmanager
    def leases_kept(self, timeout: float) -> Iterator[None]:
        """No container gets or gives back a block meanwhile; raises InputError."""
        path = self.root / LEASES
        directory = None if self._state is None else open_directory(self._state, "leases", path)
        if directory is None:
            yield
            return
        try:
            with leases_locked(directory, str(path), timeout):
                yield
        finally:
            os.close(directory)

    def close(self) -> None:
        """Give back the handle of /var/lib/stockade."""
        if self._state is not None:
            os.close(self._state)
            self._state = None


@contextlib.contextmanager
def session(root: Path, *, drop: bool = False, timeout: float = TIMEOUT) -> Iterator[Session]:
    """Takes the locks of the host below `root`, and finishes a commit that was interrupted.

    `drop`: forget one that cannot be finished. Raises InputError when the locks cannot be had
    within `timeout` seconds, or files cannot be read or are in the way.
    """
    etc = _open_top(root)
    try:
        with locked(etc, str(root / "etc"), timeout):
            held = Session(root, etc, _open_state(root, make=False))
            try:
                with held.leases_kept(timeout):
                    held.recover(drop=drop)
                    yield held
            finally:
                held.close()
    finally:
        os.close(etc)


def interrupted(root: Path) -> bool:
    """Whether a commit is under way, or was interrupted and waits for the next session."""
    return os.path.lexists(root / INTENT)


def _open_top(root: Path) -> int:
    """A handle of the root's /etc."""
    top = _open_root(root)
    try:
        etc = open_directory(top, "etc", root / "etc")
    finally:
        os.close(top)
    if etc is None:
        raise InputError.of(f"`{printable(str(root / 'etc'))}` does not exist", hint="check --root")
    return etc


def _open_state(root: Path, *, make: bool) -> int | None:
    """A handle of /var/lib/stockade below the root, None when it is not there nor to be made."""
    handle = _open_root(root)
    path = root
    for part, mode in _STATE:
        path /= part
        try:
            following = open_directory(handle, part, path, make=mode if make else None)
        finally:
            os.close(handle)
        if following is None:
            return None
        handle = following
    return handle


def _open_root(root: Path) -> int:
    try:
        # The root itself may be named by a link: its user wrote it.
        return os.open(root, DIRECTORY & ~os.O_NOFOLLOW)
    except (OSError, ValueError) as error:
        raise InputError.of(f"`{printable(str(root))}` is no directory", hint="check --root") from (
            error
        )


def _stuck(root: Path, name: str) -> InputError:
    return InputError.of(
        f"a change was interrupted, and cannot be finished: `{printable(str(root / name))}` has "
        "been changed since by somebody else",
        hint="put that file back as it was; or keep it and forget the change, with "
        "`stockade userns apply --drop-interrupted`, which then shows what is different",
    )
