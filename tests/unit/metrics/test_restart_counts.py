"""Restarts across processes, across our own restart, across a stepped clock."""

from __future__ import annotations

from typing import Any

import msgspec

SERIES = "volttron_agent_restarts_total{agent=listener}"


def _restart(frozen: Any, pid: int, start: int = 34000) -> None:
    frozen.set_process(pid, start=str(start))
    old = frozen.facts.agents[0]
    frozen.facts.agents[0] = msgspec.structs.replace(old, pid=pid, exit_status=None)


def test_another_pid_is_a_restart(modular: Any) -> None:
    assert modular.scrape()[SERIES] == 0
    _restart(modular, 5000)
    assert modular.scrape()[SERIES] == 1
    assert modular.scrape()[SERIES] == 1
    assert modular.scrape()["volttron_agent_restarts_total{agent=platform.historian}"] == 0


def test_the_same_pid_born_later_is_a_restart(modular: Any) -> None:
    modular.scrape()
    modular.set_process(3950, start="50000")
    assert modular.scrape()[SERIES] == 1


def test_a_crash_alone_is_none_and_the_start_after_it_is_one(modular: Any) -> None:
    modular.scrape()
    modular.end_process(3950)
    assert modular.scrape()[SERIES] == 0
    _restart(modular, 5001)
    assert modular.scrape()[SERIES] == 1


def test_processes_that_nobody_saw_alive_count(modular: Any) -> None:
    """A crash loop: each process ends a second after its start, and scrapes come every fifteen."""
    modular.scrape()
    modular.end_process(3950)
    for number, pid in enumerate((5001, 5002, 5002, 5003)):
        old = modular.facts.agents[0]
        modular.facts.agents[0] = msgspec.structs.replace(old, pid=pid, exit_status=1)
        assert modular.scrape()[SERIES] == (1, 2, 2, 3)[number]
    _restart(modular, 5003)  # seen at last: it was not gone, only too young for the facts
    assert modular.scrape()[SERIES] == 3
    _restart(modular, 5004)
    assert modular.scrape()[SERIES] == 4


def test_counts_outlive_our_own_restart(modular: Any) -> None:
    modular.scrape()
    _restart(modular, 5000)
    modular.scrape()
    modular.made.clear()
    assert modular.scrape()[SERIES] == 1
    modular.made.clear()
    _restart(modular, 5002)  # while we were away
    assert modular.scrape()[SERIES] == 2


def test_a_stepped_clock_is_no_restart(modular: Any) -> None:
    modular.scrape()
    stat = modular.proc / "stat"
    stat.write_text(stat.read_text().replace("btime 1795240300", "btime 1795240000"))
    assert modular.scrape()[SERIES] == 0


def test_a_reboot_is_a_restart_even_with_the_same_pid_and_ticks(modular: Any) -> None:
    modular.scrape()
    (modular.proc / "sys/kernel/random/boot_id").write_text("another")
    assert modular.scrape()[SERIES] == 1


def test_removed_agents_are_forgotten_only_on_fresh_facts(modular: Any) -> None:
    modular.scrape()
    _restart(modular, 5000)
    modular.scrape()
    listener = modular.facts.agents.pop(0)
    modular.error = "stale"
    assert SERIES not in modular.scrape()
    modular.facts.agents.insert(0, listener)
    assert modular.scrape()[SERIES] == 1
    modular.error = None
    modular.facts.agents.pop(0)
    assert SERIES not in modular.scrape()
    modular.facts.agents.insert(0, listener)
    assert modular.scrape()[SERIES] == 0


def test_older_facts_of_a_concurrent_scrape_do_not_count(modular: Any) -> None:
    modular.scrape()
    old = modular.facts
    modular.facts = msgspec.structs.replace(old, agents=list(old.agents), taken_at=old.taken_at + 0.1)
    _restart(modular, 5000)
    assert modular.scrape()[SERIES] == 1
    modular.facts = old
    assert modular.scrape()[SERIES] == 1


def test_restarts_count_although_the_clock_was_set_back(modular: Any) -> None:
    modular.scrape()
    modular.facts = msgspec.structs.replace(modular.facts, taken_at=modular.facts.taken_at - 90)
    _restart(modular, 5000)
    assert modular.scrape()[SERIES] == 1


def test_a_torn_or_foreign_file_starts_anew(modular: Any) -> None:
    modular.data_dir.mkdir()
    (modular.data_dir / "restarts.json").write_bytes(b'{"version":1,"agents":{"listener":{"bo')
    assert modular.scrape()[SERIES] == 0
    modular.made.clear()
    assert modular.scrape()[SERIES] == 0


def test_what_cannot_be_written_is_counted_in_memory(modular: Any) -> None:
    modular.data_dir.write_text("a file where the directory should be")
    modular.scrape()
    _restart(modular, 5000)
    seen = modular.scrape()
    assert seen[SERIES] == 1
    assert seen["voltscope_collector_success{collector=agents}"] == 1
