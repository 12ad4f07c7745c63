"""The tables of the embedded store, its schema version, and how its file is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from voltscope.errors import StoreError
from voltscope.ulid import new_ulid

SCHEMA_VERSION = 1

# Names that repeat in every record are stored once. The full-text index holds no copy of the text (content='')
# and no sizes (columnsize=0: nothing is ranked). Text, names and index take 1.7 bytes for a byte of log.
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE agents (
    id INTEGER PRIMARY KEY, identity TEXT NOT NULL, version TEXT NOT NULL, UNIQUE (identity, version));
CREATE TABLE loggers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE generations (
    id INTEGER PRIMARY KEY, host TEXT NOT NULL, instance TEXT NOT NULL, path TEXT NOT NULL, head BLOB NOT NULL,
    UNIQUE (host, instance, head));
CREATE TABLE positions (
    path TEXT PRIMARY KEY, device INTEGER NOT NULL, inode INTEGER NOT NULL, head BLOB NOT NULL,
    offset INTEGER NOT NULL, state TEXT NOT NULL, updated REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE cursors (receiver TEXT PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE pids (
    pid INTEGER NOT NULL, since REAL NOT NULL, identity TEXT NOT NULL, version TEXT NOT NULL,
    PRIMARY KEY (pid, since)) WITHOUT ROWID;
CREATE TABLE records (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, level INTEGER NOT NULL, agent INTEGER NOT NULL,
    logger INTEGER NOT NULL, pid INTEGER, line INTEGER, flags INTEGER NOT NULL, generation INTEGER NOT NULL,
    offset INTEGER NOT NULL, length INTEGER NOT NULL, created INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX records_at ON records (at);
CREATE VIRTUAL TABLE words USING fts5 (level, agent, logger, text, content='', columnsize=0);
"""


def connect(path: Path) -> sqlite3.Connection:
    """The store at `path` for writing, made when it is not there. Raises StoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # redacted or not, a log is nobody else's to read
        connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        # Both settings only count before the first table. Small pages: a trickle of records rewrites few bytes.
        connection.execute("PRAGMA page_size = 2048")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        # NORMAL: a power cut may take back the last transactions, records and position together, so nothing is
        # lost or doubled; a killed process takes back nothing.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.execute("PRAGMA cache_size = -2048")
        connection.execute("BEGIN IMMEDIATE")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            for statement in filter(str.strip, _TABLES.split(";")):
                connection.execute(statement)
            first = {"schema": str(SCHEMA_VERSION), "spool": new_ulid(), "indexed": "0"}
            connection.executemany("INSERT INTO meta VALUES (?, ?)", first.items())
        connection.execute("COMMIT")
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"the log store {path} cannot be opened: {error}.", "Check its permissions and free disk space."
        ) from error
    _check_version(connection, path)
    return connection


def connect_readonly(path: Path) -> tuple[sqlite3.Connection, bool]:
    """The store at `path` for reading, and whether it was at rest. Creates no file. Raises StoreError.

    A store at rest has no write-ahead log; opening it the ordinary way would create one, so it is opened as
    immutable and must be opened anew once a writer has come.
    """
    at_rest = not Path(f"{path}-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if at_rest else ''}"
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA cache_size = -2048")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        raise StoreError(
            f"the log store {path} cannot be read: {error}.", "Is logship installed and running, and readable for you?"
        ) from error
    _check_version(connection, path)
    return connection, at_rest


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(f"{path} is not a log store: {error}.") from error
    if row is None or row[0] != str(SCHEMA_VERSION):
        connection.close()
        found = row[0] if row else "none"
        raise StoreError(
            f"the log store {path} has schema version {found}, this voltscope reads {SCHEMA_VERSION}.",
            "Use the voltscope that wrote it, or a newer one.",
        )
