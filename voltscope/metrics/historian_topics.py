"""What a historian's SQLite store holds of single topics: the newest row of each device, and of the canary."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from voltscope.metrics.historian_files import data_table, parse_timestamp, reading

# A store of a hundred thousand topics is read through in 0.1 s: now and then, not at every scrape.
REREAD_S = 300.0
# Sooner while a device has no topic yet: a new site's first rows come seconds after its first scrape.
REREAD_MISSING_S = 10.0
MAX_TOPICS = 200_000
MAX_DEVICES = 100
# A point may be taken out of a device; the newest of several tells that the device itself is still recorded.
POINTS_A_DEVICE = 3


@dataclass(frozen=True)
class Recorded:
    """`devices`: the newest row's timestamp as stored, by device path, of devices with any row. `canary`: seconds
    since the epoch of the canary's newest row, None where there is none.
    """

    devices: dict[str, str] = field(default_factory=dict)
    canary: float | None = None


class RecordedTopics:
    """Reads one store; remembers which topics belong to which device."""

    def __init__(self) -> None:
        self._ids: dict[str, list[int]] = {}
        self._read_at: float | None = None
        self._path: Path | None = None
        self._wanted: frozenset[str] = frozenset()

    def read(self, path: Path, devices: Collection[str], canary: str | None, now: float) -> Recorded:
        """Newest rows. Raises sqlite3.Error or OSError when the store cannot be read now."""
        wanted = frozenset(sorted(devices)[:MAX_DEVICES])
        with reading(path) as database:
            table, topics = data_table(database), _topics_table(database)
            if not _has_index_on_topic(database, table):
                return Recorded()
            pause = REREAD_S if wanted <= self._ids.keys() else REREAD_MISSING_S
            old = self._read_at is None or not 0 <= now - self._read_at < pause
            if old or path != self._path or wanted != self._wanted:
                self._ids = _ids(database, topics, wanted)
                self._read_at, self._path, self._wanted = now, path, wanted
            newest = f"SELECT max(ts) FROM {table} WHERE topic_id = ?"  # noqa: S608 - quoted
            found = {}
            for device, ids in self._ids.items():
                stamps = [str(row[0]) for one in ids if (row := database.execute(newest, (one,)).fetchone())[0]]
                if stamps:
                    found[device] = max(stamps)
            return Recorded(found, _canary(database, topics, newest, canary))


def _canary(database: sqlite3.Connection, topics: str, newest: str, name: str | None) -> float | None:
    if name is None:
        return None
    row = database.execute(f"SELECT topic_id FROM {topics} WHERE topic_name = ?", (name,)).fetchone()  # noqa: S608
    return parse_timestamp(database.execute(newest, row).fetchone()[0]) if row is not None else None


def _ids(database: sqlite3.Connection, topics: str, wanted: Collection[str]) -> dict[str, list[int]]:
    """Some topics of each device: a device's points are stored as `PATH/POINT`."""
    found: dict[str, list[int]] = {}
    rows = database.execute(f"SELECT topic_id, topic_name FROM {topics} LIMIT {MAX_TOPICS}")  # noqa: S608 - quoted
    for topic_id, name in rows:
        device = str(name).rpartition("/")[0]
        if device in wanted and len(found.setdefault(device, [])) < POINTS_A_DEVICE:
            found[device].append(topic_id)
    return found


def _topics_table(database: sqlite3.Connection) -> str:
    """The quoted name of the topics table: `topics`, or what the configured prefix made of it."""
    names = [str(row[0]) for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in sorted(names, key=lambda name: (name != "topics", name)):
        columns = {row[0] for row in database.execute("SELECT name FROM pragma_table_info(?)", (name,))}
        if {"topic_id", "topic_name"} <= columns:
            return '"' + name.replace('"', '""') + '"'
    raise sqlite3.DatabaseError("no historian's topics table")


def _has_index_on_topic(database: sqlite3.Connection, table: str) -> bool:
    """Without one every look-up would read the whole table."""
    for (name,) in database.execute(f"SELECT name FROM pragma_index_list({table})").fetchall():  # noqa: S608
        first = database.execute("SELECT name FROM pragma_index_info(?) WHERE seqno = 0", (name,)).fetchone()
        if first == ("topic_id",):
            return True
    return False
