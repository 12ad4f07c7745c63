"""A historian that silently receives nothing is named; one that merely has nothing to do is not."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from frozen_platform import NOW, add_rows, iso, make_cache

SHADOWED = "volttron_historian_shadowed{agent=platform.historian}"
CANARY = "volttron_historian_canary_age_seconds{agent=platform.historian}"
FREE = "volttron_historian_free_list_bytes{agent=platform.historian}"
INVALID = "volttron_historian_invalid_timestamps{agent=platform.historian}"
DEVICE = "campus/building/fake"


def _folder(frozen: Any) -> Path:
    return frozen.home / "agents" / "platform.historian"


class Site:
    """The modular frozen platform with a device that updates every 5 s and is recorded, until it is not."""

    def __init__(self, frozen: Any) -> None:
        self.frozen = frozen
        self.updates = 10
        self.store = _folder(frozen) / "data" / "historian.sqlite"
        self.record()
        self.empty_cache()

    def empty_cache(self, ids: range = range(0)) -> None:
        (_folder(self.frozen) / "backup.sqlite").unlink()
        make_cache(_folder(self.frozen) / "backup.sqlite", ids)

    def record(self, point: str = "OutsideAirTemperature", device: str = DEVICE) -> None:
        add_rows(self.store, f"{device}/{point}", [iso(self.frozen.now)])

    def pass_time(self, seconds: float = 5, updates: int = 1, record: bool = False, age: float = 1.0) -> float | None:
        self.frozen.now += seconds
        self.updates += updates
        facts = self.frozen.facts
        name = next(name for name in facts.devices if name.endswith(DEVICE))
        device = msgspec.structs.replace(
            facts.devices[name], updates=self.updates, last_update=self.frozen.now - age, interval=5.0
        )
        self.frozen.facts = msgspec.structs.replace(
            facts, devices=facts.devices | {name: device}, taken_at=self.frozen.now
        )
        if record:
            self.record()
        value: float | None = self.frozen.scrape().get(SHADOWED)
        return value


@pytest.fixture
def site(modular: Any) -> Site:
    return Site(modular)


def test_rows_that_stand_still_while_the_device_goes_on_are_a_starved_historian(site: Site) -> None:
    assert [site.pass_time(record=True) for _ in range(6)] == [0] * 6
    assert [site.pass_time() for _ in range(7)] == [0, 0, 0, 1, 1, 1, 1]
    assert site.pass_time(record=True) == 0


def test_seldom_scrapes_tell_it_as_well(site: Site) -> None:
    assert [site.pass_time(60, 12), site.pass_time(60, 12)] == [0, 1]


def test_other_topics_that_flow_do_not_hide_it(site: Site) -> None:
    site.pass_time(record=True)
    for _ in range(5):
        add_rows(site.store, "datalogger/a/b", [iso(site.frozen.now)])
        last = site.pass_time()
    assert last == 1


def test_a_device_that_is_silent_starves_nobody(site: Site) -> None:
    site.pass_time(record=True)
    assert {site.pass_time(5, 0, age=5.0 * n) for n in range(1, 10)} <= {0, None}


def test_one_device_of_two_that_is_recorded_no_more_is_no_starving(site: Site) -> None:
    facts = site.frozen.facts
    fake = next(device for name, device in facts.devices.items() if name.endswith(DEVICE))
    site.frozen.facts = msgspec.structs.replace(facts, devices=facts.devices | {"campus/other": fake})
    site.record(device="campus/other")
    for n in range(8):
        other = msgspec.structs.replace(fake, updates=10 + n, last_update=site.frozen.now + 4)
        now = site.frozen.facts
        site.frozen.facts = msgspec.structs.replace(now, devices=now.devices | {"campus/other": other})
        assert site.pass_time(record=True) == 0


def test_with_a_backlog_it_is_slow_not_starved(site: Site) -> None:
    site.empty_cache(range(1, 50))
    assert [site.pass_time() for _ in range(8)] == [0] * 8
    site.empty_cache()
    assert site.pass_time() == 1


def test_a_bridge_that_began_anew_counts_anew(site: Site) -> None:
    for _ in range(3):
        site.pass_time()
    site.updates = 0
    assert [site.pass_time() for _ in range(4)] == [0, 0, 0, 0]
    assert site.pass_time() == 1


def test_a_historian_that_does_not_run_is_not_judged(site: Site) -> None:
    site.frozen.end_process(4100)
    assert site.pass_time() is None


def test_what_never_was_recorded_cannot_be_judged(modular: Any) -> None:
    assert SHADOWED not in modular.scrape()


def test_a_store_without_topics_is_not_judged(site: Site) -> None:
    with sqlite3.connect(site.store) as db:
        db.execute("DROP TABLE topics")
    db.close()
    assert site.pass_time() is None
    assert site.frozen.scrape()["voltscope_collector_success{collector=historian}"] == 1


def test_the_canary_ages_from_the_first_published_until_one_arrives(modular: Any) -> None:
    topic, store = modular.facts.canary.topic, _folder(modular) / "data" / "historian.sqlite"
    assert modular.scrape()[CANARY] == 1000
    add_rows(store, topic, [iso(NOW - 70), iso(NOW - 10)])
    assert modular.scrape()[CANARY] == 10
    modular.now += 300
    assert modular.scrape()[CANARY] == 310
    modular.facts = msgspec.structs.replace(modular.facts, canary=None)
    assert CANARY not in modular.scrape()


def test_free_pages_and_records_set_aside(modular: Any) -> None:
    path = _folder(modular) / "backup.sqlite"
    path.unlink()
    make_cache(path, range(1, 5), invalid=range(10, 13))
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA synchronous=off")
        db.execute("PRAGMA auto_vacuum = NONE")
    db.execute("VACUUM")
    with db:
        db.executemany(
            "INSERT INTO outstanding VALUES (?, 0, '', 1, ?, '')", [(n, "x" * 2000) for n in range(100, 200)]
        )
    with db:
        db.execute("DELETE FROM outstanding WHERE id >= 100")
    db.close()
    seen = modular.scrape()
    assert seen[INVALID] == 3
    assert seen[FREE] > 100 * 2000
    used = seen["volttron_historian_backlog_bytes{agent=platform.historian}"]
    assert used + seen[FREE] == path.stat().st_size


def test_a_cache_of_an_older_historian_has_no_table_of_errors(modular: Any) -> None:
    with sqlite3.connect(_folder(modular) / "backup.sqlite") as db:
        db.execute("DROP TABLE time_error")
    db.close()
    seen = modular.scrape()
    assert INVALID not in seen and FREE in seen
