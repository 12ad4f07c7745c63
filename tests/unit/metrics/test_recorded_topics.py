"""Which topics of a historian belong to which device: read seldom, but soon after a device's first row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from voltscope.metrics.historian_topics import REREAD_MISSING_S, REREAD_S, RecordedTopics

DEVICE = "campus/building/fake"
FIRST, SECOND = "2026-11-21T08:00:00+00:00", "2026-11-21T08:00:05+00:00"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """An empty store of the sqlite historian."""
    path = tmp_path / "historian.sqlite"
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE data (ts timestamp NOT NULL, topic_id INTEGER NOT NULL, value_string TEXT NOT NULL,"
        " UNIQUE(topic_id, ts));"
        "CREATE TABLE topics (topic_id INTEGER PRIMARY KEY, topic_name TEXT NOT NULL, metadata TEXT);"
    )
    yield path, database
    database.close()


def record(database: sqlite3.Connection, topic: int, name: str, stamp: str) -> None:
    database.execute("INSERT OR IGNORE INTO topics VALUES (?, ?, NULL)", (topic, name))
    database.execute("INSERT INTO data VALUES (?, ?, '1')", (stamp, topic))
    database.commit()


def test_a_device_recorded_after_the_first_look_is_found_soon(store: tuple[Path, sqlite3.Connection]) -> None:
    path, database = store
    topics = RecordedTopics()
    assert topics.read(path, [DEVICE], None, 1000.0).devices == {}
    record(database, 1, f"{DEVICE}/temperature", FIRST)
    assert topics.read(path, [DEVICE], None, 1000.0 + REREAD_MISSING_S / 2).devices == {}
    assert topics.read(path, [DEVICE], None, 1000.0 + REREAD_MISSING_S).devices == {DEVICE: FIRST}


def test_where_every_device_is_known_topics_are_read_again_seldom(store: tuple[Path, sqlite3.Connection]) -> None:
    path, database = store
    record(database, 1, f"{DEVICE}/temperature", FIRST)
    topics = RecordedTopics()
    assert topics.read(path, [DEVICE], None, 1000.0).devices == {DEVICE: FIRST}
    record(database, 2, f"{DEVICE}/humidity", SECOND)
    assert topics.read(path, [DEVICE], None, 1000.0 + REREAD_S - 1).devices == {DEVICE: FIRST}, "a new point of it"
    record(database, 1, f"{DEVICE}/temperature", SECOND)
    assert topics.read(path, [DEVICE], None, 1000.0 + REREAD_S - 1).devices == {DEVICE: SECOND}, "rows at every look"
