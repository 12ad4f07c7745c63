"""Faults of historians: starved, full, locked, forbidden, misdated."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from faults_lib.bench import Bench
from faults_lib.fault import SEEN_S, declare

# What a historian itself says when it cannot store: its health turns bad and it publishes alerts.
_SAYS = {
    "VolttronAgentHealthBad": "it says so itself",
    "VolttronAlertActive": "it says so itself, and an alert stands until its health is good again",
}
_STORES_NOT = {"VolttronHistorianNotPublishing": "it says that it stores nothing", **_SAYS}


THIEF, SOURCE, SOURCE_OF_OLD = "faulty.thief", "faulty.source", "faulty.source-of-old"


@declare(
    "VolttronHistorianShadowed",
    budget_s=20 + 30 + 3 * SEEN_S,
    # a prefix of its own, so that this historian alone is starved; the mechanism is the same for "devices"
    historian={
        "all_platforms": True,
        "capture_device_data": False,
        "custom_topics": {"capture_device_data": ["devices/campus"]},
    },
    helper=THIEF,
)
def starve_a_historian(bench: Bench, historian: str) -> Iterator[float]:
    """Another agent subscribes to the prefix a historian with all_platforms holds, as agents do by default."""
    with bench.told(THIEF, "starve"):
        yield time.time()


@declare("VolttronHistorianDatabaseUnreadable", also=_STORES_NOT, budget_s=120 + SEEN_S + 20, historian={})
def lock_its_database(bench: Bench, historian: str) -> Iterator[float]:
    """Somebody holds the lock of a historian's database, as a backup that hangs does."""
    with contextlib.closing(sqlite3.connect(_store(bench, historian))) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield time.time()
        other.rollback()


@declare("VolttronHistorianNotPublishing", also=_SAYS, budget_s=60 + SEEN_S + 30, historian={})
def deny_its_disk(bench: Bench, historian: str) -> Iterator[float]:
    """A historian may not write into its folder any more."""
    with _denied(_store(bench, historian).parent):
        yield time.time()


@declare(
    "VolttronHistorianBacklogGrowing",
    also={**_STORES_NOT, "VolttronHistorianStale": "its newest row grows old meanwhile"},
    budget_s=150 + 600 + 300 + SEEN_S + 60,  # a hundred records, for ten minutes, for five minutes more
    historian={},
    stands_s=5,
)
def grow_its_backlog(bench: Bench, historian: str) -> Iterator[float]:
    """A historian cannot store for a quarter of an hour."""
    with _denied(_store(bench, historian).parent):
        yield time.time()


@declare(
    "VolttronHistorianCacheFull",
    also={**_SAYS, "VolttronHistorianStale": "what is in the cache is not in its store"},
    budget_s=300,
    historian={},
    helper=SOURCE,
    stands_s=30,
)
def fill_its_cache(bench: Bench, historian: str) -> Iterator[float]:
    """A historian that stores nothing for the time being reaches the limit of its cache, 0.3 MB."""
    config = bench.stored(historian, "config")
    bench.store(historian, "config", config | {"cache_only_enabled": True, "backup_storage_limit_gb": 0.0003})
    with bench.told(SOURCE, "publish"):
        yield time.time()
        bench.store(historian, "config", config)


@declare(
    "VolttronHistorianInvalidTimestamps",
    also=_SAYS,
    budget_s=120 + SEEN_S + 20,
    historian={"time_tolerance": 600, "time_tolerance_topics": ["analysis/faults/misdated"]},
    helper=SOURCE_OF_OLD,
)
def misdate_records(bench: Bench, historian: str) -> Iterator[float]:
    """An agent publishes records with the time of a clock that is hours off."""
    with bench.told(SOURCE_OF_OLD, "misdate"):
        yield time.time()
    with contextlib.closing(sqlite3.connect(bench.data(historian).parent / "backup.sqlite", timeout=30)) as cache:
        cache.execute("DELETE FROM time_error")
        cache.commit()


def _store(bench: Bench, historian: str) -> Path:
    return bench.data(historian) / "historian.sqlite"


@contextlib.contextmanager
def _denied(folder: Path) -> Iterator[None]:
    mode = folder.stat().st_mode
    folder.chmod(0o555)
    try:
        yield
    finally:
        folder.chmod(mode)
