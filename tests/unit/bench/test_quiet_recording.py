"""A recording of twenty minutes is continued for a day without inventing anything."""

import shutil

import pytest
from faults_lib import measure
from faults_lib.recording import aligned, continued, false_alarms, metrics_of, notation


def test_counters_go_on_at_their_rate_with_their_bursts():
    assert continued("volttron_x_total", [10, 10, 14], 7) == [10, 10, 14, 14, 18, 18, 22]


def test_a_counter_that_began_anew_goes_on_by_what_it_grew():
    assert continued("volttron_x_total", [10, 2, 5], 5) == [10, 10, 13, 13, 16]


def test_clocks_go_on_and_gauges_are_repeated():
    assert continued("volttron_platform_uptime_seconds", [100, 115, 130.2], 5) == [100, 115, 130, 145, 160]
    assert continued("volttron_process_open_fds", [3, 4, 5], 7) == [3, 4, 5, 3, 4, 5, 3]


def test_a_series_that_came_or_went_does_so_again():
    assert continued("volttron_agent_exit_status", [None, 1.0], 4) == [None, 1, None, 1]


def test_samples_are_put_in_their_scrape_and_moments_told_from_the_beginning_on():
    matrix = [
        {"metric": {"__name__": "up", "job": "v"}, "values": [[1000.0, "1"], [1030.2, "1"], [1300, "1"]]},
        {"metric": {"__name__": "volttron_process_start_time_seconds"}, "values": [[1000, "400"]]},
    ]
    assert aligned(matrix, 1000, 3) == {
        'up{job="v"}': [1, None, 1],
        "volttron_process_start_time_seconds{}": [-600, None, None],
    }


def test_notation_puts_equal_neighbours_together():
    assert notation([1, 1, 1, 2.5, None, None, 0]) == "1+0x2 2.5 _x2 0"


def test_the_rules_speak_of_the_metrics_that_are_recorded():
    names = metrics_of(measure.rule_files())
    assert {"up", "volttron_agent_state", "volttron_agent_rpc_latency_seconds_bucket"} <= set(names)
    assert not [name for name in names if ":" in name]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH")
def test_what_fires_in_a_recording_is_named():
    site = 'job="voltscope", site="s", instance="i"'
    well = {f"up{{{site}}}": [1.0] * 4}
    assert false_alarms(well, measure.rule_files(), 600) == []
    (fired,) = false_alarms({f"up{{{site}}}": [0.0] * 4}, measure.rule_files(), 600)
    assert 'alertname="VolttronExporterDown"' in fired
