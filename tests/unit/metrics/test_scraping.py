"""One scrape among failing, hanging and concurrent ones, with fresh facts, old ones and none."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from voltscope.metrics.collectors import Collector, collectors
from voltscope.metrics.families import Samples, gauge
from voltscope.metrics.snapshot import Snapshot

BROKEN = gauge("volttron_broken", "Set before it breaks.")
SLOW = gauge("volttron_slow", "Comes late.")
SLOW_AGE = gauge("volttron_slow_age_seconds", "Is an age.")


class Failing(Collector):
    name, help, families = "failing", "Fails.", (BROKEN,)

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        samples.set(BROKEN, 1)
        raise RuntimeError("no such luck")


class Slow(Collector):
    name, help, families, keeps_s = "slow", "Too slow when told.", (SLOW, SLOW_AGE), 60.0

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.go_on = threading.Event()
        self.go_on.set()
        self.value = 1.0
        Slow.last = self

    last: Slow

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        value = self.value
        self.go_on.wait()
        if value < 0:
            raise RuntimeError("no such luck")
        samples.set(SLOW, value)
        samples.set(SLOW_AGE, 5)


class Hanging(Collector):
    name, help, families = "hanging", "Hangs until told.", (SLOW,)

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self.go_on = threading.Event()
        self.calls = 0
        Hanging.last = self

    last: Hanging

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        self.calls += 1
        self.go_on.wait()
        samples.set(SLOW, 1)


def test_a_failing_collector_costs_its_own_series_only(modular: Any) -> None:
    with_it = modular.scrape(modular.exposition(registered=[Failing, *collectors().values()]))
    assert with_it["voltscope_collector_success{collector=failing}"] == 0
    assert "volttron_broken" not in with_it
    without = {name for name in modular.scrape() if "restarts" not in name}
    assert without <= with_it.keys()


def test_the_same_failure_is_logged_once(modular: Any, caplog: pytest.LogCaptureFixture) -> None:
    exposition = modular.exposition(registered=[Failing])
    for _ in range(3):
        modular.scrape(exposition)
    assert [record.message for record in caplog.records] == ["collector failing failed"]


def test_a_hanging_collector_is_given_up_and_not_started_again(modular: Any) -> None:
    exposition = modular.exposition(registered=[Hanging, *collectors().values()], timer=time.monotonic)
    hanging = Hanging.last
    for _ in range(3):
        before = time.monotonic()
        seen = modular.scrape(exposition, collector_timeout_s=1.0)
        assert time.monotonic() - before < 20
        assert seen["voltscope_collector_success{collector=hanging}"] == 0
        assert seen["voltscope_collector_duration_seconds{collector=hanging}"] >= 1.0
        assert seen["voltscope_collector_success{collector=agents}"] == 1
        assert "volttron_slow" not in seen
    assert hanging.calls == 1
    assert "no answer" in (exposition.results["hanging"].error or "")
    hanging.go_on.set()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "collect-hanging"] or [None]
    if thread is not None:
        thread.join(60)
    seen = modular.scrape(exposition)
    assert seen["voltscope_collector_success{collector=hanging}"] == 1
    assert seen["volttron_slow"] == 1
    assert hanging.calls == 2


def test_the_last_answer_of_a_slow_collector_stands_in_with_its_age(modular: Any) -> None:
    exposition = modular.exposition(registered=[Slow])
    slow = Slow.last
    success, age = "voltscope_collector_success{collector=slow}", "voltscope_collector_age_seconds{collector=slow}"

    def scrape(timeout_s: float = 0.2) -> tuple[Any, ...]:
        seen = modular.scrape(exposition, collector_timeout_s=timeout_s)
        return tuple(seen.get(name) for name in (success, age, "volttron_slow", "volttron_slow_age_seconds"))

    assert scrape(60) == (1, 0, 1, 5)
    slow.go_on.clear()
    slow.value = 2.0
    modular.now += 15
    assert scrape() == (0, 15, 1, 20)  # what is an age has grown since
    modular.now += 15
    assert scrape() == (0, 30, 1, 35)
    modular.now += 31
    assert scrape() == (0, None, None, None)  # too old to be honest
    slow.go_on.set()
    for thread in [thread for thread in threading.enumerate() if thread.name == "collect-slow"]:
        thread.join(60)
    slow.value = 3.0
    slow.go_on.clear()
    assert scrape() == (0, 46, 2, 51)  # what came too late for its own scrape is an answer too
    slow.go_on.set()
    for thread in [thread for thread in threading.enumerate() if thread.name == "collect-slow"]:
        thread.join(60)
    assert scrape(60) == (1, 0, 3, 5)
    slow.value = -1
    assert scrape() == (0, None, None, None)  # it failed, it was not slow


def test_only_the_collectors_asked_for_are_run(modular: Any) -> None:
    seen = modular.scrape(only=["agents"])
    assert [name for name in seen if name.startswith("voltscope_collector_success")] == [
        "voltscope_collector_success{collector=agents}"
    ]
    assert "voltscope_build_info{version=0.1.0}" in seen
    assert modular.scrape(only=["agents"], disabled=["agents"]).keys() < seen.keys()


def test_concurrent_scrapes_are_all_whole(modular: Any) -> None:
    exposition = modular.exposition()
    wanted = set(modular.scrape(exposition))
    answers: list[dict[str, float]] = []
    threads = [threading.Thread(target=lambda: answers.append(modular.scrape(exposition))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.keys() ^ wanted for answer in answers] == [set()] * 12
    assert exposition.scrapes == 13


def test_disabled_collectors_are_not_run(modular: Any) -> None:
    seen = modular.scrape(disabled=["processes", "devices"])
    assert not [name for name in seen if name.startswith(("volttron_process_", "volttron_device_"))]
    assert "voltscope_collector_success{collector=processes}" not in seen


def test_stale_facts_are_said_to_be_and_processes_still_seen(modular: Any) -> None:
    modular.error, modular.age_s, modular.now = "the bridge is gone", 400.0, modular.now + 400
    modular.end_process(3950)
    seen = modular.scrape()
    assert seen["voltscope_facts_fresh"] == 0
    assert seen["voltscope_facts_age_seconds"] == 400
    assert seen["volttron_platform_up"] == 0
    assert seen["volttron_agent_state{agent=listener,state=crashed}"] == 1  # from /proc, not from the facts
    assert seen["volttron_process_threads{agent=platform.historian}"] == 4
    assert "volttron_process_threads{agent=listener}" not in seen


def test_old_facts_are_stale_without_an_error_too(modular: Any) -> None:
    modular.age_s = 31.0
    assert modular.scrape()["volttron_platform_up"] == 0


def test_a_pid_that_another_process_took_over_is_no_agent(modular: Any) -> None:
    modular.set_process(3950, start=str(200_000))  # started after the facts were taken
    seen = modular.scrape()
    assert seen["volttron_agent_state{agent=listener,state=crashed}"] == 1
    assert "volttron_process_threads{agent=listener}" not in seen


def test_alone_the_pid_file_and_proc_decide(modular: Any) -> None:
    modular.facts = modular.age_s = None
    modular.error = "no bridge"
    seen = modular.scrape()
    assert seen["volttron_platform_up"] == 0
    assert "voltscope_facts_age_seconds" not in seen
    (modular.home / "VOLTTRON_PID").write_text("3848")
    seen = modular.scrape()
    assert seen["volttron_platform_up"] == 1
    assert seen["volttron_platform_start_time_seconds"] == 1795240604.58
    assert seen["volttron_process_threads{agent=platform}"] == 10
    (modular.home / "VOLTTRON_PID").write_text("3950")  # lives, but it is no platform: the file is a dead one's
    assert modular.scrape()["volttron_platform_up"] == 0


def test_a_dead_platform_is_down(modular: Any) -> None:
    modular.end_process(3848)
    seen = modular.scrape()
    assert seen["volttron_platform_up"] == 0
    assert "volttron_platform_start_time_seconds" not in seen
