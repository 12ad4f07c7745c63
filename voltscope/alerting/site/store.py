"""What the alerts engine must not forget, on disk: a row of SQLite for each thing, written before it is acted upon."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from voltscope.errors import VoltscopeError

SCHEMA_VERSION = 1
_TABLE = "CREATE TABLE thing (kind TEXT, name TEXT, document BLOB NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID"

ThingT = TypeVar("ThingT", bound=msgspec.Struct)
# kind, name, and what it is; None where it is to be forgotten
Change = tuple[str, str, msgspec.Struct | None]


class Store:
    """Things by kind and name. What `write` returned from survives a crash of everything."""

    def __init__(self, path: Path) -> None:
        """Opens or creates. Raises VoltscopeError."""
        self._path = path
        self._lock = threading.Lock()
        try:
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, check_same_thread=False, timeout=10.0)
            self._connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise sqlite3.DatabaseError(f"it has schema {version}, made by a newer voltscope")
            if version == 0:
                with self._connection:
                    self._connection.execute(_TABLE)
                    self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except (OSError, sqlite3.Error) as error:
            raise VoltscopeError(
                f"cannot open the alerts' store {path}: {error}.",
                "Check its owner and its disk; moving the file away starts an empty one.",
            ) from error

    def read(self, kind: str, form: type[ThingT]) -> dict[str, ThingT]:
        """All of a kind, by name. Raises VoltscopeError."""
        try:
            with self._lock:
                rows = self._connection.execute("SELECT name, document FROM thing WHERE kind = ?", (kind,)).fetchall()
            return {name: msgspec.json.decode(document, type=form) for name, document in rows}
        except (sqlite3.Error, msgspec.DecodeError) as error:
            raise VoltscopeError(
                f"cannot read the alerts' store {self._path}: {error}.", "Moving the file away starts an empty one."
            ) from error

    def write(self, changes: Iterable[Change]) -> None:
        """All of them or none. Raises VoltscopeError when the disk refuses."""
        rows = [(kind, name, None if thing is None else msgspec.json.encode(thing)) for kind, name, thing in changes]
        kept = [row for row in rows if row[2] is not None]
        gone = [row[:2] for row in rows if row[2] is None]
        try:
            with self._lock, self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO thing VALUES (?, ?, ?)", kept)
                self._connection.executemany("DELETE FROM thing WHERE kind = ? AND name = ?", gone)
        except sqlite3.Error as error:
            raise VoltscopeError(
                f"cannot write the alerts' store {self._path}: {error}.", "Check the disk's free space."
            ) from error

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()
