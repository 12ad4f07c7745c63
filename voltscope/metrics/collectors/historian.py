"""Historians: how old the newest stored row is, and what waits in the cache."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, counter, gauge
from voltscope.metrics.historian_files import Databases, find_databases, read_cache, read_store
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.agents import Agent

NEWEST_ROW_AGE = gauge(
    "volttron_historian_newest_row_age_seconds",
    "Age of the newest row in the SQLite store (rows more than a minute in the future are passed over). "
    "It grows when the historian silently receives nothing, which its health does not tell.",
    "agent",
)
ROWS_WRITTEN = counter(
    "volttron_historian_rows_written_total", "Rows ever written to the SQLite store: its highest rowid.", "agent"
)
STORE_BYTES = gauge("volttron_historian_store_bytes", "Size of the SQLite store on disk.", "agent")
BACKLOG_RECORDS = gauge(
    "volttron_historian_backlog_records",
    "Records waiting in the cache: from the historian's health while that is fresh, "
    "otherwise the span of ids in the cache, an upper bound.",
    "agent",
)
BACKLOG_BYTES = gauge("volttron_historian_backlog_bytes", "Bytes in use in the cache, free pages not counted.", "agent")
READABLE = gauge(
    "volttron_historian_database_readable",
    "Whether the database could be read in this scrape; when not, the last known newest row and size still count.",
    "agent",
    database=("store", "cache"),
)
PUBLISHING = gauge("volttron_historian_publishing", "Whether the historian says it publishes.", "agent")
BACKLOGGED = gauge("volttron_historian_backlogged", "Whether the historian says it is behind.", "agent")
CACHE_FULL = gauge("volttron_historian_cache_full", "Whether the historian says its cache is full.", "agent")

# The historian renews its health with each publish; asked longer ago than this, the cache itself is the better source.
_HEALTH_FRESH_S = 120.0


@dataclass
class _Known:
    """What the last scrapes found out about one historian."""

    databases: Databases = field(default_factory=Databases)
    newest: float | None = None
    store_bytes: int | None = None
    written: int | None = None


@register
class HistorianCollector(Collector):
    """A stopped historian still has a newest row: paths once seen open are remembered, others known by layout."""

    name = "historian"
    help = "Historians: age of the newest row, rows written, backlog, sizes."
    families = (
        NEWEST_ROW_AGE,
        ROWS_WRITTEN,
        STORE_BYTES,
        BACKLOG_RECORDS,
        BACKLOG_BYTES,
        READABLE,
        PUBLISHING,
        BACKLOGGED,
        CACHE_FULL,
    )

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        historians = [agent for agent in snapshot.agents if is_historian(agent)]
        with self._lock:  # one scrape at a time reads the databases: two would only wait for each other's locks
            self._known = {agent.identity: self._known.get(agent.identity, _Known()) for agent in historians}
            for agent in historians:
                self._one(agent, self._known[agent.identity], snapshot, samples)

    def _one(self, agent: Agent, known: _Known, snapshot: Snapshot, samples: Samples) -> None:
        found = find_databases(
            snapshot.processes.open_files(agent.pid) if agent.pid is not None else (),
            snapshot.volttron_home,
            agent.identity,
            agent.installed.uuid,
            agent.installed.name,
        )
        known.databases = Databases(found.store or known.databases.store, found.cache or known.databases.cache)
        context = _context(agent, snapshot)
        self._store(agent.identity, known, snapshot.now, samples)
        _cache(agent.identity, known.databases.cache, context.get("cache_count"), samples)
        for family, key in ((PUBLISHING, "publishing"), (BACKLOGGED, "backlogged"), (CACHE_FULL, "cache_full")):
            if isinstance(context.get(key), bool):
                samples.set(family, float(context[key]), agent=agent.identity)

    def _store(self, identity: str, known: _Known, now: float, samples: Samples) -> None:
        if known.databases.store is None:
            return
        try:
            reading = read_store(known.databases.store, now)
        except (sqlite3.Error, OSError):
            samples.set(READABLE, 0.0, agent=identity, database="store")
        else:
            known.newest, known.written = reading.newest, reading.written
            known.store_bytes = reading.size_bytes
            samples.set(READABLE, 1.0, agent=identity, database="store")
        if known.newest is not None:
            samples.set(NEWEST_ROW_AGE, now - known.newest, agent=identity)
        samples.set(ROWS_WRITTEN, known.written, agent=identity)
        samples.set(STORE_BYTES, known.store_bytes, agent=identity)


def is_historian(agent: Agent) -> bool:
    """Named like one, or with a historian's cache in its health."""
    context = agent.health.context if agent.health is not None else None
    return (
        "historian" in agent.identity.lower()
        or "historian" in agent.installed.name.lower()
        or (isinstance(context, dict) and "cache_count" in context)
    )


def _context(agent: Agent, snapshot: Snapshot) -> Mapping[str, Any]:
    """The historian's own words, when it lives and gave them lately."""
    health = agent.health
    if agent.pid is None or health is None or not health.answered or not isinstance(health.context, dict):
        return {}
    return health.context if snapshot.now - health.asked_at <= _HEALTH_FRESH_S else {}


def _cache(identity: str, path: Path | None, said: object, samples: Samples) -> None:
    counted = said if isinstance(said, int) and not isinstance(said, bool) else None
    if path is not None:
        try:
            reading = read_cache(path)
        except (sqlite3.Error, OSError):
            samples.set(READABLE, 0.0, agent=identity, database="cache")
        else:
            samples.set(READABLE, 1.0, agent=identity, database="cache")
            samples.set(BACKLOG_BYTES, reading.used_bytes, agent=identity)
            counted = reading.span if counted is None else counted
    samples.set(BACKLOG_RECORDS, counted, agent=identity)
