"""Finished captures on disk: a row of SQLite and a file of gzipped folded stacks each, kept within limits."""

from __future__ import annotations

import gzip
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from voltscope.errors import CaptureNotFound, VoltscopeError
from voltscope.profiling.capture import Capture
from voltscope.profiling.stacks import Stacks, fold, parse
from voltscope.ulid import is_ulid

SCHEMA_VERSION = 2
_SUFFIX = ".folded.gz"
# What leads from each version of the schema to the next.
_STEPS = (
    "CREATE TABLE capture (id TEXT PRIMARY KEY, kept_at REAL NOT NULL, bytes INTEGER NOT NULL, document BLOB NOT NULL)",
    "CREATE TABLE acknowledged (capture TEXT NOT NULL, receiver TEXT NOT NULL, PRIMARY KEY (capture, receiver)) "
    "WITHOUT ROWID",
)
_NOT_BY = "id NOT IN (SELECT capture FROM acknowledged WHERE receiver = ?)"
_INSERT = "INSERT INTO capture (id, kept_at, bytes, document) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True)
class Retention:
    """What is kept at most; the oldest goes first. `count` captures, `megabytes` of files (MB), `days` of age."""

    count: int = 500
    megabytes: float = 200.0
    days: float = 30.0


class Archive:
    """The captures under `directory`.

    A capture is written as a temporary file, synced, renamed, and only then entered into the table, so a crash
    never leaves a listed capture without its stacks; what it leaves is swept at the next start.
    """

    def __init__(self, directory: Path, retention: Retention | None = None) -> None:
        """Opens or creates. Raises VoltscopeError when the directory or its database cannot be used."""
        self._files = directory / "captures"
        self._database = directory / "captures.sqlite"
        self._retention = retention or Retention()
        self._lock = threading.Lock()
        try:
            self._files.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = self._open()
            self._sweep()
        except (OSError, sqlite3.Error) as error:
            raise VoltscopeError(
                f"cannot open the archive of captures {self._database}: {error}.",
                "Check its owner and its disk; moving the file away starts an empty archive.",
            ) from error

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()

    def keep(self, capture: Capture, stacks: Stacks) -> None:
        """Write a finished capture, then let the oldest go. Raises VoltscopeError when the disk refuses."""
        content = gzip.compress(fold(stacks).encode(errors="surrogatepass"), mtime=0)
        temporary = self._files / f"{capture.id}.tmp"
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self._path(capture.id))
            self._sync_directory()
            row = (capture.id, time.time(), len(content), msgspec.json.encode(capture))
            with self._lock, self._connection:
                self._connection.execute(_INSERT, row)
        except (OSError, sqlite3.Error) as error:
            temporary.unlink(missing_ok=True)
            self._path(capture.id).unlink(missing_ok=True)
            raise VoltscopeError(
                f"cannot keep capture {capture.id} in {self._files}: {error}.", "Check the disk's free space."
            ) from error
        self.retain(self._retention)

    def captures(self) -> list[Capture]:
        """All of them, newest first."""
        with self._lock:
            rows = self._connection.execute("SELECT document FROM capture ORDER BY id DESC").fetchall()
        return [msgspec.json.decode(row[0], type=Capture) for row in rows]

    def capture(self, capture_id: str) -> Capture:
        """The capture of that id. Raises CaptureNotFound."""
        with self._lock:
            found = self._connection.execute("SELECT document FROM capture WHERE id = ?", (capture_id,)).fetchone()
        if found is None:
            raise not_found(capture_id)
        return msgspec.json.decode(found[0], type=Capture)

    def stacks(self, capture_id: str) -> dict[tuple[str, ...], int]:
        """Its stacks. Raises CaptureNotFound."""
        self.capture(capture_id)
        try:
            content = gzip.decompress(self._path(capture_id).read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise CaptureNotFound(f"the stacks of capture {capture_id} cannot be read: {error}.") from error
        return parse(content.decode(errors="surrogatepass"))

    def unacknowledged(self, receiver: str, most: int) -> list[Capture]:
        """Captures that `receiver` has not acknowledged, oldest first, at most so many."""
        query = f"SELECT document FROM capture WHERE {_NOT_BY} ORDER BY id LIMIT ?"  # noqa: S608 (our own words)
        with self._lock:
            rows = self._connection.execute(query, (receiver, most)).fetchall()
        return [msgspec.json.decode(row[0], type=Capture) for row in rows]

    def unacknowledged_count(self, receiver: str) -> int:
        """How many captures `receiver` has not acknowledged."""
        query = f"SELECT count(*) FROM capture WHERE {_NOT_BY}"  # noqa: S608 (our own words)
        with self._lock:
            return int(self._connection.execute(query, (receiver,)).fetchone()[0])

    def acknowledge(self, capture_id: str, receiver: str) -> None:
        """`receiver` has the capture, or will never take it. Raises VoltscopeError when the disk refuses."""
        try:
            with self._lock, self._connection:
                self._connection.execute("INSERT OR IGNORE INTO acknowledged VALUES (?, ?)", (capture_id, receiver))
        except sqlite3.Error as error:
            raise VoltscopeError(
                f"cannot note in {self._database} that {receiver} has capture {capture_id}: {error}.",
                "Check the disk's free space. The capture is sent again.",
            ) from error

    def retain(self, retention: Retention) -> None:
        """Apply limits: drop the oldest captures until all hold."""
        self._retention = retention
        oldest_allowed = time.time() - retention.days * 86400
        room = retention.megabytes * 1e6
        with self._lock:
            rows = self._connection.execute("SELECT id, kept_at, bytes FROM capture ORDER BY id DESC").fetchall()
            dropped = []
            for place, (capture_id, kept_at, size) in enumerate(rows):
                room -= size
                if place >= retention.count or kept_at < oldest_allowed or room < 0:
                    dropped.append(capture_id)
            with self._connection:  # rows first: a listed capture always has its file
                self._delete(dropped)
        for capture_id in dropped:
            self._path(capture_id).unlink(missing_ok=True)

    def _path(self, capture_id: str) -> Path:
        return self._files / f"{capture_id}{_SUFFIX}"

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._database, check_same_thread=False)
        self._database.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"it was written by a newer voltscope (schema {version})")
        if version < SCHEMA_VERSION:
            with connection:
                connection.execute("BEGIN IMMEDIATE")  # sqlite3 begins no transaction for tables by itself
                for step in _STEPS[version:]:
                    connection.execute(step)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        return connection

    def _sweep(self) -> None:
        """Remove files without a row and rows without a file, left by a crash or a hand."""
        listed = {row[0] for row in self._connection.execute("SELECT id FROM capture")}
        present = set()
        for file in self._files.iterdir():
            capture_id = file.name.removesuffix(_SUFFIX)
            if file.name.endswith(_SUFFIX) and capture_id in listed:
                present.add(capture_id)
            elif is_ulid(file.name.partition(".")[0]):
                file.unlink()
        with self._connection:
            self._delete(listed - present)

    def _delete(self, ids: Iterable[str]) -> None:
        rows = [(one,) for one in ids]
        self._connection.executemany("DELETE FROM capture WHERE id = ?", rows)
        self._connection.executemany("DELETE FROM acknowledged WHERE capture = ?", rows)

    def _sync_directory(self) -> None:
        descriptor = os.open(self._files, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def not_found(capture_id: str) -> CaptureNotFound:
    """The error for an id nobody knows; what was asked for is shown only when it is a ULID."""
    shown = capture_id if is_ulid(capture_id) else "that id"
    return CaptureNotFound(f"there is no capture {shown}.", "It may have aged out: list what there is.")
