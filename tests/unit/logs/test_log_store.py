"""The store and its query language, as the console and the command line use them."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from voltscope.errors import QueryError, StoreError
from voltscope.logs.record import Generation, Record
from voltscope.logs.store import Position, Store

GENERATION = Generation("host", "vm", "/log", b"head")


def _record(number: int, text: str, agent: str = "listener", level: int = 20) -> Record:
    return Record(1000.0 + number, level, agent, "demo.agent_x", text, number * 10, number * 10 + 10, pid=7)


def _add(store: Store, *records: Record) -> None:
    store.add(GENERATION, records, Position("/log", 1, 2, b"head", records[-1].end))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "logs.sqlite")
    _add(
        store,
        _record(0, "starting up"),
        _record(1, "cannot write row", "platform.historian", 40),
        _record(2, "wrote 5 rows to base_historian", "platform.historian", 10),
        _record(3, "fatal: no disk", "platform.driver", 50),
    )
    return store


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [4, 3, 2, 1]),
        ("error AND historian", [2]),
        ("historian", [3, 2]),
        ('"write row"', [2]),
        ('"row write"', []),
        ("row*", [3, 2]),
        ("historian NOT error", [3]),
        ("historian AND NOT error", [3]),
        ("(starting OR disk) critical", [4]),
        ("starting OR disk OR nothing", [4, 1]),
        ("platform.historian", [3, 2]),
        ("agent:platform.driver", [4]),
        ('agent:"platform driver"', [4]),
        ("level:error", [2]),
        ("ROW", [2]),
        ("--- historian =>", [3, 2]),
        ("agent_x", [4, 3, 2, 1]),
        ("col:umn", []),
        ("near(a b)", []),
        ("historian\0", [3, 2]),
    ],
)
@pytest.mark.parametrize("indexed", [False, True])
def test_queries_find_what_they_say(store: Store, query: str, found: list[int], indexed: bool) -> None:
    if indexed:
        with store._writing():
            store._index(4)
    assert [hit.id for hit in store.search(query)] == found
    assert [hit.id for hit in store.tail(0, query=query)] == found[::-1]


@pytest.mark.parametrize(
    ("query", "position"),
    [
        ("(", 1),
        ("a)", 1),
        ("a (b", 2),
        ("NOT a", 0),
        ("a OR", 4),
        ("a AND OR b", 6),
        ('say "x', 4),
        ("* b", 0),
        ("---", 0),
        ("agent:", 6),
        ("()", 1),
        ("(" * 60, 51),
        ("x" * 3000, 2000),
    ],
)
def test_a_query_that_cannot_be_read_says_where(store: Store, query: str, position: int) -> None:
    with pytest.raises(QueryError) as refused:
        store.search(query)
    assert refused.value.position == position


@pytest.mark.parametrize(
    "query", ["\ud800", "'; DROP TABLE records; --", 'a" OR "b', "a^b", "{a b}: c", "+a", "-a", "a + b"]
)
def test_hostile_queries_raise_nothing_of_sqlite(store: Store, query: str) -> None:
    with contextlib.suppress(QueryError):
        store.search(query)
    assert store.last_id() == 4


def test_filters_narrow_exactly(store: Store) -> None:
    assert [hit.id for hit in store.search(agent="platform.historian")] == [3, 2]
    assert store.search(agent="historian") == []
    assert [hit.id for hit in store.search(level="error")] == [4, 2]
    assert [hit.id for hit in store.search(since=1001.0, until=1002.0)] == [3, 2]
    assert store.search(since=5000.0) == []
    assert [hit.id for hit in store.search(limit=2)] == [4, 3]
    assert [hit.id for hit in store.search(limit=2, before_id=3)] == [2, 1]
    assert [hit.id for hit in store.tail(2)] == [3, 4]
    assert store.agents() == ["listener", "platform.driver", "platform.historian"]


def test_the_index_and_what_waits_for_it_answer_as_one(store: Store) -> None:
    _add(store, *[_record(number, f"many {number}") for number in range(4, 1200)])
    _add(store, *[_record(number, f"many {number}") for number in range(1200, 1300)])
    assert store._indexed < store.last_id()
    assert len(store.search("many", limit=5000)) == 1296
    assert [hit.id for hit in store.search("many", limit=150)] == list(range(1300, 1150, -1))


def test_records_and_position_commit_together(store: Store) -> None:
    bad = _record(9, "text")
    bad.text = None  # type: ignore[assignment]
    with pytest.raises(StoreError):
        store.add(GENERATION, [_record(8, "good"), bad], Position("/log", 1, 2, b"head", 999))
    assert store.last_id() == 4
    position = store.position("/log")
    assert position is not None and position.offset == 40
    _add(store, _record(4, "next"))
    assert store.search("next")[0].id == 5


def test_reading_creates_no_file(tmp_path: Path) -> None:
    path = tmp_path / "logs.sqlite"
    with pytest.raises(StoreError):
        Store.open(path, readonly=True)
    assert [path.name for path in tmp_path.iterdir()] == []
    writer = Store.open(path)
    _add(writer, _record(0, "one"))
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["logs.sqlite"]
    reader = Store.open(path, readonly=True)
    assert reader.last_id() == 1
    assert [path.name for path in tmp_path.iterdir()] == ["logs.sqlite"]
    writer = Store.open(path)
    _add(writer, _record(1, "two"))
    assert reader.search("two")[0].id == 2  # a reader of a store at rest sees the writer that came
    reader.close()
    writer.close()


def test_the_store_is_for_its_owner_only(store: Store) -> None:
    assert store.path.stat().st_mode & 0o077 == 0


def test_retention_by_age_takes_records_out_of_search_too(store: Store) -> None:
    assert store.maintain(1, 1 << 40, 1000.0 + 86400 + 1.5) == 2
    assert [hit.id for hit in store.search("historian")] == [3]
    assert store.first_id() == 3


def test_retention_by_size_keeps_the_newest(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "logs.sqlite")
    for start in range(0, 6000, 1000):
        _add(store, *[_record(number, f"{number} " + "word " * 60) for number in range(start, start + 1000)])
    limit = store.size_bytes() // 2
    while store.maintain(10**6, limit, time.time()):
        pass
    assert store.size_bytes() <= limit
    assert store.last_id() == 6000
    assert 1 < store.first_id() < 6000
    assert len(store.search("word", limit=10_000)) == 6000 - store.first_id() + 1


def test_pids_of_a_crash_loop_are_forgotten_but_every_agents_newest(store: Store) -> None:
    day = 86400.0
    looping = [(pid, pid * 60.0, "looping", "1") for pid in range(1, 5000)]
    store.add(None, [], None, [*looping, (9999, 5.0, "steady", "1")])
    store.maintain(30, 1 << 40, 10 * day)
    left = store.pids()
    assert (9999, 5.0, "steady", "1") in left and looping[-1] in left
    assert min(since for _, since, identity, _ in left if identity == "looping") >= 3 * day


def test_a_store_of_another_version_is_refused_in_words(store: Store) -> None:
    store.close()
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(StoreError, match="schema version 99"):
        Store.open(store.path)


def test_a_file_that_is_no_store_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "logs.sqlite").write_bytes(b"not a database at all, only text" * 100)
    for readonly in (True, False):
        with pytest.raises(StoreError):
            Store.open(tmp_path / "logs.sqlite", readonly=readonly)


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), -1e300])
def test_a_time_that_is_none_is_an_error_of_the_query(tmp_path: Path, moment: float) -> None:
    store = Store.open(tmp_path / "logs.sqlite")
    for bound in ("since", "until"):
        with pytest.raises(QueryError, match="no time"):
            store.search(**{bound: moment})
