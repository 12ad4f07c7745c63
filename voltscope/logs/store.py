"""The embedded log store: SQLite with a full-text index; records and the read position commit as one."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voltscope.errors import StoreError
from voltscope.logs.record import Generation, Hit, Record
from voltscope.logs.schema import connect, connect_readonly
from voltscope.logs.search import INSERT_WORDS, NEWEST, WORDS, Wanted, flags_of, hits, matching, time_bounds, words_of

# Indexing a few records at a time rewrites kilobytes for each: they wait for one another, and searches look at
# the waiting ones in an index made in memory. 2048 instead of 512 writes 7.5 bytes a byte of log, not 10.4.
INDEX_EVERY_RECORDS = 2048
INDEX_EVERY_S = 60.0
_DELETE_STEP = 500


# Pids name the agents of records that are still to be read: a week covers the longest pause worth catching up on.
PIDS_DAYS = 7.0
PIDS_EVERY_S = 3600.0


@dataclass(frozen=True)
class Position:
    """Where reading goes on: `offset` is the first byte not yet durable. `state`: the reader's own, JSON.

    `at`: when it was committed, seconds since the epoch; set by the store.
    """

    path: str
    device: int
    inode: int
    head: bytes
    offset: int
    state: str = "{}"
    at: float = 0.0


class Store:
    """One store. Safe to share between threads; one writer at a time, any number of readonly openers."""

    def __init__(self, path: Path, readonly: bool) -> None:
        self.path, self._readonly = Path(path), readonly
        self._lock = threading.RLock()
        self._at_rest = False
        self._pids_due = 0.0
        if readonly:
            self._db, self._at_rest = connect_readonly(self.path)
        else:
            self._db = connect(self.path)
        self._agent_ids: dict[tuple[str, str], int] = {}
        self._logger_ids: dict[str, int] = {}
        self._generation_ids: dict[Generation, int] = {}
        self._indexed_at = time.monotonic()
        self._indexed = self._meta_int("indexed")
        self._last = self.last_id()

    @classmethod
    def open(cls, path: Path | str, readonly: bool = False) -> Store:
        """The store at `path`. Readonly opening never creates a file. Raises StoreError."""
        return cls(Path(path), readonly)

    def close(self) -> None:
        """Close; the last writer to close leaves one file, without a write-ahead log."""
        with self._lock:
            self._db.close()

    # Reading

    def search(
        self,
        query: str = "",
        agent: str | None = None,
        level: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> list[Hit]:
        """Records newest first, at most `limit`; `before_id` pages on.

        `query`: see `to_fts`; empty matches all. `level`: at least this one. `since`, `until`: seconds since the
        epoch. Raises QueryError, StoreError.
        """
        wanted = Wanted(query, agent, level, since, until)
        with self._snapshot():
            bounds = time_bounds(self._db, since, until)
            if bounds is None:
                return []
            low, high = bounds
            high = min(high, before_id - 1) if before_id is not None else high
            return hits(self._db, matching(self._db, wanted, low, high, limit, "DESC"), self.labels())

    def tail(
        self,
        after_id: int = 0,
        agent: str | None = None,
        level: str | None = None,
        query: str | None = None,
        limit: int = 500,
    ) -> list[Hit]:
        """Records after `after_id` oldest first, at most `limit`. Raises QueryError, StoreError."""
        wanted = Wanted(query or "", agent, level)
        with self._snapshot():
            ids = matching(self._db, wanted, after_id + 1, NEWEST, limit, "ASC")
            return hits(self._db, ids, self.labels())

    def agents(self) -> list[str]:
        """The identities that ever wrote a record into this store, sorted."""
        with self._reading():
            return [row[0] for row in self._db.execute("SELECT DISTINCT identity FROM agents ORDER BY identity")]

    def last_id(self) -> int:
        """The newest record's id, 0 when there is none."""
        with self._reading():
            return int(self._db.execute("SELECT coalesce(max(id), 0) FROM records").fetchone()[0])

    def first_id(self) -> int:
        """The oldest record's id, 0 when there is none."""
        with self._reading():
            return int(self._db.execute("SELECT coalesce(min(id), 0) FROM records").fetchone()[0])

    def size_bytes(self) -> int:
        """What records and index occupy, without pages that are free for reuse."""
        with self._reading():
            pages, free, size = (
                int(self._db.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
            return (pages - free) * size

    def position(self, path: str) -> Position | None:
        """Where reading of the log at `path` goes on; None when it was never read."""
        with self._reading():
            row = self._db.execute(
                "SELECT path, device, inode, head, offset, state, updated FROM positions WHERE path = ?", (path,)
            ).fetchone()
            return Position(*row) if row else None

    def knows(self, generation: Generation) -> bool:
        """Whether anything of that generation was ever stored."""
        key = (generation.host, generation.instance, generation.head)
        with self._reading():
            sql = "SELECT 1 FROM generations WHERE host = ? AND instance = ? AND head = ?"
            return self._db.execute(sql, key).fetchone() is not None

    def cursor(self, receiver: str) -> int | None:
        """The id of the last record `receiver` has taken; None when it was never served."""
        with self._reading():
            row = self._db.execute("SELECT id FROM cursors WHERE receiver = ?", (receiver,)).fetchone()
            return int(row[0]) if row else None

    def pids(self) -> list[tuple[int, float, str, str]]:
        """(pid, since, identity, version) of every process ever known, oldest first."""
        with self._reading():
            return list(self._db.execute("SELECT pid, since, identity, version FROM pids ORDER BY since"))

    # Writing

    def add(
        self,
        generation: Generation | None,
        records: Sequence[Record],
        position: Position | None,
        pids: Iterable[tuple[int, float, str, str]] = (),
    ) -> None:
        """Commit `records` of `generation` and the position after them in one transaction. Raises StoreError."""
        created = int(time.time() * 1000)
        with self._writing() as db:
            rows = []
            next_id = self._last
            for record in records:
                next_id += 1
                assert generation is not None  # noqa: S101  (records always come from a file)
                rows.append(
                    (
                        next_id,
                        round(record.timestamp * 1000),
                        record.level,
                        self._agent_id(record.agent, record.version or ""),
                        self._logger_id(record.logger),
                        record.pid,
                        record.line,
                        flags_of(record),
                        self._generation_id(generation),
                        record.offset,
                        record.end - record.offset,
                        created,
                        record.text,
                    )
                )
            db.executemany("INSERT INTO records VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", rows)
            if position is not None:
                db.execute(
                    "INSERT OR REPLACE INTO positions VALUES (?,?,?,?,?,?,?)",
                    (
                        position.path,
                        position.device,
                        position.inode,
                        position.head,
                        position.offset,
                        position.state,
                        time.time(),
                    ),
                )
            db.executemany("INSERT OR REPLACE INTO pids VALUES (?,?,?,?)", pids)
            if next_id - self._indexed >= INDEX_EVERY_RECORDS:
                self._index(next_id)
        self._last = next_id

    def maintain(self, retention_days: float, retention_bytes: int, now: float, seconds: float = 0.05) -> int:
        """Index what waits long enough and delete what is too old or too much, for `seconds` at most.

        Returns how many records were deleted; call again soon when it is not 0. Raises StoreError.
        """
        stop = time.monotonic() + seconds
        if self._indexed < self._last and time.monotonic() - self._indexed_at >= INDEX_EVERY_S:
            with self._writing():
                self._index(self._last)
        deleted = 0
        while True:
            oldest = None if self.size_bytes() > retention_bytes else round((now - retention_days * 86400) * 1000)
            step = self._delete_step(oldest)
            deleted += step
            if step == 0 or time.monotonic() > stop:
                break
        if deleted == 0:
            self._forget_pids(now - min(retention_days, PIDS_DAYS) * 86400)
            self._give_back()
        return deleted

    def _forget_pids(self, before: float) -> None:
        """A crash loop makes a pid every few seconds; the newest of each agent stays, however old."""
        if time.monotonic() < self._pids_due:
            return
        self._pids_due = time.monotonic() + PIDS_EVERY_S
        newest = "SELECT max(since) FROM pids AS other WHERE other.identity = pids.identity"
        with self._writing() as db:
            db.execute(f"DELETE FROM pids WHERE since < ? AND since < ({newest})", (before,))  # noqa: S608 (constant)

    def save_cursor(self, receiver: str, record_id: int) -> None:
        """Note that `receiver` has taken everything up to `record_id`. Raises StoreError."""
        with self._writing() as db:
            db.execute("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (receiver, record_id))

    def set_labels(self, labels: Mapping[str, str]) -> None:
        """The labels every document carries (site, instance), and `host`, its host.name. Raises StoreError."""
        wanted = {f"label.{name}": value for name, value in labels.items()}
        with self._writing() as db:
            known = dict(db.execute("SELECT key, value FROM meta WHERE key LIKE 'label.%'"))
            if known != wanted:
                db.execute("DELETE FROM meta WHERE key LIKE 'label.%'")
                db.executemany("INSERT INTO meta VALUES (?, ?)", wanted.items())

    def labels(self) -> dict[str, str]:
        """The labels of every document, `spool` among them."""
        with self._reading():
            rows = self._db.execute("SELECT key, value FROM meta WHERE key LIKE 'label.%' OR key = 'spool'")
            return {key.removeprefix("label."): value for key, value in rows}

    # Inside

    def _index(self, up_to: int) -> None:
        rows = self._db.execute(f"{WORDS} WHERE r.id > ? AND r.id <= ?", (self._indexed, up_to)).fetchall()
        self._db.executemany(INSERT_WORDS, words_of(rows))
        self._db.execute("UPDATE meta SET value = ? WHERE key = 'indexed'", (str(up_to),))
        self._indexed, self._indexed_at = up_to, time.monotonic()

    def _give_back(self) -> None:
        """Return free pages to the file system, some at a time and only when they are many: others are reused."""
        with self._lock, self._errors():
            pages, free = (int(self._db.execute(f"PRAGMA {n}").fetchone()[0]) for n in ("page_count", "freelist_count"))
            if free > max(1000, pages // 4):
                self._db.execute("PRAGMA incremental_vacuum(1000)").fetchall()

    def _delete_step(self, older_than: int | None) -> int:
        """Delete up to 500 of the oldest records, those before `older_than` (ms) or any; the newest one stays."""
        with self._writing() as db:
            limit = "" if older_than is None else " AND r.at < ?"
            values = [self._last] + ([] if older_than is None else [older_than])
            first = db.execute("SELECT min(id) FROM records").fetchone()[0]
            if first is None:
                return 0
            rows = db.execute(
                f"{WORDS} WHERE r.id < ?{limit} AND r.id < ? ORDER BY r.id LIMIT {_DELETE_STEP}",
                [*values, first + 4 * _DELETE_STEP],
            ).fetchall()
            db.executemany(
                "INSERT INTO words (words, rowid, level, agent, logger, text) VALUES ('delete',?,?,?,?,?)",
                words_of(row for row in rows if row[0] <= self._indexed),
            )
            db.executemany("DELETE FROM records WHERE id = ?", ((row[0],) for row in rows))
            return len(rows)

    def _meta_int(self, key: str) -> int:
        with self._reading():
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            return int(row[0]) if row else 0

    def _agent_id(self, identity: str, version: str) -> int:
        key = (identity, version)
        if key not in self._agent_ids:
            self._db.execute("INSERT OR IGNORE INTO agents (identity, version) VALUES (?, ?)", key)
            sql = "SELECT id FROM agents WHERE identity = ? AND version = ?"
            self._agent_ids[key] = int(self._db.execute(sql, key).fetchone()[0])
        return self._agent_ids[key]

    def _logger_id(self, name: str) -> int:
        if name not in self._logger_ids:
            if len(self._logger_ids) > 10_000:  # names made up without end must not fill the memory
                self._logger_ids.clear()
            self._db.execute("INSERT OR IGNORE INTO loggers (name) VALUES (?)", (name,))
            row = self._db.execute("SELECT id FROM loggers WHERE name = ?", (name,)).fetchone()
            self._logger_ids[name] = int(row[0])
        return self._logger_ids[name]

    def _generation_id(self, generation: Generation) -> int:
        if generation not in self._generation_ids:
            self._generation_ids.clear()
            key = (generation.host, generation.instance, generation.head)
            self._db.execute(
                "INSERT OR IGNORE INTO generations (host, instance, head, path) VALUES (?, ?, ?, ?)",
                (*key, generation.path),
            )
            sql = "SELECT id FROM generations WHERE host = ? AND instance = ? AND head = ?"
            self._generation_ids[generation] = int(self._db.execute(sql, key).fetchone()[0])
        return self._generation_ids[generation]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, self._errors():
            if self._at_rest and not self._db.in_transaction and Path(f"{self.path}-wal").exists():
                self._db.close()
                self._db, self._at_rest = connect_readonly(self.path)
            yield

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """The several statements of a search see one state, whatever the writer commits meanwhile."""
        with self._reading():
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                if self._db.in_transaction:
                    self._db.execute("COMMIT")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            indexed = self._indexed
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                self._indexed = indexed
                self._agent_ids.clear()
                self._logger_ids.clear()
                self._generation_ids.clear()
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"the log store {self.path} failed: {error}.", "Check the disk it lies on.") from error
