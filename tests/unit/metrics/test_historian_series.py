"""Historians' databases: found, read cheaply, and survived when locked, broken or missing."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from frozen_platform import NOW, iso, make_cache, make_store

from voltscope.metrics.historian_files import parse_timestamp, read_cache, read_store

AGE = "volttron_historian_newest_row_age_seconds{agent=platform.historian}"
BACKLOG = "volttron_historian_backlog_records{agent=platform.historian}"
STORE_OK = "volttron_historian_database_readable{agent=platform.historian,database=store}"
CACHE_OK = "volttron_historian_database_readable{agent=platform.historian,database=cache}"


def _store(frozen: Any) -> Path:
    return frozen.home / "agents" / "platform.historian" / "data" / "historian.sqlite"


def _files(frozen: Any) -> set[Path]:
    return {path for path in frozen.home.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("generation", "age", "backlog"), [("modular", 10.5, 7), ("monolithic", 4.0, 0)])
def test_both_layouts(generation: str, age: float, backlog: int, request: pytest.FixtureRequest) -> None:
    frozen = request.getfixturevalue(generation)
    before = _files(frozen)
    seen = frozen.scrape()
    assert seen[AGE] == age
    assert seen[BACKLOG] == backlog  # the health context's word, for it is fresh
    assert seen[STORE_OK] == seen[CACHE_OK] == 1
    assert _files(frozen) == before


def test_the_age_grows_when_nothing_is_written(modular: Any) -> None:
    modular.scrape()
    modular.now += 300
    assert modular.scrape()[AGE] == 310.5


def test_without_fresh_health_the_cache_tells_the_backlog(modular: Any) -> None:
    modular.now += 121
    assert modular.scrape()[BACKLOG] == 5  # ids 3 to 7


def test_an_open_store_anywhere_is_found_and_remembered_when_the_historian_stops(modular: Any, tmp_path: Path) -> None:
    elsewhere = tmp_path / "disk" / "site.db"
    make_store(elsewhere, [iso(NOW - 2)], table="'my data'")
    (modular.proc / "4100" / "fd" / "9").symlink_to(elsewhere)
    assert modular.scrape()[AGE] == 2
    _store(modular).unlink()
    modular.end_process(4100)
    modular.now += 60
    seen = modular.scrape()
    assert seen["volttron_agent_state{agent=platform.historian,state=crashed}"] == 1
    assert seen[AGE] == 62
    assert "volttron_historian_publishing{agent=platform.historian}" not in seen


def test_rows_of_the_future_do_not_hide_a_standstill(modular: Any) -> None:
    with sqlite3.connect(_store(modular)) as db:
        db.execute("INSERT INTO data VALUES (?, 9, '1')", (iso(NOW + 86400),))
    db.close()
    assert modular.scrape()[AGE] == 10.5


def test_only_rows_of_the_future_give_a_negative_age(tmp_path: Path) -> None:
    make_store(tmp_path / "s.sqlite", [iso(NOW + 500)])
    assert read_store(tmp_path / "s.sqlite", NOW).newest == NOW + 500


def test_without_an_index_on_ts_the_last_written_row_counts(tmp_path: Path) -> None:
    make_store(tmp_path / "s.sqlite", [iso(NOW - 5), iso(NOW - 9)], index=False)
    assert read_store(tmp_path / "s.sqlite", NOW).newest == NOW - 9


def test_a_big_store_is_read_in_no_time(tmp_path: Path) -> None:
    make_store(tmp_path / "s.sqlite", [iso(NOW - number) for number in range(100_000)])
    make_cache(tmp_path / "backup.sqlite", range(1, 100_000))
    before = time.process_time()
    assert read_store(tmp_path / "s.sqlite", NOW).newest == NOW
    assert read_cache(tmp_path / "backup.sqlite").span == 99_999
    assert time.process_time() - before < 0.1


def test_a_locked_store_keeps_its_last_known_row_and_does_not_hold_the_scrape(modular: Any) -> None:
    assert modular.scrape()[AGE] == 10.5
    writer = sqlite3.connect(_store(modular), isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    modular.now += 10
    before = time.monotonic()
    seen = modular.scrape()
    assert time.monotonic() - before < 4  # SQLite itself would wait for 5
    assert seen[STORE_OK] == 0
    assert seen[CACHE_OK] == 1
    assert seen[AGE] == 20.5
    assert seen["voltscope_collector_success{collector=historian}"] == 1
    writer.execute("ROLLBACK")
    writer.close()
    assert modular.scrape()[STORE_OK] == 1


def test_a_locked_cache_keeps_its_last_known_reading(modular: Any) -> None:
    """The historian locks it with every batch: series that came and went would keep alerts on them from firing."""
    series = [f"volttron_historian_{name}{{agent=platform.historian}}" for name in ("backlog_bytes", "free_list_bytes")]
    before = modular.scrape()
    writer = sqlite3.connect(_store(modular).parents[1] / "backup.sqlite", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    seen = modular.scrape()
    writer.close()
    assert (seen[STORE_OK], seen[CACHE_OK]) == (1, 0)
    assert [seen[one] for one in series] == [before[one] for one in series]
    assert seen[BACKLOG] == before[BACKLOG]


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_garbage_is_unreadable_and_nothing_else(modular: Any, content: bytes) -> None:
    _store(modular).write_bytes(content)
    seen = modular.scrape()
    assert seen[STORE_OK] == 0
    assert AGE not in seen
    assert seen[BACKLOG] == 7
    assert seen["voltscope_collector_success{collector=historian}"] == 1


def test_no_databases_no_series_and_none_is_made(modular: Any) -> None:
    for path in _files(modular):
        path.unlink()
    seen = modular.scrape()
    assert AGE not in seen
    assert STORE_OK not in seen
    assert seen[BACKLOG] == 7  # its health still says
    assert _files(modular) == set()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_store_we_may_not_read_is_unreadable(modular: Any) -> None:
    _store(modular).chmod(0)
    assert modular.scrape()["voltscope_collector_success{collector=historian}"] == 1


def test_an_empty_store_has_no_newest_row(tmp_path: Path) -> None:
    make_store(tmp_path / "s.sqlite", [])
    reading = read_store(tmp_path / "s.sqlite", NOW)
    assert (reading.newest, reading.written) == (None, 0)


def test_a_wal_store_at_rest_is_read_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    make_store(path, [iso(NOW - 3)])
    db = sqlite3.connect(path)
    db.execute("PRAGMA journal_mode=wal")
    db.close()
    assert read_store(path, NOW).newest == NOW - 3
    assert list(tmp_path.iterdir()) == [path]


def test_an_agent_with_a_cache_is_a_historian_whatever_its_name(modular: Any) -> None:
    agents = modular.facts.agents
    agents[1] = msgspec.structs.replace(agents[1], identity="forwarder", name="forward-1.0")
    modular.facts.health["forwarder"] = modular.facts.health["platform.historian"]
    assert modular.scrape()["volttron_historian_backlog_records{agent=forwarder}"] == 7


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-21T06:00:00.250000+00:00", 1795240800.25),
        ("2026-11-21 06:00:00.25", None),
        ("2026-11-21 06:00:00", 1795240800.0),
        ("2026-11-21T06:00:00Z", 1795240800.0),
        ("2026-11-21T08:00:00+02:00", 1795240800.0),
        ("", None),
        ("yesterday", None),
    ],
)
def test_timestamps(text: str, seconds: float | None) -> None:
    # two digits of a fraction are read from Python 3.11 on only; the platforms write six
    assert parse_timestamp(text) in (seconds, 1795240800.25 if "25" in text else seconds)


def _queries(seen: dict[str, float]) -> list[float]:
    """Look-ups by bucket, each with those below it."""
    name = "volttron_historian_query_seconds_bucket{agent=platform.historian,le="
    return [value for key, value in seen.items() if key.startswith(name)]


def test_each_look_up_is_timed(modular: Any) -> None:
    modular.scrape()
    seen = modular.scrape()
    assert seen["volttron_historian_query_seconds_count{agent=platform.historian}"] == 2
    assert _queries(seen)[-1] == 2 and _queries(seen) == sorted(_queries(seen))
    assert seen["volttron_historian_query_seconds_sum{agent=platform.historian}"] > 0


def test_a_look_up_that_a_lock_keeps_out_counts_in_the_last_bucket(modular: Any) -> None:
    modular.scrape()
    holder = sqlite3.connect(_store(modular), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    seen = modular.scrape()
    holder.close()
    assert _queries(seen)[-2:] == [1, 2]
    assert seen["volttron_historian_query_seconds_sum{agent=platform.historian}"] > 0.15, "it waited for the lock"


def test_what_a_historian_says_of_itself(modular: Any) -> None:
    facts, said = modular.facts, {"cache_only_enabled": True, "error_managing_db_size": True, "publishing": "perhaps"}
    health = facts.health["platform.historian"]
    context = {**health.context, **said}
    changed = msgspec.structs.replace(health, context=context)
    modular.facts = msgspec.structs.replace(facts, health={**facts.health, "platform.historian": changed})
    seen = modular.scrape()
    assert seen["volttron_historian_cache_only{agent=platform.historian}"] == 1
    assert seen["volttron_historian_size_error{agent=platform.historian}"] == 1
    assert "volttron_historian_publishing{agent=platform.historian}" not in seen


def test_the_oldest_record_of_a_cache_gives_its_age(tmp_path: Path) -> None:
    path = tmp_path / "backup.sqlite"
    make_cache(path, range(3, 8))
    with sqlite3.connect(path) as cache:
        cache.execute("UPDATE outstanding SET ts = ? WHERE id = 3", (iso(NOW - 600),))
    cache.close()
    assert read_cache(path).oldest == NOW - 600
    with sqlite3.connect(path) as cache:
        cache.execute("UPDATE outstanding SET ts = 'yesterday'")
    cache.close()
    assert read_cache(path).oldest is None


def test_a_stopped_monolithic_historian_that_was_never_seen_open_is_found(monolithic: Any) -> None:
    agents = [
        msgspec.structs.replace(agent, exit_status=0) if agent.identity == "platform.historian" else agent
        for agent in monolithic.facts.agents
    ]
    monolithic.facts = msgspec.structs.replace(monolithic.facts, agents=agents)
    assert monolithic.scrape()[AGE] == 4
