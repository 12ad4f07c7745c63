"""What frozen platforms are made of: facts, /proc, and historians' databases made like the real ones."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from voltscope.engine.service import FactsAnswer
from voltscope.metrics.exposition import Exposition
from voltscope.platform.agents import Facts
from voltscope.platform.processes import ProcessTable

DATA = Path(__file__).parents[2] / "data" / "metrics"
NOW = 1795242000.0  # when the frozen facts were taken, and a quarter second


def frozen_facts(generation: str) -> Facts:
    return msgspec.json.decode((DATA / f"facts-{generation}.json").read_bytes(), type=Facts)


def iso(when: float) -> str:
    """A timestamp as both generations' historians store it."""
    return datetime.fromtimestamp(when, timezone.utc).isoformat()


def add_rows(path: Path, topic: str, rows: list[str]) -> None:
    """Rows of one more topic, or more of a known one."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA synchronous=off")
        known = db.execute("SELECT topic_id FROM topics WHERE topic_name = ?", (topic,)).fetchone()
        if known is None:
            highest = db.execute("SELECT max(topic_id) FROM topics").fetchone()[0] or 1
            known = (highest + 1,)
            db.execute("INSERT INTO topics VALUES (?, ?, NULL)", (*known, topic))
        db.executemany("INSERT OR REPLACE INTO data VALUES (?, ?, '0')", [(row, *known) for row in rows])
    db.close()


def make_store(path: Path, rows: list[str], index: bool = True, table: str = "data") -> None:
    """A store as SqlLiteFuncts.setup_historian_tables makes it; `rows` are timestamps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA synchronous=off")  # tests outlive no power cut
        db.execute("PRAGMA auto_vacuum=1")
        db.execute(
            f"CREATE TABLE {table} (ts timestamp NOT NULL, topic_id INTEGER NOT NULL, value_string TEXT NOT NULL, "
            "UNIQUE(topic_id, ts))"
        )
        if index:
            db.execute(f"CREATE INDEX data_idx ON {table} (ts ASC)")
        db.execute("CREATE TABLE topics (topic_id INTEGER PRIMARY KEY, topic_name TEXT NOT NULL, metadata TEXT)")
        db.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, 1, '0')", [(row,) for row in rows])  # noqa: S608
    db.close()


def make_cache(path: Path, ids: range, invalid: range = range(0)) -> None:
    """A cache as BackupDatabase makes it, with records waiting, or set aside as invalid, under these ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA synchronous=off")
        db.execute("PRAGMA auto_vacuum = FULL")
        db.execute(
            "CREATE TABLE outstanding (id INTEGER PRIMARY KEY, ts timestamp NOT NULL, source TEXT NOT NULL, "
            "topic_id INTEGER NOT NULL, value_string TEXT NOT NULL, header_string TEXT)"
        )
        db.execute("CREATE INDEX outstanding_ts_index ON outstanding (ts)")
        db.executemany("INSERT INTO outstanding VALUES (?, ?, 'scrape', 1, '0', '{}')", [(n, iso(NOW)) for n in ids])
        db.execute(
            "CREATE TABLE time_error (id INTEGER PRIMARY KEY, ts timestamp NOT NULL, source TEXT NOT NULL, "
            "topic_id INTEGER NOT NULL, value_string TEXT NOT NULL, header_string TEXT)"
        )
        db.executemany("INSERT INTO time_error VALUES (?, ?, 'scrape', 1, '0', '{}')", [(n, iso(NOW)) for n in invalid])
    db.close()


@dataclass
class Frozen:
    """A platform that stands still; every part may be changed before the next scrape."""

    home: Path
    data_dir: Path
    proc: Path
    facts: Facts | None
    age_s: float | None = 0.25
    error: str | None = None
    now: float = NOW
    made: list[Exposition] = field(default_factory=list)

    def answer(self, timeout_s: float) -> FactsAnswer:
        return FactsAnswer(self.facts, self.age_s, self.error)

    def exposition(self, **kwargs: Any) -> Exposition:
        table = ProcessTable(self.proc, ticks=100, page_size=4096)
        given = {"processes": table, "clock": lambda: self.now, "timer": lambda: 0.0} | kwargs
        return Exposition(self.answer, self.home, self.data_dir, **given)

    def scrape(self, exposition: Exposition | None = None, **limits: Any) -> dict[str, float]:
        """One scrape: value by series, written like `name{label=value,...}` with labels in alphabetical order."""
        given = {"facts_timeout_s": 1.0, "collector_timeout_s": 20.0, "fresh_for_s": 30.0} | limits
        if exposition is None:
            if not self.made:
                self.made.append(self.exposition())
            exposition = self.made[0]
        found = {}
        for metric in exposition.collect(**given):
            for sample in metric.samples:
                labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
                series = f"{sample.name}{{{labels}}}" if labels else sample.name
                assert series not in found, f"{series} twice"
                found[series] = sample.value
        return found

    def set_process(self, pid: int, **fields: str) -> None:
        """Copy the listener's process to `pid`; `fields`: `start` in ticks since boot."""
        target = self.proc / str(pid)
        if not target.exists():
            shutil.copytree(DATA / "proc" / "3950", target, symlinks=True)
        parts = (target / "stat").read_text().split(" ")
        parts[0] = str(pid)
        parts[21] = fields.get("start", parts[21])
        (target / "stat").write_text(" ".join(parts))

    def end_process(self, pid: int) -> None:
        shutil.rmtree(self.proc / str(pid))
