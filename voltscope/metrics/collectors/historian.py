"""Historians: how old the newest stored row is, and what waits in the cache."""

from __future__ import annotations

import bisect
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.collectors.forwarder import is_forwarder
from voltscope.metrics.families import Samples, counter, gauge, histogram
from voltscope.metrics.historian_files import CacheReading, Databases, find_databases, read_cache, read_store
from voltscope.metrics.historian_topics import RecordedTopics
from voltscope.metrics.shadowing import ShadowWatch
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.agents import Agent

# Upper bounds in seconds; our own waiting for a lock ends at 0.2 s.
QUERY_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5)

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
    "Whether the database could be read in this scrape; when not, what was last known of it still counts.",
    "agent",
    database=("store", "cache"),
)
PUBLISHING = gauge("volttron_historian_publishing", "Whether the historian says it publishes.", "agent")
BACKLOGGED = gauge("volttron_historian_backlogged", "Whether the historian says it is behind.", "agent")
FREE_LIST = gauge(
    "volttron_historian_free_list_bytes",
    "Free pages inside the cache's file: it does not shrink, and a cache that was once full stays as large.",
    "agent",
)
INVALID = gauge(
    "volttron_historian_invalid_timestamps",
    "Records the historian set aside for an impossible timestamp: the span of their ids, an upper bound.",
    "agent",
)
SHADOWED = gauge(
    "volttron_historian_shadowed",
    "Whether a running historian's rows stand still while every device it records goes on updating, for more than 3 "
    "intervals and with an empty backlog: another agent's subscription starves it, or devices publish below other "
    "topics than before. Absent where no updating device was ever recorded.",
    "agent",
)
CANARY_AGE = gauge(
    "volttron_historian_canary_age_seconds",
    "Age of the newest canary record in the SQLite store, of the first one published where none arrived; absent "
    "unless the canary is switched on.",
    "agent",
)
CACHE_FULL = gauge("volttron_historian_cache_full", "Whether the historian says its cache is full.", "agent")
CACHE_ONLY = gauge(
    "volttron_historian_cache_only", "Whether the historian says it is told to keep everything in its cache.", "agent"
)
SIZE_ERROR = gauge(
    "volttron_historian_size_error", "Whether the historian says it cannot keep its store to its size.", "agent"
)
BACKLOG_AGE = gauge(
    "volttron_historian_backlog_age_seconds",
    "Age, by its own timestamp, of the record that waits longest in the cache; 0 where none waits.",
    "agent",
)
QUERY = histogram(
    "volttron_historian_query_seconds",
    "How long our read-only look-up of the newest row in the SQLite store took, waiting for its locks included; one "
    "that was refused counts in +Inf. The historian itself is not asked: a query over RPC would be work on its event "
    "loop, and one against a locked store would make it look hung.",
    QUERY_BUCKETS,
    "agent",
)

# What a historian says of itself, by the key in its health's context.
_SAID = (
    (PUBLISHING, "publishing"),
    (BACKLOGGED, "backlogged"),
    (CACHE_FULL, "cache_full"),
    (CACHE_ONLY, "cache_only_enabled"),
    (SIZE_ERROR, "error_managing_db_size"),
)

# The historian renews its health with each publish; asked longer ago than this, the cache itself is the better source.
_HEALTH_FRESH_S = 120.0


@dataclass
class _Known:
    """What the last scrapes found out about one historian."""

    databases: Databases = field(default_factory=Databases)
    newest: float | None = None
    store_bytes: int | None = None
    written: int | None = None
    cache: CacheReading | None = None
    queries: list[int] = field(default_factory=lambda: [0] * (len(QUERY_BUCKETS) + 1))
    query_seconds: float = 0.0
    topics: RecordedTopics = field(default_factory=RecordedTopics)
    shadow: ShadowWatch = field(default_factory=ShadowWatch)


@register
class HistorianCollector(Collector):
    """A stopped historian still has a newest row: paths once seen open are remembered, others known by layout."""

    name = "historian"
    help = "Historians: age of the newest row, rows written, backlog, sizes."
    keeps_s = 60.0  # states of the historian's are among its series
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
        CACHE_ONLY,
        SIZE_ERROR,
        BACKLOG_AGE,
        QUERY,
        FREE_LIST,
        INVALID,
        SHADOWED,
        CANARY_AGE,
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
            f"{agent.installed.name}-{agent.installed.version}",
        )
        known.databases = Databases(found.store or known.databases.store, found.cache or known.databases.cache)
        context = _context(agent, snapshot)
        self._store(agent.identity, known, snapshot.now, samples)
        backlog = _cache(agent.identity, known, context.get("cache_count"), snapshot.now, samples)
        self._topics(agent, known, snapshot, backlog, samples)
        for family, key in _SAID:
            if isinstance(context.get(key), bool):
                samples.set(family, float(context[key]), agent=agent.identity)

    def _store(self, identity: str, known: _Known, now: float, samples: Samples) -> None:
        if known.databases.store is None:
            return
        began, took = time.perf_counter(), float("inf")
        try:
            reading = read_store(known.databases.store, now)
        except (sqlite3.Error, OSError):
            samples.set(READABLE, 0.0, agent=identity, database="store")
        else:
            took = time.perf_counter() - began
            known.newest, known.written = reading.newest, reading.written
            known.store_bytes = reading.size_bytes
            samples.set(READABLE, 1.0, agent=identity, database="store")
        known.queries[bisect.bisect_left(QUERY_BUCKETS, took)] += 1
        known.query_seconds += time.perf_counter() - began
        samples.observed(QUERY, list(known.queries), known.query_seconds, agent=identity)
        if known.newest is not None:
            samples.set(NEWEST_ROW_AGE, now - known.newest, agent=identity)
        samples.set(ROWS_WRITTEN, known.written, agent=identity)
        samples.set(STORE_BYTES, known.store_bytes, agent=identity)

    def _topics(self, agent: Agent, known: _Known, snapshot: Snapshot, backlog: int | None, samples: Samples) -> None:
        facts, store = snapshot.facts, known.databases.store
        if facts is None or store is None:
            return
        devices = {path.removeprefix("devices/"): device for path, device in facts.devices.items()}
        canary = facts.canary if facts.canary is not None and facts.canary.published else None
        try:
            recorded = known.topics.read(store, devices, canary.topic if canary is not None else None, snapshot.now)
        except (sqlite3.Error, OSError):
            return  # a store that cannot be read now is told by volttron_historian_database_readable
        if canary is not None:
            samples.set(CANARY_AGE, snapshot.now - (recorded.canary or canary.since), agent=agent.identity)
        if agent.pid is None or not snapshot.fresh:
            known.shadow = ShadowWatch()  # what was not watched without a gap proves nothing
            return
        starved = known.shadow.judge(devices, recorded.devices, snapshot.now)
        if starved is not None:
            samples.set(SHADOWED, float(starved and backlog == 0), agent=agent.identity)


def is_historian(agent: Agent) -> bool:
    """Named like one, or with a historian's cache in its health, or a forwarder, which has such a cache too."""
    context = agent.health.context if agent.health is not None else None
    return (
        "historian" in agent.identity.lower()
        or "historian" in agent.installed.name.lower()
        or (isinstance(context, dict) and "cache_count" in context)
        or is_forwarder(agent)
    )


def _context(agent: Agent, snapshot: Snapshot) -> Mapping[str, Any]:
    """The historian's own words, when it lives and gave them lately."""
    health = agent.health
    if agent.pid is None or health is None or not health.answered or not isinstance(health.context, dict):
        return {}
    return health.context if snapshot.now - health.asked_at <= _HEALTH_FRESH_S else {}


def _cache(identity: str, known: _Known, said: object, now: float, samples: Samples) -> int | None:
    """What truly waits: the cache's own word, for a historian that receives nothing does not renew its health.

    The historian locks its cache with every batch: while it does, the last known reading still counts.
    """
    counted = said if isinstance(said, int) and not isinstance(said, bool) else None
    waiting = counted
    if known.databases.cache is not None:
        try:
            known.cache = read_cache(known.databases.cache)
        except (sqlite3.Error, OSError):
            samples.set(READABLE, 0.0, agent=identity, database="cache")
        else:
            samples.set(READABLE, 1.0, agent=identity, database="cache")
            counted = known.cache.span if counted is None else counted
            waiting = known.cache.span
    if known.cache is not None:
        samples.set(BACKLOG_BYTES, known.cache.used_bytes, agent=identity)
        samples.set(FREE_LIST, known.cache.free_bytes, agent=identity)
        samples.set(INVALID, known.cache.invalid, agent=identity)
        age = 0.0 if known.cache.oldest is None else max(0.0, now - known.cache.oldest)
        samples.set(BACKLOG_AGE, age, agent=identity)
    samples.set(BACKLOG_RECORDS, counted, agent=identity)
    return waiting
