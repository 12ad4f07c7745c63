"""What alertd keeps: one SQLite database, its schema, and transactions that are on disk when they end."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voltscope.errors import AlertStoreError

FILE = "alertd.sqlite"
# What leads from each version of the schema to the next.
_STEPS = (
    (
        # what we ask of Alertmanager until it is over; `document`: a Standing
        "CREATE TABLE standing (id TEXT PRIMARY KEY, kind TEXT NOT NULL, ended REAL, document BLOB NOT NULL)",
        "CREATE INDEX standing_open ON standing (id) WHERE ended IS NULL",
        # one line of history; `began`: the last start within it, `within`: seconds by which `ended` may be late
        "CREATE TABLE occurrence (id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, name TEXT NOT NULL, "
        "severity TEXT NOT NULL, site TEXT, instance TEXT, agent TEXT, started REAL NOT NULL, began REAL NOT NULL, "
        "ended REAL, within REAL, flaps INTEGER NOT NULL, acknowledgement TEXT, labels BLOB NOT NULL, "
        "annotations BLOB NOT NULL, evidence BLOB)",
        "CREATE INDEX occurrence_alert ON occurrence (fingerprint, id)",
        "CREATE INDEX occurrence_open ON occurrence (id) WHERE ended IS NULL",
        "CREATE TABLE notified (occurrence TEXT NOT NULL, at REAL NOT NULL, receiver TEXT NOT NULL, "
        "status TEXT NOT NULL)",
        "CREATE INDEX notified_occurrence ON notified (occurrence)",
        "CREATE TABLE start (fingerprint TEXT NOT NULL, at REAL NOT NULL)",
        "CREATE TABLE watchdog (fingerprint TEXT PRIMARY KEY, labels BLOB NOT NULL, last REAL NOT NULL)",
        "CREATE TABLE audit (id INTEGER PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, origin TEXT NOT NULL, "
        "action TEXT NOT NULL, subject TEXT, why TEXT, outcome TEXT NOT NULL, detail BLOB NOT NULL)",
        "CREATE TABLE remembered (name TEXT PRIMARY KEY, value BLOB NOT NULL)",
    ),
)
SCHEMA_VERSION = len(_STEPS)


class Database:
    """The connection, used by one thread at a time. Every method raises AlertStoreError.

    A transaction that ended is on disk (synchronous FULL): what was promised to somebody survives a power cut. `lock`
    is for those who keep at hand what is in it: one lock, whoever begins; `undone` is called, within it, when a
    transaction has failed.
    """

    def __init__(self, directory: Path) -> None:
        """Opens or creates `alertd.sqlite` in `directory`."""
        self.path = directory / FILE
        self.lock = threading.RLock()
        self.undone: list[Callable[[], None]] = []
        with self._failures("open"):
            self._connection = self._open()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it or nothing, on disk when the block ends."""
        with self.lock, self._failures("write"):
            if self._connection.in_transaction:  # part of the one we are in
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                for reload in self.undone:
                    reload()
                raise

    def rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """What a query finds."""
        with self.lock, self._failures("read"):
            return self._connection.execute(query, values).fetchall()

    def remember(self, name: str, value: bytes) -> None:
        """Keep one value under a name."""
        with self.write() as connection:
            connection.execute("INSERT OR REPLACE INTO remembered VALUES (?, ?)", (name, value))

    def remembered(self, name: str) -> bytes | None:
        """What was kept under that name."""
        found = self.rows("SELECT value FROM remembered WHERE name = ?", (name,))
        return bytes(found[0][0]) if found else None

    def close(self) -> None:
        """Close it."""
        with self.lock:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        self.path.touch(mode=0o600, exist_ok=True)
        self.path.chmod(0o600)
        connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -1024")  # KiB: what is asked for is small, and so is this program
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"it was written by a newer voltscope (schema {version})")
        if version < SCHEMA_VERSION:
            connection.execute("BEGIN IMMEDIATE")
            for statement in (one for step in _STEPS[version:] for one in step):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        return connection

    @contextmanager
    def _failures(self, act: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise AlertStoreError(
                f"cannot {act} {self.path}: {error}.", "Check its owner and the disk's free space."
            ) from error
