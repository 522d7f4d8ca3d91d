"""What exists and who made it, in SQLite: shared by the service's processes, kept over restarts.

A fact is learned when the engine says that it made something (`learn.py`) and answers whose
it is when somebody acts upon it. A missing fact means "nobody knows", never "anybody's": rules
that ask for an owner do not hold then.

What is cached of a container's state (name, spec) counts as unknown *before* a request is
allowed that changes it, and is not cached again while the service runs: an inspect under way
could otherwise bring back what was true before. `begin` ends that at the next start.

Every failure of the database is Denied("facts-unavailable").
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..policies.errors import InputError
from .denied import Denied
from .model import Fact, Json
from .nonces import Nonces
from .private import NotPrivate, open_private, private_directory
from .schema import migrate

_FACT = "kind, id, name, owner, labels, image, spec, revision, changing"
_CACHED = 4096
"""Facts that a process keeps decoded."""
_EXEC_LIFE = 86_400.0
"""Seconds. The engine drops finished execs after minutes; an older one can be inspected."""
_PRUNE_EVERY = 256
_LONGEST = 65_536
"""Characters of labels and spec together. Longer ones are not kept but inspected each time."""

SETTLED, CHANGING, UNREAD = 0, 1, 2
"""What a fact's name and spec are: true; changed while the service runs, so read each time; or
not read since the start."""

_Row = tuple[Any, ...]


class Facts:
    """The database. Safe to share between threads and greenlets; after a fork it reopens itself.

    A Fact that was looked up is shared between callers: do not change the values in it.
    """

    def __init__(self, path: Path, busy: float = 1.0) -> None:
        """Open or make the database at `path`; `busy` is how many seconds to wait for others.

        Raises InputError when it cannot be used: somebody else's, a link, another program's, a
        newer Stockade's, or damaged.
        """
        self._path = path
        self._busy = busy
        self._lock = threading.RLock()
        self._cache: dict[tuple[str, str], Fact | None] = {}
        self._decoded: dict[tuple[str, str], tuple[_Row, Fact]] = {}
        self._version = -1
        self._revision = ""
        self._since_prune = 0
        self._abandoned: list[sqlite3.Connection] = []
        try:
            private_directory(path.parent)
            os.close(open_private(path, os.O_RDWR))
            self._connection = self._connect()
            migrate(self._connection, path)
        except NotPrivate as error:
            raise InputError.of(f"facts: {error}") from error
        except OSError as error:
            raise InputError.of(f"facts: `{path}` cannot be opened: {error.strerror}") from error
        except sqlite3.Error as error:
            raise InputError.of(
                f"facts: `{path}` cannot be used: {error}",
                hint="when moved away, a new one is made; nothing made before has an owner then",
            ) from error
        self._pid = os.getpid()
        self._nonces = Nonces()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._busy, isolation_level=None, check_same_thread=False
        )
        # NORMAL: safe against kill -9 in WAL mode; a power cut may lose the last facts, and what
        # is lost denies.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if os.getpid() != self._pid:
                    self._reopen()
                yield self._connection
            except sqlite3.Error as error:
                self._cache.clear()
                raise Denied(
                    "facts-unavailable", f"what is known of containers cannot be used: {error}"
                ) from error

    def _reopen(self) -> None:
        # SQLite forbids using, even closing, a connection on the other side of a fork.
        self._abandoned.append(self._connection)
        self._connection = self._connect()
        self._cache.clear()
        self._version = -1
        self._pid = os.getpid()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction; what this process has cached is dropped with it."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._cache.clear()

    def close(self) -> None:
        """Close the database; the object cannot be used afterwards."""
        with self._lock:
            if os.getpid() == self._pid:
                self._connection.close()

    # --- asking ---

    def lookup(self, kind: str, id_: str) -> Fact | None:
        """The fact with exactly this id (of a volume: its name)."""
        with self._open() as connection:
            # Changes when another connection has committed: the cache is never behind.
            version = connection.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version or len(self._cache) >= _CACHED:
                self._cache.clear()
                self._version = version
            key = (kind, id_)
            if key not in self._cache:
                self._cache[key] = self._read(connection, key)
            return self._cache[key]

    def _read(self, connection: sqlite3.Connection, key: tuple[str, str]) -> Fact | None:
        row = connection.execute(
            f"SELECT {_FACT} FROM facts WHERE kind = ? AND id = ?", key
        ).fetchone()
        if row is None:
            self._decoded.pop(key, None)
            return None
        # Most writes are about something else: what stands there as before is not parsed again.
        row_before, fact = self._decoded.get(key, (None, None))
        if fact is None or row_before != row:
            fact = _fact(row, self._revision)
            if len(self._decoded) >= _CACHED:
                self._decoded.clear()
            self._decoded[key] = (row, fact)
        return fact

    def find_by_name(self, kind: str, name: str) -> Fact | None:
        """The fact of this name; None when several things bear it.

        Names are as old as the last thing learned: good for forgetting, not for deciding.
        """
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT {_FACT} FROM facts WHERE kind = ? AND name = ? LIMIT 2", (kind, name)
            ).fetchall()
        return _fact(rows[0], self._revision) if len(rows) == 1 else None

    def find_by_prefix(self, kind: str, prefix: str) -> Fact | None:
        """The fact whose id begins so, when there is just one; again not for deciding."""
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT {_FACT} FROM facts WHERE kind = ? AND id >= ? AND id < ? LIMIT 2",
                (kind, prefix, prefix + "\U0010ffff"),
            ).fetchall()
        return _fact(rows[0], self._revision) if prefix and len(rows) == 1 else None

    def container_of(self, exec_id: str) -> str | None:
        """The id of the container that an exec belongs to."""
        found: str | None = self._column("exec", exec_id, "container")
        return found

    def as_created(self, kind: str, id_: str) -> Json:
        """The spec that was learned or read last, true or not by now."""
        spec = self._column(kind, id_, "spec")
        return None if spec is None else json.loads(spec)

    def _column(self, kind: str, id_: str, column: str) -> Any:
        with self._open() as connection:
            row = connection.execute(
                f"SELECT {column} FROM facts WHERE kind = ? AND id = ?", (kind, id_)
            ).fetchone()
        return None if row is None else row[0]

    def count(self) -> int:
        """How many facts there are."""
        with self._open() as connection:
            number: int = connection.execute("SELECT count(*) FROM facts").fetchone()[0]
        return number

    # --- learning ---

    def use(self, revision: str) -> None:
        """From now on a spec counts as unknown that was learned under another revision.

        A spec names the seccomp policies that a profile equals, and these may have changed.
        """
        with self._lock:
            self._revision = revision
            self._cache.clear()
            self._decoded.clear()

    def remember(self, fact: Fact, container: str | None = None) -> None:
        """Keep the fact, in place of what was known under its kind and id.

        `container` is the id of an exec's container.
        """
        labels, spec = _text(dict(fact.labels)) or "{}", _text(fact.spec)
        too_long = len(labels) + len(spec or "") > _LONGEST
        values = (
            fact.kind,
            fact.id,
            fact.name,
            _text(fact.owner),
            "{}" if too_long else labels,
            _text(fact.image),
            None if too_long else spec,
            self._revision,
            CHANGING if too_long else SETTLED,
            container,
            time.time(),
        )
        with self.writing() as connection:
            _forget_namesake(connection, fact.kind, fact.id, fact.name)
            connection.execute(
                f"INSERT OR REPLACE INTO facts({_FACT}, container, learned)"
                f" VALUES ({', '.join('?' * len(values))})",
                values,
            )
            self._since_prune += 1
            if self._since_prune >= _PRUNE_EVERY:
                self._since_prune = 0
                connection.execute(
                    "DELETE FROM facts WHERE kind = 'exec' AND learned < ?",
                    (time.time() - _EXEC_LIFE,),
                )

    def complete(self, kind: str, id_: str, name: str | None, image: Json, spec: Json) -> None:
        """Set what a fact lacked and an inspect says, unless the thing may be changing."""
        if self._column(kind, id_, "changing") == CHANGING:
            return
        with self.writing() as connection:
            connection.execute(
                "UPDATE facts SET name = ?, image = ?, spec = ?, revision = ?, changing = ?"
                " WHERE kind = ? AND id = ? AND changing <> ?",
                (name, _text(image), _text(spec), self._revision, SETTLED, kind, id_, CHANGING),
            )

    def rename(self, kind: str, id_: str, name: str) -> None:
        """Record the thing's new name, for finding it; `lookup` still counts it as changing."""
        with self.writing() as connection:
            _forget_namesake(connection, kind, id_, name)
            connection.execute(
                "UPDATE facts SET name = ? WHERE kind = ? AND id = ?", (name, kind, id_)
            )

    def changing(self, kind: str, id_: str | None) -> None:
        """Forget the cached name and spec of a thing that is about to be changed.

        With None, where nobody knows which one it will be: of everything of that kind.
        """
        which, values = ("", (kind,)) if id_ is None else (" AND id = ?", (kind, id_))
        with self.writing() as connection:
            connection.execute(
                f"UPDATE facts SET name = NULL, changing = ? WHERE kind = ?{which}",
                (CHANGING, *values),
            )

    def begin(self) -> None:
        """At the service's start, before it answers: what was changed unseen is read again."""
        with self.writing() as connection:
            connection.execute(
                "UPDATE facts SET name = NULL, changing = ? WHERE kind = 'container'", (UNREAD,)
            )
            connection.execute("DELETE FROM nonces")

    # --- forgetting ---

    def forget(self, kind: str, id_: str) -> None:
        """The thing is gone; with a container go its execs."""
        self.forget_many(kind, [id_])

    def forget_many(self, kind: str, ids: Iterable[str]) -> None:
        """The things are gone."""
        with self.writing() as connection:
            for id_ in ids:
                connection.execute("DELETE FROM facts WHERE kind = ? AND id = ?", (kind, id_))
                if kind == "container":
                    connection.execute("DELETE FROM facts WHERE container = ?", (id_,))

    def forget_kinds(self, kinds: Iterable[str]) -> None:
        """Everything of these kinds is gone."""
        with self.writing() as connection:
            connection.executemany("DELETE FROM facts WHERE kind = ?", [(kind,) for kind in kinds])

    def mark(self) -> int:
        """A point in time for `forget_absent`: the number of the latest fact."""
        with self._open() as connection:
            row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'facts'")
            found = row.fetchone()
        return 0 if found is None else found[0]

    def forget_absent(self, kind: str, live: Collection[str], mark: int) -> int:
        """Forget what is not among the ids that the engine listed after `mark` was taken.

        Gives how many were forgotten. What was learned after the mark stays.
        """
        with self._open() as connection:
            known = connection.execute(
                "SELECT id FROM facts WHERE kind = ? AND number <= ?", (kind, mark)
            ).fetchall()
        gone = [id_ for (id_,) in known if id_ not in live]
        if gone:
            self.forget_many(kind, gone)
        return len(gone)

    # --- nonces ---

    def issue(self, method: str, uri: str) -> str:
        """A nonce for one request of our own, in both its phases (see nonces.py)."""
        with self.writing() as connection:
            return self._nonces.issue(connection, method, uri)

    def redeem(self, text: str, method: str, uri: str, phase: str = "") -> bool:
        """Whether this is a nonce of ours for just this request; it holds once for each phase."""
        with self.writing() as connection:
            return self._nonces.redeem(connection, text, method, uri, phase)


def _forget_namesake(connection: sqlite3.Connection, kind: str, id_: str, name: str | None) -> None:
    """A thing named like the id of one that is gone must not be taken for it."""
    if name is not None and name != id_:
        connection.execute("DELETE FROM facts WHERE kind = ? AND id = ?", (kind, name))


def _text(value: Json) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))


def _fact(row: _Row, now: str) -> Fact:
    kind, id_, name, owner, labels, image, spec, revision, changing = row
    return Fact(
        kind,
        id_,
        name,
        None if owner is None else json.loads(owner),
        json.loads(labels or "{}"),
        None if image is None else json.loads(image),
        None if spec is None or revision != now or changing != SETTLED else json.loads(spec),
    )
