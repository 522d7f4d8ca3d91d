"""The tables of the facts' database, and who may use which."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ..policies.errors import InputError

_SCHEMA_VERSION = 1
_APPLICATION = 0x53744B64
"""`StKd`: a database of something else is not written to."""

# AUTOINCREMENT: a number is never used again, so `forget_absent` cannot take a new fact for an
# old one. `container` is that of an exec.
_SCHEMA = """
CREATE TABLE facts(
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL, id TEXT NOT NULL, name TEXT, owner TEXT, labels TEXT NOT NULL,
  image TEXT, spec TEXT, revision TEXT, container TEXT, learned REAL NOT NULL,
  changing INTEGER NOT NULL DEFAULT 0,
  UNIQUE(kind, id));
CREATE INDEX facts_name ON facts(kind, name);
CREATE INDEX facts_container ON facts(container) WHERE container IS NOT NULL;
CREATE TABLE claims(name TEXT PRIMARY KEY, owner TEXT, since REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE nonces(digest BLOB PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;
"""


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new database, in one transaction that other processes wait for.

    Raises InputError for another program's database and for a schema that is not this one.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application == 0 and version == 0 and tables == 0:
            for statement in _SCHEMA.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        elif application != _APPLICATION:
            raise InputError.of(f"facts: `{path}` is a database of another program")
        elif version != _SCHEMA_VERSION:
            raise InputError.of(
                f"facts: `{path}` has schema {version}; this Stockade knows {_SCHEMA_VERSION}",
                hint="use the newer Stockade, or move the file away and lose the owners",
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
