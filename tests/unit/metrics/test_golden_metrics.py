"""What a frozen platform of each generation looks like to Prometheus, to the byte."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from frozen_platform import DATA
from prometheus_client.exposition import generate_latest

from voltscope.version import __version__


class _Registry:
    def __init__(self, metrics: list[Any]) -> None:
        self.collect = lambda: metrics


@pytest.mark.parametrize("generation", ["modular", "monolithic"])
def test_metrics_are_the_golden_file(generation: str, request: pytest.FixtureRequest) -> None:
    frozen = request.getfixturevalue(generation)
    metrics = frozen.exposition().collect(facts_timeout_s=1.0, collector_timeout_s=20.0, fresh_for_s=30.0)
    text = generate_latest(_Registry(metrics)).decode().replace(f'version="{__version__}"', 'version="X"')
    text = re.sub(r"(?m)^(volttron_disk_\w+) .*$", r"\1 X", text)  # this machine's own disk
    text = re.sub(r"(?m)^(volttron_historian_query_seconds_(bucket|sum).*) .*$", r"\1 X", text)  # and its pace
    golden = DATA / f"metrics-{generation}.txt"
    if os.environ.get("VOLTSCOPE_UPDATE_GOLDEN"):  # an option would be unknown where pytest starts further up
        golden.write_text(text)
    assert text == golden.read_text()


def test_a_process_is_read_exactly(modular: Any) -> None:
    seen = modular.scrape()
    assert seen["volttron_process_cpu_seconds_total{agent=platform.historian,mode=user}"] == 12.5
    assert seen["volttron_process_cpu_seconds_total{agent=platform.historian,mode=system}"] == 2.5
    assert seen["volttron_process_resident_memory_bytes{agent=platform.historian}"] == 14000 * 4096
    assert seen["volttron_process_proportional_memory_bytes{agent=platform.historian}"] == 47000 * 1024
    assert seen["volttron_process_open_fds{agent=platform.historian}"] == 5
    # its child holds 9 of 1024: the worst counts
    assert seen["volttron_process_worst_fd_ratio{agent=platform.historian}"] == 9 / 1024
    # the platform's children are agents, each with a ratio of its own
    assert seen["volttron_process_worst_fd_ratio{agent=platform}"] == 6 / 1024
    assert seen["volttron_process_context_switches_total{agent=platform.historian,type=voluntary}"] == 9000
    assert seen["volttron_process_write_bytes_total{agent=platform.historian}"] == 8388608
    assert seen["volttron_process_start_time_seconds{agent=platform.historian}"] == 1795240640.0
    assert seen["volttron_process_children{agent=platform}"] == 3


def test_states_and_exit_statuses(modular: Any) -> None:
    seen = modular.scrape()
    states = {series for series, value in seen.items() if series.startswith("volttron_agent_state{") and value == 1}
    assert states == {
        f"volttron_agent_state{{agent={agent},state={state}}}"
        for agent, state in {
            "listener": "running",
            "platform.historian": "running",
            "platform.driver": "crashed",  # a kernel zombie: gone, not reaped yet
            "platform.watcher": "never-started",
            "stopped": "stopped",
            "killed": "crashed",
        }.items()
    }
    assert seen["volttron_agent_exit_status{agent=killed}"] == -9
    assert seen["volttron_agent_exit_status{agent=stopped}"] == 0
    assert "volttron_agent_exit_status{agent=listener}" not in seen


def test_a_dead_agents_last_word_is_no_health(modular: Any) -> None:
    seen = modular.scrape()
    assert seen["volttron_agent_health{agent=listener,status=good}"] == 1
    assert seen["volttron_agent_health{agent=platform.historian,status=bad}"] == 1
    assert not [series for series in seen if series.startswith("volttron_agent_health{agent=killed")]
    assert seen["volttron_agent_heartbeat_age_seconds{agent=listener}"] == 3.5
    assert seen["volttron_agent_heartbeat_sent{agent=platform.historian}"] == 0
    assert "volttron_agent_heartbeat_age_seconds{agent=platform.historian}" not in seen


def test_a_hung_agent_and_a_zombie(monolithic: Any) -> None:
    seen = monolithic.scrape()  # the listener is no peer although its process is old
    assert seen["volttron_agent_state{agent=listener,state=zombie}"] == 1
    assert seen["volttron_agent_health{agent=listener,status=unknown}"] == 1
    assert seen["volttron_agent_health_answered{agent=listener}"] == 0
    monolithic.facts.peers.append("listener")
    assert monolithic.scrape()["volttron_agent_state{agent=listener,state=hung}"] == 1


def test_devices(modular: Any) -> None:
    seen = modular.scrape()
    assert seen["volttron_device_last_update_age_seconds{device=devices/campus/building/fake}"] == 2.25
    assert seen["volttron_device_updates_total{device=devices/campus/building/fake}"] == 199
    assert "volttron_device_last_update_age_seconds{device=devices/campus/building/silent}" not in seen
    assert seen["volttron_device_watched_seconds{device=devices/campus/building/silent}"] == 1000
