"""Continuous profiles on disk: a minute of one agent at a time, its stacks as numbers into one list of stacks.

A week of one agent is 10,080 windows of some hundred bytes each; a stack's text stands there once.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from voltscope.errors import VoltscopeError
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.stacks import Stacks

SCHEMA_VERSION = 1
_DAY_MS = 86_400_000
_KNOWN_STACKS = 50_000  # texts whose number is kept in memory, some 10 MB
_AGED_AT_ONCE = 10  # windows, for one that is kept: a clock that is years ahead for a minute costs no more
_DROPPED_AT_ONCE = 0.1  # of all windows, when there is no room: what is left is looked through each time
_SCHEMA = """
CREATE TABLE series (
    id INTEGER PRIMARY KEY, site TEXT NOT NULL, instance TEXT NOT NULL, agent TEXT NOT NULL, kind TEXT NOT NULL,
    backend TEXT NOT NULL, UNIQUE (site, instance, agent, kind, backend)
);
CREATE TABLE stack (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL UNIQUE, seen INTEGER NOT NULL);
CREATE TABLE window (
    number INTEGER PRIMARY KEY AUTOINCREMENT, started INTEGER NOT NULL, series INTEGER NOT NULL REFERENCES series,
    length INTEGER NOT NULL, rate REAL NOT NULL, samples INTEGER NOT NULL, missed INTEGER NOT NULL,
    counts BLOB NOT NULL, UNIQUE (series, started)
);
CREATE INDEX window_started ON window (started);
CREATE TABLE position (receiver TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""


class Series(NamedTuple):
    """Whose profiles, of what kind. Empty texts for what is not known."""

    site: str
    instance: str
    agent: str
    kind: Kind
    backend: str


@dataclass(frozen=True)
class Window:
    """One stretch of sampling. `started`: milliseconds since the epoch; `length`: milliseconds; `rate`: hertz."""

    series: Series
    started: int
    length: int
    rate: float
    samples: int
    missed: int


@dataclass(frozen=True)
class WindowRetention:
    """What is kept at most; the oldest goes first."""

    days: float = 14.0
    megabytes: float = 200.0


class Windows:
    """The windows in `directory`/continuous.sqlite. Safe to share between threads; one process writes."""

    def __init__(self, directory: Path, retention: WindowRetention | None = None) -> None:
        """Opens or creates. Raises VoltscopeError when the database cannot be used."""
        self._path = directory / "continuous.sqlite"
        self._retention = retention or WindowRetention()
        self._lock = threading.Lock()
        self._stacks: dict[str, tuple[int, int]] = {}  # text to number and the day it was last said to be seen
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = self._open()
        except (OSError, sqlite3.Error) as error:
            raise VoltscopeError(
                f"cannot open the archive of continuous profiles {self._path}: {error}.",
                "Check its owner and its disk; moving the file away starts an empty archive.",
            ) from error

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    def keep(self, window: Window, stacks: Stacks) -> None:
        """Keep one window, durable when this returns; one of the same start and series is replaced.

        Raises VoltscopeError when the disk refuses; nothing has changed then.
        """
        day = window.started // _DAY_MS
        try:
            with self._lock, self._db:
                self._db.execute("BEGIN IMMEDIATE")
                counts = self._numbered(stacks, day)
                row = (
                    window.started, self._series(window.series), window.length, window.rate, window.samples,
                    window.missed, counts.tobytes(),
                )  # fmt: skip
                self._db.execute(
                    "INSERT OR REPLACE INTO window (started, series, length, rate, samples, missed, counts) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
        except (OSError, sqlite3.Error) as error:
            self._stacks.clear()  # numbers given in what was rolled back are given again
            raise VoltscopeError(
                f"cannot keep a minute of {window.series.agent} in {self._path}: {error}.",
                "Check the disk's free space.",
            ) from error
        self._retain(_AGED_AT_ONCE)

    def series(self) -> list[Series]:
        """All there are windows of."""
        sql = "SELECT site, instance, agent, kind, backend FROM series WHERE id IN (SELECT series FROM window)"
        with self._lock:
            rows = self._db.execute(sql).fetchall()
        return [_series(row) for row in rows]

    def windows(self, since: int, until: int, wanted: Callable[[Series], bool] = lambda _: True) -> list[Window]:
        """Those that begin from `since` to `until` (milliseconds since the epoch, both included), oldest first."""
        sql = "SELECT series, started, length, rate, samples, missed FROM window WHERE started BETWEEN ? AND ?"
        with self._lock:
            chosen = self._chosen(wanted)
            rows = self._db.execute(sql, (since, until)).fetchall()
        return [Window(chosen[row[0]], *row[1:]) for row in rows if row[0] in chosen]

    def merged(
        self, since: int, until: int, wanted: Callable[[Series], bool] = lambda _: True
    ) -> dict[float, dict[tuple[str, ...], int]]:
        """The sum of those windows' stacks, by the rate they were sampled at."""
        totals: dict[float, Counter[int]] = {}
        with self._lock:
            chosen = self._chosen(wanted)
        sql = "SELECT rate, counts FROM window WHERE series = ? AND started BETWEEN ? AND ?"
        for series in chosen:
            with self._lock:  # for one at a time: windows are kept between two
                for rate, blob in self._db.execute(sql, (series, since, until)):
                    _add(totals.setdefault(rate, Counter()), blob)
        with self._lock:
            stacks = self._stacks_of({number for total in totals.values() for number in total})
        return {
            rate: {stacks[number]: count for number, count in total.items() if number in stacks}
            for rate, total in totals.items()
        }

    def after(self, number: int, most: int) -> list[tuple[int, Window, Stacks]]:
        """Windows kept after the one of that number, in the order they were kept, at most so many, with theirs."""
        sql = (
            "SELECT number, series, started, length, rate, samples, missed, counts FROM window "
            "WHERE number > ? ORDER BY number LIMIT ?"
        )
        with self._lock:
            chosen = self._chosen(lambda _: True)
            found: list[tuple[int, Window, Stacks]] = []
            for row in self._db.execute(sql, (number, most)).fetchall():
                total: Counter[int] = Counter()
                _add(total, row[7])
                stacks = self._stacks_of(total)
                named = {stacks[one]: count for one, count in total.items() if one in stacks}
                found.append((row[0], Window(chosen[row[1]], *row[2:7]), named))
        return found

    def after_count(self, number: int) -> int:
        """How many windows were kept after the one of that number."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM window WHERE number > ?", (number,)).fetchone()[0])

    def position(self, receiver: str) -> int:
        """The number of the last window that `receiver` has; 0 when it has none."""
        with self._lock:
            row = self._db.execute("SELECT number FROM position WHERE receiver = ?", (receiver,)).fetchone()
        return row[0] if row else 0

    def move(self, receiver: str, number: int) -> None:
        """`receiver` has the windows up to this number, whoever says so late. Raises VoltscopeError."""
        try:
            with self._lock, self._db:
                self._db.execute(
                    "INSERT INTO position VALUES (?, ?) "
                    "ON CONFLICT (receiver) DO UPDATE SET number = max(number, excluded.number)",
                    (receiver, number),
                )
        except sqlite3.Error as error:
            raise VoltscopeError(f"cannot write {self._path}: {error}.", "Check the disk.") from error

    def retain(self, retention: WindowRetention) -> int:
        """Apply limits: the oldest windows go until all hold; how many went. Raises VoltscopeError.

        Ages are counted from the newest window that is no more than a day ahead: clocks go wrong, and a site may start
        with one that is years behind.
        """
        self._retention = retention
        return self._retain(-1)

    def _retain(self, most_aged: int) -> int:
        retention, dropped = self._retention, 0
        try:
            with self._lock:
                latest = round(time.time() * 1000) + _DAY_MS
                newest = self._db.execute("SELECT max(started) FROM window WHERE started < ?", (latest,)).fetchone()[0]
                if newest is not None:
                    oldest = int(newest - retention.days * _DAY_MS)
                    sql = "SELECT number FROM window WHERE started < ? ORDER BY started LIMIT ?"
                    with self._db:
                        dropped = self._db.execute(
                            f"DELETE FROM window WHERE number IN ({sql})",  # noqa: S608 (our own words)
                            (oldest, most_aged),
                        ).rowcount
                if dropped:
                    self._forget()
                while self._bytes() > retention.megabytes * 1e6:
                    there = self._db.execute("SELECT count(*) FROM window").fetchone()[0]
                    if there <= 1:  # the newest stays, whatever its size
                        break
                    with self._db:
                        dropped += self._db.execute(
                            "DELETE FROM window WHERE number IN (SELECT number FROM window ORDER BY started LIMIT ?)",
                            (max(1, int(_DROPPED_AT_ONCE * there)),),
                        ).rowcount
                    self._forget_unused()
        except sqlite3.Error as error:
            raise VoltscopeError(f"cannot clean {self._path}: {error}.", "Check the disk.") from error
        return dropped

    # Inside, with the lock held

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        self._path.chmod(0o600)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"it was written by a newer voltscope (schema {version})")
        if version == 0:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # what retention frees goes back to the disk
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        if version == 0:
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        return db

    def _bytes(self) -> int:
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def _forget(self) -> None:
        """Drop stacks that no window can hold by their day, and give the space back."""
        oldest = self._db.execute("SELECT min(started) FROM window").fetchone()[0]
        with self._db:
            if oldest is None:
                self._db.execute("DELETE FROM stack")
            else:
                self._db.execute("DELETE FROM stack WHERE seen < ?", (oldest // _DAY_MS,))
        self._stacks.clear()
        self._db.execute("PRAGMA incremental_vacuum").fetchall()

    def _forget_unused(self) -> None:
        """Drop every stack that no window holds: 200 MB of windows are looked through in about a second."""
        used: set[int] = set()
        for (blob,) in self._db.execute("SELECT counts FROM window"):
            used.update(_pairs(blob)[::2])
        unused = [row for row in self._db.execute("SELECT id FROM stack") if row[0] not in used]
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("DELETE FROM stack WHERE id = ?", unused)
        self._stacks.clear()
        self._db.execute("PRAGMA incremental_vacuum").fetchall()

    def _series(self, series: Series) -> int:
        values = (series.site, series.instance, series.agent, series.kind.value, series.backend)
        self._db.execute(
            "INSERT OR IGNORE INTO series (site, instance, agent, kind, backend) VALUES (?, ?, ?, ?, ?)", values
        )
        sql = "SELECT id FROM series WHERE site = ? AND instance = ? AND agent = ? AND kind = ? AND backend = ?"
        return int(self._db.execute(sql, values).fetchone()[0])

    def _chosen(self, wanted: Callable[[Series], bool]) -> dict[int, Series]:
        rows = self._db.execute("SELECT id, site, instance, agent, kind, backend FROM series").fetchall()
        return {row[0]: series for row in rows if wanted(series := _series(row[1:]))}

    def _numbered(self, stacks: Stacks, day: int) -> array[int]:
        """Pairs of a stack's number and its count, 32 bits each, little-endian."""
        if len(self._stacks) > _KNOWN_STACKS:
            self._stacks.clear()
        pairs = array("I")
        for stack, count in stacks.items():
            text = ";".join(stack)
            number, said = self._stacks.get(text, (0, -1))
            if said < day:
                self._db.execute(
                    "INSERT INTO stack (text, seen) VALUES (?, ?) "
                    "ON CONFLICT (text) DO UPDATE SET seen = max(seen, excluded.seen)",
                    (text, day),
                )
                number = self._db.execute("SELECT id FROM stack WHERE text = ?", (text,)).fetchone()[0]
                self._stacks[text] = (number, day)
            pairs.extend((number, count))
        if sys.byteorder == "big":
            pairs.byteswap()
        return pairs

    def _stacks_of(self, numbers: Iterable[int]) -> dict[int, tuple[str, ...]]:
        """Stacks by their numbers, each frame's text once in memory: thousands of stacks share some hundred frames."""
        found: dict[int, tuple[str, ...]] = {}
        frames: dict[str, str] = {}
        for number in numbers:
            row = self._db.execute("SELECT text FROM stack WHERE id = ?", (number,)).fetchone()
            if row is not None:
                found[number] = tuple(frames.setdefault(frame, frame) for frame in row[0].split(";"))
        return found


def _series(row: tuple[str, ...]) -> Series:
    site, instance, agent, kind, backend = row
    return Series(site, instance, agent, Kind(kind), backend)


def _pairs(blob: bytes) -> array[int]:
    pairs = array("I")
    pairs.frombytes(blob)
    if sys.byteorder == "big":
        pairs.byteswap()
    return pairs


def _add(total: Counter[int], blob: bytes) -> None:
    pairs = _pairs(blob)
    for number, count in zip(pairs[::2], pairs[1::2], strict=True):
        total[number] += count
